#define _GNU_SOURCE
#include "reader/births.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader/tree.h"

enum {
    MOST = 512, /* ids at once */
    TRIES = 8,  /* an id is given out shortly before its process can be seen (kernel/fork.c) */
};

pid_t births_parse(const char *text) {
    const char *last = strrchr(text, ' ');
    return last != NULL ? (pid_t)strtol(last, NULL, 10) : 0;
}

static pid_t newest(const struct births *births) {
    char text[128];
    ssize_t bytes = births->fd >= 0 ? pread(births->fd, text, sizeof text - 1, 0) : 0;
    text[bytes > 0 ? bytes : 0] = '\0';
    return births_parse(text);
}

void births_open(struct births *out) {
    *out = (struct births){.fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)};
    out->last = newest(out);
}

void births_close(struct births *births) {
    if (births->fd >= 0) {
        close(births->fd);
    }
    births->fd = -1;
}

/* Whether there is nobody of this number, yet. */
static bool meet_one(pid_t pid, births_meet *meet, void *context) {
    pid_t parent = tree_parent(pid);
    if (parent > 0) {
        meet(context, pid, parent);
    }
    return parent < 0;
}

static void meet_pending(struct births *births, births_meet *meet, void *context) {
    size_t kept = 0;
    for (size_t i = 0; i < births->pending_count; i++) {
        struct birth birth = births->pending[i];
        birth.tries_left--;
        if (meet_one(birth.pid, meet, context) && birth.tries_left > 0) {
            births->pending[kept++] = birth;
        }
    }
    births->pending_count = kept;
}

bool births_next(struct births *births, births_meet *meet, void *context) {
    pid_t first = births->last + 1;
    meet_pending(births, meet, context);
    births->last = newest(births);
    if (births->last < first - 1 || births->last - first >= MOST) {
        return false;
    }
    for (pid_t pid = first; pid <= births->last; pid++) {
        if (meet_one(pid, meet, context) && births->pending_count < BIRTHS_PENDING) {
            births->pending[births->pending_count++] = (struct birth){pid, TRIES};
        }
    }
    return true;
}
