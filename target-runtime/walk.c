#include "target-runtime/walk.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "target-runtime/chain.h"
#include "target-runtime/epoch.h"
#include "target-runtime/join.h"
#include "target-runtime/slots.h"
#include "target-runtime/states.h"
#include "target-runtime/view.h"
#include "target-runtime/watch.h"

enum {
    INTERPRETER_LIMIT = 4096,
    THREAD_LIMIT = 65536,
    DETOUR_LIMIT = 64,  /* threads that ended while the list was walked */
    AGAIN_LIMIT = 1024, /* threads that are passed once more, to find what came after them */
};

struct walk {
    struct runtime *runtime;
    struct chains chains;
    struct slots slots;
    struct stretch runtime_fields;
    struct join join;
    struct stretch interpreter_fields;
    struct handlers handlers;
    struct interpreter *interpreters;
    size_t interpreter_count;
    size_t interpreter_capacity;
    struct epoch epoch;
    size_t kept_count;  /* threads that this look does not read */
    size_t frames_read; /* of the look, by the last one that read everybody */
};

/* ---- one thread ---- */

static void read_identity(const struct layout *layout, const struct view *fields,
                          struct raw_thread *raw) {
    raw->interpreter = VIEW_U64(fields, layout, thread, interp);
    raw->serial = VIEW_U64(fields, layout, thread, serial);
    raw->ident = VIEW_U64(fields, layout, thread, thread_id);
    raw->native_id = LAYOUT_HAS(layout, thread, native_thread_id)
                         ? VIEW_U64(fields, layout, thread, native_thread_id)
                         : 0;
    /* The newest evaluation loop's; where there are entry frames the chain will tell more. */
    raw->stack_newest =
        LAYOUT_HAS(layout, thread, cframe) ? VIEW_U64(fields, layout, thread, cframe) : 0;
    raw->stack_oldest = raw->stack_newest;
    raw->cframe = LAYOUT_HAS(layout, thread, cframe) ? VIEW_U64(fields, layout, thread, cframe) : 0;
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

/* A thread that is where it was. */
static void keep_thread(struct walk *walk, const struct slot *slot, uint64_t *next_out) {
    struct raw_thread *raw = push_thread(&walk->chains.look);
    *raw = slot->raw;
    raw->is_new = false;
    raw->is_kept = true;
    raw->sight_count = 0;
    *next_out = slot->next;
}

/* Looks at one thread; its next in `next_out`. False when it could not be read at all. */
static bool look_at_thread(struct walk *walk, size_t index, bool is_new, uint64_t interpreter,
                           uint64_t *next_out, enum status *status_out) {
    const struct layout *layout = walk->runtime->layout;
    struct slot *slot = &walk->slots.all[index];
    if (slot->is_kept) {
        keep_thread(walk, slot, next_out);
        return true;
    }
    slot->can_stay = false;
    struct view fields = {slot->is_wanted ? view_copy(&walk->chains.snapshot, slot->anchor) : NULL,
                          walk->chains.thread_fields.at};
    if (fields.bytes == NULL) {
        fields.bytes = chain_fetch(&walk->chains, slot, status_out);
    }
    if (fields.bytes == NULL || VIEW_U64(&fields, layout, thread, interp) != interpreter) {
        return false;
    }
    *next_out = VIEW_U64(&fields, layout, thread, next);
    struct raw_thread *raw = push_thread(&walk->chains.look);
    raw->slot = index;
    raw->is_new = is_new;
    raw->state = slot->state;
    read_identity(layout, &fields, raw);
    check_identity(slot, raw);
    if (!slot->is_skipped) {
        chain_read(&walk->chains, slot, fields, raw, status_out);
        fields.bytes = view_copy(&walk->chains.snapshot, slot->anchor);
    }
    if (fields.bytes != NULL && !slot->is_skipped && *status_out == STATUS_OK) {
        states_read_thread(&walk->handlers, walk->runtime, &walk->chains, slot, &fields, raw,
                           status_out);
    }
    slot->raw = *raw;
    slot->next = *next_out;
    slot->can_stay = walk->epoch.kept == 0;
    return true;
}

/* ---- the list of threads ---- */

/* The thread that now stands at `link`, a pointer to a thread state in the target. */
static uint64_t read_link(struct walk *walk, struct remote link, enum status *status_out) {
    struct remote state;
    enum status status = memory_read_remote(walk->chains.snapshot.memory, link, &state);
    *status_out = status == STATUS_NOT_MAPPED ? *status_out : status;
    return status == STATUS_OK ? state.addr : 0;
}

/* A way along a list of threads. */
struct way {
    struct remote first; /* the pointer to the first one */
    struct remote link;  /* the pointer to the present one */
    uint64_t state;      /* the present one; 0: the end */
    int detours;
    bool is_again; /* from the start once more, over those that were seen already */
    size_t steps_again;
};

static struct remote next_of(const struct walk *walk, uint64_t state) {
    return remote_at((struct remote){state}, LAYOUT_AT(walk->runtime->layout, thread, next));
}

static void go_on(struct walk *walk, struct way *way, uint64_t next) {
    way->link = next_of(walk, way->state);
    way->state = next;
}

/* The thread at `link` is none: it has ended. Asks what is there now; if that is no better, then
 * what was before it has ended too, and the way begins anew. */
static void take_detour(struct walk *walk, struct way *way, enum status *status_out) {
    uint64_t failed = way->state;
    way->state = 0;
    if (way->detours++ < DETOUR_LIMIT && *status_out == STATUS_OK) {
        way->state = read_link(walk, way->link, status_out);
    }
    if (way->state == failed && failed != 0) {
        way->link = way->first;
        way->is_again = true;
        way->state = read_link(walk, way->first, status_out);
    }
}

/* A thread state that was new and the last one may be in the making, in the place of one that
 * ended, and not linked yet (new_threadstate(), Python/pystate.c): then it is not where we came
 * from. */
static void check_end(struct walk *walk, struct way *way, uint64_t last, enum status *status_out) {
    uint64_t now = read_link(walk, way->link, status_out);
    if (now != last && now != 0 && way->detours++ < DETOUR_LIMIT) {
        way->state = now;
    }
}

/* One thread further. False at the end of the way. */
static bool step(struct walk *walk, uint64_t interpreter, struct way *way, size_t *cursor,
                 enum status *status_out) {
    bool is_new;
    size_t index = slots_find(&walk->slots, way->state, cursor, &is_new);
    if (walk->slots.all[index].is_seen) {
        /* Else the list changed under us and led back. */
        if (way->is_again && way->steps_again++ < AGAIN_LIMIT) {
            go_on(walk, way, read_link(walk, next_of(walk, way->state), status_out));
            return true;
        }
        return false;
    }
    walk->slots.all[index].is_seen = true;
    slots_note_order(&walk->slots, index);
    uint64_t state = way->state;
    uint64_t next;
    if (!look_at_thread(walk, index, is_new, interpreter, &next, status_out)) {
        take_detour(walk, way, status_out);
    } else if (next == 0 && walk->chains.look.threads[walk->chains.look.thread_count - 1].is_new) {
        way->state = 0;
        check_end(walk, way, state, status_out);
    } else {
        go_on(walk, way, next);
    }
    return true;
}

/* Walks the list of threads that begins at the pointer at `link`, whose copy is `state`. */
static void look_at_threads(struct walk *walk, uint64_t interpreter, struct remote link,
                            uint64_t state, size_t *cursor, enum status *status_out) {
    struct way way = {.first = link, .link = link, .state = state};
    for (int i = 0; i < THREAD_LIMIT && way.state != 0 && *status_out == STATUS_OK; i++) {
        if (!step(walk, interpreter, &way, cursor, status_out)) {
            return;
        }
    }
}

/* ---- interpreters ---- */

static const uint8_t *view_interpreter(struct walk *walk, size_t number, size_t first_range,
                                       uint64_t address, enum status *status_out) {
    const struct stretch *fields = &walk->interpreter_fields;
    if (number < walk->interpreter_count && walk->interpreters[number].at.addr == address) {
        return view_copy(&walk->chains.snapshot, first_range + number);
    }
    size_t index = view_want_one(&walk->chains.snapshot,
                                 remote_at((struct remote){address}, fields->at), fields->bytes);
    *status_out =
        memory_read(walk->chains.snapshot.memory, &walk->chains.snapshot.ranges[index], 1);
    return *status_out == STATUS_OK ? view_copy(&walk->chains.snapshot, index) : NULL;
}

static void remember_interpreter(struct walk *walk, size_t number, uint64_t address) {
    if (number == walk->interpreter_capacity) {
        walk->interpreters = memory_grow(walk->interpreters, sizeof *walk->interpreters, number + 1,
                                         &walk->interpreter_capacity);
    }
    if (number >= walk->interpreter_count || walk->interpreters[number].at.addr != address) {
        walk->interpreters[number] = (struct interpreter){.at = {address}};
    }
}

static bool was_met(const struct walk *walk, size_t count, uint64_t address) {
    for (size_t i = 0; i < count; i++) {
        if (walk->interpreters[i].at.addr == address) {
            return true;
        }
    }
    return false;
}

/* A way along the list of interpreters, the newest of which comes first. */
struct parade {
    size_t first_range; /* copies of those of the last look */
    uint64_t address;   /* the present one; 0: the end */
    size_t count;       /* that were met */
    size_t cursor;
    bool has_main; /* the main one was met, which ends last */
    bool is_again; /* from the start once more, over those that were met already */
    int detours;
};

static uint64_t read_pointer(struct walk *walk, uint64_t base, uint32_t place,
                             enum status *status_out) {
    return read_link(walk, remote_at((struct remote){base}, place), status_out);
}

/* Looks at the threads of the present one and goes on to the next. One that cannot be read has
 * ended. */
static void look_at_interpreter(struct walk *walk, struct parade *parade, enum status *status_out) {
    const struct layout *layout = walk->runtime->layout;
    uint64_t address = parade->address;
    struct raw_look *look = &walk->chains.look;
    size_t first_thread = look->thread_count;
    struct view view = {
        view_interpreter(walk, parade->count, parade->first_range, address, status_out),
        walk->interpreter_fields.at};
    parade->address = 0;
    if (view.bytes == NULL) {
        return;
    }
    remember_interpreter(walk, parade->count, address);
    states_read_interpreter(walk->runtime, &view, &walk->interpreters[parade->count++]);
    parade->address = VIEW_U64(&view, layout, interpreter, next);
    uint64_t id = VIEW_U64(&view, layout, interpreter, id);
    parade->has_main |= id == 0;
    look_at_threads(
        walk, address,
        remote_at((struct remote){address}, LAYOUT_AT(layout, interpreter, threads_head)),
        VIEW_U64(&view, layout, interpreter, threads_head), &parade->cursor, status_out);
    for (size_t i = first_thread; i < look->thread_count; i++) {
        look->threads[i].interpreter_id = id;
    }
}

/* One step along the list. False at its end. An interpreter that ended while we looked may have led
 * astray: without the main one the list was not whole, and is begun anew. */
static bool parade_step(struct walk *walk, struct parade *parade, enum status *status_out) {
    const struct layout *layout = walk->runtime->layout;
    if (parade->address == 0) {
        if (parade->has_main || parade->detours++ >= DETOUR_LIMIT) {
            return false;
        }
        parade->is_again = true;
        parade->address = read_pointer(walk, walk->runtime->address.addr,
                                       LAYOUT_AT(layout, runtime, interpreters_head), status_out);
        return true;
    }
    if (!was_met(walk, parade->count, parade->address)) {
        look_at_interpreter(walk, parade, status_out);
    } else {
        /* The list changed under us and led back, or we pass it once more. */
        parade->address = parade->is_again
                              ? read_pointer(walk, parade->address,
                                             LAYOUT_AT(layout, interpreter, next), status_out)
                              : 0;
    }
    return true;
}

/* Walks the list of interpreters; range 0 is the head of the list, the known ones are at `first`.
 */
static enum status look_at_interpreters(struct walk *walk, size_t first) {
    enum status status = STATUS_OK;
    struct view head = {view_copy(&walk->chains.snapshot, 0), walk->runtime_fields.at};
    uint64_t first_address =
        head.bytes != NULL ? VIEW_U64(&head, walk->runtime->layout, runtime, interpreters_head) : 0;
    struct parade parade = {.first_range = first, .address = first_address};
    if (parade.address == 0) {
        return head.bytes != NULL ? STATUS_NOT_READY : STATUS_NOT_MAPPED;
    }
    for (int i = 0; i < INTERPRETER_LIMIT && status == STATUS_OK; i++) {
        if (!parade_step(walk, &parade, &status)) {
            break;
        }
    }
    walk->interpreter_count = parade.count;
    walk->chains.look.interpreter_count = parade.count;
    states_mark(walk->runtime, &head, walk->interpreters, parade.count, &walk->chains.look);
    return status == STATUS_OK && parade.count == 0 ? STATUS_NOT_MAPPED : status;
}

/* The counts of freed code objects, read after the frames: whatever was freed before a frame was
 * copied is in them. Of an interpreter that is new nothing is known yet, so nothing is missed. */
static void sum_generations(struct walk *walk, size_t first) {
    const struct layout *layout = walk->runtime->layout;
    walk->chains.look.has_code_generation = LAYOUT_HAS(layout, interpreter, code_object_generation);
    for (size_t i = 0; i < walk->interpreter_count && walk->chains.look.has_code_generation; i++) {
        struct view view = {view_copy(&walk->chains.snapshot, first + i),
                            walk->interpreter_fields.at};
        walk->chains.look.code_generation +=
            view.bytes != NULL ? VIEW_U64(&view, layout, interpreter, code_object_generation) : 0;
    }
}

/* The slot of the thread that had the GIL last; NULL if it is not known. */
static const struct slot *find_holder(const struct walk *walk) {
    uint64_t state = epoch_holder(&walk->epoch);
    for (size_t i = 0; i < walk->slots.order_count; i++) {
        const struct slot *slot = &walk->slots.all[walk->slots.order[i]];
        if (slot->state.addr == state) {
            return slot;
        }
    }
    return NULL;
}

/* Queues all that is foreseen, those who rest only if `is_full`. The interpreters come last: a
 * thread that is on their lists then has not ended while its frames were copied. Returns the first
 * of their ranges. */
static size_t want_everything(struct walk *walk, bool is_full) {
    struct snapshot *snapshot = &walk->chains.snapshot;
    const struct slot *holder = is_full ? NULL : find_holder(walk);
    snapshot_reset(snapshot);
    walk->kept_count = 0;
    view_want_one(snapshot, remote_at(walk->runtime->address, walk->runtime_fields.at),
                  walk->runtime_fields.bytes);
    for (size_t i = 0; i < walk->slots.count; i++) {
        walk->slots.all[i].is_seen = false;
        walk->slots.all[i].is_wanted = false;
        walk->slots.all[i].is_kept = false;
    }
    for (size_t i = 0; i < walk->slots.order_count; i++) {
        struct slot *slot = &walk->slots.all[walk->slots.order[i]];
        slot->is_kept = !is_full && epoch_rests(slot, holder);
        walk->kept_count += slot->is_kept;
        if (!slot->is_kept) {
            chain_want(&walk->chains, slot);
        }
    }
    size_t interpreters = snapshot->count;
    for (size_t i = 0; i < walk->interpreter_count; i++) {
        view_want_one(snapshot, remote_at(walk->interpreters[i].at, walk->interpreter_fields.at),
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
    walk->chains.layout = layout;
    snapshot_init(&walk->chains.snapshot, runtime->memory);
    walk->chains.pointer_at = pointer_offset(layout);
    walk->chains.head_at =
        LAYOUT_HAS(layout, cframe, current_frame) ? LAYOUT_AT(layout, cframe, current_frame) : 0;
    walk->chains.thread_fields = STRETCH_OF(
        layout, LAYOUT_thread_next, LAYOUT_thread_interp, LAYOUT_thread_frame, LAYOUT_thread_cframe,
        LAYOUT_thread_current_frame, LAYOUT_thread_base_frame, LAYOUT_thread_thread_id,
        LAYOUT_thread_native_thread_id, LAYOUT_thread_serial, LAYOUT_thread_state,
        LAYOUT_thread_gil_requested, LAYOUT_thread_exc_info, LAYOUT_thread_exc_state);
    walk->chains.exc_item_fields =
        STRETCH_OF(layout, LAYOUT_exc_item_value, LAYOUT_exc_item_previous);
    walk->runtime_fields = states_runtime_fields(layout);
    walk->interpreter_fields = states_interpreter_fields(layout);
    walk->chains.frame_fields =
        layout->frame_chain == FRAME_CHAIN_OBJECTS
            ? STRETCH_OF(layout, LAYOUT_frame_object_back, LAYOUT_frame_object_code,
                         LAYOUT_frame_object_globals, LAYOUT_frame_object_lasti,
                         LAYOUT_frame_object_generator, LAYOUT_frame_object_executing)
            : STRETCH_OF(layout, LAYOUT_frame_previous, LAYOUT_frame_executable,
                         LAYOUT_frame_instr_ptr, LAYOUT_frame_globals, LAYOUT_frame_is_entry,
                         LAYOUT_frame_function, LAYOUT_frame_owner, LAYOUT_frame_tlbc_index);
    return walk;
}

void walk_destroy(struct walk *walk) {
    if (walk == NULL) {
        return;
    }
    slots_deinit(&walk->slots);
    join_deinit(&walk->join);
    snapshot_deinit(&walk->chains.snapshot);
    free(walk->interpreters);
    free(walk->chains.look.threads);
    free(walk->chains.visits);
    free(walk->chains.look.frames);
    free(walk->chains.look.sights);
    free(walk);
}

/* Which of a thread's calls runs another is in doubt as its other calls are. */
static void watch_joints(struct walk *walk, enum status *status_out) {
    struct raw_look *look = &walk->chains.look;
    for (size_t i = 0; i < look->thread_count && *status_out == STATUS_OK; i++) {
        const struct raw_thread *thread = &look->threads[i];
        const struct raw_thread *below = join_below(look, thread);
        if (below != NULL) {
            watch_joint(&walk->chains, &walk->slots.all[below->slot],
                        &look->frames[below->first_frame],
                        &look->frames[thread->first_frame + thread->frame_count - 1], status_out);
        }
    }
}

/* Takes in who has had the GIL; false when that is not as it was in the last look. */
static bool note_epoch(struct walk *walk, size_t interpreters) {
    const struct layout *layout = walk->runtime->layout;
    bool is_runtimes = layout->gil_place == GIL_IN_RUNTIME;
    size_t range = is_runtimes ? 0 : interpreters;
    uint32_t from = is_runtimes ? walk->runtime_fields.at : walk->interpreter_fields.at;
    uint32_t at;
    bool is_there = walk->interpreter_count == 1 && epoch_place(layout, &at);
    const uint8_t *bytes = is_there ? view_copy(&walk->chains.snapshot, range) : NULL;
    return epoch_note(&walk->epoch, bytes != NULL ? bytes + (at - from) : NULL);
}

/* Copies what is foreseen: without those who rest, if they do; else all. Returns where the
 * interpreters are. */
static enum status fetch(struct walk *walk, size_t *interpreters_out) {
    *interpreters_out = want_everything(walk, !epoch_may_keep(&walk->epoch));
    enum status status = snapshot_fetch(&walk->chains.snapshot);
    bool is_same = status == STATUS_OK && note_epoch(walk, *interpreters_out);
    if (status == STATUS_OK && walk->kept_count > 0 && !is_same) {
        *interpreters_out = want_everything(walk, true);
        status = snapshot_fetch(&walk->chains.snapshot);
        (void)note_epoch(walk, *interpreters_out);
    }
    walk->epoch.kept = walk->kept_count > 0 ? walk->epoch.kept + 1 : 0;
    walk->chains.look.frame_count = walk->kept_count > 0 ? walk->frames_read : 0;
    return status;
}

enum status walk_look(struct walk *walk, const struct raw_look **out) {
    size_t interpreters;
    walk->chains.look.thread_count = 0;
    walk->chains.look.sight_count = 0;
    walk->chains.look.has_code_generation = false;
    walk->chains.look.code_generation = 0;
    enum status status = fetch(walk, &interpreters);
    if (status == STATUS_OK) {
        sum_generations(walk, interpreters);
        status = look_at_interpreters(walk, interpreters);
    }
    slots_finish_order(&walk->slots);
    if (walk->epoch.kept == 0) {
        walk->frames_read = walk->chains.look.frame_count;
    }
    join_threads(&walk->join, &walk->chains.look);
    watch_joints(walk, &status);
    *out = &walk->chains.look;
    return status;
}

enum status walk_look_again(struct walk *walk, size_t index) {
    const struct layout *layout = walk->runtime->layout;
    struct raw_thread *raw = &walk->chains.look.threads[index];
    struct slot *slot = &walk->slots.all[raw->slot];
    enum status status = STATUS_OK;
    struct view fields = {chain_fetch(&walk->chains, slot, &status), walk->chains.thread_fields.at};
    if (status == STATUS_OK &&
        (fields.bytes == NULL || VIEW_U64(&fields, layout, thread, serial) != raw->serial)) {
        status = STATUS_NOT_MAPPED;
    }
    if (status == STATUS_OK) {
        read_identity(layout, &fields, raw);
        raw->is_cut = false;
        chain_read(&walk->chains, slot, fields, raw, &status);
    }
    return status;
}

void walk_skip(struct walk *walk, size_t slot) {
    walk->slots.all[slot].is_skipped = true;
}

/* Reaches down at once, and comes up again by and by. */
void walk_doubt(struct walk *walk, size_t slot, size_t depth) {
    struct slot *doubted = &walk->slots.all[slot];
    bool is_deeper = doubted->doubts == 0 || depth < doubted->doubt_depth;
    size_t above = is_deeper ? 0 : depth - doubted->doubt_depth;
    doubted->doubt_depth = is_deeper ? depth : doubted->doubt_depth + (above + 7) / 8;
    doubted->doubts = DOUBT_LOOKS;
}
