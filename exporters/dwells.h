/* Where tasks waited and how long, as lines of text. */
#ifndef PYROMETER_EXPORTERS_DWELLS_H
#define PYROMETER_EXPORTERS_DWELLS_H

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

/* The places whose waits were longest in all first; nothing when the trace knows of none. */
void dwells_append(struct buffer *out, const struct trace *trace);

#endif
