#include "target-runtime/objects.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/integer.h"

enum {
    DICT_ENTRIES_LIMIT = 1 << 20,
    ENTRIES_PER_READ = 512,
    HEADER_BYTES = 128, /* covers the head of any str, dict or int */
};

/* Include/object.h: Py_TPFLAGS_INLINE_VALUES (3.13), Py_TPFLAGS_MANAGED_DICT (3.11). */
#define TYPE_FLAG_INLINE_VALUES (UINT64_C(1) << 2)
#define TYPE_FLAG_MANAGED_DICT  (UINT64_C(1) << 4)

/* ---- strings ---- */

struct string_head {
    uint64_t length;     /* characters */
    uint32_t kind;       /* bytes a character: 1, 2, 4 */
    struct remote chars; /* where the characters are */
};

struct string_bits {
    uint32_t kind;
    bool is_compact;
    bool is_ascii;
};

/* Include/cpython/unicodeobject.h, PyASCIIObject.state. */
static struct string_bits string_state(enum string_state kind, uint32_t state) {
    uint32_t shift = 0;
    switch (kind) {
    case STRING_STATE_BITS: shift = 2; break;
    case STRING_STATE_BYTE: shift = 8; break;
    }
    return (struct string_bits){state >> shift & 7, (state >> (shift + 3) & 1) != 0,
                                (state >> (shift + 4) & 1) != 0};
}

static enum status string_head_of(const struct runtime *runtime, struct remote object,
                                  struct string_head *out) {
    const struct layout *layout = runtime->layout;
    uint8_t head[HEADER_BYTES] = {0};
    uint32_t bytes = LAYOUT_AT(layout, unicode, legacy_data) + 8;
    if (bytes > sizeof head) {
        return STATUS_BAD_LAYOUT;
    }
    /* A short ASCII string may end before its page does, but never before its state. */
    uint32_t least = LAYOUT_AT(layout, unicode, state) + 4;
    enum status status = memory_read_one(runtime->memory, object, head, bytes);
    if (status == STATUS_NOT_MAPPED) {
        memset(head, 0, sizeof head);
        status = memory_read_one(runtime->memory, object, head, least);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct string_bits bits =
        string_state(layout->string_state, load_u32(head + LAYOUT_AT(layout, unicode, state)));
    out->length = load_u64(head + LAYOUT_AT(layout, unicode, length));
    out->kind = bits.kind;
    if (!bits.is_compact) {
        out->chars = load_remote(head + LAYOUT_AT(layout, unicode, legacy_data));
    } else {
        out->chars = remote_at(object, bits.is_ascii ? LAYOUT_AT(layout, unicode, ascii_data)
                                                     : LAYOUT_AT(layout, unicode, compact_data));
    }
    bool is_sane = (bits.kind == 1 || bits.kind == 2 || bits.kind == 4) && out->length < INT32_MAX;
    return is_sane ? STATUS_OK : STATUS_TORN;
}

enum status object_characters(const struct runtime *runtime, struct remote object,
                              struct remote *out, size_t *bytes_out) {
    struct string_head head;
    enum status status = string_head_of(runtime, object, &head);
    if (status == STATUS_OK) {
        *out = head.chars;
        *bytes_out = head.length * head.kind;
    }
    return status;
}

static uint32_t character_at(const uint8_t *chars, uint32_t kind, size_t index) {
    uint32_t wide = 0;
    memcpy(&wide, chars + index * kind, kind); /* little-endian, like every target */
    return wide;
}

enum status object_text(const struct runtime *runtime, struct remote object, struct buffer *out) {
    struct string_head head;
    enum status status = string_head_of(runtime, object, &head);
    if (status != STATUS_OK) {
        return status;
    }
    bool is_cut = head.length > OBJECT_TEXT_LIMIT;
    size_t count = is_cut ? OBJECT_TEXT_LIMIT : head.length;
    uint8_t *chars = memory_zeroed(count + 1, head.kind);
    if (count > 0) {
        status = memory_read_one(runtime->memory, head.chars, chars, (uint32_t)(count * head.kind));
    }
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        buffer_append_code_point(out, character_at(chars, head.kind, i));
    }
    if (status == STATUS_OK && is_cut) {
        buffer_append(out, "...", 3);
    }
    free(chars);
    return status;
}

enum status object_code_points(const struct runtime *runtime, struct remote object,
                               uint32_t *points, size_t limit, uint64_t *length_out) {
    struct string_head head;
    enum status status = string_head_of(runtime, object, &head);
    if (status != STATUS_OK) {
        return status;
    }
    size_t count = head.length < limit ? head.length : limit;
    uint8_t *chars = memory_zeroed(count + 1, head.kind);
    if (count > 0) {
        status = memory_read_one(runtime->memory, head.chars, chars, (uint32_t)(count * head.kind));
    }
    for (size_t i = 0; i < count; i++) {
        points[i] = character_at(chars, head.kind, i);
    }
    *length_out = head.length;
    free(chars);
    return status;
}

