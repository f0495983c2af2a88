/* The core that a thread runs on, and keeping off it.
 *
 * Who stops a thread for a moment must not take its core meanwhile: going on, it would wait there
 * for us, as long as the moment lasted and longer, though other cores be idle. The kernel places us
 * so by itself: a thread that stops leaves its core idle, the next to be woken. */
#ifndef PYROMETER_READER_CORE_H
#define PYROMETER_READER_CORE_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

/* Where a thread of the process runs, or ran last; -1 when it is not there. */
int core_of_thread(pid_t pid, pid_t tid);

/* The cores that we may use. Zeroed: any, and nobody keeps off one. */
struct cores {
    cpu_set_t all;
    bool is_known; /* and more than one */
};

/* As they are for the calling thread now. */
void cores_init(struct cores *out);
/* Thread `tid` (0: the calling one) is to keep off a core until told otherwise; -1: off none. Where
 * no other core is left, or we may not, nothing happens. */
void cores_keep_off(const struct cores *cores, pid_t tid, int core);

#endif
