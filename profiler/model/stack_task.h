/* The task of each stack: what its innermost FRAME_TASK frame says, be it a task, or what an event
 * loop does without one. Tasks that nobody named are told apart by the coroutine they run. */
#ifndef PYROMETER_MODEL_STACK_TASK_H
#define PYROMETER_MODEL_STACK_TASK_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/table.h"
#include "profiler/model/trace.h"

struct stack_task {
    struct string_id marker;    /* "<task NAME>", "<task>", "<loop>", "<callback>", "<idle>" */
    struct string_id coroutine; /* of a "<task>", its oldest function; else, or unknown, empty */
};

struct stack_tasks {
    struct table rows;  /* struct stack_task */
    uint32_t *of_stack; /* by stack id: id of a row; 0: it is in no task */
};

/* Those of all stacks that `trace` has now. */
void stack_tasks_init(struct stack_tasks *tasks, const struct trace *trace);
void stack_tasks_deinit(struct stack_tasks *tasks);

/* Appends "<task NAME>", or "<task> COROUTINE", of a row's id. */
void stack_tasks_append_name(const struct stack_tasks *tasks, const struct trace *trace,
                             uint32_t id, struct buffer *out);

#endif
