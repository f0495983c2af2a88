#include "target-runtime/repr.h"

#include <inttypes.h>
#include <stdbool.h>

#include "target-runtime/integer.h"
#include "target-runtime/objects.h"
#include "target-runtime/repr_text.h"

enum {
    SET_SLOTS = 512, /* of a set that are looked at */
    SLOT_BYTES = 16, /* setentry: key, hash (Include/setobject.h) */
};

static void append_object(struct repr *repr, struct remote object, int depth, struct buffer *out);

static bool read_u64(const struct repr *repr, struct remote from, uint64_t *out) {
    uint8_t bytes[8] = {0};
    bool ok = memory_read_one(repr->runtime->memory, from, bytes, sizeof bytes) == STATUS_OK;
    *out = load_u64(bytes);
    return ok;
}

static void append_unreadable(struct buffer *out) {
    buffer_printf(out, REPR_UNREADABLE);
}

/* ---- what holds no other objects ---- */

static void append_bool(struct repr *repr, struct remote object, struct buffer *out) {
    uint64_t value;
    if (object_integer(repr->runtime, object, &value) == STATUS_OK && value <= 1) {
        buffer_printf(out, value != 0 ? "True" : "False");
    } else {
        append_unreadable(out);
    }
}

static void append_integer(struct repr *repr, struct remote object, struct buffer *out) {
    struct integer integer;
    if (integer_read(repr->runtime, object, &integer) == STATUS_OK) {
        integer_print(&integer, out);
    } else {
        append_unreadable(out);
    }
}

static void append_float(struct repr *repr, struct remote object, struct buffer *out) {
    double value;
    if (memory_read_one(repr->runtime->memory,
                        remote_at(object, LAYOUT_AT(repr->runtime->layout, float, value)), &value,
                        sizeof value) == STATUS_OK) {
        repr_text_float(value, out);
    } else {
        append_unreadable(out);
    }
}

static void append_string(struct repr *repr, struct remote object, struct buffer *out) {
    uint32_t points[REPR_TEXT_COUNT];
    uint64_t length;
    if (object_code_points(repr->runtime, object, points, REPR_TEXT_COUNT, &length) == STATUS_OK) {
        size_t count = length < REPR_TEXT_COUNT ? (size_t)length : REPR_TEXT_COUNT;
        repr_text_string(points, count, length, out);
    } else {
        append_unreadable(out);
    }
}

static void append_bytes(struct repr *repr, struct remote object, struct buffer *out) {
    const struct layout *layout = repr->runtime->layout;
    uint8_t bytes[REPR_TEXT_COUNT];
    uint64_t length;
    if (!read_u64(repr, remote_at(object, LAYOUT_AT(layout, bytes, count)), &length) ||
        length > INT64_MAX) {
        append_unreadable(out);
        return;
    }
    uint32_t count = length < REPR_TEXT_COUNT ? (uint32_t)length : REPR_TEXT_COUNT;
    if (count == 0 ||
        memory_read_one(repr->runtime->memory, remote_at(object, LAYOUT_AT(layout, bytes, data)),
                        bytes, count) == STATUS_OK) {
        repr_text_bytes(bytes, count, length, out);
    } else {
        append_unreadable(out);
    }
}

/* ---- containers ---- */

/* How a container is written around its items. */
struct brackets {
    const char *open;
    const char *close;
    const char *empty; /* the whole of one without items */
};

static const struct brackets tuple_brackets = {"(", ")", "()"};
static const struct brackets list_brackets = {"[", "]", "[]"};
static const struct brackets dict_brackets = {"{", "}", "{}"};
static const struct brackets set_brackets = {"{", "}", "set()"};
static const struct brackets frozenset_brackets = {"frozenset({", "})", "frozenset()"};

/* One that is being written. */
struct container {
    struct repr *repr;
    const struct brackets *brackets;
    struct buffer *out;
    int depth;
    size_t count; /* items written */
    bool is_cut;
};

