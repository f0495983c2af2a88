/* The tasks of a process at one instant, as a tree of who waits for whom, as text or JSON. */
#ifndef PYROMETER_PROFILER_DUMP_TASK_TREE_H
#define PYROMETER_PROFILER_DUMP_TASK_TREE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "profiler/model/trace.h"
#include "reader/process.h"

enum dumped_state { DUMPED_RUNNING, DUMPED_WAITING, DUMPED_NEW };

struct dumped_task {
    uint64_t at;           /* tells tasks of one name apart */
    struct string_id name; /* of a greenlet: of its class */
    bool is_greenlet;
    enum dumped_state state;
    struct thread_ref thread; /* that runs its loop; 0 unknown */
    struct stack_id stack;    /* its own frames only, from its coroutine to where it waits */
    bool is_moving;           /* it changed while it was read: what is told may be of two moments */
    size_t first_parent;      /* into dumped_tasks.parents: indexes of the tasks that wait for it */
    size_t parent_count;
};

struct dumped_tasks {
    struct dumped_task *items;
    size_t count;
    size_t *parents;
    size_t parent_count;
};

/* Looks until two looks agree, a hundred times at most; with `is_blocking` once, while the process
 * is stopped. `out` is to be given to task_tree_free. Statuses as of session_open and
 * stopper_open. */
enum status task_tree_take(const struct process *process, struct trace *trace, bool is_blocking,
                           struct dumped_tasks *out, struct error *error) MUST_CHECK;
/* Accepts zeroed ones. */
void task_tree_free(struct dumped_tasks *tasks);

/* Those that nobody waits for, and under each those that it waits for. A task that several wait for
 * is told once. Tasks that wait for each other are named. */
void task_tree_append(const struct trace *trace, const struct dumped_tasks *tasks,
                      struct buffer *out);
/* As docs/dump.schema.json says. The caller deletes it. */
cJSON *task_tree_json(const struct trace *trace, const struct dumped_tasks *tasks);
cJSON *task_tree_cycles_json(const struct dumped_tasks *tasks);

#endif
