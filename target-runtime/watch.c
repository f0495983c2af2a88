#include "target-runtime/watch.h"

#include "profiler/base/arena.h"
#include "target-runtime/frame.h"

enum {
    CALLS_WATCHED = 4, /* of frame objects, in one look */
    STACK_FIELDS = 3,  /* datastack_chunk, _top, _limit: one behind the other in every version */
};

/* How many frames of the thread, leaf first, are in doubt. */
static size_t doubted_count(const struct slot *slot, const struct raw_thread *raw) {
    return raw->frame_count > slot->doubt_depth ? raw->frame_count - slot->doubt_depth : 0;
}

/* ---- frames in the data stack ---- */

/* The end of the data stack, as it was between the two copies. */
struct extent {
    uint64_t chunk;
    uint64_t top;
    uint64_t limit;
};

void watch_want(struct chains *chains, struct slot *slot) {
    const struct layout *layout = chains->layout;
    struct snapshot *snapshot = &chains->snapshot;
    slot->copies.again = snapshot_group_begin(snapshot);
    if (slot->doubts == 0 || layout->frame_chain == FRAME_CHAIN_OBJECTS) {
        return;
    }
    slot->copies.extent =
        view_want_one(snapshot, remote_at(slot->state, LAYOUT_AT(layout, thread, datastack_chunk)),
                      STACK_FIELDS * 8);
    slot->copies.again = prediction_want(&slot->doubted, PREDICTION_OF_STACKS, snapshot);
}

static const uint8_t *view_of(const struct chains *chains, struct snapshot_group *group,
                              uint64_t at) {
    struct remote from = remote_at((struct remote){at}, chains->frame_fields.at);
    return snapshot_view(&chains->snapshot, group, from, chains->frame_fields.bytes);
}

/* Whether a frame that is the same in both copies was on the stack between them. One that was left
 * keeps its fields until another one is pushed there. */
static bool is_allocated(const struct layout *layout, const struct view *frame, uint64_t at,
                         const struct extent *extent) {
    if (frame_is_generators(layout, frame)) {
        return VIEW_U64(frame, layout, frame, previous) != 0; /* cleared when it yields */
    }
    bool is_in_last_chunk = at >= extent->chunk && at < extent->limit;
    return !is_in_last_chunk || at < extent->top;
}

static bool mark_one(const struct chains *chains, struct slot *slot, struct raw_frame *frame,
                     const struct extent *extent) {
    struct view once = {view_of(chains, &slot->copies.frames, frame->at), chains->frame_fields.at};
    struct view again = {view_of(chains, &slot->copies.again, frame->at), chains->frame_fields.at};
    if (once.bytes == NULL || again.bytes == NULL) {
        return false;
    }
    uint64_t previous;
    uint64_t previous_again;
    struct raw_frame first = frame_decode(chains->layout, &once, &previous);
    struct raw_frame second = frame_decode(chains->layout, &again, &previous_again);
    frame->is_watched = true;
    frame->is_alive = first.code == second.code && second.code != 0 && previous == previous_again &&
                      is_allocated(chains->layout, &again, frame->at, extent);
    frame->is_still = frame->is_alive && first.position == second.position;
    return true;
}

static void mark_copies(struct chains *chains, struct slot *slot, struct raw_thread *raw) {
    const struct stretch *fields = &chains->frame_fields;
    struct raw_frame *frames = chains->look.frames + raw->first_frame;
    size_t count = slot->doubts > 0 && raw->is_complete ? doubted_count(slot, raw) : 0;
    const uint8_t *bytes =
        slot->copies.again.count > 0 ? view_copy(&chains->snapshot, slot->copies.extent) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (bytes != NULL) {
            struct extent extent = {load_u64(bytes), load_u64(bytes + 8), load_u64(bytes + 16)};
            mark_one(chains, slot, &frames[i], &extent);
        }
        prediction_touch(&slot->doubted, remote_at((struct remote){frames[i].at}, fields->at),
                         fields->bytes);
    }
}

/* ---- frame objects ---- */

/* Copies in a watched call: callee, caller, callee, caller. A call much shorter than the time that
 * takes is never the same in all four, and so is not mistaken for its neighbour, as it would be
 * between two copies of the caller alone. */
enum { COPIES = 4 };

/* A copy of the frame that is where `was` was; false when it is not being run. */
static bool decode_running(const struct chains *chains, size_t index, const struct raw_frame *was,
                           struct raw_frame *out, uint64_t *back_out) {
    struct view view = {view_copy(&chains->snapshot, index), chains->frame_fields.at};
    if (view.bytes == NULL || frame_has_ended(chains->layout, &view)) {
        return false;
    }
    *out = frame_decode(chains->layout, &view, back_out);
    out->at = was->at;
    out->is_from_c = was->is_from_c;
    return true;
}