/* Whether a str is the ASCII text `wanted`; one read. What is not readable is not it. */
static enum status text_is(const struct runtime *runtime, struct remote object, const char *wanted,
                           bool *out) {
    const struct layout *layout = runtime->layout;
    uint8_t head[HEADER_BYTES + 64] = {0};
    size_t length = strlen(wanted);
    uint32_t data_at = LAYOUT_AT(layout, unicode, ascii_data);
    *out = false;
    if (data_at + length > sizeof head) {
        return STATUS_OK;
    }
    enum status status =
        memory_read_one(runtime->memory, object, head, (uint32_t)(data_at + length));
    struct string_bits bits =
        string_state(layout->string_state, load_u32(head + LAYOUT_AT(layout, unicode, state)));
    *out = status == STATUS_OK && bits.is_ascii && bits.is_compact &&
           load_u64(head + LAYOUT_AT(layout, unicode, length)) == length &&
           memcmp(head + data_at, wanted, length) == 0;
    return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
}

enum status object_bytes(const struct runtime *runtime, struct remote object, size_t limit,
                         struct buffer *out) {
    uint8_t count_bytes[8];
    enum status status = memory_read_one(
        runtime->memory, remote_at(object, LAYOUT_AT(runtime->layout, bytes, count)), count_bytes,
        8);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t count = load_u64(count_bytes);
    if (count > limit || count > INT32_MAX) {
        return STATUS_TORN;
    }
    uint8_t *copy = memory_zeroed(count + 1, 1);
    if (count > 0) {
        status = memory_read_one(runtime->memory,
                                 remote_at(object, LAYOUT_AT(runtime->layout, bytes, data)), copy,
                                 (uint32_t)count);
    }
    if (status == STATUS_OK) {
        buffer_append(out, copy, count);
    }
    free(copy);
    return status;
}

/* ---- int ---- */

enum status object_integer(const struct runtime *runtime, struct remote object, uint64_t *out) {
    struct integer integer;
    enum status status = integer_read(runtime, object, &integer);
    if (status != STATUS_OK) {
        return status;
    }
    const uint32_t *digits = integer.digits;
    /* Bits 60 to 63 are in the third digit. */
    if (integer.is_negative || integer.digit_count > 3 || digits[2] > 0xf) {
        return STATUS_TORN;
    }
    *out = digits[0] | (uint64_t)digits[1] << 30 | (uint64_t)digits[2] << 60;
    return STATUS_OK;
}

/* ---- dict ---- */

/* Objects/dict-common.h (3.8-3.10), pycore_dict.h (3.11-). */
static bool dict_read(const struct layout *layout, const uint8_t *head, struct remote keys,
                      struct dict_entries *out) {
    uint32_t index_bytes_at = LAYOUT_AT(layout, dict_keys, indices);
    uint64_t index_bytes = 0;
    *out = (struct dict_entries){.entry_bytes = 24, .key_at = 8};
    switch (layout->dict_shape) {
    case DICT_SHAPE_SIZE: {
        uint64_t size = load_u64(head + LAYOUT_AT(layout, dict_keys, size));
        uint64_t width = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
        if (size > DICT_ENTRIES_LIMIT * 2) {
            return false;
        }
        index_bytes = size * width;
        break;
    }
    case DICT_SHAPE_LOG2: {
        uint8_t log2_index_bytes = head[LAYOUT_AT(layout, dict_keys, log2_index_bytes)];
        if (log2_index_bytes > 32) {
            return false;
        }
        index_bytes = UINT64_C(1) << log2_index_bytes;
        if (head[LAYOUT_AT(layout, dict_keys, kind)] != 0) { /* DICT_KEYS_GENERAL */
            out->entry_bytes = 16;
            out->key_at = 0;
        }
        break;
    }
    }
    out->count = load_u64(head + LAYOUT_AT(layout, dict_keys, entry_count));
    out->first = remote_at(keys, index_bytes_at + index_bytes);
    return out->count <= DICT_ENTRIES_LIMIT;
}

