#define _GNU_SOURCE
#include "reader/task.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEXT_BYTES = 512, NOT_OPEN = -1 };

struct task task_of(pid_t pid, pid_t tid, bool is_kept) {
    return (struct task){pid, tid, NOT_OPEN, NOT_OPEN, NOT_OPEN, true, is_kept};
}

static void close_file(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = NOT_OPEN;
}

void task_close(struct task *task) {
    if (task->tid == 0) {
        return;
    }
    close_file(&task->state_fd);
    close_file(&task->wait_fd);
    close_file(&task->schedule_fd);
}

/* Reads a file of the thread whole, as text. */
static bool read_text(const struct task *task, int *fd, const char *name, char *out) {
    if (*fd < 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)task->pid, (int)task->tid, name);
        *fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    ssize_t bytes = *fd >= 0 ? pread(*fd, out, TEXT_BYTES - 1, 0) : -1;
    out[bytes > 0 ? bytes : 0] = '\0';
    if (!task->is_kept) {
        close_file(fd);
    }
    return bytes > 0;
}

/* "running", or the number of the system call and its arguments: fs/proc/base.c,
 * proc_pid_syscall(). */
static bool parse_syscall(const char *text, struct task_state *out) {
    int number;
    unsigned long first = 0;
    *out = (struct task_state){.syscall = -1};
    if (strncmp(text, "running", 7) == 0) {
        return true;
    }
    if (sscanf(text, "%d %lx", &number, &first) < 1) {
        return false;
    }
    out->is_asleep = true;
    out->futex = number == SYS_futex ? first : 0;
    out->syscall = number;
    out->first = first;
    return true;
}

/* The letter after the name, which may hold any character. */
static bool parse_stat(const char *text, struct task_state *out) {
    const char *name_end = strrchr(text, ')');
    *out = (struct task_state){.syscall = -1};
    if (name_end == NULL || name_end[1] != ' ' || name_end[2] == '\0') {
        return false;
    }
    out->is_asleep = name_end[2] != 'R';
    return true;
}

/* A name, or "0" where there is none or it is not for us: fs/proc/base.c, proc_pid_wchan(). */
static void read_wait(struct task *task, struct task_state *out) {
    char text[TEXT_BYTES];
    if (read_text(task, &task->wait_fd, "wchan", text) && strcmp(text, "0") != 0) {
        snprintf(out->wait, sizeof out->wait, "%.*s", TASK_WAIT_BYTES - 1, text);
    }
}

bool task_read_state(struct task *task, struct task_state *out) {
    char text[TEXT_BYTES];
    if (task->has_syscall) {
        if (read_text(task, &task->state_fd, "syscall", text) && parse_syscall(text, out)) {
            return true;
        }
        close_file(&task->state_fd);
        task->has_syscall = false;
    }
    if (!read_text(task, &task->state_fd, "stat", text) || !parse_stat(text, out)) {
        return false;
    }
    if (out->is_asleep) {
        read_wait(task, out);
    }
    return true;
}

bool task_read_times(struct task *task, struct task_times *out) {
    char text[TEXT_BYTES];
    unsigned long run_ns;
    unsigned long turns;
    if (!read_text(task, &task->schedule_fd, "schedstat", text) ||
        sscanf(text, "%lu %*u %lu", &run_ns, &turns) != 2) {
        return false;
    }
    *out = (struct task_times){run_ns, turns};
    return true;
}
