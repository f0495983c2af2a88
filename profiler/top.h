/* `pyrometer top`: a live view of a running profile. */
#ifndef PYROMETER_PROFILER_TOP_H
#define PYROMETER_PROFILER_TOP_H

#include "profiler/options.h"

/* Profiles the process or command of the options, and shows it until the user has had enough.
 * Returns the exit status. */
int top(struct options *options);

#endif
