#include "target-runtime/names.h"

#include <stdlib.h>
#include <string.h>

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
    enum status status = memory_read_remote(
        runtime->memory, remote_at(code, LAYOUT_AT(layout, code, names)), &tuple);
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

/* Reads the pointer at `place` of each object in `codes`, which takes its place; 0 where there is
 * none. */
static enum status follow(const struct runtime *runtime, uint64_t *objects, uint32_t count,
                          uint32_t place) {
    uint8_t *words = memory_zeroed(count, 8);
    struct range *ranges = memory_zeroed(count, sizeof *ranges);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (objects[i] != 0) {
            ranges[wanted++] = (struct range){remote_at((struct remote){objects[i]}, place),
                                              words + (size_t)i * 8, 8, STATUS_NOT_MAPPED};
        }
    }
    enum status status = memory_read(runtime->memory, ranges, wanted);
    for (uint32_t i = 0, next = 0; i < count; i++) {
        bool is_read = objects[i] != 0 && ranges[next++].status == STATUS_OK;
        objects[i] = is_read && status == STATUS_OK ? load_u64(words + (size_t)i * 8) : 0;
    }
    free(words);
    free(ranges);
    return status;
}

/* Turns functions into their code, and everything else into nothing: a function is what has a code
 * object where functions have theirs. */
static enum status follow_functions(const struct runtime *runtime, struct names *names) {
    uint64_t *codes = memory_zeroed(names->count, sizeof *codes);
    uint64_t *types = memory_zeroed(names->count, sizeof *types);
    for (uint32_t i = 0; i < names->count; i++) {
        codes[i] = names->rows[i].code;
    }
    enum status status =
        follow(runtime, codes, names->count, LAYOUT_AT(runtime->layout, function, code));
    memcpy(types, codes, names->count * sizeof *types);
    if (status == STATUS_OK) {
        status = follow(runtime, types, names->count, LAYOUT_AT(runtime->layout, object, type));
    }
    for (uint32_t i = 0; i < names->count; i++) {
        bool is_code = types[i] != 0 && types[i] == runtime->code_type.addr;
        names->rows[i].code = is_code && status == STATUS_OK ? codes[i] : 0;
    }
    free(codes);
    free(types);
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

enum status names_read(const struct runtime *runtime, struct remote code, struct remote globals,
                       struct names *out) {
    *out = (struct names){0};
    enum status status = read_texts(runtime, code, out);
    if (status == STATUS_OK && out->count > 0) {
        status = look_up(runtime, globals, out);
    }
    return status;
}

void names_free(struct names *names) {
    free(names->rows);
    *names = (struct names){0};
}
