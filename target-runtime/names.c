#include "target-runtime/names.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "target-runtime/objects.h"

enum {
    NAME_LIMIT = 4096,
    GLOBAL_LIMIT = 1 << 16,
};

/* ---- the names ---- */

static enum status read_texts(const struct runtime *runtime, struct remote code,
                              struct names *out) {
    const struct layout *layout = runtime->layout;
    struct remote tuple;
    uint8_t head[8];
    enum status status =
        memory_read_remote(runtime->memory, remote_at(code, LAYOUT_AT(layout, code, names)), &tuple);
    if (status == STATUS_OK) {
        status = memory_read_one(runtime->memory,
                                 remote_at(tuple, LAYOUT_AT(layout, object, var_count)), head, 8);
    }
    uint64_t count = status == STATUS_OK ? load_u64(head) : 0;
    if (status != STATUS_OK || count == 0 || count > NAME_LIMIT) {
        return status == STATUS_OK && count != 0 ? STATUS_TORN : status;
    }
    uint8_t *items = memory_zeroed(count, 8);
    status = memory_read_one(runtime->memory, remote_at(tuple, LAYOUT_AT(layout, tuple, items)),
                             items, (uint32_t)count * 8);
    out->rows = memory_zeroed(count, sizeof *out->rows);
    out->count = (uint32_t)count;
    for (uint32_t i = 0; i < out->count; i++) {
        out->rows[i].text = load_u64(items + (size_t)i * 8);
    }
    free(items);
    return status;
}

/* ---- the globals ---- */

/* The globals of a frame, if it is one of that code. */
static enum status read_globals(const struct runtime *runtime, struct remote frame,
                                struct remote code, struct remote *out) {
    const struct layout *layout = runtime->layout;
    bool is_object = layout->frame_chain == FRAME_CHAIN_OBJECTS;
    uint32_t code_at = is_object ? LAYOUT_AT(layout, frame_object, code)
                                 : LAYOUT_AT(layout, frame, executable);
    uint32_t globals_at = is_object ? LAYOUT_AT(layout, frame_object, globals)
                                    : LAYOUT_AT(layout, frame, globals);
    uint8_t words[2][8];
    struct range ranges[2] = {
        {remote_at(frame, code_at), words[0], 8, STATUS_NOT_MAPPED},
        {remote_at(frame, globals_at), words[1], 8, STATUS_NOT_MAPPED},
    };
    enum status status = memory_read(runtime->memory, ranges, 2);
    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        status = ranges[i].status;
    }
    if (status == STATUS_OK && (load_u64(words[0]) & ~UINT64_C(3)) != code.addr) {
        return STATUS_TORN;
    }
    *out = (struct remote){status == STATUS_OK ? load_u64(words[1]) : 0};
    return status;
}

/* Names in the order of their texts' addresses, to find one among thousands. */
struct search {
    struct name **sorted;
    const struct names *names;
};

static int compare_texts(const void *a, const void *b) {
    const struct name *one = *(const struct name *const *)a;
    const struct name *other = *(const struct name *const *)b;
    return one->text < other->text ? -1 : one->text > other->text;
}

static bool visit_global(void *context, struct remote key, struct remote value) {
    struct search *search = context;
    struct name wanted = {.text = key.addr};
    struct name *wanted_at = &wanted;
    struct name **found = bsearch(&wanted_at, search->sorted, search->names->count,
                                  sizeof(struct name *), compare_texts);
    if (found != NULL) {
        (*found)->code = value.addr;
    }
    return true;
}

/* Turns functions into their code. What else a global may be has something else, or nothing, at
 * that place, and so is taken for none that anybody will ask for. */
static enum status follow_functions(const struct runtime *runtime, struct names *names) {
    uint32_t code_at = LAYOUT_AT(runtime->layout, function, code);
    uint8_t *words = memory_zeroed(names->count, 8);
    struct range *ranges = memory_zeroed(names->count, sizeof *ranges);
    for (uint32_t i = 0; i < names->count; i++) {
        struct remote value = {names->rows[i].code};
        ranges[i] = (struct range){value.addr != 0 ? remote_at(value, code_at) : value,
                                   words + (size_t)i * 8, 8, STATUS_NOT_MAPPED};
    }
    enum status status = memory_read(runtime->memory, ranges, names->count);
    for (uint32_t i = 0; i < names->count; i++) {
        bool is_read = status == STATUS_OK && ranges[i].status == STATUS_OK;
        names->rows[i].code = is_read ? load_u64(words + (size_t)i * 8) : 0;
    }
    free(words);
    free(ranges);
    return status;
}

static enum status look_up(const struct runtime *runtime, struct remote globals,
                           struct names *names) {
    struct dict_entries entries;
    enum status status = dict_entries_of(runtime, globals, &entries);
    if (status != STATUS_OK || entries.count > GLOBAL_LIMIT) {
        return status == STATUS_OK ? STATUS_TORN : status;
    }
    struct search search = {.names = names};
    search.sorted = memory_zeroed(names->count, sizeof *search.sorted);
    for (uint32_t i = 0; i < names->count; i++) {
        search.sorted[i] = &names->rows[i];
    }
    qsort(search.sorted, names->count, sizeof *search.sorted, compare_texts);
    status = dict_each(runtime, &entries, visit_global, &search);
    free(search.sorted);
    return status == STATUS_OK ? follow_functions(runtime, names) : status;
}

/* ---- both ---- */

enum status names_read(const struct runtime *runtime, struct remote code, struct remote frame,
                       struct names *out) {
    struct remote globals;
    *out = (struct names){0};
    enum status status = read_texts(runtime, code, out);
    if (status == STATUS_OK && out->count > 0) {
        status = read_globals(runtime, frame, code, &globals);
    }
    if (status == STATUS_OK && out->count > 0) {
        status = look_up(runtime, globals, out);
    }
    return status;
}

void names_free(struct names *names) {
    free(names->rows);
    *names = (struct names){0};
}
