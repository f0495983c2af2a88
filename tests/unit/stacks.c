#include "tests/unit/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

void stack_describe(const struct trace *trace, struct stack_id stack, struct buffer *out) {
    size_t depth = stack.id != 0 ? trace_stack(trace, stack)->depth : 0;
    struct frame_id *frames = memory_zeroed(depth, sizeof *frames);
    for (size_t i = depth; i-- > 0; stack = trace_stack(trace, stack)->parent) {
        frames[i] = trace_stack(trace, stack)->frame;
    }
    for (size_t i = 0; i < depth; i++) {
        const struct trace_frame *frame = trace_frame(trace, frames[i]);
        const struct trace_function *function = trace_function(trace, frame->function);
        buffer_printf(out, "%s%s", i > 0 ? ";" : "", trace_string(trace, function->name));
        if (frame->kind == FRAME_PYTHON) {
            buffer_printf(out, " (%s:%u)", trace_string(trace, function->file), frame->line);
        }
    }
    free(frames);
}

bool stack_is_part(const char *text, const char *whole) {
    static const char marker[] = ";<unverified>";
    size_t length = strlen(text);
    if (strcmp(text, marker + 1) == 0) {
        return true;
    }
    size_t shown = length - (sizeof marker - 1);
    return length >= sizeof marker && strcmp(text + shown, marker) == 0 && shown < strlen(whole) &&
           strncmp(text, whole, shown) == 0 && whole[shown] == ';';
}
