/* Who waits for a task. From 3.14 on the task itself says it; before that it follows from what is
 * called when the task is done. */
#ifndef PYROMETER_TARGET_RUNTIME_TASK_PARENTS_H
#define PYROMETER_TARGET_RUNTIME_TASK_PARENTS_H

#include "target-runtime/task_reader.h"

/* Calls `visit` with every task that waits for the task (or future) at `object`: directly, or
 * through gather, wait, wait_for, shield or a TaskGroup. A task may be met several times. */
enum status task_parents_each(struct task_reader *reader, struct remote object,
                              element_visit *visit, void *context) MUST_CHECK;

#endif
