#include "target-runtime/merge.h"

#include "target-runtime/anchors.h"

struct merging {
    struct merge_item *out;
    size_t count;
};

static void put(struct merging *merging, enum merge_kind kind, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        merging->out[merging->count++] = (struct merge_item){kind, (uint32_t)i};
    }
}

/* The first native frame, from `from` on, whose part of the stack an address is in; their number
 * when it is in none. Where the part of the last one ends is not known. */
static size_t find_part(const struct native_stack *native, size_t from, uint64_t address) {
    for (size_t i = from; i + 1 < native->count; i++) {
        if (native->frames[i].sp <= address && address < native->frames[i + 1].sp) {
            return i;
        }
    }
    return native->count;
}

/* Whether it can be that a call of the loop was not found because the unwinding ended before. */
static bool is_beyond(const struct native_stack *native, uint64_t anchor) {
    return !native->is_whole &&
           (native->count == 0 || anchor >= native->frames[native->count - 1].sp);
}

/* The frame that a run of frames from `from` on, evaluated by one call, ends before. */
static size_t end_of_run(const uint64_t *anchors, size_t count, size_t from) {
    size_t at = from;
    while (at + 1 < count && anchors[at] == ANCHOR_NONE) {
        at++;
    }
    return at + 1;
}

size_t merge_stacks(const uint64_t *anchors, size_t count, const struct native_stack *native,
                    struct merge_item *out) {
    struct merging merging = {out, 0};
    size_t done = 0;
    for (size_t run = 0, end; run < count; run = end) {
        end = end_of_run(anchors, count, run);
        uint64_t anchor = anchors[end - 1];
        size_t at = find_part(native, done, anchor);
        if (at == native->count) {
            bool is_cut = is_beyond(native, anchor);
            merging.count = is_cut ? merging.count : 0;
            put(&merging, MERGE_NATIVE, is_cut ? done : 0, is_cut ? native->count : 0);
            put(&merging, MERGE_GAP, 0, 1);
            put(&merging, MERGE_PYTHON, is_cut ? run : 0, count);
            return merging.count;
        }
        put(&merging, MERGE_NATIVE, done, at);
        put(&merging, MERGE_PYTHON, run, end);
        done = at + 1;
    }
    put(&merging, MERGE_NATIVE, done, native->count);
    put(&merging, MERGE_GAP, 0, native->is_whole ? 0 : 1);
    return merging.count;
}