static enum status entries_of_keys(const struct runtime *runtime, struct remote keys,
                                   struct dict_entries *out) {
    uint8_t head[HEADER_BYTES] = {0};
    uint32_t bytes = LAYOUT_AT(runtime->layout, dict_keys, indices);
    if (bytes > sizeof head) {
        return STATUS_BAD_LAYOUT;
    }
    enum status status = memory_read_one(runtime->memory, keys, head, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    return dict_read(runtime->layout, head, keys, out) ? STATUS_OK : STATUS_TORN;
}

enum status dict_entries_of(const struct runtime *runtime, struct remote dict,
                            struct dict_entries *out) {
    const struct layout *layout = runtime->layout;
    struct remote keys;
    struct remote values;
    enum status status =
        memory_read_remote(runtime->memory, remote_at(dict, LAYOUT_AT(layout, dict, keys)), &keys);
    if (status == STATUS_OK) {
        status = memory_read_remote(runtime->memory,
                                    remote_at(dict, LAYOUT_AT(layout, dict, values)), &values);
    }
    if (status == STATUS_OK) {
        status = entries_of_keys(runtime, keys, out);
    }
    if (status == STATUS_OK) {
        out->values = remote_at(values, LAYOUT_AT(layout, dict_values, array));
    }
    return status;
}

/* Calls `visit` for `count` entries from `first` on; true while it wants more. */
static enum status each_of_some(const struct runtime *runtime, const struct dict_entries *entries,
                                uint64_t first, uint32_t count, dict_visit *visit, void *context,
                                bool *more) {
    uint8_t copy[ENTRIES_PER_READ * 24];
    uint8_t values[ENTRIES_PER_READ * 8];
    struct range ranges[2] = {
        {remote_at(entries->first, first * entries->entry_bytes), copy,
         count * entries->entry_bytes, STATUS_NOT_MAPPED},
        {remote_at(entries->values, first * 8), values, count * 8, STATUS_NOT_MAPPED},
    };
    size_t range_count = entries->values.addr != 0 ? 2 : 1;
    enum status status = memory_read(runtime->memory, ranges, range_count);
    for (size_t i = 0; i < range_count && status == STATUS_OK; i++) {
        status = ranges[i].status;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count && *more; i++) {
        const uint8_t *entry = copy + (size_t)i * entries->entry_bytes + entries->key_at;
        struct remote key = load_remote(entry);
        struct remote value = load_remote(range_count == 2 ? values + (size_t)i * 8 : entry + 8);
        if (key.addr != 0 && value.addr != 0) {
            *more = visit(context, key, value);
        }
    }
    return status;
}

enum status dict_each(const struct runtime *runtime, const struct dict_entries *entries,
                      dict_visit *visit, void *context) {
    enum status status = STATUS_OK;
    bool more = true;
    for (uint64_t first = 0; first < entries->count && more && status == STATUS_OK;
         first += ENTRIES_PER_READ) {
        uint64_t left = entries->count - first;
        uint32_t count = left < ENTRIES_PER_READ ? (uint32_t)left : ENTRIES_PER_READ;
        status = each_of_some(runtime, entries, first, count, visit, context, &more);
    }
    return status;
}

struct search {
    const struct runtime *runtime;
    const char *key;
    struct remote found;
    enum status status;
};

static bool search_visit(void *context, struct remote key, struct remote value) {
    struct search *search = context;
    bool is_it;
    search->status = text_is(search->runtime, key, search->key, &is_it);
    if (is_it) {
        search->found = value;
    }
    return search->status == STATUS_OK && !is_it;
}

static enum status entries_find(const struct runtime *runtime, const struct dict_entries *entries,
                                const char *key, struct remote *out) {
    struct search search = {runtime, key, {0}, STATUS_OK};
    enum status status = dict_each(runtime, entries, search_visit, &search);
    *out = search.found;
    status = status == STATUS_OK ? search.status : status;
    return status == STATUS_OK && out->addr == 0 ? STATUS_NOT_FOUND : status;
}

enum status dict_find(const struct runtime *runtime, struct remote dict, const char *key,
                      struct remote *out) {
    struct dict_entries entries;
    enum status status = dict_entries_of(runtime, dict, &entries);
    return status == STATUS_OK ? entries_find(runtime, &entries, key, out) : status;
}

/* ---- attributes ---- */

struct type_facts {
    uint64_t basic_size;
    uint64_t dict_offset;
    uint64_t flags;
    struct remote cached_keys;
};

static enum status type_facts_of(const struct runtime *runtime, struct remote type,
                                 struct type_facts *out) {
    const struct layout *layout = runtime->layout;
    uint8_t words[4][8];
    struct range ranges[4] = {
        {remote_at(type, LAYOUT_AT(layout, type, basic_size)), words[0], 8, STATUS_NOT_MAPPED},
        {remote_at(type, LAYOUT_AT(layout, type, dict_offset)), words[1], 8, STATUS_NOT_MAPPED},
        {remote_at(type, LAYOUT_AT(layout, type, flags)), words[2], 8, STATUS_NOT_MAPPED},
        {remote_at(type, LAYOUT_AT(layout, type, cached_keys)), words[3], 8, STATUS_NOT_MAPPED},
    };
    enum status status = memory_read(runtime->memory, ranges, 4);
    if (status != STATUS_OK || ranges[0].status != STATUS_OK || ranges[1].status != STATUS_OK ||
        ranges[2].status != STATUS_OK) {
        return status != STATUS_OK ? status : STATUS_TORN;
    }
    out->basic_size = load_u64(words[0]);
    out->dict_offset = load_u64(words[1]);
    out->flags = load_u64(words[2]);
    /* Only types made in Python have it. */
    out->cached_keys = ranges[3].status == STATUS_OK ? load_remote(words[3]) : (struct remote){0};
    return out->basic_size < (1 << 20) ? STATUS_OK : STATUS_TORN;
}

/* Where an instance keeps its attributes: a dict, or values whose names are its type's shared
 * keys. One of the two is NULL. */
struct attributes {
    struct remote dict;
    struct remote values;
};

/* Objects/object.c, _PyObject_GetDictPtr and _PyObject_ComputedDictPointer of each version. */
static enum status attributes_of(const struct runtime *runtime, struct remote object,
                                 const struct type_facts *type, struct attributes *out) {
    bool is_managed = (type->flags & TYPE_FLAG_MANAGED_DICT) != 0;
    struct remote word;
    enum status status;
    *out = (struct attributes){{0}, {0}};
    if (runtime->layout->attributes == ATTRIBUTES_DICT_OFFSET || !is_managed) {
        bool has_dict = type->dict_offset > 0 && type->dict_offset < (1 << 20);
        return has_dict ? memory_read_remote(runtime->memory, remote_at(object, type->dict_offset),
                                             &out->dict)
                        : STATUS_NOT_FOUND;
    }
    switch (runtime->layout->attributes) {
    case ATTRIBUTES_DICT_OFFSET: break;
    case ATTRIBUTES_VALUES_BEFORE:
        status =
            memory_read_remote(runtime->memory, (struct remote){object.addr - 32}, &out->values);
        return status != STATUS_OK || out->values.addr != 0
                   ? status
                   : memory_read_remote(runtime->memory, (struct remote){object.addr - 24},
                                        &out->dict);
    case ATTRIBUTES_TAGGED_BEFORE:
        status = memory_read_remote(runtime->memory, (struct remote){object.addr - 24}, &word);
        if ((word.addr & 1) != 0) {
            out->values = remote_at(word, 1);
        } else {
            out->dict = word;
        }
        return status;
    case ATTRIBUTES_INLINE:
        word.addr = object.addr - (runtime->layout->is_free_threaded ? 8 : 24);
        status = memory_read_remote(runtime->memory, word, &out->dict);
        if (out->dict.addr == 0 && (type->flags & TYPE_FLAG_INLINE_VALUES) != 0) {
            out->values = remote_at(object, type->basic_size);
        }
        return status;
    }
    return STATUS_NOT_FOUND;
}

enum status attribute_find(const struct runtime *runtime, struct remote object, const char *name,
                           struct remote *out) {
    const struct layout *layout = runtime->layout;
    struct remote type;
    struct type_facts facts;
    struct attributes attributes;
    struct dict_entries entries;
    enum status status = memory_read_remote(
        runtime->memory, remote_at(object, LAYOUT_AT(layout, object, type)), &type);
    if (status == STATUS_OK) {
        status = type_facts_of(runtime, type, &facts);
    }
    if (status == STATUS_OK) {
        status = attributes_of(runtime, object, &facts, &attributes);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (attributes.values.addr == 0) {
        return attributes.dict.addr != 0 ? dict_find(runtime, attributes.dict, name, out)
                                         : STATUS_NOT_FOUND;
    }
    status = entries_of_keys(runtime, facts.cached_keys, &entries);
    entries.values = remote_at(attributes.values, LAYOUT_AT(layout, dict_values, array));
    return status == STATUS_OK ? entries_find(runtime, &entries, name, out) : status;
}

enum status type_is_named(const struct runtime *runtime, struct remote type, const char *name,
                          bool *out) {
    char text[32];
    struct remote at;
    size_t bytes = strlen(name) + 1;
    *out = false;
    enum status status = memory_read_remote(
        runtime->memory, remote_at(type, LAYOUT_AT(runtime->layout, type, name)), &at);
    if (status == STATUS_OK && bytes <= sizeof text) {
        status = memory_read_one(runtime->memory, at, text, (uint32_t)bytes);
        *out = status == STATUS_OK && memcmp(text, name, bytes) == 0;
    }
    return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
}
