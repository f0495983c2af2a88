/* One stack of two: Python's frames put where the evaluation loop is among the native ones. */
#ifndef PYROMETER_TARGET_RUNTIME_MERGE_H
#define PYROMETER_TARGET_RUNTIME_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/unwind.h"

enum merge_kind {
    MERGE_PYTHON,
    MERGE_NATIVE,
    MERGE_GAP, /* native frames that are not known */
};

struct merge_item {
    enum merge_kind kind;
    uint32_t index; /* of the Python or of the native frame */
};

/* Merges `count` Python frames, of which `anchors` tells (anchors.h), and native ones of the same
 * moment; both newest first, and so is what comes out. `out` has room for all frames and one more.
 * A native frame that is the evaluation loop gives way to the Python frames that it evaluates.
 * Every Python frame is there whatever the native ones are like: where those end too early, or do
 * not fit, there is one gap. Returns how many items there are. */
size_t merge_stacks(const uint64_t *anchors, size_t count, const struct native_stack *native,
                    struct merge_item *out);

#endif
