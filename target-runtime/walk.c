#include "target-runtime/walk.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/census.h"
#include "target-runtime/epoch.h"
#include "target-runtime/join.h"
#include "target-runtime/watch.h"

/* What was copied by one system call: one look, or several of the same thread. */
struct haul {
    size_t interpreters; /* the first of their ranges, which come last */
    size_t looks;
    size_t taken; /* looks of these */
    /* When there are several: */
    size_t moving;        /* slot of the thread that was copied for each */
    struct copies copies; /* its copies for the second look, */
    size_t stride;        /* and how many ranges farther those for the next one are */
    size_t root;          /* its root once more, after the last look */
};

struct walk {
    struct census census;
    struct join join;
    struct epoch epoch;
    size_t ahead;       /* looks that the next haul may bring */
    size_t kept_count;  /* threads that the haul does not read */
    size_t frames_read; /* of the look, by the last haul that read everybody */
    struct haul haul;
};

/* ---- what to copy ---- */

/* The slot of the thread that had the GIL last; NULL if it is not known. */
static const struct slot *find_holder(const struct walk *walk) {
    const struct slots *slots = &walk->census.slots;
    uint64_t state = epoch_holder(&walk->epoch);
    for (size_t i = 0; i < slots->order_count; i++) {
        const struct slot *slot = &slots->all[slots->order[i]];
        if (slot->state.addr == state) {
            return slot;
        }
    }
    return NULL;
}

/* Who is to be read: all, or (`is_full` false) all but those who rest. The only one, if there is
 * just one. */
static struct slot *choose(struct walk *walk, bool is_full) {
    struct slots *slots = &walk->census.slots;
    const struct slot *holder = is_full ? NULL : find_holder(walk);
    struct slot *chosen = NULL;
    walk->kept_count = 0;
    for (size_t i = 0; i < slots->count; i++) {
        slots->all[i].copies.is_wanted = false;
        slots->all[i].is_kept = false;
    }
    for (size_t i = 0; i < slots->order_count; i++) {
        struct slot *slot = &slots->all[slots->order[i]];
        slot->is_kept = !is_full && epoch_rests(slot, holder);
        walk->kept_count += slot->is_kept;
        chosen = slot->is_kept ? chosen : slot;
    }
    return slots->order_count - walk->kept_count == 1 ? chosen : NULL;
}

/* Queues the thread once more for each of the looks ahead. The root of its chain is copied before
 * and after them all: what is the same in both was so in between. */
static void want_ahead(struct walk *walk, struct slot *slot) {
    struct chains *chains = &walk->census.chains;
    struct haul *haul = &walk->haul;
    struct copies first = slot->copies;
    size_t before = chains->snapshot.count;
    chain_want(chains, slot, &first);
    haul->moving = (size_t)(slot - walk->census.slots.all);
    haul->copies = slot->copies;
    haul->stride = chains->snapshot.count - before;
    for (haul->looks = 2; haul->looks < walk->ahead; haul->looks++) {
        chain_want(chains, slot, &first);
    }
    const struct range *root = &chains->snapshot.ranges[first.root];
    haul->root = first.has_root ? view_want_one(&chains->snapshot, root->from, root->bytes) : 0;
    slot->copies = first;
}

/* Queues those who are read; the only one of them, if there is one, for the looks ahead as well. */
static void want_threads(struct walk *walk, struct slot *only) {
    struct census *census = &walk->census;
    for (size_t i = 0; i < census->slots.order_count; i++) {
        struct slot *slot = &census->slots.all[census->slots.order[i]];
        if (!slot->is_kept) {
            chain_want(&census->chains, slot, NULL);
        }
    }
    walk->haul.looks = 1;
    if (only != NULL && walk->ahead > 1) {
        want_ahead(walk, only);
    }
}

/* Queues all that is foreseen, those who rest only if `is_full`. The interpreters come last: a
 * thread that is on their lists then has not ended while its frames were copied. */
static void want_everything(struct walk *walk, bool is_full) {
    struct census *census = &walk->census;
    struct snapshot *snapshot = &census->chains.snapshot;
    snapshot_reset(snapshot);
    view_want_one(snapshot, remote_at(census->runtime->address, census->runtime_fields.at),
                  census->runtime_fields.bytes);
    want_threads(walk, choose(walk, is_full));
    walk->haul.interpreters = snapshot->count;
    for (size_t i = 0; i < census->interpreter_count; i++) {
        view_want_one(snapshot,
                      remote_at(census->interpreters[i].at, census->interpreter_fields.at),
                      census->interpreter_fields.bytes);
    }
}

