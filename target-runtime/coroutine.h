/* Generators, coroutines and asynchronous generators that are not being run: where they stand, and
 * what they await. */
#ifndef PYROMETER_TARGET_RUNTIME_COROUTINE_H
#define PYROMETER_TARGET_RUNTIME_COROUTINE_H

#include "target-runtime/runtime.h"
#include "target-runtime/walk.h"

enum coroutine_state {
    COROUTINE_CREATED,   /* it has not begun */
    COROUTINE_SUSPENDED, /* it was left by a yield, and awaits nothing */
    COROUTINE_AWAITING,
    COROUTINE_RUNNING, /* its frame is on a thread's stack */
    COROUTINE_ENDED,
};

struct coroutine {
    enum coroutine_state state;
    struct raw_frame frame; /* unless it has ended; where it stands is only known unless it runs */
    struct remote awaited;  /* COROUTINE_AWAITING: borrowed from its value stack */
    struct remote
        handled; /* the exception, or its class (-3.10), whose handler it is in; or None */
};

/* Reads the generator at `object` (KIND_GENERATOR). TORN when it cannot be one. */
enum status coroutine_read(const struct runtime *runtime, struct remote object,
                           struct coroutine *out) MUST_CHECK;

#endif
