#include "target-runtime/locals.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/frame.h"
#include "target-runtime/objects.h"

enum {
    LOOKS = 4, /* at what changes */
    NAME_POINTS = 200,
};

/* pycore_code.h, CO_FAST_CELL and CO_FAST_FREE (3.11-). */
enum { KIND_CELL = 0x40, KIND_FREE = 0x80 };

struct name {
    struct buffer text;
    bool is_cell; /* the slot may hold a cell, which holds the value */
};

/* The names of a code object's slots, in their order. */
struct names_of_code {
    uint64_t code;
    struct name *all;
    size_t count;
    bool is_readable;
    bool is_cut;
};

struct locals {
    struct repr repr;
    struct names_of_code *codes;
    size_t code_count;
    size_t code_capacity;
};

/* ---- names ---- */

static bool read_name(const struct runtime *runtime, struct remote object, struct buffer *out) {
    uint32_t points[NAME_POINTS];
    uint64_t length;
    if (object_code_points(runtime, object, points, NAME_POINTS, &length) != STATUS_OK) {
        return false;
    }
    for (uint64_t i = 0; i < length && i < NAME_POINTS; i++) {
        buffer_append_code_point(out, points[i]);
    }
    return length > 0;
}

/* Appends the names in the tuple that a field of the code object points to. */
static bool append_names(const struct runtime *runtime, uint32_t field_at, bool is_cell,
                         struct names_of_code *out) {
    const struct layout *layout = runtime->layout;
    struct remote tuple;
    struct remote items[LOCALS_LIMIT];
    uint8_t word[8];
    if (memory_read_remote(runtime->memory, remote_at((struct remote){out->code}, field_at),
                           &tuple) != STATUS_OK ||
        memory_read_one(runtime->memory, remote_at(tuple, LAYOUT_AT(layout, object, var_count)),
                        word, sizeof word) != STATUS_OK) {
        return false;
    }
    uint64_t count = load_u64(word);
    size_t room = LOCALS_LIMIT - out->count;
    out->is_cut = out->is_cut || count > room;
    count = count < room ? count : room;
    if (count > 0 &&
        memory_read_one(runtime->memory, remote_at(tuple, LAYOUT_AT(layout, tuple, items)), items,
                        (uint32_t)(count * sizeof items[0])) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct name *name = &out->all[out->count++];
        name->is_cell = is_cell;
        if (!read_name(runtime, items[i], &name->text)) {
            return false;
        }
    }
    return true;
}

static bool note_cells(const struct runtime *runtime, struct names_of_code *names) {
    const struct layout *layout = runtime->layout;
    uint8_t kinds[LOCALS_LIMIT];
    struct remote bytes;
    if (memory_read_remote(
            runtime->memory,
            remote_at((struct remote){names->code}, LAYOUT_AT(layout, code, localspluskinds)),
            &bytes) != STATUS_OK ||
        (names->count > 0 &&
         memory_read_one(runtime->memory, remote_at(bytes, LAYOUT_AT(layout, bytes, data)), kinds,
                         (uint32_t)names->count) != STATUS_OK)) {
        return false;
    }
    for (size_t i = 0; i < names->count; i++) {
        names->all[i].is_cell = (kinds[i] & (KIND_CELL | KIND_FREE)) != 0;
    }
    return true;
}

static bool read_names(const struct runtime *runtime, struct names_of_code *out) {
    const struct layout *layout = runtime->layout;
    switch (layout->local_names) {
    case LOCAL_NAMES_BY_KIND:
        return append_names(runtime, LAYOUT_AT(layout, code, varnames), false, out) &&
               append_names(runtime, LAYOUT_AT(layout, code, cellvars), true, out) &&
               append_names(runtime, LAYOUT_AT(layout, code, freevars), true, out);
    case LOCAL_NAMES_TOGETHER:
        return append_names(runtime, LAYOUT_AT(layout, code, localsplusnames), false, out) &&
               note_cells(runtime, out);
    }
    return false;
}

/* Borrowed until the next call. */
static const struct names_of_code *names_of(struct locals *locals, uint64_t code) {
    for (size_t i = 0; i < locals->code_count; i++) {
        if (locals->codes[i].code == code) {
            return &locals->codes[i];
        }
    }
    if (locals->code_count == locals->code_capacity) {
        locals->codes = memory_grow(locals->codes, sizeof *locals->codes, locals->code_count + 1,
                                    &locals->code_capacity);
    }
    struct names_of_code *names = &locals->codes[locals->code_count++];
    *names = (struct names_of_code){.code = code};
    names->all = memory_zeroed(LOCALS_LIMIT, sizeof *names->all);
    names->is_readable = read_names(locals->repr.runtime, names);
    return names;
}

/* ---- values ---- */

/* The object in a slot, NULL if it has none: from 3.14 on tagged as a frame's code is. */
static bool object_in(struct locals *locals, uint64_t slot, bool is_cell, struct remote *out) {
    *out = (struct remote){frame_code(locals->repr.runtime->layout, slot)};
    if (!is_cell || out->addr == 0) {
        return true;
    }
    struct remote held;
    enum status status = repr_cell(&locals->repr, *out, &held);
    /* An argument is put into its cell when its function begins (3.11-, MAKE_CELL). */
    if (status != STATUS_TORN) {
        *out = held;
    }
    return status == STATUS_OK || status == STATUS_TORN;
}

