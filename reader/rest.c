#include "reader/rest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_file(pid_t pid, pid_t tid, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void rest_init(struct rest *out, pid_t pid, pid_t tid) {
    *out = (struct rest){pid, tid, open_file(pid, tid, "schedstat")};
}

void rest_deinit(struct rest *rest) {
    if (rest->turns_fd >= 0) {
        close(rest->turns_fd);
    }
    rest->turns_fd = -1;
}

/* The text of a file that is shorter than `room`. */
static bool read_text(int fd, char *text, size_t room) {
    ssize_t got = fd >= 0 ? pread(fd, text, room - 1, 0) : -1;
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* The third number: time on a CPU, time waiting for one, turns (Documentation/scheduler/
 * sched-stats.rst). A kernel without these has zeros. */
bool rest_turns(const struct rest *rest, uint64_t *out) {
    char text[96];
    bool is_ours = rest->turns_fd < 0;
    int fd = is_ours ? open_file(rest->pid, rest->tid, "schedstat") : rest->turns_fd;
    *out = 0;
    if (read_text(fd, text, sizeof text)) {
        const char *last = strrchr(text, ' ');
        *out = last != NULL ? strtoull(last, NULL, 10) : 0;
    }
    if (is_ours && fd >= 0) {
        close(fd);
    }
    return *out != 0;
}

/* "running", or the number of the call, its six arguments, sp, pc; or -1, sp, pc when it waits
 * elsewhere, as for a page (proc(5)). */
bool rest_place(const struct rest *rest, struct registers *out) {
    char text[256];
    int fd = open_file(rest->pid, rest->tid, "syscall");
    bool is_known = read_text(fd, text, sizeof text);
    char *pc = is_known ? strrchr(text, ' ') : NULL;
    if (fd >= 0) {
        close(fd);
    }
    if (pc == NULL) {
        return false;
    }
    *pc = '\0';
    const char *sp = strrchr(text, ' ');
    *out = (struct registers){.known = 1U << REGISTER_SP | 1U << REGISTER_PC};
    out->value[REGISTER_PC] = strtoull(pc + 1, NULL, 16);
    out->value[REGISTER_SP] = sp != NULL ? strtoull(sp + 1, NULL, 16) : 0;
    return out->value[REGISTER_SP] != 0 && out->value[REGISTER_PC] != 0;
}
