/* Who waited for the GIL, and because of whom: at every time at which a thread wanted it, the one
 * of its process that held it, and the stack which that had. */
#ifndef PYROMETER_MODEL_BLAME_H
#define PYROMETER_MODEL_BLAME_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/model/trace.h"

/* A stretch of time in which nothing changed. */
struct blame {
    uint64_t start_ns;
    uint64_t end_ns;
    struct thread_ref waiter;
    struct stack_id waiter_stack;
    struct thread_ref holder; /* 0: none was seen with it */
    struct stack_id holder_stack;
};

/* Calls `visit` for each in order of time until it returns something other than STATUS_OK, which is
 * then returned; NO_OUTPUT when the timeline, which `trace` must have, cannot be read. Keeps some
 * kilobytes for each thread. */
typedef enum status blame_visit(void *context, const struct blame *blame);
enum status blame_each(const struct trace *trace, blame_visit *visit, void *context) MUST_CHECK;

/* Fills `out`, which was initialised and is empty, with the waiting alone. Each thread that waited
 * has that time, below a frame FRAME_HOLDER that names the thread it waited for, on the stacks
 * which that one had meanwhile. */
enum status blame_apply(const struct trace *all, struct trace *out, struct error *error) MUST_CHECK;

#endif
