#include "target-runtime/walk.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/links.h"

enum {
    INTERPRETER_LIMIT = 4096,
    THREAD_LIMIT = 65536,
    FRAME_LIMIT = 1 << 17,
    OWNER_GENERATOR = 1, /* FRAME_OWNED_BY_GENERATOR, pycore_frame.h (3.11) */
    DOUBT_LOOKS = 8,
    MEET_STEPS = 64,
    BOTTOM_VOTES = 3,
    DETOUR_LIMIT = 64, /* threads that ended while the list was walked */
    BASE_REACH = 2048, /* a base frame so near to the thread's fields is copied with them */
    NEW_LINKS = 64,    /* of one chain that are remembered */
    TOP_FRAMES = 32,   /* of the last whole chain that are remembered */
    CHUNK_BYTES = 1 << 16,
    TORN_RETRIES = 8, /* looks at one thread again, in the same tick, when its chain broke */
};

/* A stretch of a structure that holds some of its fields. */
struct stretch {
    uint32_t at;
    uint32_t bytes;
};

/* What is kept of a thread from look to look. */
struct slot {
    struct remote state;
    uint64_t serial;
    bool is_used;
    bool is_seen; /* in this look */
    bool is_skipped;
    uint32_t doubts;    /* looks to come in which frames are copied twice */
    size_t doubt_depth; /* those that have at least so many below them */
    struct prediction frames;
    struct prediction doubted; /* where those are */
    struct links links;
    uint64_t base;            /* of its chain; 0 where there is none */
    uint64_t top[TOP_FRAMES]; /* addresses of the newest frames of the last whole chain */
    size_t top_count;
    struct prediction heads; /* 3.11, 3.12: pointers to the newest frame, in cframes */
    struct remote cframe;    /* 3.11, 3.12: where the last of those was */
    uint32_t anchor_bytes;   /* the thread's fields, and its base frame if that is near (3.15) */
    uint64_t bottom;         /* address of the oldest frame, once that was certain */
    uint64_t next_bottom;    /* what it may be instead */
    uint32_t bottom_votes;   /* looks in which that stood still */
    /* This look's copies: indexes into the snapshot, valid when is_wanted. */
    bool is_wanted;
    bool has_frames; /* not only the thread's fields */
    size_t anchor;
    struct snapshot_group head_group;
    struct snapshot_group frame_group;
    struct snapshot_group again_group; /* the frames once more, while there are doubts */
    size_t pointer_again;
    size_t head_again;
};

struct walk {
    struct runtime *runtime;
    struct snapshot snapshot;
    struct stretch thread_fields;
    struct stretch interpreter_fields;
    struct stretch frame_fields;
    uint32_t pointer_at; /* in the thread: the pointer to its newest frame, or to its cframe */
    uint32_t head_at;    /* in the cframe: the pointer to the newest frame */
    struct remote *interpreters;
    size_t interpreter_count;
    size_t interpreter_capacity;
    struct slot *slots;
    size_t slot_count;
    size_t slot_capacity;
    size_t first_free; /* no slot below it is free */
    size_t *index;     /* slot + 1 by address of the thread state, open addressing; 0: free */
    size_t index_count;
    size_t *order; /* slots in the order of the last look */
    size_t order_count;
    size_t order_capacity;
    size_t *new_order;
    size_t new_order_count;
    size_t new_order_capacity;
    struct raw_look look;
};

/* ---- what to read ---- */

static void stretch_over(struct stretch *stretch, uint32_t at, uint32_t bytes) {
    uint32_t end = stretch->at + stretch->bytes;
    uint32_t new_end = end > at + bytes ? end : at + bytes;
    if (stretch->bytes == 0) {
        *stretch = (struct stretch){at, bytes};
        return;
    }
    stretch->at = stretch->at < at ? stretch->at : at;
    stretch->bytes = new_end - stretch->at;
}

static void stretch_over_field(struct stretch *stretch, const struct layout *layout,
                               enum layout_field field) {
    if (layout->place[field] != 0) {
        stretch_over(stretch, layout->place[field] - 1, layout_field_bytes(field));
    }
}

static struct stretch stretch_of(const struct layout *layout, const enum layout_field *fields,
                                 size_t count) {
    struct stretch stretch = {0};
    for (size_t i = 0; i < count; i++) {
        stretch_over_field(&stretch, layout, fields[i]);
    }
    return stretch;
}

#define STRETCH_OF(layout, ...)                                                                    \
    stretch_of(layout, (const enum layout_field[]){__VA_ARGS__},                                   \
               sizeof((const enum layout_field[]){__VA_ARGS__}) / sizeof(enum layout_field))

/* ---- views ---- */

/* A stretch of a structure that was copied: fields are read from it by their place. */
struct view {
    const uint8_t *bytes;
    uint32_t at;
};

static uint64_t view_u64(const struct view *view, uint32_t place) {
    return load_u64(view->bytes + (place - view->at));
}

#define VIEW_U64(view, layout, structure, field) view_u64(view, LAYOUT_AT(layout, structure, field))

static const uint8_t *copied(const struct snapshot *snapshot, size_t index) {
    const struct range *range = &snapshot->ranges[index];
    return range->status == STATUS_OK ? range->to : NULL;
}

/* Queues one range outside of any group and gives its index. */
static size_t want_one(struct snapshot *snapshot, struct remote from, uint32_t bytes) {
    struct snapshot_group group = snapshot_group_begin(snapshot);
    snapshot_want(snapshot, &group, from, bytes);
    return group.first;
}

