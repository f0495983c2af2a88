#include "exporters/function_name.h"

#include <inttypes.h>

#include "profiler/base/text.h"

void function_name_append(const struct trace *trace, struct function_id id, struct buffer *out) {
    const struct trace_function *function = trace_function(trace, id);
    text_append_escaped(out, trace_string(trace, function->name), "");
    if (function->file.id == 0) {
        return;
    }
    buffer_printf(out, " (");
    text_append_escaped(out, trace_string(trace, function->file), "");
    if (function->first_line != 0) {
        buffer_printf(out, ":%" PRIu32, function->first_line);
    }
    buffer_printf(out, ")");
}
