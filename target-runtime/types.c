#include "target-runtime/types.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/objects.h"

enum {
    TYPES_LIMIT = 4096,
    NAME_BYTES = 200, /* of a name; what is longer is cut */
    PAGE_BYTES = 4096,
    CLASS_ENTRIES = 256, /* of a class that are looked at */
};

/* Include/object.h, the same in all versions. */
#define TYPE_FLAG_HEAP          (UINT64_C(1) << 9)
#define TYPE_FLAG_TYPE_SUBCLASS (UINT64_C(1) << 31)

static const struct {
    const char *name;
    enum type_kind kind;
} plain_types[] = {
    {"NoneType", TYPE_NONE},
    {"bool", TYPE_BOOL},
    {"int", TYPE_INT},
    {"float", TYPE_FLOAT},
    {"str", TYPE_STR},
    {"bytes", TYPE_BYTES},
    {"tuple", TYPE_TUPLE},
    {"list", TYPE_LIST},
    {"dict", TYPE_DICT},
    {"set", TYPE_SET},
    {"frozenset", TYPE_FROZENSET},
    {"cell", TYPE_CELL},
};

/* Only C makes types that are not on the heap, and it does not give these names to others. */
static enum type_kind kind_of(uint64_t flags, const char *name) {
    for (size_t i = 0; i < sizeof plain_types / sizeof plain_types[0]; i++) {
        if ((flags & TYPE_FLAG_HEAP) == 0 && strcmp(plain_types[i].name, name) == 0) {
            return plain_types[i].kind;
        }
    }
    return TYPE_OTHER;
}

/* A text that ends with a 0, up to NAME_BYTES of it; it may lie at the end of what is mapped. */
static enum status read_name(const struct runtime *runtime, struct remote from, char *out) {
    uint32_t to_end = (uint32_t)(PAGE_BYTES - from.addr % PAGE_BYTES);
    uint32_t first = to_end < NAME_BYTES ? to_end : NAME_BYTES;
    memset(out, 0, NAME_BYTES + 1);
    enum status status = memory_read_one(runtime->memory, from, out, first);
    if (status == STATUS_OK && first < NAME_BYTES && memchr(out, 0, first) == NULL) {
        status = memory_read_one(runtime->memory, remote_at(from, first), out + first,
                                 NAME_BYTES - first);
    }
    return status;
}

/* The type of a type, which tells whether that is one, and its flags. */
static bool read_head(const struct runtime *runtime, struct remote address, struct remote *type_out,
                      uint64_t *flags_out) {
    const struct layout *layout = runtime->layout;
    uint8_t words[2][8];
    struct range ranges[2] = {
        {remote_at(address, LAYOUT_AT(layout, object, type)), words[0], 8, STATUS_NOT_MAPPED},
        {remote_at(address, LAYOUT_AT(layout, type, flags)), words[1], 8, STATUS_NOT_MAPPED},
    };
    if (memory_read(runtime->memory, ranges, 2) != STATUS_OK || ranges[0].status != STATUS_OK ||
        ranges[1].status != STATUS_OK) {
        return false;
    }
    *type_out = load_remote(words[0]);
    *flags_out = load_u64(words[1]);
    return true;
}

/* Appends a str, or its first NAME_BYTES characters. */
static bool append_text(const struct runtime *runtime, struct remote object, struct buffer *out) {
    uint32_t points[NAME_BYTES];
    uint64_t length;
    if (object_code_points(runtime, object, points, NAME_BYTES, &length) != STATUS_OK) {
        return false;
    }
    for (uint64_t i = 0; i < length && i < NAME_BYTES; i++) {
        buffer_append_code_point(out, points[i]);
    }
    return length > 0;
}

struct module_search {
    const struct runtime *runtime;
    struct remote module;
};

static bool is_module_entry(void *context, struct remote key, struct remote value) {
    struct module_search *search = context;
    struct buffer text = {0};
    if (append_text(search->runtime, key, &text) && strcmp(text.data, "__module__") == 0) {
        search->module = value;
    }
    buffer_deinit(&text);
    return search->module.addr == 0;
}

/* A class made in Python has its module in its dict, mostly as its first entry
 * (Objects/typeobject.c, type_new). */
static void append_module(const struct runtime *runtime, struct remote address,
                          struct buffer *out) {
    struct module_search search = {runtime, {0}};
    struct remote dict;
    struct dict_entries entries;
    struct buffer name = {0};
    if (memory_read_remote(runtime->memory,
                           remote_at(address, LAYOUT_AT(runtime->layout, type, dict)),
                           &dict) != STATUS_OK ||
        dict_entries_of(runtime, dict, &entries) != STATUS_OK) {
        return;
    }
    entries.count = entries.count < CLASS_ENTRIES ? entries.count : CLASS_ENTRIES;
    if (dict_each(runtime, &entries, is_module_entry, &search) == STATUS_OK &&
        search.module.addr != 0 && append_text(runtime, search.module, &name) &&
        strcmp(name.data, "builtins") != 0) {
        buffer_printf(out, "%s.", name.data);
    }
    buffer_deinit(&name);
}

static bool read_type(const struct runtime *runtime, struct remote address, struct type *out) {
    struct remote metatype;
    struct remote name_at;
    uint64_t flags;
    uint64_t metaflags;
    char name[NAME_BYTES + 1];
    if (!read_head(runtime, address, &metatype, &flags) ||
        !read_head(runtime, metatype, &(struct remote){0}, &metaflags) ||
        (metaflags & TYPE_FLAG_TYPE_SUBCLASS) == 0 ||
        memory_read_remote(runtime->memory,
                           remote_at(address, LAYOUT_AT(runtime->layout, type, name)),
                           &name_at) != STATUS_OK ||
        read_name(runtime, name_at, name) != STATUS_OK) {
        return false;
    }
    *out = (struct type){.address = address, .kind = kind_of(flags, name)};
    if ((flags & TYPE_FLAG_HEAP) != 0) {
        append_module(runtime, address, &out->name);
    }
    buffer_append_utf8(&out->name, name, strlen(name));
    return true;
}

const struct type *types_find(struct types *types, const struct runtime *runtime,
                              struct remote address) {
    struct type type;
    for (size_t i = 0; i < types->count; i++) {
        if (types->all[i].address.addr == address.addr) {
            return &types->all[i];
        }
    }
    if (!read_type(runtime, address, &type)) {
        return NULL;
    }
    if (types->count == TYPES_LIMIT) {
        types_deinit(types);
    }
    if (types->count == types->capacity) {
        types->all =
            memory_grow(types->all, sizeof *types->all, types->count + 1, &types->capacity);
    }
    types->all[types->count] = type;
    return &types->all[types->count++];
}

void types_deinit(struct types *types) {
    for (size_t i = 0; i < types->count; i++) {
        buffer_deinit(&types->all[i].name);
    }
    free(types->all);
    *types = (struct types){0};
}