/* ---- frames ---- */

enum frame_class { CLASS_PYTHON, CLASS_ENTRY };

static uint64_t frame_code(const struct layout *layout, uint64_t executable) {
    switch (layout->code_reference) {
    case CODE_REFERENCE_PLAIN: return executable;
    case CODE_REFERENCE_TAGGED: return executable & ~UINT64_C(3);
    }
    return 0;
}

/* What a frame is, and whether the chain may end below it. */
static enum frame_class frame_kind_of(const struct layout *layout, const struct view *frame,
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
    case ENTRY_FRAMES_OWNER:
        *may_end = frame->bytes[LAYOUT_AT(layout, frame, owner) - frame->at] >= layout->owner_entry;
        return *may_end ? CLASS_ENTRY : CLASS_PYTHON;
    }
    return CLASS_PYTHON;
}

/* Whether C code called this frame, as far as the frame itself tells: before 3.11 every call goes
 * through C, from 3.12 on a frame of its own says so. */
static bool is_from_c(const struct layout *layout, const struct view *frame) {
    switch (layout->entry_frames) {
    case ENTRY_FRAMES_NONE: return true;
    case ENTRY_FRAMES_FLAG:
        return frame->bytes[LAYOUT_AT(layout, frame, is_entry) - frame->at] != 0;
    case ENTRY_FRAMES_OWNER: return false;
    }
    return false;
}

