/* When to look: once in each interval, at a random instant in it.
 *
 * Time is cut into slots of one interval; each gets one tick at an instant drawn uniformly from it.
 * So every instant is as likely to be looked at as any other, and a program that does something at
 * a fixed beat is not seen at the same beat. Slots that were missed are counted and not made up
 * for. Pure: the caller reads the clock and sleeps. */
#ifndef PYROMETER_PROFILER_SCHEDULE_H
#define PYROMETER_PROFILER_SCHEDULE_H

#include <stdint.h>

struct schedule {
    uint64_t start_ns;
    uint64_t interval_ns;
    uint64_t next_slot;
    uint64_t missed; /* slots that went by without a tick */
    uint64_t random; /* state of the generator */
};

/* The first slot begins at `start_ns` (monotonic). `interval_ns` > 0. `seed` may be any number. */
void schedule_init(struct schedule *schedule, uint64_t start_ns, uint64_t interval_ns,
                   uint64_t seed);

/* The instant of the next tick, not before the slot that `now_ns` lies in. May be in the past when
 * its slot is not over yet: then tick at once. */
uint64_t schedule_next_ns(struct schedule *schedule, uint64_t now_ns);

#endif
