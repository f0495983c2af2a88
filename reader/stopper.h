/* Stopping a process for moments, safely: whatever becomes of us, it goes on.
 *
 * Who holds a process by ptrace(2) is the only one that can let it go on, so that is a process of
 * its own which does nothing else (stopper_helper.c). It lets go when it is told to, when
 * `bound_ns` have passed since the first thread stopped, and when it hears that we have ended; when
 * it ends itself, the kernel lets go. It is in a session of its own, so that no Ctrl-Z of ours
 * stops it. Should it not answer for seconds it is killed.
 *
 * While it is stopped, the calling thread and the helper have a real-time priority where that is
 * allowed, so that nothing but what is done meanwhile makes the pause longer. While one thread is
 * stopped, both keep off its core.
 *
 * What stopping does to the process: system calls that wait are interrupted and go on by
 * themselves, but for those that signal(7) lists as failing with EINTR after a stop (epoll_wait,
 * semop and few others), which Python tries again by itself.
 *
 * To be used from one thread. */
#ifndef PYROMETER_READER_STOPPER_H
#define PYROMETER_READER_STOPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/core.h"
#include "reader/process.h"
#include "reader/registers.h"

/* The longest that a process should be stopped at a time; a look takes a thousandth of it. */
#define STOPPER_BOUND_NS UINT64_C(20000000)

struct stopper {
    pid_t helper;
    pid_t pid;      /* of the process */
    int fd;         /* to the helper */
    bool may_hurry; /* have a real-time priority while the process is stopped */
    int slack_ns;   /* the timer slack that goes with our usual one */
    struct cores cores;
    int helper_off; /* the core that the helper keeps off; -1: none */
    bool is_off;    /* we keep off that one too */
};

/* Makes ready to stop `process`, which runs on. Statuses as of tracer_init, INTERNAL. On failure it
 * needs no closing. */
enum status stopper_open(struct stopper *out, const struct process *process, uint64_t bound_ns,
                         struct error *error) MUST_CHECK;
/* Lets the process go, for good. Accepts a zeroed stopper. `cpu_ns_out` may be NULL: CPU time that
 * the helper used. */
void stopper_close(struct stopper *stopper, uint64_t *cpu_ns_out);

/* Stops every thread. OK when nothing runs; NOT_HELD when not all could be stopped within the
 * bound, and all go on again; GONE when the process has ended; INTERNAL when the helper has. After
 * anything but OK stopper_continue must not be called. `pause_ns_out` is set unless OK: how long
 * threads were held, 0 if not at all. */
enum status stopper_stop(struct stopper *stopper, uint64_t *pause_ns_out) MUST_CHECK;
/* The same for one thread, while the others run on; its registers, all of them known. `tid` is
 * its id in our pid namespace. NOT_HELD also when the process has no such thread. */
enum status stopper_stop_thread(struct stopper *stopper, pid_t tid, struct registers *out,
                                uint64_t *pause_ns_out) MUST_CHECK;
/* Lets every thread go on that did before. OK when they were held until now; NOT_HELD when the
 * bound had passed, so that they were going on already; INTERNAL. `pause_ns_out`: from when the
 * first was told to stop until the last was let go. */
enum status stopper_continue(struct stopper *stopper, uint64_t *pause_ns_out) MUST_CHECK;

#endif
