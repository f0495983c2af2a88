/* Who waited for the GIL because of whom, for a trace that tells of nothing else
 * (profiler/model/blame.h): a sentence each, the longest waiting first. */
#ifndef PYROMETER_EXPORTERS_WAITS_H
#define PYROMETER_EXPORTERS_WAITS_H

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

/* Appends nothing when there was no waiting. */
void waits_append(struct buffer *out, const struct trace *trace);

#endif