static void note_sight(struct raw_look *look, const struct raw_sight *sight) {
    if (look->sight_count == look->sight_capacity) {
        look->sights = memory_grow(look->sights, sizeof *look->sights, look->sight_count + 1,
                                   &look->sight_capacity);
    }
    look->sights[look->sight_count++] = *sight;
}

/* Copies a call as it is now. False when one of the two is not being run. */
static bool copy_call(struct chains *chains, const struct raw_frame *caller,
                      const struct raw_frame *callee, struct raw_frame copies[COPIES],
                      uint64_t backs[COPIES], enum status *status_out) {
    struct snapshot *snapshot = &chains->snapshot;
    const struct raw_frame *order[COPIES] = {callee, caller, callee, caller};
    size_t first = snapshot->count;
    for (size_t i = 0; i < COPIES; i++) {
        view_want_one(snapshot, remote_at((struct remote){order[i]->at}, chains->frame_fields.at),
                      chains->frame_fields.bytes);
    }
    *status_out = memory_read(snapshot->memory, snapshot->ranges + first, COPIES);
    for (size_t i = 0; i < COPIES; i++) {
        if (*status_out != STATUS_OK ||
            !decode_running(chains, first + i, order[i], &copies[i], &backs[i])) {
            return false;
        }
    }
    return true;
}

/* Looks at a call as it is now. */
static void watch_call(struct chains *chains, struct raw_frame *caller, struct raw_frame *callee,
                       enum status *status_out) {
    struct raw_frame copies[COPIES];
    uint64_t backs[COPIES];
    if (!copy_call(chains, caller, callee, copies, backs, status_out)) {
        return;
    }
    caller->is_alive |= copies[1].code == caller->code && copies[3].code == caller->code;
    if (backs[0] != caller->at || backs[2] != caller->at || copies[0].code != copies[2].code ||
        copies[1].code != copies[3].code) {
        return;
    }
    note_sight(&chains->look,
               &(struct raw_sight){copies[1], copies[0], copies[1].position == copies[3].position});
}

/* The oldest frame of all calls nobody watched: is it still there? */
static void watch_alone(struct chains *chains, struct raw_frame *frame, enum status *status_out) {
    struct snapshot *snapshot = &chains->snapshot;
    struct raw_frame copy;
    uint64_t ignored;
    size_t index =
        view_want_one(snapshot, remote_at((struct remote){frame->at}, chains->frame_fields.at),
                      chains->frame_fields.bytes);
    *status_out = memory_read(snapshot->memory, snapshot->ranges + index, 1);
    frame->is_alive = *status_out == STATUS_OK &&
                      decode_running(chains, index, frame, &copy, &ignored) &&
                      copy.code == frame->code;
}

/* The oldest frames in doubt: what is above them is learned when they are not any more. */
static void watch_objects(struct chains *chains, struct slot *slot, struct raw_thread *raw,
                          enum status *status_out) {
    size_t count = slot->doubts > 0 ? doubted_count(slot, raw) : 0;
    struct raw_frame *frames = chains->look.frames + raw->first_frame;
    raw->first_sight = chains->look.sight_count;
    if (count == 1 && raw->frame_count == 1) {
        watch_alone(chains, frames, status_out);
    }
    for (size_t i = 0; i < CALLS_WATCHED && i + 1 < count && *status_out == STATUS_OK; i++) {
        watch_call(chains, &frames[count - 1 - i], &frames[count - 2 - i], status_out);
    }
    raw->sight_count = chains->look.sight_count - raw->first_sight;
}

void watch_mark(struct chains *chains, struct slot *slot, struct raw_thread *raw,
                enum status *status_out) {
    if (chains->layout->frame_chain == FRAME_CHAIN_OBJECTS) {
        watch_objects(chains, slot, raw, status_out);
    } else {
        mark_copies(chains, slot, raw);
    }
}

void watch_joint(struct chains *chains, const struct slot *slot, struct raw_frame *caller,
                 struct raw_frame *callee, enum status *status_out) {
    struct raw_frame copies[COPIES];
    uint64_t backs[COPIES];
    bool is_marked = chains->layout->frame_chain != FRAME_CHAIN_OBJECTS;
    if (is_marked || slot->doubts == 0) {
        return;
    }
    caller->is_watched = true;
    callee->is_watched = true;
    if (copy_call(chains, caller, callee, copies, backs, status_out)) {
        callee->is_alive = backs[0] == 0 && backs[2] == 0 && copies[0].code == callee->code &&
                           copies[2].code == callee->code;
        caller->is_alive = copies[1].code == caller->code && copies[3].code == caller->code;
        caller->is_still = caller->is_alive && copies[1].position == caller->position &&
                           copies[3].position == caller->position;
    }
}
