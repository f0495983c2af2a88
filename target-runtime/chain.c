#include "target-runtime/chain.h"

#include "profiler/base/arena.h"
#include "target-runtime/frame.h"

enum {
    FRAME_LIMIT = 1 << 17,
    MEET_STEPS = 64,
    BOTTOM_VOTES = 3,
    BASE_REACH = 2048, /* a base frame so near to the thread's fields is copied with them */
    NEW_LINKS = 64,    /* of one chain that are remembered */
    CHUNK_BYTES = 1 << 16,
    TORN_RETRIES = 8, /* looks at one thread again, in the same tick, when its chain broke */
};

static void push_frame(struct raw_look *look, struct raw_frame frame) {
    if (look->frame_count == look->frame_capacity) {
        look->frames = memory_grow(look->frames, sizeof *look->frames, look->frame_count + 1,
                                   &look->frame_capacity);
    }
    look->frames[look->frame_count++] = frame;
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
static uint64_t take_link(const struct chains *chains, const struct slot *slot,
                          const struct view *view, enum frame_class class, uint64_t previous,
                          struct descent *descent) {
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
    if (frame_is_generators(chains->layout, view)) {
        note_seen(descent, LINK_GENERATOR, previous);
    }
    return previous;
}

/* Goes on from `at` to where it led in the last looks, if it was an entry frame then and is one no
 * more, or leads to `nowhere` now. */
static bool take_detour(struct chains *chains, const struct slot *slot, size_t first, uint64_t at,
                        uint64_t nowhere, struct descent *descent) {
    struct raw_look *look = &chains->look;
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
static const uint8_t *view_frame(struct chains *chains, struct slot *slot, uint64_t at,
                                 enum status *status_out) {
    const struct stretch *fields = &chains->frame_fields;
    const struct range *anchor = &chains->snapshot.ranges[slot->anchor];
    struct remote from = remote_at((struct remote){at}, fields->at);
    uint64_t skip = from.addr - anchor->from.addr;
    if (from.addr >= anchor->from.addr && skip < anchor->bytes &&
        anchor->bytes - skip >= fields->bytes && anchor->status == STATUS_OK) {
        return (const uint8_t *)anchor->to + skip;
    }
    const uint8_t *bytes = snapshot_view_or_read(&chains->snapshot, &slot->frame_group, from,
                                                 fields->bytes, status_out);
    if (bytes != NULL) {
        prediction_touch(&slot->frames, from, fields->bytes);
    }
    return bytes;
}

/* One frame further down; false when it cannot be read. */
static bool descend(struct chains *chains, struct slot *slot, struct descent *descent, size_t first,
                    uint64_t base, enum status *status_out) {
    struct view view = {view_frame(chains, slot, descent->at, status_out), chains->frame_fields.at};
    if (view.bytes == NULL) {
        return take_detour(chains, slot, first, descent->from, descent->at, descent);
    }
    uint64_t link;
    struct raw_frame frame = frame_decode(chains->layout, &view, &link);
    enum frame_class class = frame_class_of(chains->layout, &view, &descent->may_end);
    if (class == CLASS_PYTHON && take_detour(chains, slot, first, descent->at, 0, descent)) {
        return true;
    }
    uint64_t previous = take_link(chains, slot, &view, class, link, descent);
    if (class == CLASS_PYTHON) {
        frame.at = descent->at;
        frame.is_patched = previous != link;
        frame.is_from_c = frame_is_from_c(chains->layout, &view);
        push_frame(&chains->look, frame);
    } else if (descent->at != base && chains->look.frame_count > first) {
        chains->look.frames[chains->look.frame_count - 1].is_from_c = true;
    }
    if (class == CLASS_ENTRY && slot->doubts > 0) {
        struct remote from = remote_at((struct remote){descent->at}, chains->frame_fields.at);
        prediction_touch(&slot->doubted, from, chains->frame_fields.bytes);
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
static bool follow_chain(struct chains *chains, struct slot *slot, uint64_t at, uint64_t base,
                         enum status *status_out) {
    struct link seen[NEW_LINKS];
    struct descent descent = {.at = at, .may_end = true, .seen = seen};
    size_t first = chains->look.frame_count;
    uint64_t milestone = 0; /* a chain that comes back to one is a circle; set ever farther apart */
    for (int depth = 0; descent.at != 0 && descent.at != milestone && depth < FRAME_LIMIT;
         depth++) {
        if ((depth & (depth - 1)) == 0) {
            milestone = descent.at;
        }
        if (!descend(chains, slot, &descent, first, base, status_out)) {
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
static bool decode_again(const struct chains *chains, struct slot *slot, uint64_t at,
                         struct raw_frame *frame_out, uint64_t *previous_out) {
    struct remote from = remote_at((struct remote){at}, chains->frame_fields.at);
    struct view again = {
        snapshot_view(&chains->snapshot, &slot->again_group, from, chains->frame_fields.bytes),
        chains->frame_fields.at};
    if (again.bytes == NULL) {
        return false;
    }
    *frame_out = frame_decode(chains->layout, &again, previous_out);
    return true;
}

static const uint8_t *view_once(const struct chains *chains, struct slot *slot, uint64_t at) {
    struct remote from = remote_at((struct remote){at}, chains->frame_fields.at);
    return snapshot_view(&chains->snapshot, &slot->frame_group, from, chains->frame_fields.bytes);
}

/* Index of the first frame of the thread, leaf first, that is on the chain from `head` in the
 * second copy; frame_count if there is none. The two chains mostly meet near the leaf. */
static size_t meet_again(const struct chains *chains, struct slot *slot,
                         const struct raw_thread *raw, uint64_t head) {
    const struct raw_frame *frames = chains->look.frames + raw->first_frame;
    for (int steps = 0; steps < MEET_STEPS && head != 0; steps++) {
        for (size_t i = 0; i < raw->frame_count && i < MEET_STEPS; i++) {
            if (frames[i].at == head) {
                return i;
            }
        }
        struct raw_frame ignored;
        if (!decode_again(chains, slot, head, &ignored, &head)) {
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
static bool mark_still(const struct chains *chains, struct slot *slot, const struct raw_thread *raw,
                       uint64_t head_again) {
    struct raw_frame *frames = chains->look.frames + raw->first_frame;
    size_t met = meet_again(chains, slot, raw, head_again);
    size_t count = doubted_count(slot, raw);
    for (size_t i = 0; i < count; i++) {
        struct raw_frame again;
        uint64_t previous;
        uint64_t previous_again;
        struct view once = {view_once(chains, slot, frames[i].at), chains->frame_fields.at};
        if (once.bytes == NULL ||
            !decode_again(chains, slot, frames[i].at, &again, &previous_again)) {
            return false;
        }
        frame_decode(chains->layout, &once, &previous);
        frames[i].is_watched = true;
        frames[i].is_alive = i >= met && again.code == frames[i].code && previous_again == previous;
        frames[i].is_still = frames[i].is_alive && again.position == frames[i].position;
    }
    return true;
}

/* Foresees where the frames in doubt will be. */
static void foresee_doubted(struct chains *chains, struct slot *slot,
                            const struct raw_thread *raw) {
    const struct stretch *fields = &chains->frame_fields;
    size_t count = slot->doubts > 0 ? doubted_count(slot, raw) : 0;
    for (size_t i = 0; i < count; i++) {
        struct remote at = {chains->look.frames[raw->first_frame + i].at};
        prediction_touch(&slot->doubted, remote_at(at, fields->at), fields->bytes);
    }
}

/* ---- the copies of one thread ---- */

void chain_want(struct chains *chains, struct slot *slot) {
    struct snapshot *snapshot = &chains->snapshot;
    const struct stretch *fields = &chains->thread_fields;
    slot->is_wanted = true;
    slot->anchor = view_want_one(snapshot, remote_at(slot->state, fields->at),
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
    slot->pointer_again = view_want_one(snapshot, remote_at(slot->state, chains->pointer_at), 8);
    if (slot->cframe.addr != 0) {
        slot->head_again = view_want_one(snapshot, slot->cframe, 8);
    }
    slot->again_group = prediction_want(&slot->doubted, snapshot);
}

/* 3.11 and 3.12: the thread points to a cframe on the C stack, and that to the newest frame; every
 * call into the evaluation loop has a cframe of its own. When it was not foreseen which one it is,
 * both pointers are read once more on the spot. `again_out` is 0 when the cframe is another by
 * then. */
static bool head_through_cframe(struct chains *chains, struct slot *slot, uint64_t cframe,
                                uint64_t *head_out, uint64_t *again_out, enum status *status_out) {
    struct snapshot *snapshot = &chains->snapshot;
    struct remote place = remote_at((struct remote){cframe}, chains->head_at);
    const uint8_t *head = snapshot_view_or_read(snapshot, &slot->head_group, place, 8, status_out);
    if (head == NULL) {
        return false;
    }
    *head_out = load_u64(head);
    prediction_touch(&slot->heads, place, 8);
    if (slot->cframe.addr != place.addr && slot->doubts > 0) {
        size_t first = snapshot->count;
        slot->cframe = place;
        slot->pointer_again =
            view_want_one(snapshot, remote_at(slot->state, chains->pointer_at), 8);
        slot->head_again = view_want_one(snapshot, place, 8);
        *status_out = memory_read(snapshot->memory, snapshot->ranges + first, 2);
    }
    bool is_same = slot->doubts > 0 && view_copy_u64(snapshot, slot->pointer_again) == cframe;
    *again_out = is_same ? view_copy_u64(snapshot, slot->head_again) : 0;
    return true;
}

/* The newest frame as it was before the frames were copied, and as it was afterwards. */
static bool first_frame(struct chains *chains, struct slot *slot, const struct view *fields,
                        uint64_t *head_out, uint64_t *again_out, enum status *status_out) {
    uint64_t pointer = view_u64(fields, chains->pointer_at);
    switch (chains->layout->frame_chain) {
    case FRAME_CHAIN_OBJECTS:
    case FRAME_CHAIN_CURRENT:
        *head_out = pointer;
        *again_out = slot->doubts > 0 ? view_copy_u64(&chains->snapshot, slot->pointer_again) : 0;
        return true;
    case FRAME_CHAIN_CFRAME:
        return head_through_cframe(chains, slot, pointer, head_out, again_out, status_out);
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

static void remember_top(const struct chains *chains, struct slot *slot,
                         const struct raw_thread *raw) {
    if (!raw->is_complete) {
        return;
    }
    slot->top_count = raw->frame_count < TOP_FRAMES ? raw->frame_count : TOP_FRAMES;
    for (size_t i = 0; i < slot->top_count; i++) {
        slot->top[i] = chains->look.frames[raw->first_frame + i].at;
    }
}

/* Foresees the base frame along with the thread's fields, where it lies just behind them. */
static void note_base(const struct chains *chains, struct slot *slot) {
    uint64_t start = remote_at(slot->state, chains->thread_fields.at).addr;
    uint64_t end = remote_at((struct remote){slot->base}, chains->frame_fields.at).addr +
                   chains->frame_fields.bytes;
    bool is_near = slot->base > start && end - start > chains->thread_fields.bytes &&
                   end - start <= chains->thread_fields.bytes + BASE_REACH;
    slot->anchor_bytes = is_near ? (uint32_t)(end - start) : chains->thread_fields.bytes;
}

/* Walks what was copied of one thread. False when it is worth looking again: the chain broke, or it
 * led where no second copy had been foreseen although there are doubts. */
static bool follow_copy(struct chains *chains, struct slot *slot, const struct view *fields,
                        struct raw_thread *raw, enum status *status_out) {
    const struct layout *layout = chains->layout;
    uint64_t head;
    uint64_t again;
    raw->first_frame = chains->look.frame_count;
    raw->frame_count = 0;
    raw->is_complete = false;
    if (!first_frame(chains, slot, fields, &head, &again, status_out)) {
        return false;
    }
    slot->base =
        LAYOUT_HAS(layout, thread, base_frame) ? VIEW_U64(fields, layout, thread, base_frame) : 0;
    note_base(chains, slot);
    raw->is_complete = follow_chain(chains, slot, head, slot->base, status_out);
    raw->frame_count = chains->look.frame_count - raw->first_frame;
    foresee_doubted(chains, slot, raw);
    raw->is_watched = raw->frame_count == 0 ||
                      (slot->again_group.count > 0 && mark_still(chains, slot, raw, again));
    if (raw->is_complete && slot->base == 0 && raw->frame_count > 0) {
        raw->is_complete = is_bottom(slot, &chains->look.frames[chains->look.frame_count - 1]);
    }
    remember_top(chains, slot, raw);
    return raw->is_complete && (raw->is_watched || slot->doubts == 0);
}

/* When no way leads down from the newest frames, as they are gone and what they were linked to has
 * been overwritten: what of the last whole chain still hangs together, if that is more. */
static void fall_back(struct chains *chains, struct slot *slot, struct raw_thread *raw,
                      enum status *status_out) {
    size_t end = chains->look.frame_count;
    for (size_t i = 0; i < slot->top_count && *status_out == STATUS_OK; i++) {
        bool is_whole = follow_chain(chains, slot, slot->top[i], slot->base, status_out);
        size_t count = chains->look.frame_count - end;
        const struct raw_frame *frames = chains->look.frames + end;
        bool is_rooted = is_whole && count > raw->frame_count && frames[0].at == slot->top[i] &&
                         (slot->base != 0 || frames[count - 1].at == slot->bottom);
        if (is_rooted) {
            raw->first_frame = end;
            raw->frame_count = count;
            raw->is_complete = true;
            raw->is_cut = true;
            return;
        }
        chains->look.frame_count = end;
    }
}

const uint8_t *chain_fetch(struct chains *chains, struct slot *slot, enum status *status_out) {
    struct snapshot *snapshot = &chains->snapshot;
    size_t first = snapshot->count;
    chain_want(chains, slot);
    *status_out = memory_read(snapshot->memory, snapshot->ranges + first, snapshot->count - first);
    return *status_out == STATUS_OK ? view_copy(snapshot, slot->anchor) : NULL;
}

void chain_read(struct chains *chains, struct slot *slot, struct view fields,
                struct raw_thread *raw, enum status *status_out) {
    if (!slot->has_frames) {
        fields.bytes = chain_fetch(chains, slot, status_out);
    }
    for (int tries = 0; fields.bytes != NULL; tries++) {
        if (follow_copy(chains, slot, &fields, raw, status_out) || tries == TORN_RETRIES ||
            *status_out != STATUS_OK) {
            break;
        }
        chains->look.frame_count = raw->first_frame;
        raw->frame_count = 0;
        fields.bytes = chain_fetch(chains, slot, status_out);
    }
    if (!raw->is_complete) {
        fall_back(chains, slot, raw, status_out);
    }
    slot->doubts -= slot->doubts > 0;
    prediction_age(&slot->heads, &chains->snapshot, &slot->head_group);
    prediction_age(&slot->frames, &chains->snapshot, &slot->frame_group);
    prediction_age(&slot->doubted, &chains->snapshot, &slot->again_group);
}
