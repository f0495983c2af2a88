/* One thread's stack in one tick, and what is known about it. */
#ifndef PYROMETER_MODEL_SAMPLE_H
#define PYROMETER_MODEL_SAMPLE_H

#include <stdint.h>

/* Ids into a trace's tables (profiler/model/trace.h). 0 is none. One-member structs, so that they
 * cannot be mixed up. */
struct string_id {
    uint32_t id;
};
struct function_id {
    uint32_t id;
};
struct frame_id {
    uint32_t id;
};
struct stack_id {
    uint32_t id;
};
struct thread_ref {
    uint32_t id;
};

/* Bits of sample.flags. */
enum sample_flag {
    /* The walk did not reach the base of the stack; its root frame says so. */
    SAMPLE_TRUNCATED = 1 << 0,
    /* The stack could not be shown to have existed: its newest frame says so. */
    SAMPLE_UNVERIFIED = 1 << 1,
    /* The line of a call was taken from the bytecode that makes it: the caller had moved on. */
    SAMPLE_MENDED = 1 << 2,
    /* The newest frame had returned while it was read; its name is that of the call being made. */
    SAMPLE_INFERRED = 1 << 3,
};

/* What the thread was doing: bits of sample.state. None set: nobody asked. */
enum sample_state {
    STATE_RUNNING = 1 << 0,    /* on a CPU */
    STATE_RUNNABLE = 1 << 1,   /* would run, but waits for a CPU */
    STATE_WAITING = 1 << 2,    /* waits in the kernel */
    STATE_HAS_GIL = 1 << 3,    /* holds the GIL; attached, on a free-threaded build */
    STATE_WANTS_GIL = 1 << 4,  /* waits for the GIL */
    STATE_COLLECTING = 1 << 5, /* in the garbage collector */
    STATE_EXCEPTION = 1 << 6,  /* handles an exception */
    /* What one that waits in the kernel waits for, other than the GIL: one at most, none if it is
     * something else or is not known. */
    STATE_SLEEPS = 1 << 7,   /* for a time */
    STATE_LOCKED = 1 << 8,   /* for a lock, a condition, the end of a thread */
    STATE_POLLS = 1 << 9,    /* for one of several files or sockets */
    STATE_NETWORK = 1 << 10, /* for a socket */
    STATE_FILE = 1 << 11,    /* for a file, pipe or terminal */
    STATE_CHILD = 1 << 12,   /* for the end of a child */
};
enum { STATE_BITS = 13 };

struct sample {
    uint64_t time_ns;   /* when, since the start of the run */
    uint64_t weight_ns; /* the time it stands for: since the previous tick */
    struct thread_ref thread;
    struct stack_id stack;
    uint32_t flags; /* enum sample_flag */
    uint32_t state; /* enum sample_state */
};

#endif