/* False when there is no room for another item. */
static bool begin_item(struct container *container) {
    if (container->count == REPR_ITEMS || container->repr->objects_left == 0) {
        container->is_cut = true;
        return false;
    }
    buffer_printf(container->out, "%s", container->count > 0 ? ", " : container->brackets->open);
    container->count++;
    return true;
}

static bool append_item(struct container *container, struct remote item) {
    if (!begin_item(container)) {
        return false;
    }
    append_object(container->repr, item, container->depth + 1, container->out);
    return true;
}

static void end_container(const struct container *container) {
    if (container->count == 0) {
        buffer_printf(container->out, container->is_cut ? "%s...%s" : "%s",
                      container->is_cut ? container->brackets->open : container->brackets->empty,
                      container->brackets->close);
        return;
    }
    bool is_pair_of_one = container->brackets == &tuple_brackets && container->count == 1;
    buffer_printf(container->out, "%s%s",
                  container->is_cut ? ", ..."
                  : is_pair_of_one  ? ","
                                    : "",
                  container->brackets->close);
}

/* `count` pointers at `items`. */
static void append_array(struct container *container, struct remote items, uint64_t count) {
    uint8_t words[REPR_ITEMS * 8];
    size_t shown = count < REPR_ITEMS ? (size_t)count : REPR_ITEMS;
    if (shown > 0 && memory_read_one(container->repr->runtime->memory, items, words,
                                     (uint32_t)shown * 8) != STATUS_OK) {
        append_unreadable(container->out);
        return;
    }
    for (size_t i = 0; i < shown; i++) {
        append_item(container, load_remote(words + i * 8));
    }
    container->is_cut = container->is_cut || count > shown;
    end_container(container);
}

static void append_tuple(struct container *container, struct remote object) {
    const struct layout *layout = container->repr->runtime->layout;
    uint64_t count;
    if (read_u64(container->repr, remote_at(object, LAYOUT_AT(layout, object, var_count)),
                 &count)) {
        append_array(container, remote_at(object, LAYOUT_AT(layout, tuple, items)), count);
    } else {
        append_unreadable(container->out);
    }
}

static void append_list(struct container *container, struct remote object) {
    const struct layout *layout = container->repr->runtime->layout;
    uint64_t count;
    uint64_t items;
    if (read_u64(container->repr, remote_at(object, LAYOUT_AT(layout, object, var_count)),
                 &count) &&
        read_u64(container->repr, remote_at(object, LAYOUT_AT(layout, list, items)), &items)) {
        append_array(container, (struct remote){items}, count);
    } else {
        append_unreadable(container->out);
    }
}

static bool append_entry(void *context, struct remote key, struct remote value) {
    struct container *container = context;
    if (!append_item(container, key)) {
        return false;
    }
    buffer_printf(container->out, ": ");
    append_object(container->repr, value, container->depth + 1, container->out);
    return true;
}

static void append_dict(struct container *container, struct remote object) {
    const struct runtime *runtime = container->repr->runtime;
    struct dict_entries entries;
    bool is_whole = dict_entries_of(runtime, object, &entries) == STATUS_OK &&
                    dict_each(runtime, &entries, append_entry, container) == STATUS_OK;
    if (!is_whole && container->count == 0) {
        append_unreadable(container->out);
        return;
    }
    container->is_cut = container->is_cut || !is_whole;
    end_container(container);
}

/* A slot of a set is empty (no key), was emptied (hash -1, Objects/setobject.c), or has an item. */
static bool has_item(const uint8_t *slot) {
    return load_u64(slot) != 0 && load_u64(slot + 8) != UINT64_MAX;
}

