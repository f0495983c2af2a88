/* Where calls of the evaluation loop are on the C stack: by addresses of what CPython keeps there,
 * or, in versions that keep nothing there, by which function is executed once for every frame. */
#ifndef PYROMETER_TARGET_RUNTIME_ANCHORS_H
#define PYROMETER_TARGET_RUNTIME_ANCHORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/unwind.h"
#include "target-runtime/layout.h"
#include "target-runtime/walk.h"

/* Of a frame: an address in the part of the C stack that belongs to the call of the evaluation loop
 * which began with this frame; or one of these. */
#define ANCHOR_NONE    UINT64_C(0) /* no call began with it: it was called within one */
#define ANCHOR_UNKNOWN UINT64_MAX

/* Fills `out`, one for each frame of the thread (`frames`, newest first), from frames and stack of
 * one moment. */
void anchors_find(const struct layout *layout, const struct raw_thread *thread,
                  const struct raw_frame *frames, const struct stack_copy *stack, uint64_t *out);

/* Functions that are parts of the evaluation loop: compilers divide it. */
struct loop_parts {
    uint64_t functions[4]; /* where they begin */
    size_t count;
};

/* The same for versions with MARK_NONE, in which every frame has a call of the loop of its own.
 * `functions` says of each native frame where its function begins (0: unknown). `parts` has what is
 * known of the loop; one more is learned when exactly one makes the number of calls that of frames.
 */
void anchors_find_by_functions(const struct native_stack *native, const uint64_t *functions,
                               struct loop_parts *parts, size_t frame_count, uint64_t *out);
/* Notes that a part of the loop begins there. */
void loop_parts_add(struct loop_parts *parts, uint64_t function);

#endif
