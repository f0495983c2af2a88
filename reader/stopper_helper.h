/* The process that holds another one still for us: what is said to it, and its loop. Its own file,
 * as nothing in it may depend on us being alive. */
#ifndef PYROMETER_READER_STOPPER_HELPER_H
#define PYROMETER_READER_STOPPER_HELPER_H

#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/status.h"
#include "reader/registers.h"

enum stopper_what {
    ORDER_STOP,        /* every thread */
    ORDER_STOP_THREAD, /* one of them */
    ORDER_CONTINUE,
};

/* Each order is one message and gets one answer; before the first order comes one about seizing. */
struct stopper_order {
    enum stopper_what what;
    pid_t tid; /* of ORDER_STOP_THREAD */
};

struct stopper_answer {
    enum status status;
    uint64_t pause_ns;          /* of the last stop; 0 while it lasts */
    struct registers registers; /* of the thread that was stopped by itself */
    struct error error;         /* of the first answer alone */
};

/* Seizes `pid` and obeys orders that come from `fd` (SOCK_SEQPACKET) until its other end is closed.
 * To be called in a process that was just forked. Does not return: it exits. */
void stopper_helper_run(int fd, pid_t pid, uint64_t bound_ns) __attribute__((noreturn));

#endif