/* Takes in who has had the GIL; false when that is not as it was in the last haul. */
static bool note_epoch(struct walk *walk) {
    const struct census *census = &walk->census;
    const struct layout *layout = census->runtime->layout;
    bool is_runtimes = layout->gil_place == GIL_IN_RUNTIME;
    size_t range = is_runtimes ? 0 : walk->haul.interpreters;
    uint32_t from = is_runtimes ? census->runtime_fields.at : census->interpreter_fields.at;
    uint32_t at;
    bool is_there = census->interpreter_count == 1 && epoch_place(layout, &at);
    const uint8_t *bytes = is_there ? view_copy(&census->chains.snapshot, range) : NULL;
    return epoch_note(&walk->epoch, bytes != NULL ? bytes + (at - from) : NULL);
}

/* Whether the root of the chain stood still during all looks of the haul. */
static bool has_steady_root(const struct walk *walk) {
    const struct snapshot *snapshot = &walk->census.chains.snapshot;
    const struct copies *copies = &walk->haul.copies;
    if (!copies->has_root) {
        return true;
    }
    const uint8_t *before = view_copy(snapshot, copies->root);
    const uint8_t *after = view_copy(snapshot, walk->haul.root);
    return before != NULL && after != NULL &&
           memcmp(before, after, snapshot->ranges[copies->root].bytes) == 0;
}

/* Copies what is foreseen: without those who rest, if they do; else all. */
static enum status fetch(struct walk *walk) {
    struct snapshot *snapshot = &walk->census.chains.snapshot;
    want_everything(walk, !epoch_may_keep(&walk->epoch));
    enum status status = snapshot_fetch(snapshot);
    bool is_same = status == STATUS_OK && note_epoch(walk);
    if (status == STATUS_OK && walk->kept_count > 0 && !is_same) {
        want_everything(walk, true);
        status = snapshot_fetch(snapshot);
        (void)note_epoch(walk);
    }
    walk->census.is_partial = walk->kept_count > 0;
    walk->epoch.kept = walk->census.is_partial ? walk->epoch.kept + 1 : 0;
    walk->haul.taken = 0;
    if (status == STATUS_OK && walk->haul.looks > 1 && !has_steady_root(walk)) {
        walk->haul.looks = 1;
    }
    return status;
}

/* ---- life ---- */

static uint32_t pointer_offset(const struct layout *layout) {
    switch (layout->frame_chain) {
    case FRAME_CHAIN_OBJECTS: return LAYOUT_AT(layout, thread, frame);
    case FRAME_CHAIN_CFRAME: return LAYOUT_AT(layout, thread, cframe);
    case FRAME_CHAIN_CURRENT: return LAYOUT_AT(layout, thread, current_frame);
    }
    return 0;
}

static void init_chains(struct chains *chains, const struct runtime *runtime) {
    const struct layout *layout = runtime->layout;
    chains->layout = layout;
    chains->code_type = &runtime->code_type;
    chains->pointer_at = pointer_offset(layout);
    chains->head_at =
        LAYOUT_HAS(layout, cframe, current_frame) ? LAYOUT_AT(layout, cframe, current_frame) : 0;
    chains->thread_fields = STRETCH_OF(
        layout, LAYOUT_thread_next, LAYOUT_thread_interp, LAYOUT_thread_frame, LAYOUT_thread_cframe,
        LAYOUT_thread_current_frame, LAYOUT_thread_base_frame, LAYOUT_thread_thread_id,
        LAYOUT_thread_native_thread_id, LAYOUT_thread_serial, LAYOUT_thread_state,
        LAYOUT_thread_gil_requested, LAYOUT_thread_exc_info, LAYOUT_thread_exc_state);
    chains->exc_item_fields = STRETCH_OF(layout, LAYOUT_exc_item_value, LAYOUT_exc_item_previous);
    chains->frame_fields =
        layout->frame_chain == FRAME_CHAIN_OBJECTS
            ? STRETCH_OF(layout, LAYOUT_frame_object_back, LAYOUT_frame_object_code,
                         LAYOUT_frame_object_globals, LAYOUT_frame_object_lasti,
                         LAYOUT_frame_object_generator, LAYOUT_frame_object_executing)
            : STRETCH_OF(layout, LAYOUT_frame_previous, LAYOUT_frame_executable,
                         LAYOUT_frame_instr_ptr, LAYOUT_frame_globals, LAYOUT_frame_is_entry,
                         LAYOUT_frame_frame_obj, LAYOUT_frame_function, LAYOUT_frame_owner,
                         LAYOUT_frame_tlbc_index);
}

struct walk *walk_create(struct runtime *runtime) {
    struct walk *walk = memory_zeroed(1, sizeof *walk);
    walk->ahead = 1;
    walk->census.runtime = runtime;
    walk->census.runtime_fields = states_runtime_fields(runtime->layout);
    walk->census.interpreter_fields = states_interpreter_fields(runtime->layout);
    snapshot_init(&walk->census.chains.snapshot, runtime->memory);
    init_chains(&walk->census.chains, runtime);
    return walk;
}

void walk_destroy(struct walk *walk) {
    if (walk == NULL) {
        return;
    }
    struct chains *chains = &walk->census.chains;
    slots_deinit(&walk->census.slots);
    join_deinit(&walk->join);
    snapshot_deinit(&chains->snapshot);
    free(walk->census.interpreters);
    free(chains->look.threads);
    free(chains->visits);
    free(chains->look.frames);
    free(chains->look.sights);
    free(walk);
}

