#define _GNU_SOURCE
#include "reader/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

enum { PROC_PATH_BYTES = 96 };

/* Appends the file's content. False (with errno) when it cannot be read. */
static bool read_file(const char *path, struct buffer *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char block[16384];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) > 0) {
        buffer_append(out, block, (size_t)got);
    }
    int code = errno;
    close(fd);
    errno = code;
    return got == 0;
}

struct stat_fields {
    char state;
    pid_t parent;
    uint64_t user_ticks;
    uint64_t system_ticks;
    uint64_t start_ticks;
    uint64_t stack_start;
};

/* Fields 3, 4, 14, 15, 22 and 28 of /proc/PID/stat. The name may hold spaces and parentheses, so
 * the fields are counted from the last ')'. */
static bool read_stat(pid_t pid, struct stat_fields *out) {
    char path[PROC_PATH_BYTES];
    struct buffer text = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    bool ok = read_file(path, &text) && text.length > 0;
    char *at = ok ? strrchr(text.data, ')') : NULL;
    ok = at != NULL && sscanf(at + 1,
                              " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d "
                              "%*d %*d %*d %lu %*u %*d %*u %*u %*u %lu",
                              &out->state, &out->parent, &out->user_ticks, &out->system_ticks,
                              &out->start_ticks, &out->stack_start) == 6;
    buffer_deinit(&text);
    return ok;
}

static bool has_ended(const struct stat_fields *fields) {
    return fields->state == 'Z' || fields->state == 'X';
}

enum status process_open(struct process *out, pid_t pid, struct error *error) {
    struct stat_fields fields;
    *out = (struct process){.pid = pid, .pidfd = -1};
    if (pid <= 0 || !read_stat(pid, &fields)) {
        return error_set(error, STATUS_NO_PROCESS, "process %d", (int)pid);
    }
    out->start_ticks = fields.start_ticks;
    if (has_ended(&fields)) {
        return error_set(error, STATUS_GONE, "process %d is a zombie: its parent has not waited",
                         (int)pid);
    }
    out->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (!read_stat(pid, &fields) || fields.start_ticks != out->start_ticks) {
        process_close(out);
        return error_set(error, STATUS_NO_PROCESS, "process %d ended while it was opened",
                         (int)pid);
    }
    return STATUS_OK;
}

void process_close(struct process *process) {
    if (process->pidfd >= 0) {
        close(process->pidfd);
    }
    process->pidfd = -1;
}

bool process_is_alive(const struct process *process) {
    if (process->pidfd >= 0) {
        struct pollfd ended = {process->pidfd, POLLIN, 0};
        return poll(&ended, 1, 0) == 0;
    }
    struct stat_fields fields;
    return read_stat(process->pid, &fields) && fields.start_ticks == process->start_ticks &&
           !has_ended(&fields);
}

uint64_t process_image_mark(const struct process *process) {
    struct stat_fields fields;
    return read_stat(process->pid, &fields) ? fields.stack_start : 0;
}

uint64_t process_cpu_ns(const struct process *process) {
    struct stat_fields fields;
    uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    return read_stat(process->pid, &fields)
               ? (fields.user_ticks + fields.system_ticks) * ns_per_tick
               : 0;
}

pid_t process_parent(const struct process *process) {
    struct stat_fields fields;
    return read_stat(process->pid, &fields) ? fields.parent : 0;
}

/* The second number of a line of /proc/PID/status: the effective id. */
static bool effective_id(const struct buffer *status, const char *label, uint32_t *out) {
    const char *line = status->length > 0 ? strstr(status->data, label) : NULL;
    return line != NULL && sscanf(line + strlen(label), " %*u %u", out) == 1;
}

