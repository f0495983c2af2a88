/* What threads are doing, all that is known of it: what the look has read from the target's memory
 * costs nothing, what the kernel says of a thread costs a microsecond. So the kernel is asked about
 * those that may have done something:
 *   - whoever was not asleep when last asked, holds the GIL, or has moved on its stack: every tick,
 * but no more often than every 250 us, or high rates would be spent on asking;
 *   - whoever sleeps is asked first whether it has had a CPU since, which costs less, and the
 * longer it has slept the more seldom: again after 1/256 of that time, and after 8 ms at the
 * latest. The end of a sleep is thereby seen late by 1/512 of the sleep, on average.
 *
 * A thread that is not asleep runs, or waits for a CPU: which of the two is told by the kernel's
 * account of the time that it has run, and over some time the two agree. */
#ifndef PYROMETER_PROFILER_ACTIVITY_H
#define PYROMETER_PROFILER_ACTIVITY_H

#include <stdint.h>

#include "target-runtime/walk.h"

struct activity;

/* Of the threads of process `pid`, in our pid namespace. */
struct activity *activity_create(int pid);
/* Accepts NULL. */
void activity_destroy(struct activity *activity);

/* What a thread of the look was at, which stands for `elapsed_ns` up to `now_ns`: a set of enum
 * sample_state. `tid` is its id in our pid namespace, 0 when that is not known: then nothing is
 * said of the kernel. */
uint32_t activity_state(struct activity *activity, const struct raw_look *look,
                        const struct raw_thread *thread, uint32_t tid, uint64_t now_ns,
                        uint64_t elapsed_ns);

#endif
