#include "target-runtime/states.h"

#include "target-runtime/epoch.h"
#include "target-runtime/objects.h"

enum {
    ITEMS_LIMIT = 64,     /* generators that run one another whose handlers are looked at */
    UNFORESEEN_LIMIT = 4, /* of those, such as are read on the spot */
    NONE_TRIES = 8,
    STATE_ATTACHED = 1, /* _Py_THREAD_ATTACHED, Include/internal/pycore_pystate.h, 3.13 */
};

/* ---- what to copy ---- */

/* Longer by what tells epochs of the GIL, if that lies `in` here. */
static struct stretch with_epoch(const struct layout *layout, enum gil_place in,
                                 struct stretch stretch) {
    uint32_t at;
    if (layout->gil_place == in && epoch_place(layout, &at)) {
        uint32_t first = at < stretch.at ? at : stretch.at;
        uint32_t end = at + EPOCH_BYTES > stretch.at + stretch.bytes ? at + EPOCH_BYTES
                                                                     : stretch.at + stretch.bytes;
        return (struct stretch){first, end - first};
    }
    return stretch;
}

struct stretch states_runtime_fields(const struct layout *layout) {
    struct stretch own = STRETCH_OF(layout, LAYOUT_runtime_interpreters_head,
                                    LAYOUT_runtime_current_thread, LAYOUT_runtime_collecting);
    return with_epoch(layout, GIL_IN_RUNTIME, own);
}

/* The pointer to its GIL lies far from the rest and never changes: it is read once. */
struct stretch states_interpreter_fields(const struct layout *layout) {
    struct stretch own =
        STRETCH_OF(layout, LAYOUT_interpreter_next, LAYOUT_interpreter_id,
                   LAYOUT_interpreter_threads_head, LAYOUT_interpreter_code_object_generation,
                   LAYOUT_interpreter_collecting, LAYOUT_interpreter_collecting_frame,
                   LAYOUT_interpreter_gil_holder, LAYOUT_interpreter_gil_locked);
    return with_epoch(layout, GIL_IN_INTERPRETER, own);
}

static uint32_t view_u32(const struct view *view, uint32_t place) {
    return load_u32(view->bytes + (place - view->at));
}

#define VIEW_U32(view, layout, structure, field) view_u32(view, LAYOUT_AT(layout, structure, field))

/* ---- interpreters ---- */

void states_read_interpreter(const struct runtime *runtime, const struct view *fields,
                             struct interpreter *interpreter) {
    const struct layout *layout = runtime->layout;
    struct remote gil = {interpreter->gil};
    if (LAYOUT_HAS(layout, interpreter, collecting)) {
        interpreter->is_collecting = VIEW_U32(fields, layout, interpreter, collecting) != 0;
    }
    interpreter->collecting_frame =
        LAYOUT_HAS(layout, interpreter, collecting_frame) && interpreter->is_collecting
            ? VIEW_U64(fields, layout, interpreter, collecting_frame)
            : 0;
    if (layout->gil_place != GIL_IN_INTERPRETER) {
        return;
    }
    /* last_holder stays when the GIL is given back. */
    bool is_locked = (int32_t)VIEW_U32(fields, layout, interpreter, gil_locked) > 0;
    interpreter->holder = is_locked ? VIEW_U64(fields, layout, interpreter, gil_holder) : 0;
    if (gil.addr == 0 &&
        memory_read_remote(runtime->memory,
                           remote_at(interpreter->at, LAYOUT_AT(layout, interpreter, gil)),
                           &gil) == STATUS_OK) {
        interpreter->gil = gil.addr;
    }
}

/* Who holds the GIL that is at `gil`: that is told inside of the interpreter which it belongs to.
 */
static uint64_t holder_of(const struct layout *layout, const struct interpreter *interpreters,
                          size_t count, uint64_t gil) {
    for (size_t i = 0; i < count && gil != 0; i++) {
        if (remote_at(interpreters[i].at, LAYOUT_AT(layout, interpreter, own_gil)).addr == gil) {
            return interpreters[i].holder;
        }
    }
    return 0;
}

static const struct interpreter *interpreter_at(const struct interpreter *interpreters,
                                                size_t count, uint64_t address) {
    for (size_t i = 0; i < count; i++) {
        if (interpreters[i].at.addr == address) {
            return &interpreters[i];
        }
    }
    return NULL;
}

/* ---- exceptions ---- */

/* builtins.None. */
static uint64_t find_none(const struct runtime *runtime, uint64_t interpreter) {
    const struct layout *layout = runtime->layout;
    struct remote place =
        remote_at((struct remote){interpreter}, LAYOUT_AT(layout, interpreter, modules));
    struct remote found;
    enum status status = memory_read_remote(runtime->memory, place, &found);
    if (status == STATUS_OK) {
        status = dict_find(runtime, found, "builtins", &found);
    }
    if (status == STATUS_OK) {
        place = remote_at(found, LAYOUT_AT(layout, module, dict));
        status = memory_read_remote(runtime->memory, place, &found);
    }
    if (status == STATUS_OK) {
        status = dict_find(runtime, found, "None", &found);
    }
    return status == STATUS_OK ? found.addr : 0;
}

/* Whether what a handler was entered with is an exception. It is NULL before the first one, and
 * None (-3.11) after it. */
static bool is_exception(struct handlers *handlers, const struct runtime *runtime,
                         uint64_t interpreter, uint64_t value) {
    if (value != 0 && handlers->none == 0 && handlers->tries++ < NONE_TRIES) {
        handlers->none = find_none(runtime, interpreter);
    }
    return value != 0 && value != handlers->none;
}

