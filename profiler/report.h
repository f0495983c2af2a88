/* What is said to the user, on standard error. */
#ifndef PYROMETER_PROFILER_REPORT_H
#define PYROMETER_PROFILER_REPORT_H

#include "profiler/base/status.h"
#include "profiler/model/trace.h"

/* One line: what happened, to what, and what to do about it. */
void report_error(const struct error *error);
/* The same; returns the exit status that goes with it. */
int report_failure(const struct error *error);
/* The closing line: how good the profile is, in one sentence. */
void report_quality(const struct trace *trace);

#endif
