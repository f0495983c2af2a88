#include "target-runtime/task_parents.h"

#include <string.h>

enum {
    MET_LIMIT = 256,  /* futures between a task and those that wait for it */
    DEPTH_LIMIT = 16, /* the same, one behind the other */
    CELLS_LIMIT = 16, /* of a function */
    NAME_LIMIT = 64,
};

/* A search for parents. */
struct hunt {
    struct task_reader *reader;
    element_visit *visit;
    void *context;
    uint64_t met[MET_LIMIT];
    size_t met_count;
    int depth;
    enum status status;
};

static bool is_fatal(enum status status) {
    return status == STATUS_GONE || status == STATUS_NOT_PERMITTED;
}

/* Keeps what is about the whole target; whatever else could not be read is not there. */
static bool went_well(struct hunt *hunt, enum status status) {
    hunt->status = is_fatal(status) ? status : hunt->status;
    return status == STATUS_OK;
}

static enum object_kind kind_of(struct hunt *hunt, struct remote object) {
    enum object_kind kind;
    return went_well(hunt, task_reader_kind(hunt->reader, object, &kind)) ? kind : KIND_UNREADABLE;
}

static bool read_word(struct hunt *hunt, struct remote at, struct remote *out) {
    return went_well(hunt, memory_read_remote(hunt->reader->runtime.memory, at, out));
}

static bool meet(struct hunt *hunt, struct remote object) {
    for (size_t i = 0; i < hunt->met_count; i++) {
        if (hunt->met[i] == object.addr) {
            return false;
        }
    }
    if (hunt->met_count == MET_LIMIT) {
        return false;
    }
    hunt->met[hunt->met_count++] = object.addr;
    return true;
}

static void hunt_from(struct hunt *hunt, struct remote future);

static bool is_task(enum object_kind kind) {
    return kind == KIND_TASK || kind == KIND_PYTHON_TASK;
}

/* A task is found; behind a future there may be some. */
static bool take_waiter(void *context, struct remote object) {
    struct hunt *hunt = context;
    enum object_kind kind = kind_of(hunt, object);
    if (is_task(kind)) {
        hunt->visit(hunt->context, object);
    } else if (kind == KIND_FUTURE || kind == KIND_PYTHON_FUTURE) {
        hunt_from(hunt, object);
    }
    return hunt->status == STATUS_OK;
}

/* ---- callbacks ---- */

/* Whether a function made in Python has this name. */
static bool is_function_named(struct hunt *hunt, struct remote function, const char *const *names) {
    const struct layout *layout = hunt->reader->runtime.layout;
    struct buffer text = {0};
    struct remote code;
    struct remote name;
    bool is_it = false;
    if (kind_of(hunt, function) == KIND_FUNCTION &&
        read_word(hunt, remote_at(function, LAYOUT_AT(layout, function, code)), &code) &&
        read_word(hunt, remote_at(code, LAYOUT_AT(layout, code, name)), &name) &&
        went_well(hunt, object_text(&hunt->reader->runtime, name, &text))) {
        for (; *names != NULL && !is_it; names++) {
            is_it = strlen(*names) == text.length && memcmp(*names, text.data, text.length) == 0;
        }
    }
    buffer_deinit(&text);
    return is_it;
}

/* Whether a function made in C has this name (PyMethodDef.ml_name comes first). */
static bool is_builtin_named(struct hunt *hunt, struct remote builtin, const char *wanted) {
    char name[NAME_LIMIT];
    uint32_t bytes = (uint32_t)strlen(wanted) + 1;
    struct remote definition;
    struct remote at;
    return read_word(
               hunt,
               remote_at(builtin, LAYOUT_AT(hunt->reader->runtime.layout, builtin, definition)),
               &definition) &&
           read_word(hunt, definition, &at) &&
           went_well(hunt, memory_read_one(hunt->reader->runtime.memory, at, name, bytes)) &&
           memcmp(name, wanted, bytes) == 0;
}

/* Functions of Lib/asyncio/tasks.py that hand a result on to a future of their closure: those of
 * gather, shield and wait. */
