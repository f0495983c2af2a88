/* Where on the threads' stacks the tasks are that run. */
#ifndef PYROMETER_PROFILER_RUNNING_H
#define PYROMETER_PROFILER_RUNNING_H

#include <stdbool.h>

#include "target-runtime/tasks.h"
#include "target-runtime/walk.h"

/* The part of a thread's stack that is the task's: from its newest frame, or from below where
 * another task begins that runs on top of it (an eager one), down to the task's own coroutine.
 * False if it is on no stack of the look. */
bool running_part(const struct raw_look *look, const struct task_look *tasks,
                  const struct raw_task *task, struct raw_thread *out);
/* How many frames of the thread of the look are below a part of it. */
size_t running_below(const struct raw_look *look, const struct raw_thread *part);

/* The task of the look whose coroutine is the newest on the thread's stack, and how many frames of
 * it, from the leaf on, are the task's; NULL if there is none. */
const struct raw_task *running_newest(const struct raw_look *look, const struct task_look *tasks,
                                      const struct raw_thread *thread, size_t *frames_out);

#endif