bool process_owner(const struct process *process, uid_t *uid_out, gid_t *gid_out) {
    char path[PROC_PATH_BYTES];
    struct buffer text = {0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    bool ok = read_file(path, &text) && effective_id(&text, "\nUid:", uid_out) &&
              effective_id(&text, "\nGid:", gid_out);
    buffer_deinit(&text);
    return ok;
}

static void read_name(const char *path, struct buffer *out) {
    size_t before = out->length;
    if (!read_file(path, out) || out->length == before) {
        buffer_append(out, "?", 1);
    } else if (out->data[out->length - 1] == '\n') {
        out->data[--out->length] = '\0';
    }
}

void process_name(const struct process *process, struct buffer *out) {
    char path[PROC_PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)process->pid);
    read_name(path, out);
}

void process_thread_name(const struct process *process, pid_t tid, struct buffer *out) {
    char path[PROC_PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)process->pid, (int)tid);
    read_name(path, out);
}

void process_command(const struct process *process, struct buffer *out) {
    char path[PROC_PATH_BYTES];
    size_t before = out->length;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)process->pid);
    if (!read_file(path, out) || out->length == before) {
        buffer_append(out, "[", 1);
        process_name(process, out);
        buffer_append(out, "]", 1);
        return;
    }
    while (out->length > before && out->data[out->length - 1] == '\0') {
        out->length--;
    }
    for (size_t i = before; i < out->length; i++) {
        out->data[i] = out->data[i] == '\0' ? ' ' : out->data[i];
    }
}

/* The last number of the NSpid line: the id in the innermost namespace. */
static pid_t inner_id(pid_t pid, pid_t tid) {
    char path[PROC_PATH_BYTES];
    struct buffer text = {0};
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
    long id = tid;
    char *line = read_file(path, &text) && text.length > 0 ? strstr(text.data, "\nNSpid:") : NULL;
    if (line != NULL) {
        char *at = line + strlen("\nNSpid:");
        while (*at == '\t' || *at == ' ') {
            id = strtol(at, &at, 10);
        }
    }
    buffer_deinit(&text);
    return (pid_t)id;
}

/* The number behind a name in /proc/PID/task/TID/status; 0 if it is not there. */
static uint64_t status_number(const char *status, const char *name) {
    const char *line = strstr(status, name);
    return line != NULL ? strtoull(line + strlen(name), NULL, 10) : 0;
}

bool process_thread_state(pid_t pid, pid_t tid, struct thread_state *out) {
    char path[PROC_PATH_BYTES];
    struct buffer text = {0};
    int tracer = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
    bool is_read = read_file(path, &text) && text.length > 0;
    const char *state = is_read ? strstr(text.data, "\nState:") : NULL;
    const char *line = is_read ? strstr(text.data, "\nTracerPid:") : NULL;
    bool is_known = state != NULL && sscanf(state, " State: %c", &out->letter) == 1 &&
                    line != NULL && sscanf(line, " TracerPid: %d", &tracer) == 1;
    out->tracer = tracer;
    out->switches = is_known ? status_number(text.data, "\nvoluntary_ctxt_switches:") +
                                   status_number(text.data, "\nnonvoluntary_ctxt_switches:")
                             : 0;
    buffer_deinit(&text);
    return is_known;
}

size_t process_threads(const struct process *process, struct thread_ids **out) {
    char path[PROC_PATH_BYTES];
    size_t count = 0;
    size_t capacity = 0;
    *out = NULL;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; tasks != NULL && (entry = readdir(tasks)) != NULL;) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0) {
            continue;
        }
        if (count == capacity) {
            *out = memory_grow(*out, sizeof **out, count + 1, &capacity);
        }
        (*out)[count++] = (struct thread_ids){tid, inner_id(process->pid, tid)};
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return count;
}

/* Parses one line and terminates its path. The text after the inode is the path, which may hold
 * spaces; newlines in it are printed as \012 by the kernel. */
static bool parse_mapping(char *line, struct mapping *out) {
    char permissions[5];
    int path_at = 0;
    *out = (struct mapping){0};
    int fields = sscanf(line, "%lx-%lx %4s %lx %*x:%*x %lu %n", &out->start, &out->end, permissions,
                        &out->offset, &out->inode, &path_at);
    if (fields != 5 || path_at == 0) {
        return false;
    }
    out->is_writable = permissions[1] == 'w';
    out->is_executable = permissions[2] == 'x';
    out->path = line + path_at;
    return true;
}

