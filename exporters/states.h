/* When a thread was in which state: intervals, for formats that draw them beside the stacks. */
#ifndef PYROMETER_EXPORTERS_STATES_H
#define PYROMETER_EXPORTERS_STATES_H

#include <stddef.h>
#include <stdint.h>

#include "exporters/culprits.h"
#include "profiler/model/trace.h"

struct state {
    uint32_t bit; /* enum sample_state */
    const char *name;
    const char *help;
    const char *category; /* name of one of `categories` (exporters/category.h) */
};

enum { STATES = STATE_BITS };
/* Every state that a sample can be in. */
extern const struct state states[STATES];

/* Time that a thread was seen in a state without a break. */
struct state_interval {
    size_t state; /* index into `states` */
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t samples;
    const struct culprit *culprit; /* of time that a thread wanted the GIL; else NULL */
};

/* Calls `visit` for each interval of one thread, in order of their ends, until it returns something
 * other than STATUS_OK, which is then returned; last come those in which it wanted the GIL, cut by
 * who had it. None when nobody asked for states. */
typedef enum status states_visit(void *context, const struct state_interval *interval);
enum status states_each(const struct trace *trace, const struct culprits *culprits,
                        struct thread_ref thread, states_visit *visit, void *context) MUST_CHECK;

#endif
