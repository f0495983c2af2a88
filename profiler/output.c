#define _GNU_SOURCE
#include "profiler/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/signals.h"

void output_expand_path(const char *path, int pid, uint64_t wall_ns, struct buffer *out) {
    for (const char *at = path; *at != '\0'; at++) {
        char stamp[32];
        time_t seconds = (time_t)(wall_ns / NS_PER_S);
        struct tm local;
        if (*at != '%') {
            buffer_append(out, at, 1);
            continue;
        }
        switch (at[1]) {
        case 'p': buffer_printf(out, "%d", pid); break;
        case 't':
            localtime_r(&seconds, &local);
            strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &local);
            buffer_printf(out, "%s", stamp);
            break;
        case '%': buffer_append(out, "%", 1); break;
        default: buffer_append(out, "%", 1); continue;
        }
        at++;
    }
}

static bool is_standard_output(const char *path) {
    return strcmp(path, "-") == 0;
}

/* The folder of a path; the caller frees it. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Where a symbolic link leads, one step; NULL when it is none. The caller frees it. */
static char *follow_once(const char *path) {
    char target[PATH_MAX];
    struct buffer joined = {0};
    ssize_t bytes = readlink(path, target, sizeof target - 1);
    if (bytes < 0) {
        return NULL;
    }
    target[bytes] = '\0';
    char *folder = folder_of(path);
    if (target[0] == '/') {
        buffer_printf(&joined, "%s", target);
    } else {
        buffer_printf(&joined, "%s/%s", folder, target);
    }
    free(folder);
    return joined.data;
}

/* Whether a name is in /proc, as what /dev/stdout and /dev/fd/1 lead to is: no file is there that
 * could be replaced. */
static bool is_in_proc(const char *path) {
    char *folder = folder_of(path);
    char *real = realpath(folder, NULL);
    bool is_there = real != NULL && strncmp(real, "/proc/", 6) == 0;
    free(real);
    free(folder);
    return is_there;
}

/* Where a path leads in the end, whether there is a file yet or not. The caller frees it. */
struct place {
    char *path;
    bool is_direct; /* it can only be written to, not replaced: a pipe, a device, /dev/stdout */
};

static struct place place_of(const char *path) {
    enum { LINKS = 40 }; /* as many as the kernel follows */
    struct stat info;
    struct place place = {strdup(path), false};
    for (int links = 0; links < LINKS && !is_in_proc(place.path); links++) {
        char *next = follow_once(place.path);
        if (next == NULL) {
            break;
        }
        free(place.path);
        place.path = next;
    }
    place.is_direct =
        is_in_proc(place.path) || (stat(place.path, &info) == 0 && !S_ISREG(info.st_mode));
    return place;
}

enum status output_check(const char *path, struct error *error) {
    struct stat info;
    enum status status = STATUS_OK;
    if (is_standard_output(path)) {
        return status;
    }
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return error_set(error, STATUS_NO_OUTPUT, "writing %s", path);
    }
    struct place place = place_of(path);
    char *folder = folder_of(place.path);
    if (!place.is_direct && access(folder, W_OK | X_OK) != 0) {
        status = error_set(error, STATUS_NO_OUTPUT, "writing %s into the folder %s", path, folder);
    }
    free(folder);
    free(place.path);
    return status;
}

/* Fills and closes a stream. A full disk may show only at the flush or the close. */
static enum status fill(FILE *out, const char *path, output_content *content, const void *context,
                        struct error *error) {
    enum status status = content(context, out, error);
    bool is_written = fflush(out) == 0 && !ferror(out);
    int code = errno;
    if (out != stdout && fclose(out) != 0 && is_written) {
        is_written = false;
        code = errno;
    }
    if (status == STATUS_OK && !is_written) {
        errno = code;
        status = error_set(error, STATUS_NO_OUTPUT, "writing %s", path);
    }
    return status;
}

static enum status write_directly(const char *path, output_content *content, const void *context,
                                  struct error *error) {
    FILE *out = is_standard_output(path) ? stdout : fopen(path, "we");
    return out != NULL ? fill(out, path, content, context, error)
                       : error_set(error, STATUS_NO_OUTPUT, "opening %s", path);
}

/* A new file beside `final`, hidden, with the user's umask. */
static FILE *open_beside(const char *final, struct buffer *name) {
    const char *slash = strrchr(final, '/');
    size_t folder_bytes = slash != NULL ? (size_t)(slash - final) + 1 : 0;
    buffer_append(name, final, folder_bytes);
    buffer_printf(name, ".%.200s.%d.part", final + folder_bytes, (int)getpid());
    unlink(name->data); /* left by an earlier run with our PID, as in a container */
    int fd = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return fd >= 0 ? fdopen(fd, "w") : NULL;
}

static enum status write_beside(const char *path, const char *final, output_content *content,
                                const void *context, struct error *error) {
    struct buffer name = {0};
    FILE *out = open_beside(final, &name);
    if (out == NULL) {
        error_set(error, STATUS_NO_OUTPUT, "making a file beside %s", path);
        buffer_deinit(&name);
        return STATUS_NO_OUTPUT;
    }
    signals_guard_file(name.data);
    enum status status = fill(out, path, content, context, error);
    if (status == STATUS_OK && rename(name.data, final) != 0) {
        status = error_set(error, STATUS_NO_OUTPUT, "renaming the finished file to %s", path);
    }
    if (status != STATUS_OK) {
        unlink(name.data);
    }
    signals_guard_file(NULL);
    buffer_deinit(&name);
    return status;
}

enum status output_write(const char *path, output_content *content, const void *context,
                         struct error *error) {
    if (is_standard_output(path)) {
        return write_directly(path, content, context, error);
    }
    struct place place = place_of(path);
    enum status status = place.is_direct ? write_directly(path, content, context, error)
                                         : write_beside(path, place.path, content, context, error);
    free(place.path);
    return status;
}
