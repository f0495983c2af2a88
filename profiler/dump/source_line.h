/* The line of source that a frame is in, fit for a terminal. */
#ifndef PYROMETER_PROFILER_DUMP_SOURCE_LINE_H
#define PYROMETER_PROFILER_DUMP_SOURCE_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

struct source_line {
    struct buffer text; /* without indentation and what follows the last character; escaped */
    size_t mark_at; /* where what runs begins, in columns of a terminal; only if there is a mark */
    size_t mark_columns; /* 0: not known, or not in the text */
};

/* False when the trace does not have it, or it is blank. `out` is to be given to source_line_free
 * even then. A line that is very long is cut. */
bool source_line_of(const struct trace *trace, const struct trace_frame *frame,
                    struct source_line *out);
void source_line_free(struct source_line *line);

#endif