static const char *const handing_on[] = {"_done_callback", "_inner_done_callback", "_on_completion",
                                         NULL};
/* And of wait_for (to 3.11), which gets the future as an argument. */
static const char *const releasing[] = {"_release_waiter", NULL};
static const char *const waking[] = {"__wakeup", NULL};              /* of a task made in Python */
static const char *const group_callback[] = {"_on_task_done", NULL}; /* of TaskGroup */

struct cells {
    struct hunt *hunt;
    int left;
};

static bool take_cell(void *context, struct remote cell) {
    struct cells *cells = context;
    struct remote content;
    if (read_word(cells->hunt,
                  remote_at(cell, LAYOUT_AT(cells->hunt->reader->runtime.layout, cell, value)),
                  &content)) {
        enum object_kind kind = kind_of(cells->hunt, content);
        if (kind == KIND_FUTURE || kind == KIND_PYTHON_FUTURE) {
            hunt_from(cells->hunt, content);
        }
    }
    return --cells->left > 0 && cells->hunt->status == STATUS_OK;
}

static void take_function(struct hunt *hunt, struct remote function) {
    const struct runtime *runtime = &hunt->reader->runtime;
    struct cells cells = {hunt, CELLS_LIMIT};
    struct remote closure;
    if (is_function_named(hunt, function, handing_on) &&
        read_word(hunt, remote_at(function, LAYOUT_AT(runtime->layout, function, closure)),
                  &closure) &&
        closure.addr != 0) {
        went_well(hunt, tuple_each(runtime, closure, take_cell, &cells));
    }
}

/* functools.partial: behind the head the function, then its arguments (Modules/_functoolsmodule.c).
 */
static void take_partial(struct hunt *hunt, struct remote partial) {
    struct remote function;
    struct remote arguments;
    if (read_word(hunt, remote_at(partial, hunt->reader->head_bytes), &function) &&
        read_word(hunt, remote_at(partial, hunt->reader->head_bytes + 8), &arguments) &&
        is_function_named(hunt, function, releasing)) {
        went_well(hunt, tuple_each(&hunt->reader->runtime, arguments, take_waiter, hunt));
    }
}

static void take_method(struct hunt *hunt, struct remote method) {
    const struct layout *layout = hunt->reader->runtime.layout;
    struct remote self;
    struct remote function;
    struct remote parent;
    if (!read_word(hunt, remote_at(method, LAYOUT_AT(layout, method, self)), &self) ||
        !read_word(hunt, remote_at(method, LAYOUT_AT(layout, method, function)), &function)) {
        return;
    }
    if (is_function_named(hunt, function, waking)) {
        take_waiter(hunt, self);
    } else if (is_function_named(hunt, function, group_callback) &&
               went_well(hunt,
                         attribute_find(&hunt->reader->runtime, self, "_parent_task", &parent))) {
        take_waiter(hunt, parent);
    }
}

static void take_builtin(struct hunt *hunt, struct remote builtin) {
    struct remote self;
    if (is_builtin_named(hunt, builtin, "TaskWakeupMethWrapper") ||
        is_builtin_named(hunt, builtin, "task_wakeup")) {
        if (read_word(hunt,
                      remote_at(builtin, LAYOUT_AT(hunt->reader->runtime.layout, builtin, self)),
                      &self)) {
            take_waiter(hunt, self);
        }
    }
}

static void take_wakeup(struct hunt *hunt, struct remote wakeup) {
    struct remote task;
    if (went_well(hunt, task_reader_inner(hunt->reader, wakeup, &task))) {
        take_waiter(hunt, task);
    }
}

static void take_callback(struct hunt *hunt, struct remote callback) {
    static void (*const take[KIND_COUNT])(struct hunt *, struct remote) = {
        [KIND_WAKEUP] = take_wakeup,     [KIND_BUILTIN] = take_builtin, [KIND_METHOD] = take_method,
        [KIND_FUNCTION] = take_function, [KIND_PARTIAL] = take_partial,
    };
    enum object_kind kind = kind_of(hunt, callback);
    if (take[kind] != NULL) {
        take[kind](hunt, callback);
    }
}

