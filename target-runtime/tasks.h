/* The tasks of asyncio: what each is called, where it stands, what it waits for, and who waits for
 * it. Read from the objects that the program itself keeps, in every version (Lib/asyncio/tasks.py,
 * Modules/_asynciomodule.c), for every loop, also one that is not asyncio's own.
 *
 * A loop that runs changes these objects while they are read. Each look is taken by itself;
 * tasks_confirm says which tasks of it were the same in the one before: those were all there, as
 * told, at the instant between the two. */
#ifndef PYROMETER_TARGET_RUNTIME_TASKS_H
#define PYROMETER_TARGET_RUNTIME_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/memory_tape.h"
#include "reader/process.h"
#include "target-runtime/runtime.h"
#include "target-runtime/task_lists.h"
#include "target-runtime/task_look.h"
#include "target-runtime/walk.h"

enum tasks_scope {
    TASKS_ALL,
    TASKS_AND_GREENLETS, /* the same, and the greenlets that are suspended */
    TASKS_RUNNING, /* those that run, or ran when tasks_note was called; and who waits for them */
};

struct tasks;

/* Both are borrowed and must outlive it. */
struct tasks *tasks_create(const struct runtime *runtime, const struct process *process);
/* Accepts NULL. */
void tasks_destroy(struct tasks *tasks);

/* Right before the stacks of threads are read: notes which tasks run. `threads` is an earlier look,
 * or NULL. Statuses as of tasks_look. */
enum status tasks_note(struct tasks *tasks, const struct raw_look *threads) MUST_CHECK;

/* Takes a look, at the interpreters and threads of `threads`. OK also when there are none, and when
 * some could not be read: these are left out. GONE, NOT_PERMITTED. */
enum status tasks_look(struct tasks *tasks, const struct raw_look *threads, enum tasks_scope scope,
                       const struct task_look **out) MUST_CHECK;

/* Marks the tasks of the last look that were the same in the one before. True if all were. */
bool tasks_confirm(struct tasks *tasks);

/* What was made of one task, and what of the target's memory that was made of. */
struct task_reading {
    const struct task_look *look; /* it comes first, then the first who waits for it, and so on */
    const struct memory_note *notes; /* borrowed as the look is, until the next reading */
    size_t note_count;
    uint64_t digest; /* of what the notes say (memory_tape.h) */
    bool is_whole;   /* the notes tell of all of it */
    bool is_moving;  /* it changed while it was read: nothing was made of it */
};

/* Reads one task. The look is empty when it is none any more, or when what was read of it was not
 * the same when it was read again. GONE, NOT_PERMITTED. */
enum status tasks_read_one(struct tasks *tasks, uint64_t at, struct task_reading *out) MUST_CHECK;
/* A new time: what was read for tasks_read_one until now may have changed. */
void tasks_forget(struct tasks *tasks);
/* As task_lists_each_place. */
enum status tasks_each_place(struct tasks *tasks, const struct raw_look *threads,
                             place_visit *visit, void *context) MUST_CHECK;

#endif
