/* The copy of one frame as numbers, for every kind of frame that layout.h knows. In a header, as
 * the walk does nothing else so often. */
#ifndef PYROMETER_TARGET_RUNTIME_FRAME_H
#define PYROMETER_TARGET_RUNTIME_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "target-runtime/view.h"
#include "target-runtime/walk.h"

enum frame_owner {
    OWNER_GENERATOR = 1, /* FRAME_OWNED_BY_GENERATOR, pycore_frame.h (3.11) */
};

enum frame_class { CLASS_PYTHON, CLASS_ENTRY };

static inline uint64_t frame_code(const struct layout *layout, uint64_t executable) {
    switch (layout->code_reference) {
    case CODE_REFERENCE_PLAIN: return executable;
    case CODE_REFERENCE_TAGGED: return executable & ~UINT64_C(3);
    }
    return 0;
}

/* What a frame is, and whether the chain may end below it. */
static inline enum frame_class frame_class_of(const struct layout *layout, const struct view *frame,
                                              bool *may_end) {
    switch (layout->entry_frames) {
    /* A generator that is not being run has no caller: a chain that ends there has been cut. */
    case ENTRY_FRAMES_NONE:
        *may_end = VIEW_U64(frame, layout, frame_object, generator) == 0;
        return CLASS_PYTHON;
    case ENTRY_FRAMES_FLAG:
        *may_end = frame->bytes[LAYOUT_AT(layout, frame, is_entry) - frame->at] != 0 &&
                   frame->bytes[LAYOUT_AT(layout, frame, owner) - frame->at] != OWNER_GENERATOR;
        return CLASS_PYTHON;
    /* A greenlet makes a frame object for each of its frames and takes the entry frames out of the
     * chain before it gives way (greenlet 3.0, Greenlet::expose_frames in TGreenlet.cpp). */
    case ENTRY_FRAMES_OWNER: {
        uint8_t owner = frame->bytes[LAYOUT_AT(layout, frame, owner) - frame->at];
        bool is_entry = owner >= layout->owner_entry;
        *may_end = is_entry ||
                   (owner != OWNER_GENERATOR && VIEW_U64(frame, layout, frame, frame_obj) != 0);
        return is_entry ? CLASS_ENTRY : CLASS_PYTHON;
    }
    }
    return CLASS_PYTHON;
}

/* Whether C code called this frame, as far as the frame itself tells: before 3.11 every call goes
 * through C, from 3.12 on a frame of its own says so. */
static inline bool frame_is_from_c(const struct layout *layout, const struct view *frame) {
    switch (layout->entry_frames) {
    case ENTRY_FRAMES_NONE: return true;
    case ENTRY_FRAMES_FLAG:
        return frame->bytes[LAYOUT_AT(layout, frame, is_entry) - frame->at] != 0;
    case ENTRY_FRAMES_OWNER: return false;
    }
    return false;
}

/* -3.10: whether the frame is over, or has given way. One that has not begun may be on the stack: a
 * trace function is called for it before it counts as running (_PyEval_EvalFrameDefault in
 * Python/ceval.c); one that is over has begun. */
static inline bool frame_has_ended(const struct layout *layout, const struct view *frame) {
    uint32_t lasti = load_u32(frame->bytes + (LAYOUT_AT(layout, frame_object, lasti) - frame->at));
    uint8_t executing = frame->bytes[LAYOUT_AT(layout, frame_object, executing) - frame->at];
    return executing != layout->executing && (int32_t)lasti >= 0;
}

/* Whether the frame is inside of a generator or coroutine. */
static inline bool frame_is_generators(const struct layout *layout, const struct view *frame) {
    return layout->frame_chain == FRAME_CHAIN_OBJECTS
               ? VIEW_U64(frame, layout, frame_object, generator) != 0
               : frame->bytes[LAYOUT_AT(layout, frame, owner) - frame->at] == OWNER_GENERATOR;
}

/* One frame as numbers, and its caller's address. */
static inline struct raw_frame frame_decode(const struct layout *layout, const struct view *view,
                                            uint64_t *previous_out) {
    struct raw_frame frame = {.is_generator = frame_is_generators(layout, view)};
    if (layout->frame_chain == FRAME_CHAIN_OBJECTS) {
        uint32_t lasti =
            load_u32(view->bytes + (LAYOUT_AT(layout, frame_object, lasti) - view->at));
        frame.code = VIEW_U64(view, layout, frame_object, code);
        frame.position = (uint64_t)(int64_t)(int32_t)lasti;
        frame.globals = VIEW_U64(view, layout, frame_object, globals);
        frame.is_left = frame_has_ended(layout, view);
        *previous_out = VIEW_U64(view, layout, frame_object, back);
        return frame;
    }
    frame.code = frame_code(layout, VIEW_U64(view, layout, frame, executable));
    frame.is_left = frame.code == 0;
    frame.position = VIEW_U64(view, layout, frame, instr_ptr);
    frame.globals = VIEW_U64(view, layout, frame, globals);
    if (LAYOUT_HAS(layout, frame, function)) {
        frame.function = VIEW_U64(view, layout, frame, function);
    }
    if (LAYOUT_HAS(layout, frame, tlbc_index)) {
        frame.tlbc_index =
            load_u32(view->bytes + (LAYOUT_AT(layout, frame, tlbc_index) - view->at));
    }
    *previous_out = VIEW_U64(view, layout, frame, previous);
    return frame;
}

#endif
