#include "target-runtime/census.h"

#include "profiler/base/arena.h"

enum {
    INTERPRETER_LIMIT = 4096,
    THREAD_LIMIT = 65536,
    DETOUR_LIMIT = 64,  /* threads that ended while the list was walked */
    AGAIN_LIMIT = 1024, /* threads that are passed once more, to find what came after them */
};

/* ---- one thread ---- */

void census_identify(const struct layout *layout, const struct view *fields,
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
        slots_begin_anew(slot);
        slot->serial = raw->serial;
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
static void keep_thread(struct census *census, const struct slot *slot, uint64_t *next_out) {
    struct raw_thread *raw = push_thread(&census->chains.look);
    *raw = slot->raw;
    raw->is_new = false;
    raw->is_kept = true;
    raw->sight_count = 0;
    *next_out = slot->next;
}

/* Looks at one thread; its next in `next_out`. False when it could not be read at all. */
static bool look_at_thread(struct census *census, size_t index, bool is_new, uint64_t interpreter,
                           uint64_t *next_out, enum status *status_out) {
    const struct layout *layout = census->runtime->layout;
    struct slot *slot = &census->slots.all[index];
    if (slot->is_kept) {
        keep_thread(census, slot, next_out);
        return true;
    }
    slot->can_stay = false;
    struct view fields = {
        slot->copies.is_wanted ? view_copy(&census->chains.snapshot, slot->copies.anchor) : NULL,
        census->chains.thread_fields.at};
    if (fields.bytes == NULL) {
        fields.bytes = chain_fetch(&census->chains, slot, status_out);
    }
    if (fields.bytes == NULL || VIEW_U64(&fields, layout, thread, interp) != interpreter) {
        return false;
    }
    *next_out = VIEW_U64(&fields, layout, thread, next);
    struct raw_thread *raw = push_thread(&census->chains.look);
    raw->slot = index;
    raw->is_new = is_new;
    raw->state = slot->state;
    census_identify(layout, &fields, raw);
    check_identity(slot, raw);
    if (!slot->is_skipped) {
        chain_read(&census->chains, slot, fields, raw, status_out);
        fields.bytes = view_copy(&census->chains.snapshot, slot->copies.anchor);
    }
    if (fields.bytes != NULL && !slot->is_skipped && *status_out == STATUS_OK) {
        states_read_thread(&census->handlers, census->runtime, &census->chains, slot, &fields, raw,
                           status_out);
    }
    slot->raw = *raw;
    slot->next = *next_out;
    slot->can_stay = !census->is_partial;
    return true;
}

/* ---- the list of threads ---- */

/* The thread that now stands at `link`, a pointer to a thread state in the target. */
static uint64_t read_link(struct census *census, struct remote link, enum status *status_out) {
    struct remote state;
    enum status status = memory_read_remote(census->chains.snapshot.memory, link, &state);
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

static struct remote next_of(const struct census *census, uint64_t state) {
    return remote_at((struct remote){state}, LAYOUT_AT(census->runtime->layout, thread, next));
}

static void go_on(struct census *census, struct way *way, uint64_t next) {
    way->link = next_of(census, way->state);
    way->state = next;
}

/* The thread at `link` is none: it has ended. Asks what is there now; if that is no better, then
 * what was before it has ended too, and the way begins anew. */
static void take_detour(struct census *census, struct way *way, enum status *status_out) {
    uint64_t failed = way->state;
    way->state = 0;
    if (way->detours++ < DETOUR_LIMIT && *status_out == STATUS_OK) {
        way->state = read_link(census, way->link, status_out);
    }
    if (way->state == failed && failed != 0) {
        way->link = way->first;
        way->is_again = true;
        way->state = read_link(census, way->first, status_out);
    }
}

/* A thread state that was new and the last one may be in the making, in the place of one that
 * ended, and not linked yet (new_threadstate(), Python/pystate.c): then it is not where we came
 * from. */
static void check_end(struct census *census, struct way *way, uint64_t last,
                      enum status *status_out) {
    uint64_t now = read_link(census, way->link, status_out);
    if (now != last && now != 0 && way->detours++ < DETOUR_LIMIT) {
        way->state = now;
    }
}

/* One thread further. False at the end of the way. */
static bool step(struct census *census, uint64_t interpreter, struct way *way, size_t *cursor,
                 enum status *status_out) {
    bool is_new;
    size_t index = slots_find(&census->slots, way->state, cursor, &is_new);
    if (census->slots.all[index].is_seen) {
        /* Else the list changed under us and led back. */
        if (way->is_again && way->steps_again++ < AGAIN_LIMIT) {
            go_on(census, way, read_link(census, next_of(census, way->state), status_out));
            return true;
        }
        return false;
    }
    census->slots.all[index].is_seen = true;
    slots_note_order(&census->slots, index);
    uint64_t state = way->state;
    uint64_t next;
    if (!look_at_thread(census, index, is_new, interpreter, &next, status_out)) {
        take_detour(census, way, status_out);
    } else if (next == 0 &&
               census->chains.look.threads[census->chains.look.thread_count - 1].is_new) {
        way->state = 0;
        check_end(census, way, state, status_out);
    } else {
        go_on(census, way, next);
    }
    return true;
}

/* Walks the list of threads that begins at the pointer at `link`, whose copy is `state`. */
static void look_at_threads(struct census *census, uint64_t interpreter, struct remote link,
                            uint64_t state, size_t *cursor, enum status *status_out) {
    struct way way = {.first = link, .link = link, .state = state};
    for (int i = 0; i < THREAD_LIMIT && way.state != 0 && *status_out == STATUS_OK; i++) {
        if (!step(census, interpreter, &way, cursor, status_out)) {
            return;
        }
    }
}

/* ---- interpreters ---- */

static const uint8_t *view_interpreter(struct census *census, size_t number, size_t first_range,
                                       uint64_t address, enum status *status_out) {
    const struct stretch *fields = &census->interpreter_fields;
    if (number < census->interpreter_count && census->interpreters[number].at.addr == address) {
        return view_copy(&census->chains.snapshot, first_range + number);
    }
    size_t index = view_want_one(&census->chains.snapshot,
                                 remote_at((struct remote){address}, fields->at), fields->bytes);
    *status_out =
        memory_read(census->chains.snapshot.memory, &census->chains.snapshot.ranges[index], 1);
    return *status_out == STATUS_OK ? view_copy(&census->chains.snapshot, index) : NULL;
}

static void remember_interpreter(struct census *census, size_t number, uint64_t address) {
    if (number == census->interpreter_capacity) {
        census->interpreters = memory_grow(census->interpreters, sizeof *census->interpreters,
                                           number + 1, &census->interpreter_capacity);
    }
    if (number >= census->interpreter_count || census->interpreters[number].at.addr != address) {
        census->interpreters[number] = (struct interpreter){.at = {address}};
    }
}

static bool was_met(const struct census *census, size_t count, uint64_t address) {
    for (size_t i = 0; i < count; i++) {
        if (census->interpreters[i].at.addr == address) {
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

static uint64_t read_pointer(struct census *census, uint64_t base, uint32_t place,
                             enum status *status_out) {
    return read_link(census, remote_at((struct remote){base}, place), status_out);
}

/* Looks at the threads of the present one and goes on to the next. One that cannot be read has
 * ended. */
static void look_at_interpreter(struct census *census, struct parade *parade,
                                enum status *status_out) {
    const struct layout *layout = census->runtime->layout;
    uint64_t address = parade->address;
    struct raw_look *look = &census->chains.look;
    size_t first_thread = look->thread_count;
    struct view view = {
        view_interpreter(census, parade->count, parade->first_range, address, status_out),
        census->interpreter_fields.at};
    parade->address = 0;
    if (view.bytes == NULL) {
        return;
    }
    remember_interpreter(census, parade->count, address);
    states_read_interpreter(census->runtime, &view, &census->interpreters[parade->count++]);
    parade->address = VIEW_U64(&view, layout, interpreter, next);
    uint64_t id = VIEW_U64(&view, layout, interpreter, id);
    parade->has_main |= id == 0;
    look_at_threads(
        census, address,
        remote_at((struct remote){address}, LAYOUT_AT(layout, interpreter, threads_head)),
        VIEW_U64(&view, layout, interpreter, threads_head), &parade->cursor, status_out);
    for (size_t i = first_thread; i < look->thread_count; i++) {
        look->threads[i].interpreter_id = id;
    }
}

/* One step along the list. False at its end. An interpreter that ended while we looked may have led
 * astray: without the main one the list was not whole, and is begun anew. */
static bool parade_step(struct census *census, struct parade *parade, enum status *status_out) {
    const struct layout *layout = census->runtime->layout;
    if (parade->address == 0) {
        if (parade->has_main || parade->detours++ >= DETOUR_LIMIT) {
            return false;
        }
        parade->is_again = true;
        parade->address = read_pointer(census, census->runtime->address.addr,
                                       LAYOUT_AT(layout, runtime, interpreters_head), status_out);
        return true;
    }
    if (!was_met(census, parade->count, parade->address)) {
        look_at_interpreter(census, parade, status_out);
    } else {
        /* The list changed under us and led back, or we pass it once more. */
        parade->address = parade->is_again
                              ? read_pointer(census, parade->address,
                                             LAYOUT_AT(layout, interpreter, next), status_out)
                              : 0;
    }
    return true;
}

enum status census_take(struct census *census, size_t first) {
    enum status status = STATUS_OK;
    struct view head = {view_copy(&census->chains.snapshot, 0), census->runtime_fields.at};
    uint64_t first_address =
        head.bytes != NULL ? VIEW_U64(&head, census->runtime->layout, runtime, interpreters_head)
                           : 0;
    struct parade parade = {.first_range = first, .address = first_address};
    if (parade.address == 0) {
        return head.bytes != NULL ? STATUS_NOT_READY : STATUS_NOT_MAPPED;
    }
    for (int i = 0; i < INTERPRETER_LIMIT && status == STATUS_OK; i++) {
        if (!parade_step(census, &parade, &status)) {
            break;
        }
    }
    census->interpreter_count = parade.count;
    census->chains.look.interpreter_count = parade.count;
    states_mark(census->runtime, &head, census->interpreters, parade.count, &census->chains.look);
    return status == STATUS_OK && parade.count == 0 ? STATUS_NOT_MAPPED : status;
}
