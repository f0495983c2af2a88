/* How good a profile is: counts that every output carries. */
#ifndef PYROMETER_MODEL_HEALTH_H
#define PYROMETER_MODEL_HEALTH_H

#include <stdint.h>

struct health {
    uint64_t ticks;       /* looks at the target */
    uint64_t samples;     /* stacks taken: threads times ticks, less what was lost */
    uint64_t lost;        /* samples that should have been and are not */
    uint64_t late;        /* ticks dropped because we were not in time */
    uint64_t unverified;  /* samples of whose stack only a part could be confirmed; they are kept */
    uint64_t truncated;   /* samples kept whose root side could not be read */
    uint64_t empty;       /* looks at a thread that had no Python frame; not samples */
    uint64_t duration_ns; /* from the first tick to the last */
    uint64_t cpu_ns;      /* CPU time that the profiler used */
    uint64_t rss_bytes;   /* resident memory of the profiler, at its largest */
    uint64_t read_calls;  /* system calls made to read the target */
    uint64_t read_bytes;  /* bytes read from the target */
    uint64_t tasks_there; /* tasks that there were in each tick, in all; 0 unless they are shown */
    uint64_t tasks_seen;  /* those of them that were looked at, and stand for the others */
    uint64_t not_python;  /* processes that were met and never ran a Python */
};

/* Ticks a second, as achieved; 0 for an empty run. */
double health_rate_hz(const struct health *health);

/* Adds the counts of a later part of the same run. */
void health_add(struct health *to, const struct health *more);
/* The counts between two states of one run. What has no sum stays as it is at the end. */
struct health health_between(const struct health *start, const struct health *end);

#endif