/* One frame as numbers, and its caller's address. */
static struct raw_frame frame_decode(const struct layout *layout, const struct view *view,
                                     uint64_t *previous_out) {
    struct raw_frame frame = {0};
    if (layout->frame_chain == FRAME_CHAIN_OBJECTS) {
        uint32_t lasti =
            load_u32(view->bytes + (LAYOUT_AT(layout, frame_object, lasti) - view->at));
        frame.code = VIEW_U64(view, layout, frame_object, code);
        frame.position = (uint64_t)(int64_t)(int32_t)lasti;
        frame.globals = VIEW_U64(view, layout, frame_object, globals);
        *previous_out = VIEW_U64(view, layout, frame_object, back);
        return frame;
    }
    frame.code = frame_code(layout, VIEW_U64(view, layout, frame, executable));
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

static void push_frame(struct raw_look *look, struct raw_frame frame) {
    if (look->frame_count == look->frame_capacity) {
        look->frames = memory_grow(look->frames, sizeof *look->frames, look->frame_count + 1,
                                   &look->frame_capacity);
    }
    look->frames[look->frame_count++] = frame;
}

/* Whether the frame is inside of a generator or coroutine. */
static bool is_generators(const struct layout *layout, const struct view *frame) {
    return layout->frame_chain == FRAME_CHAIN_OBJECTS
               ? VIEW_U64(frame, layout, frame_object, generator) != 0
               : frame->bytes[LAYOUT_AT(layout, frame, owner) - frame->at] == OWNER_GENERATOR;
}

/* A chain on the way down. */
struct descent {
    uint64_t at;
    uint64_t from;     /* the frame that led there */
    bool may_end;      /* that one may be the oldest */
    bool is_patched;   /* a link of the last looks was taken */
    struct link *seen; /* links that may not last, NEW_LINKS at most */
    size_t seen_count;
};

static void note_seen(struct descent *descent, enum link_kind kind, uint64_t previous) {
    if (descent->seen_count < NEW_LINKS && previous != 0) {
        descent->seen[descent->seen_count++] = (struct link){descent->at, previous, kind};
    }
}

/* What looks like an entry frame amid Python's is one of those, half made. */
static bool is_far(uint64_t a, uint64_t b) {
    return (a > b ? a - b : b - a) > CHUNK_BYTES;
}

/* Where a frame leads, by itself or, if that has been taken away, by what was known of it. */
static uint64_t take_link(const struct walk *walk, const struct slot *slot, const struct view *view,
                          enum frame_class class, uint64_t previous, struct descent *descent) {
    if (class == CLASS_ENTRY && is_far(descent->at, previous)) {
        note_seen(descent, LINK_ENTRY, previous);
    }
    if (class == CLASS_ENTRY) {
        return previous;
    }
    const struct link *known = previous == 0 ? links_find(&slot->links, descent->at) : NULL;
    if (known != NULL && known->kind == LINK_GENERATOR) {
        descent->is_patched = true;
        descent->may_end = false;
        return known->previous;
    }
    if (is_generators(walk->runtime->layout, view)) {
        note_seen(descent, LINK_GENERATOR, previous);
    }
    return previous;
}

/* Goes on from `at` to where it led in the last looks, if it was an entry frame then and is one no
 * more, or leads to `nowhere` now. */
static bool take_detour(struct walk *walk, const struct slot *slot, size_t first, uint64_t at,
                        uint64_t nowhere, struct descent *descent) {
    struct raw_look *look = &walk->look;
    const struct link *known = links_find(&slot->links, at);
    if (known == NULL || known->kind != LINK_ENTRY || known->previous == nowhere) {
        return false;
    }
    if (look->frame_count > first) {
        look->frames[look->frame_count - 1].is_from_c = true;
        look->frames[look->frame_count - 1].is_patched = true;
    }
    descent->from = at;
    descent->at = known->previous;
    descent->is_patched = true;
    return true;
}

/* The copy of a frame: with the thread's fields, or as foreseen, or read now. */
static const uint8_t *view_frame(struct walk *walk, struct slot *slot, uint64_t at,
                                 enum status *status_out) {
    const struct stretch *fields = &walk->frame_fields;
    const struct range *anchor = &walk->snapshot.ranges[slot->anchor];
    struct remote from = remote_at((struct remote){at}, fields->at);
    uint64_t skip = from.addr - anchor->from.addr;
    if (from.addr >= anchor->from.addr && skip < anchor->bytes &&
        anchor->bytes - skip >= fields->bytes && anchor->status == STATUS_OK) {
        return (const uint8_t *)anchor->to + skip;
    }
    const uint8_t *bytes =
        snapshot_view_or_read(&walk->snapshot, &slot->frame_group, from, fields->bytes, status_out);
    if (bytes != NULL) {
        prediction_touch(&slot->frames, from, fields->bytes);
    }
    return bytes;
}

/* One frame further down; false when it cannot be read. */
static bool descend(struct walk *walk, struct slot *slot, struct descent *descent, size_t first,
                    uint64_t base, enum status *status_out) {
    struct view view = {view_frame(walk, slot, descent->at, status_out), walk->frame_fields.at};
    if (view.bytes == NULL) {
        return take_detour(walk, slot, first, descent->from, descent->at, descent);
    }
    uint64_t link;
    struct raw_frame frame = frame_decode(walk->runtime->layout, &view, &link);
    enum frame_class class = frame_kind_of(walk->runtime->layout, &view, &descent->may_end);
    if (class == CLASS_PYTHON && take_detour(walk, slot, first, descent->at, 0, descent)) {
        return true;
    }
    uint64_t previous = take_link(walk, slot, &view, class, link, descent);
    if (class == CLASS_PYTHON) {
        frame.at = descent->at;
        frame.is_patched = previous != link;
        frame.is_from_c = is_from_c(walk->runtime->layout, &view);
        push_frame(&walk->look, frame);
    } else if (descent->at != base && walk->look.frame_count > first) {
        walk->look.frames[walk->look.frame_count - 1].is_from_c = true;
    }
    if (class == CLASS_ENTRY && slot->doubts > 0) {
        struct remote from = remote_at((struct remote){descent->at}, walk->frame_fields.at);
        prediction_touch(&slot->doubted, from, walk->frame_fields.bytes);
    }
    descent->from = descent->at;
    descent->at = previous;
    return true;
}

static void remember_links(struct slot *slot, const struct descent *descent) {
    for (size_t i = 0; i < descent->seen_count; i++) {
        links_note(&slot->links, &descent->seen[i]);
    }
}

/* Follows the chain from `at` and appends its frames. True when it reached its base: `base` when
 * that is known (3.15 keeps a frame of its own there), else a frame below which there is none. */
static bool follow_chain(struct walk *walk, struct slot *slot, uint64_t at, uint64_t base,
                         enum status *status_out) {
    struct link seen[NEW_LINKS];
    struct descent descent = {.at = at, .may_end = true, .seen = seen};
    size_t first = walk->look.frame_count;
    uint64_t milestone = 0; /* a chain that comes back to one is a circle; set ever farther apart */
    for (int depth = 0; descent.at != 0 && descent.at != milestone && depth < FRAME_LIMIT;
         depth++) {
        if ((depth & (depth - 1)) == 0) {
            milestone = descent.at;
        }
        if (!descend(walk, slot, &descent, first, base, status_out)) {
            return false;
        }
    }
    bool is_whole = descent.at == 0 && (base != 0 ? descent.from == base : descent.may_end);
    if (is_whole && !descent.is_patched) {
        remember_links(slot, &descent);
    }
    return is_whole;
}

/* ---- what stood still ---- */

/* A frame in the second copy of the thread's frames; false if it is not in it. */
static bool decode_again(const struct walk *walk, struct slot *slot, uint64_t at,
                         struct raw_frame *frame_out, uint64_t *previous_out) {
    struct remote from = remote_at((struct remote){at}, walk->frame_fields.at);
    struct view again = {
        snapshot_view(&walk->snapshot, &slot->again_group, from, walk->frame_fields.bytes),
        walk->frame_fields.at};
    if (again.bytes == NULL) {
        return false;
    }
    *frame_out = frame_decode(walk->runtime->layout, &again, previous_out);
    return true;
}

static const uint8_t *view_once(const struct walk *walk, struct slot *slot, uint64_t at) {
    struct remote from = remote_at((struct remote){at}, walk->frame_fields.at);
    return snapshot_view(&walk->snapshot, &slot->frame_group, from, walk->frame_fields.bytes);
}

/* Index of the first frame of the thread, leaf first, that is on the chain from `head` in the
 * second copy; frame_count if there is none. The two chains mostly meet near the leaf. */
static size_t meet_again(const struct walk *walk, struct slot *slot, const struct raw_thread *raw,
                         uint64_t head) {
    const struct raw_frame *frames = walk->look.frames + raw->first_frame;
    for (int steps = 0; steps < MEET_STEPS && head != 0; steps++) {
        for (size_t i = 0; i < raw->frame_count && i < MEET_STEPS; i++) {
            if (frames[i].at == head) {
                return i;
            }
        }
        struct raw_frame ignored;
        if (!decode_again(walk, slot, head, &ignored, &head)) {
            break;
        }
    }
    return raw->frame_count;
}

/* How many frames of the thread, leaf first, are in doubt. */
static size_t doubted_count(const struct slot *slot, const struct raw_thread *raw) {
    return raw->frame_count > slot->doubt_depth ? raw->frame_count - slot->doubt_depth : 0;
}

/* Marks the frames that stood still: those that the newest pointer still leads to and that are the
 * same in both copies. True when every frame that is in doubt is in both. */
static bool mark_still(const struct walk *walk, struct slot *slot, const struct raw_thread *raw,
                       uint64_t head_again) {
    struct raw_frame *frames = walk->look.frames + raw->first_frame;
    size_t met = meet_again(walk, slot, raw, head_again);
    size_t count = doubted_count(slot, raw);
    for (size_t i = 0; i < count; i++) {
        struct raw_frame again;
        uint64_t previous;
        uint64_t previous_again;
        struct view once = {view_once(walk, slot, frames[i].at), walk->frame_fields.at};
        if (once.bytes == NULL ||
            !decode_again(walk, slot, frames[i].at, &again, &previous_again)) {
            return false;
        }
        frame_decode(walk->runtime->layout, &once, &previous);
        frames[i].is_watched = true;
        frames[i].is_alive = i >= met && again.code == frames[i].code && previous_again == previous;
        frames[i].is_still = frames[i].is_alive && again.position == frames[i].position;
    }
    return true;
}

/* Foresees where the frames in doubt will be. */
static void foresee_doubted(struct walk *walk, struct slot *slot, const struct raw_thread *raw) {
    const struct stretch *fields = &walk->frame_fields;
    size_t count = slot->doubts > 0 ? doubted_count(slot, raw) : 0;
    for (size_t i = 0; i < count; i++) {
        struct remote at = {walk->look.frames[raw->first_frame + i].at};
        prediction_touch(&slot->doubted, remote_at(at, fields->at), fields->bytes);
    }
}

/* ---- one thread ---- */

/* Queues one thread: its fields, then its frames; while there are doubts, then the pointer to the
 * newest frame and the frames again: what it leads to in between, and is the same on both sides,
 * was there at that instant. */
static void want_thread(struct walk *walk, struct slot *slot) {
    struct snapshot *snapshot = &walk->snapshot;
    const struct stretch *fields = &walk->thread_fields;
    slot->is_wanted = true;
    slot->anchor = want_one(snapshot, remote_at(slot->state, fields->at),
                            slot->anchor_bytes > 0 ? slot->anchor_bytes : fields->bytes);
    slot->has_frames = !slot->is_skipped;
    if (slot->is_skipped) {
        return;
    }
    slot->head_group = prediction_want(&slot->heads, snapshot);
    slot->frame_group = prediction_want(&slot->frames, snapshot);
    slot->again_group = snapshot_group_begin(snapshot);
    if (slot->doubts == 0) {
        return;
    }
    slot->pointer_again = want_one(snapshot, remote_at(slot->state, walk->pointer_at), 8);
    if (slot->cframe.addr != 0) {
        slot->head_again = want_one(snapshot, slot->cframe, 8);
    }
    slot->again_group = prediction_want(&slot->doubted, snapshot);
}

/* What an 8-byte range of the snapshot holds; 0 if it could not be read. */
static uint64_t copied_u64(const struct snapshot *snapshot, size_t index) {
    const uint8_t *bytes = copied(snapshot, index);
    return bytes != NULL ? load_u64(bytes) : 0;
}

/* 3.11 and 3.12: the thread points to a cframe on the C stack, and that to the newest frame; every
 * call into the evaluation loop has a cframe of its own. When it was not foreseen which one it is,
 * both pointers are read once more on the spot. `again_out` is 0 when the cframe is another by
 * then. */
static bool head_through_cframe(struct walk *walk, struct slot *slot, uint64_t cframe,
                                uint64_t *head_out, uint64_t *again_out, enum status *status_out) {
    struct snapshot *snapshot = &walk->snapshot;
    struct remote place = remote_at((struct remote){cframe}, walk->head_at);
    const uint8_t *head = snapshot_view_or_read(snapshot, &slot->head_group, place, 8, status_out);
    if (head == NULL) {
        return false;
    }
    *head_out = load_u64(head);
    prediction_touch(&slot->heads, place, 8);
    if (slot->cframe.addr != place.addr && slot->doubts > 0) {
        size_t first = snapshot->count;
        slot->cframe = place;
        slot->pointer_again = want_one(snapshot, remote_at(slot->state, walk->pointer_at), 8);
        slot->head_again = want_one(snapshot, place, 8);
        *status_out = memory_read(snapshot->memory, snapshot->ranges + first, 2);
    }
    bool is_same = slot->doubts > 0 && copied_u64(snapshot, slot->pointer_again) == cframe;
    *again_out = is_same ? copied_u64(snapshot, slot->head_again) : 0;
    return true;
}

/* The newest frame as it was before the frames were copied, and as it was afterwards. */
static bool first_frame(struct walk *walk, struct slot *slot, const struct view *fields,
                        uint64_t *head_out, uint64_t *again_out, enum status *status_out) {
    uint64_t pointer = view_u64(fields, walk->pointer_at);
    switch (walk->runtime->layout->frame_chain) {
    case FRAME_CHAIN_OBJECTS:
    case FRAME_CHAIN_CURRENT:
        *head_out = pointer;
        *again_out = slot->doubts > 0 ? copied_u64(&walk->snapshot, slot->pointer_again) : 0;
        return true;
    case FRAME_CHAIN_CFRAME:
        return head_through_cframe(walk, slot, pointer, head_out, again_out, status_out);
    }
    return false;
}

/* A frame that was left while we looked may have no caller any more, and looks like the oldest one
 * then. Which is the oldest frame hardly ever changes: another one must have stood still, and in
 * more than one look, for a frame may come and go at the beat of ours. */
static bool is_bottom(struct slot *slot, const struct raw_frame *oldest) {
    if (oldest->at == slot->bottom) {
        return true;
    }
    slot->bottom_votes = oldest->at == slot->next_bottom ? slot->bottom_votes : 0;
    slot->bottom_votes += oldest->is_alive;
    slot->next_bottom = oldest->at;
    slot->doubts = DOUBT_LOOKS;
    slot->doubt_depth = 0;
    if (slot->bottom_votes >= (slot->bottom == 0 ? 1 : BOTTOM_VOTES)) {
        slot->bottom = oldest->at;
    }
    return oldest->at == slot->bottom;
}

static void remember_top(const struct walk *walk, struct slot *slot, const struct raw_thread *raw) {
    if (!raw->is_complete) {
        return;
    }
    slot->top_count = raw->frame_count < TOP_FRAMES ? raw->frame_count : TOP_FRAMES;
    for (size_t i = 0; i < slot->top_count; i++) {
        slot->top[i] = walk->look.frames[raw->first_frame + i].at;
    }
}

/* Foresees the base frame along with the thread's fields, where it lies just behind them. */
static void note_base(const struct walk *walk, struct slot *slot) {
    uint64_t start = remote_at(slot->state, walk->thread_fields.at).addr;
    uint64_t end = remote_at((struct remote){slot->base}, walk->frame_fields.at).addr +
                   walk->frame_fields.bytes;
    bool is_near = slot->base > start && end - start > walk->thread_fields.bytes &&
                   end - start <= walk->thread_fields.bytes + BASE_REACH;
    slot->anchor_bytes = is_near ? (uint32_t)(end - start) : walk->thread_fields.bytes;
}

/* Walks what was copied of one thread. False when it is worth looking again: the chain broke, or it
 * led where no second copy had been foreseen although there are doubts. */
static bool walk_copy(struct walk *walk, struct slot *slot, const struct view *fields,
                      struct raw_thread *raw, enum status *status_out) {
    const struct layout *layout = walk->runtime->layout;
    uint64_t head;
    uint64_t again;
    raw->first_frame = walk->look.frame_count;
    raw->frame_count = 0;
    raw->is_complete = false;
    if (!first_frame(walk, slot, fields, &head, &again, status_out)) {
        return false;
    }
    slot->base =
        LAYOUT_HAS(layout, thread, base_frame) ? VIEW_U64(fields, layout, thread, base_frame) : 0;
    note_base(walk, slot);
    raw->is_complete = follow_chain(walk, slot, head, slot->base, status_out);
    raw->frame_count = walk->look.frame_count - raw->first_frame;
    foresee_doubted(walk, slot, raw);
    raw->is_watched = raw->frame_count == 0 ||
                      (slot->again_group.count > 0 && mark_still(walk, slot, raw, again));
    if (raw->is_complete && slot->base == 0 && raw->frame_count > 0) {
        raw->is_complete = is_bottom(slot, &walk->look.frames[walk->look.frame_count - 1]);
    }
    remember_top(walk, slot, raw);
    return raw->is_complete && (raw->is_watched || slot->doubts == 0);
}

/* When no way leads down from the newest frames, as they are gone and what they were linked to has
 * been overwritten: what of the last whole chain still hangs together, if that is more. */
static void fall_back(struct walk *walk, struct slot *slot, struct raw_thread *raw,
                      enum status *status_out) {
    size_t end = walk->look.frame_count;
    for (size_t i = 0; i < slot->top_count && *status_out == STATUS_OK; i++) {
        bool is_whole = follow_chain(walk, slot, slot->top[i], slot->base, status_out);
        size_t count = walk->look.frame_count - end;
        const struct raw_frame *frames = walk->look.frames + end;
        bool is_rooted = is_whole && count > raw->frame_count && frames[0].at == slot->top[i] &&
                         (slot->base != 0 || frames[count - 1].at == slot->bottom);
        if (is_rooted) {
            raw->first_frame = end;
            raw->frame_count = count;
            raw->is_complete = true;
            raw->is_cut = true;
            return;
        }
        walk->look.frame_count = end;
    }
}

/* Fetches one thread by itself. */
static const uint8_t *fetch_thread(struct walk *walk, struct slot *slot, enum status *status_out) {
    struct snapshot *snapshot = &walk->snapshot;
    size_t first = snapshot->count;
    want_thread(walk, slot);
    *status_out = memory_read(snapshot->memory, snapshot->ranges + first, snapshot->count - first);
    return *status_out == STATUS_OK ? copied(snapshot, slot->anchor) : NULL;
}

static void read_identity(const struct layout *layout, const struct view *fields,
                          struct raw_thread *raw) {
    raw->interpreter = VIEW_U64(fields, layout, thread, interp);
    raw->serial = VIEW_U64(fields, layout, thread, serial);
    raw->ident = VIEW_U64(fields, layout, thread, thread_id);
    raw->native_id = LAYOUT_HAS(layout, thread, native_thread_id)
                         ? VIEW_U64(fields, layout, thread, native_thread_id)
                         : 0;
}

/* A slot whose thread state now belongs to another thread starts anew. */
static void check_identity(struct slot *slot, struct raw_thread *raw) {
    raw->is_new = raw->is_new || slot->serial != raw->serial;
    if (raw->is_new) {
        slot->serial = raw->serial;
        slot->is_skipped = false;
    }
    raw->is_skipped = slot->is_skipped;
}

static struct raw_thread *push_thread(struct raw_look *look) {
    if (look->thread_count == look->thread_capacity) {
        look->threads = memory_grow(look->threads, sizeof *look->threads, look->thread_count + 1,
                                    &look->thread_capacity);
    }
    struct raw_thread *raw = &look->threads[look->thread_count++];
    *raw = (struct raw_thread){0};
    return raw;
}

/* Looks at one thread; its next in `next_out`. False when it could not be read at all. */
static bool look_at_thread(struct walk *walk, size_t index, bool is_new, uint64_t interpreter,
                           uint64_t *next_out, enum status *status_out) {
    const struct layout *layout = walk->runtime->layout;
    struct slot *slot = &walk->slots[index];
    struct view fields = {slot->is_wanted ? copied(&walk->snapshot, slot->anchor) : NULL,
                          walk->thread_fields.at};
    if (fields.bytes == NULL) {
        fields.bytes = fetch_thread(walk, slot, status_out);
    }
    if (fields.bytes == NULL || VIEW_U64(&fields, layout, thread, interp) != interpreter) {
        return false;
    }
    *next_out = VIEW_U64(&fields, layout, thread, next);
    struct raw_thread *raw = push_thread(&walk->look);
    raw->slot = index;
    raw->is_new = is_new;
    raw->state = slot->state;
    read_identity(layout, &fields, raw);
    check_identity(slot, raw);
    if (slot->is_skipped) {
        return true;
    }
    if (!slot->has_frames) {
        fields.bytes = fetch_thread(walk, slot, status_out);
    }
    for (int tries = 0; fields.bytes != NULL; tries++) {
        if (walk_copy(walk, slot, &fields, raw, status_out) || tries == TORN_RETRIES ||
            *status_out != STATUS_OK) {
            break;
        }
        walk->look.frame_count = raw->first_frame;
        raw->frame_count = 0;
        fields.bytes = fetch_thread(walk, slot, status_out);
    }
    if (!raw->is_complete) {
        fall_back(walk, slot, raw, status_out);
    }
    slot->doubts -= slot->doubts > 0;
    prediction_age(&slot->heads, &walk->snapshot, &slot->head_group);
    prediction_age(&slot->frames, &walk->snapshot, &slot->frame_group);
    prediction_age(&slot->doubted, &walk->snapshot, &slot->again_group);
    return true;
}

/* ---- the list of threads ---- */

/* Where a thread state is in the index of slots, or would be. */
static size_t index_at(const struct walk *walk, uint64_t state) {
    uint64_t mixed = (state >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> 32) & (walk->index_count - 1);
    while (walk->index[at] != 0 && walk->slots[walk->index[at] - 1].state.addr != state) {
        at = (at + 1) & (walk->index_count - 1);
    }
    return at;
}

/* Makes the index anew from the slots in use, with room for more. */
static void rebuild_index(struct walk *walk) {
    size_t wanted = 64;
    while (wanted < walk->slot_count * 4 + 4) {
        wanted *= 2;
    }
    free(walk->index);
    walk->index = memory_zeroed(wanted, sizeof *walk->index);
    walk->index_count = wanted;
    for (size_t i = 0; i < walk->slot_count; i++) {
        if (walk->slots[i].is_used) {
            walk->index[index_at(walk, walk->slots[i].state.addr)] = i + 1;
        }
    }
}

static size_t slot_new(struct walk *walk, struct remote state) {
    size_t number = walk->first_free;
    while (number < walk->slot_count && walk->slots[number].is_used) {
        number++;
    }
    walk->first_free = number + 1;
    if (number == walk->slot_count) {
        if (walk->slot_count == walk->slot_capacity) {
            walk->slots = memory_grow(walk->slots, sizeof *walk->slots, walk->slot_count + 1,
                                      &walk->slot_capacity);
        }
        walk->slots[walk->slot_count++] = (struct slot){0};
    }
    struct slot *slot = &walk->slots[number];
    prediction_clear(&slot->heads);
    prediction_clear(&slot->frames);
    prediction_clear(&slot->doubted);
    links_clear(&slot->links);
    *slot = (struct slot){.state = state,
                          .is_used = true,
                          .doubts = DOUBT_LOOKS,
                          .heads = slot->heads,
                          .links = slot->links,
                          .frames = slot->frames,
                          .doubted = slot->doubted};
    if (walk->slot_count * 2 > walk->index_count) {
        rebuild_index(walk);
    } else {
        walk->index[index_at(walk, state.addr)] = number + 1;
    }
    return number;
}

/* The slot of a thread state. The order of threads hardly changes, so it is nearly always the next
 * one after the last that was found. */
static size_t slot_find(struct walk *walk, uint64_t state, size_t *cursor, bool *is_new_out) {
    size_t at = (*cursor)++;
    *is_new_out = false;
    if (at < walk->order_count && walk->slots[walk->order[at]].state.addr == state) {
        return walk->order[at];
    }
    size_t found = walk->index_count > 0 ? walk->index[index_at(walk, state)] : 0;
    if (found != 0) {
        return found - 1;
    }
    *cursor = at; /* those after it are where they were */
    *is_new_out = true;
    return slot_new(walk, (struct remote){state});
}

static void note_order(struct walk *walk, size_t index) {
    if (walk->new_order_count == walk->new_order_capacity) {
        walk->new_order = memory_grow(walk->new_order, sizeof *walk->new_order,
                                      walk->new_order_count + 1, &walk->new_order_capacity);
    }
    walk->new_order[walk->new_order_count++] = index;
}

/* The thread that now stands at `link`, a pointer to a thread state in the target. */
static uint64_t read_link(struct walk *walk, struct remote link, enum status *status_out) {
    struct remote state;
    enum status status = memory_read_remote(walk->snapshot.memory, link, &state);
    *status_out = status == STATUS_NOT_MAPPED ? *status_out : status;
    return status == STATUS_OK ? state.addr : 0;
}

/* Walks the list of threads that begins at the pointer at `link`, whose copy is `state`. A thread
 * that ended meanwhile leads nowhere; what was before it is then asked again. */
static void look_at_threads(struct walk *walk, uint64_t interpreter, struct remote link,
                            uint64_t state, size_t *cursor, enum status *status_out) {
    int detours = 0;
    for (int i = 0; i < THREAD_LIMIT && state != 0 && *status_out == STATUS_OK; i++) {
        bool is_new;
        size_t index = slot_find(walk, state, cursor, &is_new);
        if (walk->slots[index].is_seen) {
            return; /* the list changed under us and led back */
        }
        walk->slots[index].is_seen = true;
        note_order(walk, index);
        uint64_t next;
        if (look_at_thread(walk, index, is_new, interpreter, &next, status_out)) {
            link =
                remote_at(walk->slots[index].state, LAYOUT_AT(walk->runtime->layout, thread, next));
            state = next;
        } else if (*status_out == STATUS_OK && detours++ < DETOUR_LIMIT) {
            state = read_link(walk, link, status_out);
        } else {
            return;
        }
    }
}

/* The order of this look becomes that of the last; slots of threads that are gone are free. */
static void finish_order(struct walk *walk) {
    size_t *old = walk->order;
    size_t old_capacity = walk->order_capacity;
    bool has_gone = false;
    for (size_t i = 0; i < walk->order_count; i++) {
        struct slot *slot = &walk->slots[walk->order[i]];
        slot->is_used = slot->is_seen;
        has_gone |= !slot->is_seen;
        if (!slot->is_seen && walk->order[i] < walk->first_free) {
            walk->first_free = walk->order[i];
        }
    }
    if (has_gone) {
        rebuild_index(walk);
    }
    walk->order = walk->new_order;
    walk->order_count = walk->new_order_count;
    walk->order_capacity = walk->new_order_capacity;
    walk->new_order = old;
    walk->new_order_count = 0;
    walk->new_order_capacity = old_capacity;
}

/* ---- interpreters ---- */

static const uint8_t *view_interpreter(struct walk *walk, size_t number, size_t first_range,
                                       uint64_t address, enum status *status_out) {
    const struct stretch *fields = &walk->interpreter_fields;
    if (number < walk->interpreter_count && walk->interpreters[number].addr == address) {
        return copied(&walk->snapshot, first_range + number);
    }
    size_t index =
        want_one(&walk->snapshot, remote_at((struct remote){address}, fields->at), fields->bytes);
    *status_out = memory_read(walk->snapshot.memory, &walk->snapshot.ranges[index], 1);
    return *status_out == STATUS_OK ? copied(&walk->snapshot, index) : NULL;
}

static void remember_interpreter(struct walk *walk, size_t number, uint64_t address) {
    if (number == walk->interpreter_capacity) {
        walk->interpreters = memory_grow(walk->interpreters, sizeof *walk->interpreters, number + 1,
                                         &walk->interpreter_capacity);
    }
    walk->interpreters[number].addr = address;
}

static bool was_met(const struct walk *walk, size_t count, uint64_t address) {
    for (size_t i = 0; i < count; i++) {
        if (walk->interpreters[i].addr == address) {
            return true;
        }
    }
    return false;
}

/* Walks the list of interpreters; range 0 is the head of the list, the known ones are at `first`.
 */
static enum status look_at_interpreters(struct walk *walk, size_t first) {
    const struct layout *layout = walk->runtime->layout;
    enum status status = STATUS_OK;
    const uint8_t *head = copied(&walk->snapshot, 0);
    uint64_t address = head != NULL ? load_u64(head) : 0;
    size_t cursor = 0;
    size_t number = 0;
    if (address == 0) {
        return head != NULL ? STATUS_NOT_READY : STATUS_NOT_MAPPED;
    }
    for (; address != 0 && number < INTERPRETER_LIMIT && status == STATUS_OK; number++) {
        if (was_met(walk, number, address)) {
            break; /* the list changed under us and led back */
        }
        struct view view = {view_interpreter(walk, number, first, address, &status),
                            walk->interpreter_fields.at};
        if (view.bytes == NULL) {
            return status != STATUS_OK ? status : number == 0 ? STATUS_NOT_MAPPED : STATUS_OK;
        }
        remember_interpreter(walk, number, address);
        struct remote link =
            remote_at((struct remote){address}, LAYOUT_AT(layout, interpreter, threads_head));
        look_at_threads(walk, address, link, VIEW_U64(&view, layout, interpreter, threads_head),
                        &cursor, &status);
        address = VIEW_U64(&view, layout, interpreter, next);
    }
    walk->interpreter_count = number;
    return status;
}

/* The counts of freed code objects, read after the frames: whatever was freed before a frame was
 * copied is in them. Of an interpreter that is new nothing is known yet, so nothing is missed. */
static void sum_generations(struct walk *walk, size_t first) {
    const struct layout *layout = walk->runtime->layout;
    walk->look.has_code_generation = LAYOUT_HAS(layout, interpreter, code_object_generation);
    for (size_t i = 0; i < walk->interpreter_count && walk->look.has_code_generation; i++) {
        struct view view = {copied(&walk->snapshot, first + i), walk->interpreter_fields.at};
        walk->look.code_generation +=
            view.bytes != NULL ? VIEW_U64(&view, layout, interpreter, code_object_generation) : 0;
    }
}

/* Queues all that is foreseen. The interpreters come last: a thread that is on their lists then has
 * not ended while its frames were copied. Returns the first of their ranges. */
static size_t want_everything(struct walk *walk) {
    const struct layout *layout = walk->runtime->layout;
    struct snapshot *snapshot = &walk->snapshot;
    snapshot_reset(snapshot);
    want_one(snapshot,
             remote_at(walk->runtime->address, LAYOUT_AT(layout, runtime, interpreters_head)), 8);
    for (size_t i = 0; i < walk->slot_count; i++) {
        walk->slots[i].is_seen = false;
        walk->slots[i].is_wanted = false;
    }
    for (size_t i = 0; i < walk->order_count; i++) {
        want_thread(walk, &walk->slots[walk->order[i]]);
    }
    size_t interpreters = snapshot->count;
    for (size_t i = 0; i < walk->interpreter_count; i++) {
        want_one(snapshot, remote_at(walk->interpreters[i], walk->interpreter_fields.at),
                 walk->interpreter_fields.bytes);
    }
    return interpreters;
}

/* ---- the look ---- */

static uint32_t pointer_offset(const struct layout *layout) {
    switch (layout->frame_chain) {
    case FRAME_CHAIN_OBJECTS: return LAYOUT_AT(layout, thread, frame);
    case FRAME_CHAIN_CFRAME: return LAYOUT_AT(layout, thread, cframe);
    case FRAME_CHAIN_CURRENT: return LAYOUT_AT(layout, thread, current_frame);
    }
    return 0;
}

struct walk *walk_create(struct runtime *runtime) {
    const struct layout *layout = runtime->layout;
    struct walk *walk = memory_zeroed(1, sizeof *walk);
    walk->runtime = runtime;
    snapshot_init(&walk->snapshot, runtime->memory);
    walk->pointer_at = pointer_offset(layout);
    walk->head_at =
        LAYOUT_HAS(layout, cframe, current_frame) ? LAYOUT_AT(layout, cframe, current_frame) : 0;
    walk->thread_fields =
        STRETCH_OF(layout, LAYOUT_thread_next, LAYOUT_thread_interp, LAYOUT_thread_frame,
                   LAYOUT_thread_cframe, LAYOUT_thread_current_frame, LAYOUT_thread_base_frame,
                   LAYOUT_thread_thread_id, LAYOUT_thread_native_thread_id, LAYOUT_thread_serial);
    walk->interpreter_fields =
        STRETCH_OF(layout, LAYOUT_interpreter_next, LAYOUT_interpreter_threads_head,
                   LAYOUT_interpreter_code_object_generation);
    walk->frame_fields =
        layout->frame_chain == FRAME_CHAIN_OBJECTS
            ? STRETCH_OF(layout, LAYOUT_frame_object_back, LAYOUT_frame_object_code,
                         LAYOUT_frame_object_globals, LAYOUT_frame_object_lasti,
                         LAYOUT_frame_object_generator)
            : STRETCH_OF(layout, LAYOUT_frame_previous, LAYOUT_frame_executable,
                         LAYOUT_frame_instr_ptr, LAYOUT_frame_globals, LAYOUT_frame_is_entry,
                         LAYOUT_frame_function, LAYOUT_frame_owner, LAYOUT_frame_tlbc_index);
    return walk;
}

void walk_destroy(struct walk *walk) {
    if (walk == NULL) {
        return;
    }
    for (size_t i = 0; i < walk->slot_count; i++) {
        prediction_deinit(&walk->slots[i].heads);
        prediction_deinit(&walk->slots[i].frames);
        prediction_deinit(&walk->slots[i].doubted);
        links_deinit(&walk->slots[i].links);
    }
    snapshot_deinit(&walk->snapshot);
    free(walk->interpreters);
    free(walk->slots);
    free(walk->index);
    free(walk->order);
    free(walk->new_order);
    free(walk->look.threads);
    free(walk->look.frames);
    free(walk);
}

enum status walk_look(struct walk *walk, const struct raw_look **out) {
    walk->look.thread_count = 0;
    walk->look.frame_count = 0;
    walk->look.has_code_generation = false;
    walk->look.code_generation = 0;
    size_t interpreters = want_everything(walk);
    enum status status = snapshot_fetch(&walk->snapshot);
    if (status == STATUS_OK) {
        sum_generations(walk, interpreters);
        status = look_at_interpreters(walk, interpreters);
    }
    finish_order(walk);
    *out = &walk->look;
    return status;
}

void walk_skip(struct walk *walk, size_t slot) {
    walk->slots[slot].is_skipped = true;
}

/* Reaches down at once, and comes up again by and by. */
void walk_doubt(struct walk *walk, size_t slot, size_t depth) {
    struct slot *doubted = &walk->slots[slot];
    bool is_deeper = doubted->doubts == 0 || depth < doubted->doubt_depth;
    size_t above = is_deeper ? 0 : depth - doubted->doubt_depth;
    doubted->doubt_depth = is_deeper ? depth : doubted->doubt_depth + (above + 7) / 8;
    doubted->doubts = DOUBT_LOOKS;
}