static void append_set(struct container *container, struct remote object) {
    const struct layout *layout = container->repr->runtime->layout;
    uint8_t slots[SET_SLOTS * SLOT_BYTES];
    uint64_t used;
    uint64_t mask;
    uint64_t table;
    if (!read_u64(container->repr, remote_at(object, LAYOUT_AT(layout, set, used)), &used) ||
        !read_u64(container->repr, remote_at(object, LAYOUT_AT(layout, set, mask)), &mask) ||
        !read_u64(container->repr, remote_at(object, LAYOUT_AT(layout, set, table)), &table)) {
        append_unreadable(container->out);
        return;
    }
    uint32_t count = mask < SET_SLOTS ? (uint32_t)mask + 1 : SET_SLOTS;
    if (memory_read_one(container->repr->runtime->memory, (struct remote){table}, slots,
                        count * SLOT_BYTES) != STATUS_OK) {
        append_unreadable(container->out);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *slot = slots + (size_t)i * SLOT_BYTES;
        if (has_item(slot) && !append_item(container, load_remote(slot))) {
            break;
        }
    }
    container->is_cut = container->is_cut || used > container->count;
    end_container(container);
}

/* ---- any object ---- */

/* A container too deep to be looked into. */
static void append_closed(const struct brackets *brackets, struct buffer *out) {
    buffer_printf(out, "%s...%s", brackets->open, brackets->close);
}

static void append_container(struct repr *repr, struct remote object,
                             const struct brackets *brackets,
                             void (*append)(struct container *, struct remote), int depth,
                             struct buffer *out) {
    struct container container = {.repr = repr, .brackets = brackets, .out = out, .depth = depth};
    if (depth >= REPR_DEPTH) {
        append_closed(brackets, out);
    } else {
        append(&container, object);
    }
}

static void append_of_kind(struct repr *repr, struct remote object, const struct type *type,
                           int depth, struct buffer *out) {
    switch (type->kind) {
    case TYPE_NONE: buffer_printf(out, "None"); break;
    case TYPE_BOOL: append_bool(repr, object, out); break;
    case TYPE_INT: append_integer(repr, object, out); break;
    case TYPE_FLOAT: append_float(repr, object, out); break;
    case TYPE_STR: append_string(repr, object, out); break;
    case TYPE_BYTES: append_bytes(repr, object, out); break;
    case TYPE_TUPLE:
        append_container(repr, object, &tuple_brackets, append_tuple, depth, out);
        break;
    case TYPE_LIST: append_container(repr, object, &list_brackets, append_list, depth, out); break;
    case TYPE_DICT: append_container(repr, object, &dict_brackets, append_dict, depth, out); break;
    case TYPE_SET: append_container(repr, object, &set_brackets, append_set, depth, out); break;
    case TYPE_FROZENSET:
        append_container(repr, object, &frozenset_brackets, append_set, depth, out);
        break;
    case TYPE_CELL:
    case TYPE_OTHER:
        buffer_printf(out, "<%s at 0x%" PRIx64 ">", type->name.data, object.addr);
        break;
    }
}

static const struct type *type_of(struct repr *repr, struct remote object) {
    uint64_t type;
    bool ok =
        repr->runtime->memory->calls < repr->last_call &&
        read_u64(repr, remote_at(object, LAYOUT_AT(repr->runtime->layout, object, type)), &type);
    return ok ? types_find(&repr->types, repr->runtime, (struct remote){type}) : NULL;
}

static void append_object(struct repr *repr, struct remote object, int depth, struct buffer *out) {
    const struct type *type = type_of(repr, object);
    repr->objects_left -= repr->objects_left > 0;
    if (type == NULL) {
        append_unreadable(out);
    } else {
        append_of_kind(repr, object, type, depth, out);
    }
}

void repr_append(struct repr *repr, struct remote object, struct buffer *out) {
    repr->objects_left = REPR_OBJECTS;
    append_object(repr, object, 0, out);
}

enum status repr_cell(struct repr *repr, struct remote cell, struct remote *out) {
    const struct type *type = type_of(repr, cell);
    if (type == NULL || type->kind != TYPE_CELL) {
        return STATUS_TORN;
    }
    return memory_read_remote(repr->runtime->memory,
                              remote_at(cell, LAYOUT_AT(repr->runtime->layout, cell, value)), out);
}

void repr_init(struct repr *repr, const struct runtime *runtime, uint64_t calls) {
    *repr = (struct repr){.runtime = runtime, .last_call = runtime->memory->calls + calls};
}

void repr_deinit(struct repr *repr) {
    types_deinit(&repr->types);
}
