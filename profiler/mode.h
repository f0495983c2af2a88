/* What a sample must be to count, and what it then weighs.
 *
 * To add a mode: a row in mode.c. --mode, its help, and the unit in the outputs follow from it. */
#ifndef PYROMETER_PROFILER_MODE_H
#define PYROMETER_PROFILER_MODE_H

#include <stdint.h>

struct mode {
    const char *name; /* for --mode */
    const char *help;
    const char *unit; /* what the weights are: "wall time" */
    /* The weight of a sample that stands for `elapsed_ns` of the clock, in ns; 0: does not count.
     */
    uint64_t (*weigh)(uint64_t elapsed_ns);
};

/* Every mode, the default one first; ends with a row whose name is NULL. */
extern const struct mode modes[];

/* By name; NULL if there is none. */
const struct mode *mode_by_name(const char *name);

#endif
