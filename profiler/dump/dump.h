/* The verb `dump`: where every thread is, right now, as text or JSON. */
#ifndef PYROMETER_PROFILER_DUMP_DUMP_H
#define PYROMETER_PROFILER_DUMP_DUMP_H

#include "profiler/options.h"

/* Does what the options say, on standard output. Returns the exit status. */
int dump(const struct options *options);

#endif