/* Makes the texts of all slots; an empty one for what has no value. */
static bool look_at_slots(struct locals *locals, const struct raw_frame *frame,
                          const struct names_of_code *names, struct buffer *texts) {
    const struct runtime *runtime = locals->repr.runtime;
    uint64_t slots[LOCALS_LIMIT];
    struct remote from =
        remote_at((struct remote){frame->at}, LAYOUT_AT(runtime->layout, locals, slots));
    if (names->count > 0 &&
        memory_read_one(runtime->memory, from, slots, (uint32_t)(names->count * 8)) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < names->count; i++) {
        struct remote object;
        buffer_clear(&texts[i]);
        if (!object_in(locals, slots[i], names->all[i].is_cell, &object)) {
            buffer_printf(&texts[i], REPR_UNREADABLE);
        } else if (object.addr != 0) {
            repr_append(&locals->repr, object, &texts[i]);
        }
    }
    return true;
}

static bool same_text(const struct buffer *a, const struct buffer *b) {
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

static void swap(struct buffer *a, struct buffer *b) {
    struct buffer held = *a;
    *a = *b;
    *b = held;
}

/* Keeps in `texts` those that `again` has too. Returns how many have changed. */
static size_t compare(struct buffer *texts, struct buffer *again, size_t count) {
    size_t changed = 0;
    for (size_t i = 0; i < count; i++) {
        changed += !same_text(&texts[i], &again[i]);
        swap(&texts[i], &again[i]);
    }
    return changed;
}

static void mark_changing(struct buffer *texts, const struct buffer *before, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!same_text(&texts[i], &before[i])) {
            buffer_clear(&texts[i]);
            buffer_printf(&texts[i], LOCALS_CHANGING);
        }
    }
}

static bool look_until_agreed(struct locals *locals, const struct raw_frame *frame,
                              const struct names_of_code *names, bool is_stopped,
                              struct buffer *texts) {
    bool ok = look_at_slots(locals, frame, names, texts);
    if (!ok || is_stopped) {
        return ok;
    }
    struct buffer *again = memory_zeroed(names->count + 1, sizeof *again);
    size_t changed = names->count;
    for (int looks = 1; ok && changed > 0 && looks < LOOKS; looks++) {
        ok = look_at_slots(locals, frame, names, again);
        changed = compare(texts, again, names->count);
    }
    mark_changing(texts, again, names->count);
    for (size_t i = 0; i < names->count; i++) {
        buffer_deinit(&again[i]);
    }
    free(again);
    return ok;
}

static void take_values(const struct names_of_code *names, struct buffer *texts,
                        struct frame_locals *out) {
    out->is_readable = true;
    out->is_cut = names->is_cut;
    for (size_t i = 0; i < names->count; i++) {
        if (texts[i].length > 0) {
            struct local *local = &out->all[out->count++];
            buffer_append(&local->name, names->all[i].text.data, names->all[i].text.length);
            swap(&local->value, &texts[i]);
        }
    }
}

void locals_read(struct locals *locals, const struct raw_frame *frame, bool is_stopped,
                 struct frame_locals *out) {
    *out = (struct frame_locals){0};
    if (locals->repr.runtime->memory->calls >= locals->repr.last_call) {
        return;
    }
    const struct names_of_code *names = names_of(locals, frame->code);
    if (!names->is_readable) {
        return;
    }
    struct buffer *texts = memory_zeroed(names->count + 1, sizeof *texts);
    out->all = memory_zeroed(names->count + 1, sizeof *out->all);
    if (look_until_agreed(locals, frame, names, is_stopped, texts)) {
        take_values(names, texts, out);
    }
    for (size_t i = 0; i < names->count; i++) {
        buffer_deinit(&texts[i]);
    }
    free(texts);
}

void locals_free(struct frame_locals *frame_locals) {
    for (size_t i = 0; i < frame_locals->count; i++) {
        buffer_deinit(&frame_locals->all[i].name);
        buffer_deinit(&frame_locals->all[i].value);
    }
    free(frame_locals->all);
    *frame_locals = (struct frame_locals){0};
}

/* ---- life ---- */

struct locals *locals_create(const struct runtime *runtime, uint64_t calls) {
    struct locals *locals = memory_zeroed(1, sizeof *locals);
    repr_init(&locals->repr, runtime, calls);
    return locals;
}

void locals_destroy(struct locals *locals) {
    if (locals == NULL) {
        return;
    }
    for (size_t i = 0; i < locals->code_count; i++) {
        for (size_t k = 0; k < LOCALS_LIMIT; k++) {
            buffer_deinit(&locals->codes[i].all[k].text);
        }
        free(locals->codes[i].all);
    }
    free(locals->codes);
    repr_deinit(&locals->repr);
    free(locals);
}
