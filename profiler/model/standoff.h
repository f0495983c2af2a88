/* Who waited for whom, found tick by tick: samples of one time in which some wanted the GIL and one
 * of the same process held it. */
#ifndef PYROMETER_MODEL_STANDOFF_H
#define PYROMETER_MODEL_STANDOFF_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/model/trace.h"

/* Time for which one thread wanted the GIL while another one had it. */
struct wait {
    struct thread_ref waiter;
    struct thread_ref holder; /* 0: none was seen with it */
    uint64_t weight_ns;       /* payload */
};

/* The samples of the newest tick that have to do with the GIL. A zeroed one is empty. */
struct standoff {
    uint64_t time_ns;
    struct sample *items;
    size_t count;
    size_t capacity;
};

void standoff_deinit(struct standoff *standoff);
/* Takes a sample. When a new tick begins with it, those of the one before are settled. */
void standoff_push(struct standoff *standoff, const struct sample *sample,
                   const struct trace *names, struct table *waits);
/* Adds what is there to `waits`, a table of struct wait; `names` knows the threads. */
void standoff_settle(struct standoff *standoff, const struct trace *names, struct table *waits);

/* Adds to a table of struct wait. */
void standoff_add(struct table *waits, const struct wait *wait);

#endif
