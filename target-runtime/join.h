/* Threads that run code of several interpreters: one OS thread has a thread state in each, and
 * while code of one runs that of another (_interpreters.exec() and the like, or C code that swaps
 * thread states), both have frames. Which of them runs in a call of the other is seen from where
 * their evaluation loops lie on the C stack, for that grows downwards.
 *
 * The id that a thread state has does not tell: up to 3.12 an interpreter's first thread state has
 * its creator's and is used by whichever thread runs the interpreter
 * (Modules/_xxsubinterpretersmodule.c, _run_script_in_interpreter() in 3.8 to 3.11). */
#ifndef PYROMETER_TARGET_RUNTIME_JOIN_H
#define PYROMETER_TARGET_RUNTIME_JOIN_H

#include <stddef.h>
#include <stdint.h>

#include "target-runtime/walk.h"

/* Room to work in, kept from look to look. Zeroed: none. */
struct join {
    struct stack_mark *marks;
    size_t count;
    size_t capacity;
};

/* Accepts a zeroed join. */
void join_deinit(struct join *join);

/* Fills raw_thread.below and .is_carried of every thread of a look. */
void join_threads(struct join *join, struct raw_look *look);

/* The thread in whose call this one runs; NULL: none. */
static inline const struct raw_thread *join_below(const struct raw_look *look,
                                                  const struct raw_thread *thread) {
    return thread->below != 0 ? &look->threads[thread->below - 1] : NULL;
}

/* The one below all: it says who the OS thread is. */
const struct raw_thread *join_bottom(const struct raw_look *look, const struct raw_thread *thread);

/* walk_doubt() for a thread and those below it; `depth` counts from the bottom one's root. */
void join_doubt(struct walk *walk, const struct raw_look *look, const struct raw_thread *thread,
                size_t depth);

#endif
