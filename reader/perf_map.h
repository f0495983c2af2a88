/* Names of code that a process generates, as it writes them down for perf(1): /tmp/perf-PID.map.
 * CPython with -X perf, Node.js, Numba and others do when they are asked to. */
#ifndef PYROMETER_READER_PERF_MAP_H
#define PYROMETER_READER_PERF_MAP_H

#include "reader/functions.h"
#include "reader/process.h"

/* Reads the map as it is now: its addresses are those in the process, its names as they stand.
 * There are none when there is no map. */
void perf_map_read(struct functions *out, const struct process *process);
/* Takes in one line, "START SIZE NAME" with hexadecimal numbers, terminated; others are skipped. */
void perf_map_add_line(struct functions *functions, char *line);

#endif
