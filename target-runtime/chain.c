#include "target-runtime/chain.h"

#include "profiler/base/arena.h"
#include "target-runtime/frame.h"
#include "target-runtime/watch.h"

enum {
    FRAME_LIMIT = 1 << 17,
    BOTTOM_VOTES = 3,
    NEW_LINKS = 64, /* of one chain that are remembered */
    CHUNK_BYTES = 1 << 16,
    /* Ticks that a place is foreseen for without being needed. In the data stack the same places
     * are needed again and again. Frame objects lie anywhere, and a copy of all that were met
     * lately takes longer than what it is a copy of lasts. */
    AGE_TICKS = 64,
    OBJECTS_AGE_TICKS = 1,
    THREAD_STATE_BYTES = 4096, /* no PyThreadState is larger */
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
    uint64_t newest_entry; /* entry frames lie on the C stack; 0: none met */
    uint64_t oldest_entry;
};

static void note_seen(struct descent *descent, enum link_kind kind, uint64_t previous) {
    if (descent->seen_count < NEW_LINKS && previous != 0) {
        descent->seen[descent->seen_count++] = (struct link){descent->at, previous, kind};
    }
}

static void note_entry(struct descent *descent, uint64_t at) {
    descent->newest_entry = descent->newest_entry == 0 ? at : descent->newest_entry;
    descent->oldest_entry = at;
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
    note_entry(descent, at);
    descent->from = at;
    descent->at = known->previous;
    descent->is_patched = true;
    return true;
}

static void note_visit(struct chains *chains, uint64_t from, bool is_entry) {
    if (chains->visit_count == chains->visit_capacity) {
        chains->visits = memory_grow(chains->visits, sizeof *chains->visits,
                                     chains->visit_count + 1, &chains->visit_capacity);
    }
    chains->visits[chains->visit_count++] = (struct visit){from, is_entry};
}

/* What is left of a frame may look like another; what it runs is no code object then. */
static bool runs_code(const struct chains *chains, const struct raw_frame *frame) {
    struct remote type = {0};
    enum status status = memory_read_remote(
        chains->snapshot.memory,
        remote_at((struct remote){frame->code}, LAYOUT_AT(chains->layout, object, type)), &type);
    return chains->code_type->addr == 0 ||
           (status == STATUS_OK && type.addr == chains->code_type->addr);
}

/* How many of the frames that were looked at will be needed again: of a broken chain the first one
 * alone, to which the thread itself pointed, if it is one; the others may be what garbage led to.
 */
static size_t count_needed(const struct chains *chains, size_t first, bool is_whole) {
    const struct raw_look *look = &chains->look;
    if (is_whole || chains->visit_count == 0) {
        return chains->visit_count;
    }
    bool is_frame = chains->visits[0].is_entry ||
                    (look->frame_count > first && runs_code(chains, &look->frames[first]));
    return is_frame ? 1 : 0;
}

/* In 3.12 entry frames lie right beside the pointers to the newest frame (cframe and entry_frame,
 * _PyEval_EvalFrameDefault() in Python/ceval.c), and come over with them. */
static void foresee_visits(const struct chains *chains, struct slot *slot, size_t first,
                           bool is_whole) {
    bool has_heads = chains->layout->frame_chain == FRAME_CHAIN_CFRAME;
    size_t count = count_needed(chains, first, is_whole);
    for (size_t i = 0; i < count; i++) {
        const struct visit *visit = &chains->visits[i];
        prediction_touch(visit->is_entry && has_heads ? &slot->heads : &slot->frames,
                         (struct remote){visit->from}, chains->frame_fields.bytes);
    }
}

/* Where the copy of a frame came from. */
enum origin {
    ORIGIN_FRAMES, /* foreseen, or read now */
    ORIGIN_ROOT,   /* that of the oldest one, which needs no foreseeing */
    ORIGIN_HEADS,  /* beside the pointers to the newest frame, on the C stack */
};

static const uint8_t *view_frame(struct chains *chains, struct slot *slot, uint64_t at,
                                 enum origin *origin_out, enum status *status_out) {
    const struct stretch *fields = &chains->frame_fields;
    struct snapshot *snapshot = &chains->snapshot;
    struct remote from = remote_at((struct remote){at}, fields->at);
    if (slot->copies.has_root && at == slot->copies.root_at) {
        const uint8_t *root = view_copy(snapshot, slot->copies.root);
        *origin_out = ORIGIN_ROOT;
        if (root != NULL) {
            return root;
        }
    }
    *origin_out = ORIGIN_HEADS;
    const uint8_t *bytes = slot->copies.heads.count > 0
                               ? snapshot_view(snapshot, &slot->copies.heads, from, fields->bytes)
                               : NULL;
    if (bytes == NULL) {
        *origin_out = ORIGIN_FRAMES;
        bytes =
            snapshot_view_or_read(snapshot, &slot->copies.frames, from, fields->bytes, status_out);
    }
    return bytes;
}