/* The fields of an item of the chain of handlers, in the memory of a generator. */
static const uint8_t *view_item(struct chains *chains, struct slot *slot, uint64_t item,
                                int *unforeseen, enum status *status_out) {
    const struct stretch *fields = &chains->exc_item_fields;
    struct remote from = remote_at((struct remote){item}, fields->at);
    const uint8_t *bytes =
        snapshot_view(&chains->snapshot, &slot->copies.frames, from, fields->bytes);
    if (bytes == NULL && (*unforeseen)++ < UNFORESEEN_LIMIT) {
        bytes = snapshot_view_or_read(&chains->snapshot, &slot->copies.frames, from, fields->bytes,
                                      status_out);
    }
    if (bytes != NULL) {
        prediction_touch(&slot->frames, from, fields->bytes);
    }
    return bytes;
}

/* The innermost handler counts, and every generator that runs has an item of its own, which is
 * empty unless it handles something (_PyErr_GetTopmostException, Python/errors.c): so any item that
 * is not empty will do. */
static bool handles_exception(struct handlers *handlers, const struct runtime *runtime,
                              struct chains *chains, struct slot *slot, const struct view *fields,
                              enum status *status_out) {
    uint64_t interpreter = VIEW_U64(fields, runtime->layout, thread, interp);
    const struct layout *layout = runtime->layout;
    uint32_t base_at = LAYOUT_AT(layout, thread, exc_state);
    uint64_t base = remote_at(slot->state, base_at).addr;
    uint64_t item = VIEW_U64(fields, layout, thread, exc_info);
    int unforeseen = 0;
    if (is_exception(handlers, runtime, interpreter,
                     view_u64(fields, base_at + LAYOUT_AT(layout, exc_item, value)))) {
        return true;
    }
    for (int i = 0; i < ITEMS_LIMIT && item != base && item != 0 && *status_out == STATUS_OK; i++) {
        struct view view = {view_item(chains, slot, item, &unforeseen, status_out),
                            chains->exc_item_fields.at};
        if (view.bytes == NULL) {
            return false;
        }
        if (is_exception(handlers, runtime, interpreter,
                         VIEW_U64(&view, layout, exc_item, value))) {
            return true;
        }
        item = VIEW_U64(&view, layout, exc_item, previous);
    }
    return false;
}

/* ---- threads ---- */

void states_read_thread(struct handlers *handlers, struct runtime *runtime, struct chains *chains,
                        struct slot *slot, const struct view *fields, struct raw_thread *raw,
                        enum status *status_out) {
    const struct layout *layout = runtime->layout;
    raw->has_gil = LAYOUT_HAS(layout, thread, state) &&
                   VIEW_U32(fields, layout, thread, state) == STATE_ATTACHED;
    raw->wants_gil = LAYOUT_HAS(layout, thread, gil_requested) &&
                     VIEW_U32(fields, layout, thread, gil_requested) != 0;
    raw->has_exception = handles_exception(handlers, runtime, chains, slot, fields, status_out);
}

/* The collector runs in the thread that holds the GIL, or from 3.15 on above a frame that is told:
 * there, finalizers may have given the GIL away meanwhile. */
static void mark_collector(const struct interpreter *interpreter, struct raw_look *look) {
    struct raw_thread *collector = NULL;
    for (size_t i = 0; i < look->thread_count; i++) {
        struct raw_thread *thread = &look->threads[i];
        bool is_here = thread->interpreter == interpreter->at.addr;
        const struct raw_frame *frames = look->frames + thread->first_frame;
        for (size_t at = 0;
             is_here && interpreter->collecting_frame != 0 && at < thread->frame_count; at++) {
            if (frames[at].at == interpreter->collecting_frame) {
                thread->is_collecting = true;
                thread->collected_above = at;
                return;
            }
        }
        collector = is_here && thread->has_gil ? thread : collector;
    }
    if (collector != NULL) {
        collector->is_collecting = true;
    }
}

void states_mark(const struct runtime *runtime, const struct view *fields,
                 const struct interpreter *interpreters, size_t count, struct raw_look *look) {
    const struct layout *layout = runtime->layout;
    bool is_collecting = LAYOUT_HAS(layout, runtime, collecting) &&
                         VIEW_U32(fields, layout, runtime, collecting) != 0;
    for (size_t i = 0; i < look->thread_count; i++) {
        struct raw_thread *thread = &look->threads[i];
        const struct interpreter *interpreter;
        uint64_t gil = 0;
        uint64_t holder = 0;
        switch (layout->gil_place) {
        case GIL_IN_RUNTIME:
            gil = remote_at(runtime->address, LAYOUT_AT(layout, runtime, gil)).addr;
            holder = VIEW_U64(fields, layout, runtime, current_thread);
            break;
        case GIL_IN_INTERPRETER:
            interpreter = interpreter_at(interpreters, count, thread->interpreter);
            gil = interpreter != NULL ? interpreter->gil : 0;
            holder = holder_of(layout, interpreters, count, gil);
            break;
        case GIL_ABSENT: continue;
        }
        thread->has_gil = holder == thread->state.addr;
        thread->wants_gil = thread->wants_gil && !thread->has_gil;
        thread->gil_lock.addr = gil != 0 ? gil + LAYOUT_AT(layout, gil, cond) : 0;
        thread->is_collecting = is_collecting && thread->has_gil;
    }
    for (size_t i = 0; i < count; i++) {
        if (interpreters[i].is_collecting) {
            mark_collector(&interpreters[i], look);
        }
    }
}
