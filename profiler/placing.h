/* Stacks by task: which part of a thread's stack is a task's own, and what that stands on. A task
 * stands on those that wait for it, from the first one that nobody waits for. What an event loop
 * does without a task stands on a frame <loop>, with <callback> or <idle> on it; whatever else a
 * thread does stays as it is. */
#ifndef PYROMETER_PROFILER_PLACING_H
#define PYROMETER_PROFILER_PLACING_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/model/trace.h"
#include "profiler/session.h"

struct placing;

/* Both are borrowed and must outlive it; the session watches tasks. */
struct placing *placing_create(struct session *session, struct trace *trace);
/* Accepts NULL. */
void placing_destroy(struct placing *placing);

struct placed {
    struct raw_thread part; /* the frames to show; there may be none */
    size_t below;           /* frames of the thread that are below them */
    struct stack_id base;   /* what they stand on; 0: nothing */
};

/* Places a thread of the session's last look; `thread` says who it is. */
void placing_place(struct placing *placing, const struct raw_look *look,
                   const struct raw_thread *raw, struct thread_ref thread, uint64_t now_ns,
                   struct placed *out);

/* A whole stack of such a thread, with native frames among Python's, as it was placed: machine code
 * that the oldest Python frame to show was called from is the loop's, and goes with it. A stack
 * without its root stays as it is. */
struct stack_id placing_put(struct placing *placing, struct stack_id stack,
                            const struct placed *placed);

/* What the coroutines of a task of a look stand on: its marker, on those that wait for it. */
struct stack_id placing_task(struct placing *placing, const struct task_look *look,
                             const struct raw_task *task, uint64_t now_ns);
/* The stack of a task of a look that does not run, on those that wait for it. */
struct stack_id placing_waiting(struct placing *placing, const struct task_look *look,
                                const struct raw_task *task, uint64_t now_ns);

#endif
