/* The memory of a running process, through process_vm_readv or /proc/PID/mem. */
#define _GNU_SOURCE
#include "reader/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "profiler/base/arena.h"

/* The kernel takes at most UIO_MAXIOV (1024) ranges a call. */
enum { RANGES_PER_CALL = 1024 };

struct live {
    pid_t pid;
    int mem_fd; /* -1 while process_vm_readv works */
};

static enum status status_of_errno(int code) {
    switch (code) {
    case ESRCH: return STATUS_GONE;
    case EPERM:
    case EACCES:
    case ENOSYS: return STATUS_NOT_PERMITTED;
    default: return STATUS_NOT_MAPPED;
    }
}

/* Marks the ranges that `got` bytes cover as read and the next one as not mapped. Returns how many
 * ranges that settles. */
static size_t settle(struct range *ranges, size_t count, size_t got) {
    size_t done = 0;
    while (done < count && got >= ranges[done].bytes) {
        got -= ranges[done].bytes;
        ranges[done++].status = STATUS_OK;
    }
    if (done < count) {
        ranges[done++].status = STATUS_NOT_MAPPED;
    }
    return done;
}

static enum status read_vm(struct memory *memory, struct range *ranges, size_t count) {
    const struct live *live = memory->state;
    struct iovec local[RANGES_PER_CALL];
    struct iovec remote[RANGES_PER_CALL];
    for (size_t i = 0; i < count; i++) {
        local[i] = (struct iovec){ranges[i].to, ranges[i].bytes};
        remote[i].iov_base = (void *)(uintptr_t)ranges[i].from.addr; /* never dereferenced here */
        remote[i].iov_len = ranges[i].bytes;
    }
    size_t first = 0;
    while (first < count) {
        memory->calls++;
        ssize_t got = process_vm_readv(live->pid, local + first, count - first, remote + first,
                                       count - first, 0);
        if (got < 0 && status_of_errno(errno) != STATUS_NOT_MAPPED) {
            return status_of_errno(errno);
        }
        memory->bytes += got > 0 ? (uint64_t)got : 0;
        first += settle(ranges + first, count - first, got > 0 ? (size_t)got : 0);
    }
    return STATUS_OK;
}

static int open_mem(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* A descriptor of /proc/PID/mem stays with the address space it was opened for, and reads 0 bytes
 * once that is gone: by the process's end, or because it executes another program now. */
static ssize_t pread_mem(struct live *live, const struct range *range) {
    ssize_t got = pread(live->mem_fd, range->to, range->bytes, (off_t)range->from.addr);
    int fresh = got == 0 && range->bytes > 0 ? open_mem(live->pid) : -1;
    if (fresh >= 0) {
        close(live->mem_fd);
        live->mem_fd = fresh;
        got = pread(live->mem_fd, range->to, range->bytes, (off_t)range->from.addr);
    }
    return got;
}

static enum status read_mem(struct memory *memory, struct range *ranges, size_t count) {
    struct live *live = memory->state;
    for (size_t i = 0; i < count; i++) {
        memory->calls++;
        ssize_t got = pread_mem(live, &ranges[i]);
        if (got == 0 && ranges[i].bytes > 0) {
            return STATUS_GONE;
        }
        bool whole = got == (ssize_t)ranges[i].bytes;
        ranges[i].status = whole ? STATUS_OK : STATUS_NOT_MAPPED;
        memory->bytes += whole ? (uint64_t)got : 0;
    }
    return STATUS_OK;
}

static enum status live_read(struct memory *memory, struct range *ranges, size_t count) {
    const struct live *live = memory->state;
    for (size_t first = 0; first < count; first += RANGES_PER_CALL) {
        size_t part = count - first < RANGES_PER_CALL ? count - first : RANGES_PER_CALL;
        enum status status = live->mem_fd >= 0 ? read_mem(memory, ranges + first, part)
                                               : read_vm(memory, ranges + first, part);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static void live_close(struct memory *memory) {
    struct live *live = memory->state;
    if (live->mem_fd >= 0) {
        close(live->mem_fd);
    }
    free(live);
}

static const struct memory_ops live_ops = {"live", live_read, live_close};

/* Whether process_vm_readv is allowed: address 0 is never mapped, so EFAULT is the good answer. */
static enum status probe_vm(pid_t pid) {
    char byte;
    struct iovec local = {&byte, 1};
    struct iovec remote = {(void *)8, 1};
    if (process_vm_readv(pid, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT) {
        return STATUS_OK;
    }
    return status_of_errno(errno);
}

enum status memory_open_live(struct memory *out, pid_t pid, struct error *error) {
    *out = (struct memory){0};
    int mem_fd = -1;
    enum status status = probe_vm(pid);
    if (status == STATUS_NOT_PERMITTED) {
        int denied = errno;
        mem_fd = open_mem(pid);
        if (mem_fd < 0 && (errno == ENOENT || errno == ESRCH)) {
            return error_set(error, STATUS_GONE, "reading the memory of process %d", (int)pid);
        }
        if (mem_fd < 0) {
            errno = denied;
            return error_set(error, status,
                             "reading the memory of process %d (tried process_vm_readv and "
                             "/proc/%d/mem)",
                             (int)pid, (int)pid);
        }
        status = STATUS_OK;
    }
    if (status != STATUS_OK) {
        return error_set(error, status, "reading the memory of process %d", (int)pid);
    }
    struct live *live = memory_zeroed(1, sizeof *live);
    live->pid = pid;
    live->mem_fd = mem_fd;
    out->ops = &live_ops;
    out->state = live;
    return STATUS_OK;
}