/* An element of a list of callbacks: (callback, context). */
static bool take_pair(void *context, struct remote pair) {
    struct hunt *hunt = context;
    struct remote callback;
    if (read_word(hunt, remote_at(pair, LAYOUT_AT(hunt->reader->runtime.layout, tuple, items)),
                  &callback)) {
        take_callback(hunt, callback);
    }
    return hunt->status == STATUS_OK;
}

static void take_callbacks(struct hunt *hunt, struct remote list) {
    if (kind_of(hunt, list) == KIND_LIST) {
        went_well(hunt, list_each(&hunt->reader->runtime, list, take_pair, hunt));
    }
}

/* ---- what a future says ---- */

static void ask_future(struct hunt *hunt, struct remote future) {
    const struct task_layout *row = hunt->reader->runtime.layout->tasks;
    const struct task_reader *reader = hunt->reader;
    struct remote callback;
    struct remote callbacks;
    /* The rows of a version differ behind what is read here. */
    if (read_word(hunt, task_reader_place(reader, future, row->callback0), &callback) &&
        callback.addr != 0) {
        take_callback(hunt, callback);
    }
    if (read_word(hunt, task_reader_place(reader, future, row->callbacks), &callbacks) &&
        callbacks.addr != 0) {
        take_callbacks(hunt, callbacks);
    }
}

/* From 3.14 on: nothing, one future, or a set of them. */
static void ask_awaited_by(struct hunt *hunt, struct remote future) {
    const struct task_layout *row = hunt->reader->runtime.layout->tasks;
    const struct task_reader *reader = hunt->reader;
    struct remote waiter;
    uint8_t is_set = 0;
    if (!read_word(hunt, task_reader_place(reader, future, row->awaited_by), &waiter) ||
        waiter.addr == 0 ||
        !went_well(hunt, memory_read_one(reader->runtime.memory,
                                         task_reader_place(reader, future, row->awaited_by_is_set),
                                         &is_set, 1))) {
        return;
    }
    if (is_set == 0) {
        take_waiter(hunt, waiter);
    } else if (kind_of(hunt, waiter) == KIND_SET) {
        went_well(hunt, set_each(&reader->runtime, waiter, take_waiter, hunt));
    }
}

static void ask_python_future(struct hunt *hunt, struct remote future) {
    const struct runtime *runtime = &hunt->reader->runtime;
    struct remote value;
    if (runtime->layout->tasks->awaited_by != TASK_NOWHERE &&
        went_well(hunt, attribute_find(runtime, future, "_Future__asyncio_awaited_by", &value))) {
        if (kind_of(hunt, value) == KIND_SET) {
            went_well(hunt, set_each(runtime, value, take_waiter, hunt));
        }
    } else if (went_well(hunt, attribute_find(runtime, future, "_callbacks", &value))) {
        take_callbacks(hunt, value);
    }
}

static void hunt_from(struct hunt *hunt, struct remote future) {
    if (hunt->depth == DEPTH_LIMIT || hunt->status != STATUS_OK || !meet(hunt, future)) {
        return;
    }
    hunt->depth++;
    enum object_kind kind = kind_of(hunt, future);
    if (kind == KIND_PYTHON_TASK || kind == KIND_PYTHON_FUTURE) {
        ask_python_future(hunt, future);
    } else if (kind == KIND_TASK || kind == KIND_FUTURE) {
        if (hunt->reader->runtime.layout->tasks->awaited_by != TASK_NOWHERE) {
            ask_awaited_by(hunt, future);
        } else {
            ask_future(hunt, future);
        }
    }
    hunt->depth--;
}

enum status task_parents_each(struct task_reader *reader, struct remote object,
                              element_visit *visit, void *context) {
    struct hunt hunt = {.reader = reader, .visit = visit, .context = context};
    hunt_from(&hunt, object);
    return hunt.status;
}
