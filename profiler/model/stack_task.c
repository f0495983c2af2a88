#include "profiler/model/stack_task.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

static bool is_nameless(const struct trace *trace, struct string_id marker) {
    return strcmp(trace_string(trace, marker), "<task>") == 0;
}

/* Those of the stacks below it are known: parents come first. */
static uint32_t task_of_stack(struct stack_tasks *tasks, const struct trace *trace,
                              const struct trace_stack *stack) {
    const struct trace_frame *frame = trace_frame(trace, stack->frame);
    struct stack_task task = {.marker = trace_function(trace, frame->function)->name};
    if (frame->kind == FRAME_TASK) {
        return table_intern(&tasks->rows, &task);
    }
    if (!stack->parent.id) {
        return 0;
    }
    uint32_t below = tasks->of_stack[stack->parent.id];
    const struct trace_stack *parent = trace_stack(trace, stack->parent);
    const struct trace_frame *parent_frame = trace_frame(trace, parent->frame);
    if (parent_frame->kind != FRAME_TASK) {
        return below;
    }
    task.coroutine = task.marker;
    task.marker = trace_function(trace, parent_frame->function)->name;
    return is_nameless(trace, task.marker) ? table_intern(&tasks->rows, &task) : below;
}

void stack_tasks_init(struct stack_tasks *tasks, const struct trace *trace) {
    table_init(&tasks->rows, sizeof(struct stack_task), sizeof(struct stack_task));
    tasks->of_stack = memory_zeroed((size_t)trace->stacks.count + 1, sizeof *tasks->of_stack);
    for (uint32_t id = 1; id <= trace->stacks.count; id++) {
        tasks->of_stack[id] =
            task_of_stack(tasks, trace, trace_stack(trace, (struct stack_id){id}));
    }
}

void stack_tasks_deinit(struct stack_tasks *tasks) {
    table_deinit(&tasks->rows);
    free(tasks->of_stack);
}

void stack_tasks_append_name(const struct stack_tasks *tasks, const struct trace *trace,
                             uint32_t id, struct buffer *out) {
    const struct stack_task *task = table_row(&tasks->rows, id);
    const char *coroutine = trace_string(trace, task->coroutine);
    buffer_printf(out, *coroutine ? "%s %s" : "%s", trace_string(trace, task->marker), coroutine);
}
