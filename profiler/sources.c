#define _GNU_SOURCE
#include "profiler/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_in_proc(const struct process *process, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process->pid, name);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool is_same_folder(int fd, const char *path) {
    struct stat a;
    struct stat b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

void sources_open(struct sources *out, const struct process *process) {
    *out = (struct sources){.root = open_in_proc(process, "root"),
                            .folder = open_in_proc(process, "cwd")};
    out->is_our_root = is_same_folder(out->root, "/");
    if (!process_owner(process, &out->uid, &out->gid) || !process_is_alive(process)) {
        sources_close(out);
    }
}

void sources_close(struct sources *sources) {
    if (sources->root >= 0) {
        close(sources->root);
    }
    if (sources->folder >= 0) {
        close(sources->folder);
    }
    sources->root = -1;
    sources->folder = -1;
}

/* O_NONBLOCK: opening a pipe must not wait for who writes to it. */
enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

/* Opens below a folder; symbolic links lead nowhere else. -1 with errno. */
static int open_below(int folder, const char *name, uint64_t resolve) {
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = resolve | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}

/* Absolute names begin at the target's root, whatever links are on the way. Others lie below its
 * working folder; where its root is ours, "../x.py" leads to where it does for us. Before Linux 5.6
 * only a target with our root has sources. */
static int open_source(const struct sources *sources, const char *name) {
    bool is_absolute = name[0] == '/';
    int folder = is_absolute ? sources->root : sources->folder;
    int fd = open_below(folder, is_absolute ? name + 1 : name,
                        is_absolute ? RESOLVE_IN_ROOT : RESOLVE_BENEATH);
    bool is_worth_more = errno == ENOSYS || errno == EPERM || (!is_absolute && errno == EXDEV);
    return fd < 0 && is_worth_more && sources->is_our_root ? openat(folder, name, OPEN_FLAGS) : fd;
}

static bool may_read(const struct sources *sources, const struct stat *info) {
    if (sources->uid == 0) {
        return true;
    }
    if (info->st_uid == sources->uid) {
        return (info->st_mode & S_IRUSR) != 0;
    }
    if (info->st_gid == sources->gid) {
        return (info->st_mode & S_IRGRP) != 0;
    }
    return (info->st_mode & S_IROTH) != 0;
}

/* The file may grow while it is read: no more than `bytes` are taken. */
static bool read_whole(int fd, size_t bytes, struct buffer *out) {
    size_t done = 0;
    char *room = buffer_reserve(out, bytes);
    while (done < bytes) {
        ssize_t got = read(fd, room + done, bytes - done);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    out->length += done;
    out->data[out->length] = '\0';
    return true;
}

bool sources_read(const struct sources *sources, const char *name, size_t *left_bytes,
                  struct buffer *out) {
    struct stat info;
    /* "<string>", "<frozen importlib._bootstrap>" */
    if (sources->root < 0 || sources->folder < 0 || name[0] == '<' || name[0] == '\0') {
        return false;
    }
    int fd = open_source(sources, name);
    if (fd < 0) {
        return false;
    }
    bool ok = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && may_read(sources, &info) &&
              (uint64_t)info.st_size <= SOURCES_FILE_BYTES &&
              (uint64_t)info.st_size <= *left_bytes && read_whole(fd, (size_t)info.st_size, out);
    close(fd);
    *left_bytes -= ok ? (size_t)info.st_size : 0;
    return ok;
}

void sources_capture(const struct sources *sources, struct trace *trace) {
    size_t left_bytes = SOURCES_BYTES;
    for (uint32_t id = 1; id <= trace->functions.count; id++) {
        const struct trace_function *function = trace_function(trace, (struct function_id){id});
        struct string_id file = function->file;
        struct buffer text = {0};
        if (file.id != 0 && function->is_native == 0 && trace_source(trace, file) == NULL &&
            sources_read(sources, trace_string(trace, file), &left_bytes, &text)) {
            trace_set_source(trace, file, text.data, text.length);
        }
        buffer_deinit(&text);
    }
}
