#include "target-runtime/anchors.h"

enum { LEARN_FRAMES = 3 }; /* among fewer, many functions are there as often */

static uint64_t stack_word(const struct stack_copy *stack, uint64_t at) {
    bool is_there = at >= stack->at && at - stack->at < stack->count &&
                    stack->count - (at - stack->at) >= sizeof(uint64_t);
    return is_there ? load_u64(stack->bytes + (at - stack->at)) : 0;
}

/* Each call of the loop has a cframe that points to that of the call before (Python/ceval.c, 3.10
 * and 3.11, _PyEval_EvalFrameDefault). */
static void find_cframes(const struct layout *layout, const struct raw_thread *thread,
                         const struct raw_frame *frames, const struct stack_copy *stack,
                         uint64_t *out) {
    uint64_t at = thread->cframe;
    for (size_t i = 0; i < thread->frame_count; i++) {
        out[i] = ANCHOR_NONE;
        if (!frames[i].is_from_c) {
            continue;
        }
        out[i] = at != 0 ? at : ANCHOR_UNKNOWN;
        at = at != 0 ? stack_word(stack, at + LAYOUT_AT(layout, cframe, previous)) : 0;
    }
}

static void find_entries(const struct raw_thread *thread, const struct raw_frame *frames,
                         uint64_t *out) {
    for (size_t i = 0; i < thread->frame_count; i++) {
        out[i] = frames[i].entry != 0 ? frames[i].entry : ANCHOR_NONE;
    }
}

void anchors_find(const struct layout *layout, const struct raw_thread *thread,
                  const struct raw_frame *frames, const struct stack_copy *stack, uint64_t *out) {
    switch (layout->evaluation_mark) {
    case MARK_NONE:
        for (size_t i = 0; i < thread->frame_count; i++) {
            out[i] = ANCHOR_UNKNOWN;
        }
        return;
    case MARK_CFRAME: find_cframes(layout, thread, frames, stack, out); return;
    case MARK_ENTRY: find_entries(thread, frames, out); return;
    }
}

/* ---- by functions ---- */

static bool is_part(const struct loop_parts *parts, uint64_t function) {
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->functions[i] == function) {
            return true;
        }
    }
    return false;
}

void loop_parts_add(struct loop_parts *parts, uint64_t function) {
    size_t room = sizeof parts->functions / sizeof parts->functions[0];
    if (function != 0 && parts->count < room && !is_part(parts, function)) {
        parts->functions[parts->count++] = function;
    }
}

static size_t count_of(const uint64_t *functions, size_t count, uint64_t function) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += functions[i] == function;
    }
    return found;
}

/* What calls the loop may be there as often as the loop, but it is older in every round: the newest
 * function that is there often enough is it. */
static void learn_part(const struct native_stack *native, const uint64_t *functions,
                       struct loop_parts *parts, size_t missing) {
    for (size_t i = 0; i < native->count; i++) {
        if (functions[i] != 0 && !is_part(parts, functions[i]) &&
            count_of(functions, native->count, functions[i]) == missing) {
            loop_parts_add(parts, functions[i]);
            return;
        }
    }
}

void anchors_find_by_functions(const struct native_stack *native, const uint64_t *functions,
                               struct loop_parts *parts, size_t frame_count, uint64_t *out) {
    size_t found = 0;
    for (size_t i = 0; i < native->count; i++) {
        found += is_part(parts, functions[i]);
    }
    if (native->is_whole && found < frame_count && frame_count - found >= LEARN_FRAMES) {
        learn_part(native, functions, parts, frame_count - found);
    }
    found = 0;
    for (size_t i = 0; i < native->count && found < frame_count; i++) {
        if (is_part(parts, functions[i])) {
            out[found++] = native->frames[i].sp;
        }
    }
    /* Of too few it cannot be said which they are. */
    for (size_t i = native->is_whole && found < frame_count ? 0 : found; i < frame_count; i++) {
        out[i] = ANCHOR_UNKNOWN;
    }
}
