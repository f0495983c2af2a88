#include "profiler/base/footprint.h"

#include <stdio.h>

/* Not ru_maxrss of getrusage(): that outlives exec, and so may be of whoever started us. */
uint64_t footprint_peak_bytes(void) {
    FILE *file = fopen("/proc/self/status", "re");
    unsigned long kilobytes = 0;
    char line[256];
    while (file != NULL && kilobytes == 0 && fgets(line, sizeof line, file) != NULL) {
        (void)!sscanf(line, "VmHWM: %lu kB", &kilobytes);
    }
    if (file != NULL) {
        fclose(file);
    }
    return (uint64_t)kilobytes * 1024;
}
