/* When to look, and how often at once.
 *
 * Once in each interval, at a random instant in it. Time is cut into slots of one interval; each
 * gets one tick at an instant drawn uniformly from it. So every instant is as likely to be looked
 * at as any other, and a program that does something at a fixed beat is not seen at the same beat.
 * Slots that were missed are counted and not made up for. Where a tick takes longer than an
 * interval, it takes several looks at once, for the slots to come as well. Pure: the caller reads
 * the clock and sleeps. */
#ifndef PYROMETER_PROFILER_SCHEDULE_H
#define PYROMETER_PROFILER_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

struct schedule {
    uint64_t start_ns;
    uint64_t interval_ns;
    uint64_t next_slot;
    uint64_t missed; /* slots that went by without a tick */
    uint64_t random; /* state of the generator */
    size_t ahead;    /* looks that a tick should take, at least 1 */
};

/* The first slot begins at `start_ns` (monotonic). `interval_ns` > 0. `seed` may be any number. */
void schedule_init(struct schedule *schedule, uint64_t start_ns, uint64_t interval_ns,
                   uint64_t seed);

/* The instant of the next tick, not before the slot that `now_ns` lies in. May be in the past when
 * its slot is not over yet: then tick at once. */
uint64_t schedule_next_ns(struct schedule *schedule, uint64_t now_ns);

/* The tick took `looks` looks, at least 1, and `spent_ns` for all of them. */
void schedule_note(struct schedule *schedule, size_t looks, uint64_t spent_ns);

#endif
