/* What a function is called where there is room for a line. */
#ifndef PYROMETER_EXPORTERS_FUNCTION_NAME_H
#define PYROMETER_EXPORTERS_FUNCTION_NAME_H

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

/* Appends "hold (blame.py:25)"; without what is not known: nothing for what has no file, as `<GC>`,
 * and machine code has a file without lines. Escaped, on one line. */
void function_name_append(const struct trace *trace, struct function_id function,
                          struct buffer *out);

#endif
