/* What the last stack of each thread was resolved to: what of it is the same in the next look need
 * not be resolved and verified again. */
#ifndef PYROMETER_PROFILER_HISTORY_H
#define PYROMETER_PROFILER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/model/trace.h"
#include "profiler/resolve.h"
#include "target-runtime/walk.h"

/* Of one thread, root first. */
struct history {
    uint64_t serial;
    uint64_t epoch;       /* of the code objects (codes_epoch) */
    struct stack_id base; /* what the frames are on top of */
    struct raw_frame *raw;
    struct stack_id *stacks; /* up to and with each frame */
    size_t count;
    size_t raw_capacity;
    size_t stack_capacity;
    struct resolved last; /* the stack as a whole; without a stack: it is not to be taken again */
};

/* By walk slot. Zeroed: none. */
struct histories {
    struct history *all;
    size_t count;
    size_t capacity;
};

/* Accepts zeroed histories. */
void histories_deinit(struct histories *histories);

/* That of a thread: empty when it was another thread's, on another base or of another epoch. Valid
 * until the next call. */
struct history *history_of(struct histories *histories, const struct raw_thread *thread,
                           struct stack_id base, uint64_t epoch);
/* The same if there is one; NULL if not. */
const struct history *history_find(const struct histories *histories,
                                   const struct raw_thread *thread);

/* The frame at `depth` (0 is the root), which becomes the last one. */
void history_set(struct history *history, size_t depth, const struct raw_frame *raw,
                 struct stack_id stack);
void history_clear(struct history *history);
/* Accepts a zeroed one. */
void history_deinit(struct history *history);

/* Whether a frame is what the history has at that depth. */
bool history_has(const struct history *history, size_t depth, const struct raw_frame *raw);

#endif
