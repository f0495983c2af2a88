#define _GNU_SOURCE
#include "profiler/output.h"

#include <errno.h>
#include <fcntl.h>
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

/* The path that a rename must go to: that of the file a symbolic link leads to. The caller frees
 * it. */
static char *final_path(const char *path) {
    char *real = realpath(path, NULL);
    return real != NULL ? real : strdup(path);
}

/* The folder of a path; the caller frees it. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Whether the name is taken by something that can only be written directly. */
static bool is_special(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
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
    if (is_special(path)) {
        return status;
    }
    char *final = final_path(path);
    char *folder = folder_of(final);
    if (access(folder, W_OK | X_OK) != 0) {
        status = error_set(error, STATUS_NO_OUTPUT, "writing %s into the folder %s", path, folder);
    }
    free(folder);
    free(final);
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
    if (is_standard_output(path) || is_special(path)) {
        return write_directly(path, content, context, error);
    }
    char *final = final_path(path);
    enum status status = write_beside(path, final, content, context, error);
    free(final);
    return status;
}
