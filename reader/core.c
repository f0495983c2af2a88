#define _GNU_SOURCE
#include "reader/core.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fields of /proc/PID/task/TID/stat after the name, which ends at the last parenthesis: proc(5). */
enum { TEXT_BYTES = 512, FIELD_AFTER_NAME = 3, FIELD_PROCESSOR = 39 };

static int parse_core(const char *text) {
    const char *at = strrchr(text, ')');
    for (int field = FIELD_AFTER_NAME - 1; at != NULL && field < FIELD_PROCESSOR; field++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL ? atoi(at) : -1;
}

int core_of_thread(pid_t pid, pid_t tid) {
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    text[bytes > 0 ? bytes : 0] = '\0';
    return parse_core(text);
}

/* Fails where there are more cores than a cpu_set_t holds; then there is always another one. */
void cores_init(struct cores *out) {
    *out = (struct cores){0};
    out->is_known =
        sched_getaffinity(0, sizeof out->all, &out->all) == 0 && CPU_COUNT(&out->all) > 1;
}

void cores_keep_off(const struct cores *cores, pid_t tid, int core) {
    cpu_set_t set = cores->all;
    if (!cores->is_known) {
        return;
    }
    if (core >= 0 && core < CPU_SETSIZE) {
        CPU_CLR(core, &set);
    }
    sched_setaffinity(tid, sizeof set, &set);
}
