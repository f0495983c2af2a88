/* The lines of source that a profile names, out of the sources that were captured. */
#ifndef PYROMETER_EXPORTERS_EXCERPT_H
#define PYROMETER_EXPORTERS_EXCERPT_H

#include <stddef.h>

#include "profiler/model/trace.h"

/* A line that a frame of the trace is in. */
struct excerpt_line {
    struct string_id file;
    uint32_t line;
    const char *text; /* borrowed from the trace, not terminated */
    size_t bytes; /* without indentation and the end of the line; cut off where it is very long */
};

/* Calls `visit` for each such line whose source was captured, by file id, then line. */
typedef void excerpt_visit(void *context, const struct excerpt_line *line);
void excerpt_each(const struct trace *trace, excerpt_visit *visit, void *context);

#endif