/* ---- the look ---- */

/* The counts of freed code objects, read after the frames: whatever was freed before a frame was
 * copied is in them. Of an interpreter that is new nothing is known yet, so nothing is missed. */
static void sum_generations(struct walk *walk) {
    struct census *census = &walk->census;
    struct raw_look *look = &census->chains.look;
    const struct layout *layout = census->runtime->layout;
    look->code_generation = 0;
    look->has_code_generation = LAYOUT_HAS(layout, interpreter, code_object_generation);
    for (size_t i = 0; i < census->interpreter_count && look->has_code_generation; i++) {
        struct view view = {view_copy(&census->chains.snapshot, walk->haul.interpreters + i),
                            census->interpreter_fields.at};
        look->code_generation +=
            view.bytes != NULL ? VIEW_U64(&view, layout, interpreter, code_object_generation) : 0;
    }
}

/* Which of a thread's calls runs another is in doubt as its other calls are. */
static void watch_joints(struct walk *walk, enum status *status_out) {
    struct chains *chains = &walk->census.chains;
    struct raw_look *look = &chains->look;
    for (size_t i = 0; i < look->thread_count && *status_out == STATUS_OK; i++) {
        const struct raw_thread *thread = &look->threads[i];
        const struct raw_thread *below = join_below(look, thread);
        if (below != NULL) {
            watch_joint(chains, &walk->census.slots.all[below->slot],
                        &look->frames[below->first_frame],
                        &look->frames[thread->first_frame + thread->frame_count - 1], status_out);
        }
    }
}

/* The next look of the haul. */
static enum status take(struct walk *walk) {
    struct haul *haul = &walk->haul;
    struct slots *slots = &walk->census.slots;
    struct raw_look *look = &walk->census.chains.look;
    look->thread_count = 0;
    look->sight_count = 0;
    look->frame_count = walk->census.is_partial ? walk->frames_read : 0;
    for (size_t i = 0; i < slots->count; i++) {
        slots->all[i].is_seen = false;
    }
    if (haul->taken > 0) {
        slots->all[haul->moving].copies =
            copies_moved(&haul->copies, (haul->taken - 1) * haul->stride);
    }
    haul->taken++;
    sum_generations(walk);
    enum status status = census_take(&walk->census, haul->interpreters);
    slots_finish_order(slots);
    if (!walk->census.is_partial) {
        walk->frames_read = look->frame_count;
    }
    return status;
}

void walk_ahead(struct walk *walk, size_t looks) {
    walk->ahead = looks;
}

size_t walk_left(const struct walk *walk) {
    return walk->haul.looks - walk->haul.taken;
}

enum status walk_look(struct walk *walk, const struct raw_look **out) {
    enum status status = walk_left(walk) > 0 ? STATUS_OK : fetch(walk);
    *out = &walk->census.chains.look;
    if (status == STATUS_OK) {
        status = take(walk);
    }
    join_threads(&walk->join, &walk->census.chains.look);
    watch_joints(walk, &status);
    if (status != STATUS_OK) {
        walk->haul = (struct haul){0};
    }
    return status;
}

enum status walk_look_again(struct walk *walk, size_t index) {
    struct chains *chains = &walk->census.chains;
    const struct layout *layout = chains->layout;
    struct raw_thread *raw = &chains->look.threads[index];
    struct slot *slot = &walk->census.slots.all[raw->slot];
    enum status status = STATUS_OK;
    struct view fields = {chain_fetch(chains, slot, &status), chains->thread_fields.at};
    if (status == STATUS_OK &&
        (fields.bytes == NULL || VIEW_U64(&fields, layout, thread, serial) != raw->serial)) {
        status = STATUS_NOT_MAPPED;
    }
    if (status == STATUS_OK) {
        census_identify(layout, &fields, raw);
        raw->is_cut = false;
        chain_read(chains, slot, fields, raw, &status);
    }
    return status;
}

void walk_expect_greenlets(struct walk *walk) {
    walk->census.chains.has_greenlets = true;
}

bool walk_wonders(const struct walk *walk) {
    const struct chains *chains = &walk->census.chains;
    return chains->has_wondered && !chains->has_greenlets;
}

void walk_skip(struct walk *walk, size_t slot) {
    walk->census.slots.all[slot].is_skipped = true;
}

/* Reaches down at once, and comes up again by and by. */
void walk_doubt(struct walk *walk, size_t slot, size_t depth) {
    struct slot *doubted = &walk->census.slots.all[slot];
    bool is_deeper = doubted->doubts == 0 || depth < doubted->doubt_depth;
    size_t above = is_deeper ? 0 : depth - doubted->doubt_depth;
    doubted->doubt_depth = is_deeper ? depth : doubted->doubt_depth + (above + 7) / 8;
    doubted->doubts = DOUBT_LOOKS;
}
