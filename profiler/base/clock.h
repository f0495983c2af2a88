/* Time. All times are nanoseconds; `monotonic` times are CLOCK_MONOTONIC, which does not jump. */
#ifndef PYROMETER_BASE_CLOCK_H
#define PYROMETER_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

uint64_t clock_monotonic_ns(void);
/* Wall clock, nanoseconds since 1970 UTC. */
uint64_t clock_wall_ns(void);
/* CPU time used by this whole process. */
uint64_t clock_cpu_ns(void);
/* Between two ticks of the kernel, 1 to 10 ms: accounts of what runs are brought up to date then.
 */
uint64_t clock_tick_ns(void);
/* Sleeps until the monotonic deadline; returns early when a signal came. */
void clock_sleep_until_ns(uint64_t deadline_ns);
/* For loops that read the clock again and again: leaves a core's other thread some room. */
void clock_pause(void);

#endif