enum status maps_read(const struct process *process, struct maps *out, struct error *error) {
    char path[PROC_PATH_BYTES];
    struct buffer text = {0};
    *out = (struct maps){0};
    snprintf(path, sizeof path, "/proc/%d/maps", (int)process->pid);
    if (!read_file(path, &text)) {
        enum status status = errno == EACCES || errno == EPERM ? STATUS_NOT_PERMITTED : STATUS_GONE;
        buffer_deinit(&text);
        return error_set(error, status, "reading %s", path);
    }
    size_t capacity = 0;
    out->text = text.data;
    for (char *save = NULL, *line = text.length > 0 ? strtok_r(text.data, "\n", &save) : NULL;
         line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (out->count == capacity) {
            out->items = memory_grow(out->items, sizeof *out->items, out->count + 1, &capacity);
        }
        out->count += parse_mapping(line, &out->items[out->count]) ? 1 : 0;
    }
    return STATUS_OK;
}

void maps_free(struct maps *maps) {
    free(maps->items);
    free(maps->text);
    *maps = (struct maps){0};
}

/* Opens `path` if it is a regular file with this inode. Device numbers are not compared: on
 * overlayfs those in maps and in stat differ. */
static int open_inode(const char *path, uint64_t inode) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_ino == inode) {
        return fd;
    }
    close(fd);
    return -1;
}

/* For a process in a chroot the kernel prints paths as seen from our root, so the prefix that
 * leads to its root has to go before /proc/PID/root is put in front. */
const char *process_path_inside(const struct process *process, const char *path) {
    char link[PROC_PATH_BYTES];
    char root[4096];
    snprintf(link, sizeof link, "/proc/%d/root", (int)process->pid);
    ssize_t bytes = readlink(link, root, sizeof root - 1);
    if (bytes > 1 && strncmp(path, root, (size_t)bytes) == 0 && path[bytes] == '/') {
        return path + bytes;
    }
    return path;
}

void process_executable(const struct process *process, struct buffer *out) {
    char link[PROC_PATH_BYTES];
    char path[4096];
    static const char gone[] = " (deleted)";
    snprintf(link, sizeof link, "/proc/%d/exe", (int)process->pid);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    if (bytes <= 0) {
        return;
    }
    path[bytes] = '\0';
    if ((size_t)bytes >= sizeof gone && strcmp(path + bytes - (sizeof gone - 1), gone) == 0) {
        path[(size_t)bytes - (sizeof gone - 1)] = '\0';
    }
    const char *inside = process_path_inside(process, path);
    buffer_append(out, inside, strlen(inside));
}

int process_open_mapped(const struct process *process, const struct mapping *mapping) {
    int pid = (int)process->pid;
    struct buffer path = {0};
    int fd = -1;
    for (int way = 0; way < 5 && fd < 0; way++) {
        buffer_clear(&path);
        switch (way) {
        case 0:
            buffer_printf(&path, "/proc/%d/map_files/%lx-%lx", pid, mapping->start, mapping->end);
            break;
        case 1: buffer_printf(&path, "/proc/%d/exe", pid); break;
        case 2:
            buffer_printf(&path, "/proc/%d/root%s", pid,
                          process_path_inside(process, mapping->path));
            break;
        case 3: buffer_printf(&path, "/proc/%d/root%s", pid, mapping->path); break;
        default: buffer_printf(&path, "%s", mapping->path); break;
        }
        fd = open_inode(path.data, mapping->inode);
    }
    buffer_deinit(&path);
    return fd;
}

uint64_t process_program_inode(const struct process *process) {
    char path[PROC_PATH_BYTES];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)process->pid);
    return stat(path, &info) == 0 ? info.st_ino : 0;
}