/* Frames consist of words: what points elsewhere is none. */
static bool is_aligned(uint64_t at) {
    return at % sizeof(uint64_t) == 0;
}

/* One frame further down; false when it cannot be read. */
static bool descend(struct chains *chains, struct slot *slot, struct descent *descent, size_t first,
                    enum status *status_out) {
    enum origin origin = ORIGIN_FRAMES;
    struct view view = {
        is_aligned(descent->at) ? view_frame(chains, slot, descent->at, &origin, status_out) : NULL,
        chains->frame_fields.at};
    if (view.bytes == NULL) {
        return take_detour(chains, slot, first, descent->from, descent->at, descent);
    }
    uint64_t link;
    struct raw_frame frame = frame_decode(chains->layout, &view, &link);
    enum frame_class class = frame_class_of(chains->layout, &view, &descent->may_end);
    if (origin == ORIGIN_HEADS && class == CLASS_PYTHON) { /* on the C stack there is none */
        return take_detour(chains, slot, first, descent->from, descent->at, descent);
    }
    if (origin != ORIGIN_ROOT) {
        note_visit(chains, descent->at + chains->frame_fields.at, class != CLASS_PYTHON);
    }
    bool is_greenlets = class == CLASS_PYTHON && descent->may_end &&
                        chains->layout->entry_frames == ENTRY_FRAMES_OWNER;
    chains->has_wondered |= is_greenlets && link == 0;
    descent->may_end = descent->may_end && (!is_greenlets || chains->has_greenlets);
    if (class == CLASS_PYTHON && take_detour(chains, slot, first, descent->at, 0, descent)) {
        return true;
    }
    uint64_t previous = take_link(chains, slot, &view, class, link, descent);
    if (class == CLASS_PYTHON) {
        frame.at = descent->at;
        frame.is_patched = previous != link;
        frame.is_from_c = frame_is_from_c(chains->layout, &view);
        push_frame(&chains->look, frame);
    } else {
        note_entry(descent, descent->at);
        if (chains->look.frame_count > first) {
            chains->look.frames[chains->look.frame_count - 1].is_from_c = true;
            chains->look.frames[chains->look.frame_count - 1].entry = descent->at;
        }
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

/* The entry frame at the root of a whole chain: it stays as long as what was entered there, and is
 * far from the others. */
static void note_root(struct slot *slot, const struct descent *descent) {
    slot->root = descent->from == descent->oldest_entry ? descent->from : 0;
}

/* Follows the chain from `at` and appends its frames. True when it reached its base: slot->base
 * (3.15 keeps a frame of its own there), else a frame below which there is none: the oldest one of
 * a greenlet, in every version. */
static bool follow_chain(struct chains *chains, struct slot *slot, uint64_t at,
                         struct raw_thread *raw, enum status *status_out) {
    struct link seen[NEW_LINKS];
    struct descent descent = {.at = at, .may_end = true, .seen = seen};
    size_t first = chains->look.frame_count;
    chains->visit_count = 0;
    uint64_t milestone = 0; /* a chain that comes back to one is a circle; set ever farther apart */
    for (int depth = 0; descent.at != slot->base && descent.at != 0 && descent.at != milestone &&
                        depth < FRAME_LIMIT;
         depth++) {
        if ((depth & (depth - 1)) == 0) {
            milestone = descent.at;
        }
        if (!descend(chains, slot, &descent, first, status_out)) {
            foresee_visits(chains, slot, first, false);
            return false;
        }
    }
    if (descent.newest_entry != 0) {
        raw->stack_newest = descent.newest_entry;
        raw->stack_oldest = descent.oldest_entry;
    }
    slot->is_at_base = slot->base != 0 && descent.at == slot->base;
    bool may_miss_base = slot->base == 0 || chains->has_greenlets;
    bool is_whole = slot->is_at_base || (descent.at == 0 && descent.may_end && may_miss_base);
    if (is_whole && !descent.is_patched) {
        remember_links(slot, &descent);
        note_root(slot, &descent);
    }
    foresee_visits(chains, slot, first, is_whole);
    return is_whole;
}

/* ---- the copies of one thread ---- */

/* The root of the chain: of its own, or that of `first`. */
static void want_root(struct chains *chains, struct slot *slot, const struct copies *first) {
    const struct stretch *fields = &chains->frame_fields;
    slot->copies.has_root = first != NULL ? first->has_root : slot->root != 0;
    slot->copies.root_at = first != NULL ? first->root_at : slot->root;
    slot->copies.root = first != NULL ? first->root : 0;
    if (first == NULL && slot->root != 0) {
        slot->copies.root = view_want_one(
            &chains->snapshot, remote_at((struct remote){slot->root}, fields->at), fields->bytes);
    }
}

void chain_want(struct chains *chains, struct slot *slot, const struct copies *first) {
    struct snapshot *snapshot = &chains->snapshot;
    const struct stretch *fields = &chains->thread_fields;
    slot->copies = (struct copies){.is_wanted = true, .has_frames = !slot->is_skipped};
    slot->copies.anchor =
        view_want_one(snapshot, remote_at(slot->state, fields->at), fields->bytes);
    if (slot->is_skipped) {
        return;
    }
    slot->copies.heads = prediction_want(&slot->heads, PREDICTION_OF_WORDS, snapshot);
    slot->copies.frames = prediction_want(&slot->frames, PREDICTION_OF_STACKS, snapshot);
    watch_want(chains, slot);
    want_root(chains, slot, first);
}

/* Whether a thread may run no Python at all, as there is no newest frame. In 3.11 and 3.12 only the
 * cframe that lies in the thread state itself may be without (root_cframe,
 * Include/cpython/pystate.h): one on the C stack has been left, or is not filled in yet. */
static bool may_be_outside(const struct chains *chains, const struct slot *slot, uint64_t pointer) {
    return chains->layout->frame_chain != FRAME_CHAIN_CFRAME ||
           pointer - slot->state.addr < THREAD_STATE_BYTES;
}

/* The newest frame, as it was before the frames were copied. 3.11 and 3.12: the thread points to a
 * cframe on the C stack, and that to the newest frame; every call into the evaluation loop has a
 * cframe of its own. */
static bool first_frame(struct chains *chains, struct slot *slot, const struct view *fields,
                        uint64_t *head_out, enum status *status_out) {
    uint64_t pointer = view_u64(fields, chains->pointer_at);
    switch (chains->layout->frame_chain) {
    case FRAME_CHAIN_OBJECTS:
    case FRAME_CHAIN_CURRENT: *head_out = pointer; return true;
    case FRAME_CHAIN_CFRAME: break;
    }
    struct remote place = remote_at((struct remote){pointer}, chains->head_at);
    const uint8_t *head =
        snapshot_view_or_read(&chains->snapshot, &slot->copies.heads, place, 8, status_out);
    if (head == NULL) {
        return false;
    }
    *head_out = load_u64(head);
    prediction_touch(&slot->heads, place, 8);
    return *head_out != 0 || may_be_outside(chains, slot, pointer);
}

/* Greenlets are many, and each has an oldest frame of its own. From 3.11 on a frame of the data
 * stack that was left keeps its caller: what has been the oldest one is not mistaken for one later.
 */
static uint64_t *bottom_place(struct slot *slot, uint64_t at) {
    return &slot->bottoms[at * UINT64_C(0x9e3779b97f4a7c15) >> 60 & (BOTTOMS - 1)];
}

static bool is_known_bottom(const struct chains *chains, struct slot *slot, uint64_t at) {
    bool is_one = at == slot->bottom;
    bool may_be_other = chains->has_greenlets && chains->layout->frame_chain != FRAME_CHAIN_OBJECTS;
    return is_one || (may_be_other && *bottom_place(slot, at) == at);
}

/* Whether several frames may take turns in being the oldest one: those of greenlets; and up
 * to 3.10, where frames lie anywhere, those of whatever C code calls. From 3.11 on the oldest one
 * lies at the start of the data stack. */
static bool has_many_bottoms(const struct chains *chains) {
    return chains->has_greenlets || chains->layout->frame_chain == FRAME_CHAIN_OBJECTS;
}

/* A frame that was left while we looked may have no caller any more, and looks like the oldest one
 * then. Which is the oldest frame hardly ever changes: another one must have stood still, and more
 * than once, for a frame may come and go at the beat of ours. Where there is but one, what one look
 * sees again and again counts once, and the old one must not have been seen meanwhile. */
static bool is_bottom(const struct chains *chains, struct slot *slot,
                      const struct raw_frame *oldest) {
    bool has_many = has_many_bottoms(chains);
    if (is_known_bottom(chains, slot, oldest->at)) {
        slot->bottom_votes = has_many ? slot->bottom_votes : 0;
        return true;
    }
    slot->bottom_votes = oldest->at == slot->next_bottom ? slot->bottom_votes : 0;
    slot->bottom_votes += oldest->is_alive && !slot->has_voted;
    slot->has_voted |= oldest->is_alive && !has_many;
    slot->next_bottom = oldest->at;
    slot->doubts = DOUBT_LOOKS;
    slot->doubt_depth = 0;
    bool is_first = slot->bottom == 0 && slot->base == 0;
    if (slot->bottom_votes >= (is_first ? 1 : BOTTOM_VOTES) && runs_code(chains, oldest)) {
        slot->bottom = oldest->at;
        *bottom_place(slot, oldest->at) = oldest->at;
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

/* Walks what was copied of one thread. False when the chain broke and it is worth looking again. */
static bool follow_copy(struct chains *chains, struct slot *slot, const struct view *fields,
                        struct raw_thread *raw, enum status *status_out) {
    const struct layout *layout = chains->layout;
    uint64_t head;
    raw->first_frame = chains->look.frame_count;
    raw->frame_count = 0;
    raw->is_complete = false;
    if (!first_frame(chains, slot, fields, &head, status_out)) {
        return false;
    }
    slot->base =
        LAYOUT_HAS(layout, thread, base_frame) ? VIEW_U64(fields, layout, thread, base_frame) : 0;
    raw->is_complete = follow_chain(chains, slot, head, raw, status_out);
    raw->frame_count = chains->look.frame_count - raw->first_frame;
    watch_mark(chains, slot, raw, status_out);
    if (raw->is_complete && !slot->is_at_base && raw->frame_count > 0) {
        raw->is_complete =
            is_bottom(chains, slot, &chains->look.frames[chains->look.frame_count - 1]);
    }
    remember_top(chains, slot, raw);
    return raw->is_complete;
}

/* How many frames of a broken chain are some, from the newest on; `limit` at most. */
static size_t count_sound(const struct chains *chains, const struct raw_thread *raw, size_t limit) {
    size_t count = 0;
    while (count < raw->frame_count && count < limit &&
           runs_code(chains, &chains->look.frames[raw->first_frame + count])) {
        count++;
    }
    return count;
}

/* When no way leads down from the newest frames, as they are gone and what they were linked to has
 * been overwritten: what of the last whole chain still hangs together, if that is more. */
static void fall_back(struct chains *chains, struct slot *slot, struct raw_thread *raw,
                      enum status *status_out) {
    size_t end = chains->look.frame_count;
    for (size_t i = 0; i < slot->top_count && *status_out == STATUS_OK; i++) {
        bool is_whole = follow_chain(chains, slot, slot->top[i], raw, status_out);
        size_t count = chains->look.frame_count - end;
        const struct raw_frame *frames = chains->look.frames + end;
        bool is_rooted = is_whole && count > count_sound(chains, raw, count) &&
                         frames[0].at == slot->top[i] &&
                         (slot->is_at_base || is_known_bottom(chains, slot, frames[count - 1].at));
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
    chain_want(chains, slot, NULL);
    *status_out = memory_read(snapshot->memory, snapshot->ranges + first, snapshot->count - first);
    return *status_out == STATUS_OK ? view_copy(snapshot, slot->copies.anchor) : NULL;
}

void chain_read(struct chains *chains, struct slot *slot, struct view fields,
                struct raw_thread *raw, enum status *status_out) {
    if (!slot->copies.has_frames) {
        fields.bytes = chain_fetch(chains, slot, status_out);
    }
    slot->has_voted = false;
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
    bool has_objects = chains->layout->frame_chain == FRAME_CHAIN_OBJECTS;
    prediction_age(&slot->heads, &chains->snapshot, &slot->copies.heads, AGE_TICKS);
    prediction_age(&slot->frames, &chains->snapshot, &slot->copies.frames,
                   has_objects ? OBJECTS_AGE_TICKS : AGE_TICKS);
    prediction_age(&slot->doubted, &chains->snapshot, &slot->copies.again, AGE_TICKS);
}
