/* What the profiler itself takes of the machine. */
#ifndef PYROMETER_BASE_FOOTPRINT_H
#define PYROMETER_BASE_FOOTPRINT_H

#include <stdint.h>

/* The most memory of this process that was resident at once, in bytes; 0 where it cannot be had. */
uint64_t footprint_peak_bytes(void);

#endif
