#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "tests/unit/python.h"

enum {
    POINTER_BYTES = 8,
    /* What CPython keeps before an object of a class made in Python: garbage collector's head,
     * and before that the dict and the values (Include/internal/pycore_object.h). */
    BEFORE_OBJECT_BYTES = 32,
    BASIC_BYTES = 48, /* of an object without its attributes, head included */
    OFFSET_OF_DICT = 40,
};

/* Include/object.h, 3.13. */
#define FLAG_INLINE_VALUES (UINT64_C(1) << 2)
#define FLAG_MANAGED_DICT  (UINT64_C(1) << 4)

#define AT(python, structure, field) LAYOUT_AT((python)->layout, structure, field)

/* ---- str, bytes, int ---- */

struct text_kind {
    uint32_t bytes; /* a character */
    bool is_compact;
    bool is_ascii;
};

static uint64_t text_state(const struct python *python, struct text_kind kind) {
    uint32_t shift = 0;
    switch (python->layout->string_state) {
    case STRING_STATE_BITS: shift = 2; break;
    case STRING_STATE_BYTE: shift = 8; break;
    }
    return 1U | kind.bytes << shift | (uint32_t)kind.is_compact << (shift + 3) |
           (uint32_t)kind.is_ascii << (shift + 4);
}

/* The characters and the one that ends them. */
static void write_characters(struct python *python, uint64_t at, uint32_t kind,
                             const uint32_t *characters, size_t count) {
    for (size_t i = 0; i <= count; i++) {
        uint32_t character = i < count ? characters[i] : 0;
        fake_write(&python->fake, at + i * kind, &character, kind);
    }
}

static uint64_t make_text(struct python *python, struct text_kind kind, const uint32_t *characters,
                          size_t count) {
    uint64_t data = kind.is_ascii     ? AT(python, unicode, ascii_data)
                    : kind.is_compact ? AT(python, unicode, compact_data)
                                      : AT(python, unicode, legacy_data);
    uint64_t characters_bytes = (count + 1) * kind.bytes;
    uint64_t bytes = data + (kind.is_compact ? characters_bytes : POINTER_BYTES);
    uint64_t text = fake_place(&python->fake, bytes, kind.is_compact ? kind.bytes : POINTER_BYTES);
    uint64_t at = text + data;
    if (!kind.is_compact) {
        at = fake_place(&python->fake, characters_bytes, kind.bytes);
        fake_write_u64(&python->fake, text + data, at);
    }
    python_set(python, text, LAYOUT_unicode_length, count);
    python_set(python, text, LAYOUT_unicode_state, text_state(python, kind));
    write_characters(python, at, kind.bytes, characters, count);
    return text;
}

uint64_t python_text(struct python *python, const char *ascii) {
    size_t count = strlen(ascii);
    uint32_t *characters = memory_zeroed(count + 1, sizeof *characters);
    for (size_t i = 0; i < count; i++) {
        characters[i] = (uint8_t)ascii[i];
    }
    struct text_kind kind = {1, true, true};
    uint64_t text = make_text(python, kind, characters, count);
    free(characters);
    return text;
}

uint64_t python_wide_text(struct python *python, uint32_t kind, const uint32_t *characters,
                          size_t count) {
    return make_text(python, (struct text_kind){kind, true, false}, characters, count);
}

uint64_t python_legacy_text(struct python *python, uint32_t kind, const uint32_t *characters,
                            size_t count) {
    return make_text(python, (struct text_kind){kind, false, false}, characters, count);
}

uint64_t python_bytes(struct python *python, const void *data, size_t bytes) {
    uint64_t at = AT(python, bytes, data);
    uint64_t object = fake_place(&python->fake, at + bytes + 1, 1);
    python_set(python, object, LAYOUT_bytes_count, bytes);
    fake_write(&python->fake, object + at, data, bytes);
    return object;
}

uint64_t python_integer(struct python *python, const uint32_t *digits, size_t count,
                        bool is_negative) {
    uint64_t at = AT(python, integer, digits);
    uint64_t object = fake_place(&python->fake, at + count * sizeof *digits, 4);
    uint64_t tag = 0;
    switch (python->layout->integer_shape) {
    case INTEGER_SIZE: tag = is_negative ? -(uint64_t)count : count; break;
    case INTEGER_TAG: tag = (uint64_t)count << 3 | (is_negative ? 2 : count == 0); break;
    }
    python_set(python, object, LAYOUT_integer_tag, tag);
    fake_write(&python->fake, object + at, digits, count * sizeof *digits);
    return object;
}

uint64_t python_number(struct python *python, uint64_t value) {
    uint32_t digits[3] = {value & 0x3fffffff, value >> 30 & 0x3fffffff, (uint32_t)(value >> 60)};
    size_t count = digits[2] != 0 ? 3 : digits[1] != 0 ? 2 : digits[0] != 0 ? 1 : 0;
    return python_integer(python, digits, count, false);
}

/* ---- dict ---- */

/* How many slots a hash table for `count` entries has: a power of two, at most two thirds full. */
static uint64_t slots_for(size_t count) {
    uint64_t slots = 8;
    while (slots * 2 / 3 < count) {
        slots *= 2;
    }
    return slots;
}

static uint8_t log2_of(uint64_t power) {
    return (uint8_t)__builtin_ctzll(power);
}

struct key_shape {
    uint64_t index_bytes;
    uint64_t entry_bytes;
    uint64_t key_at;
    uint64_t kind; /* dk_kind */
};

static struct key_shape shape_of(const struct python *python, enum python_dict kind,
                                 uint64_t slots) {
    uint64_t width = slots <= 0xff ? 1 : slots <= 0xffff ? 2 : 4;
    struct key_shape general = {slots * width, 24, 8, 0};
    bool is_general = python->layout->dict_shape == DICT_SHAPE_SIZE || kind == DICT_GENERAL;
    return is_general ? general
                      : (struct key_shape){slots * width, 16, 0, kind == DICT_UNICODE ? 1 : 2};
}

/* PyDictKeysObject; the values only when they are kept there. */
static uint64_t make_keys(struct python *python, enum python_dict kind,
                          const struct python_entry *entries, size_t count) {
    uint64_t slots = slots_for(count);
    struct key_shape shape = shape_of(python, kind, slots);
    uint64_t first = AT(python, dict_keys, indices) + shape.index_bytes;
    uint64_t keys = fake_place(&python->fake, first + count * shape.entry_bytes, 8);
    python_set(python, keys, LAYOUT_dict_keys_size, slots);
    python_set(python, keys, LAYOUT_dict_keys_log2_index_bytes, log2_of(shape.index_bytes));
    python_set(python, keys, LAYOUT_dict_keys_kind, shape.kind);
    python_set(python, keys, LAYOUT_dict_keys_entry_count, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t entry = keys + first + i * shape.entry_bytes + shape.key_at;
        fake_write_u64(&python->fake, entry, entries[i].key);
        fake_write_u64(&python->fake, entry + 8, kind == DICT_SPLIT ? 0 : entries[i].value);
    }
    return keys;
}

static void write_values(struct python *python, uint64_t values, const struct python_entry *entries,
                         size_t count) {
    for (size_t i = 0; i < count; i++) {
        fake_write_u64(&python->fake, values + AT(python, dict_values, array) + i * POINTER_BYTES,
                       entries[i].value);
    }
}

static uint64_t values_bytes(const struct python *python, size_t count) {
    return AT(python, dict_values, array) + count * POINTER_BYTES;
}

uint64_t python_dict(struct python *python, enum python_dict kind,
                     const struct python_entry *entries, size_t count) {
    uint64_t dict = python_structure(python, "dict", 0);
    python_set(python, dict, LAYOUT_dict_keys, make_keys(python, kind, entries, count));
    if (kind == DICT_SPLIT) {
        uint64_t values = fake_place(&python->fake, values_bytes(python, count), 8);
        write_values(python, values, entries, count);
        python_set(python, dict, LAYOUT_dict_values, values);
    }
    return dict;
}

/* ---- instances ---- */

static uint64_t make_type(struct python *python, uint64_t flags, uint64_t dict_offset,
                          const struct python_entry *attributes, size_t count) {
    uint64_t type = python_structure(python, "type", 0);
    python_set(python, type, LAYOUT_type_basic_size, BASIC_BYTES);
    python_set(python, type, LAYOUT_type_flags, flags);
    python_set(python, type, LAYOUT_type_dict_offset, dict_offset);
    python_set(python, type, LAYOUT_type_cached_keys,
               make_keys(python, DICT_SPLIT, attributes, count));
    return type;
}

static uint64_t make_object(struct python *python, uint64_t type, uint64_t more) {
    uint64_t object = fake_place(&python->fake, BEFORE_OBJECT_BYTES + BASIC_BYTES + more, 8) +
                      BEFORE_OBJECT_BYTES;
    python_set(python, object, LAYOUT_object_type, type);
    return object;
}

static uint64_t instance_with_offset(struct python *python, uint64_t dict,
                                     const struct python_entry *attributes, size_t count) {
    uint64_t type = make_type(python, 0, OFFSET_OF_DICT, attributes, count);
    uint64_t object = make_object(python, type, 0);
    fake_write_u64(&python->fake, object + OFFSET_OF_DICT, dict);
    return object;
}

/* Objects/object.c, _PyObject_GetDictPtr and Include/internal/pycore_object.h of 3.11 to 3.15. */
uint64_t python_instance(struct python *python, enum python_instance kind,
                         const struct python_entry *attributes, size_t count) {
    enum instance_attributes scheme = python->layout->attributes;
    bool has_values = kind == INSTANCE_VALUES;
    if (kind == INSTANCE_OFFSET || scheme == ATTRIBUTES_DICT_OFFSET) {
        uint64_t dict =
            python_dict(python, has_values ? DICT_SPLIT : DICT_UNICODE, attributes, count);
        return instance_with_offset(python, dict, attributes, count);
    }
    bool is_inline = scheme == ATTRIBUTES_INLINE;
    uint64_t flags = FLAG_MANAGED_DICT | (is_inline && has_values ? FLAG_INLINE_VALUES : 0);
    uint64_t type = make_type(python, flags, UINT64_MAX, attributes, count);
    uint64_t room = values_bytes(python, count);
    uint64_t object = make_object(python, type, is_inline && has_values ? room : 0);
    uint64_t dict = has_values ? 0 : python_dict(python, DICT_UNICODE, attributes, count);
    uint64_t values = is_inline ? object + BASIC_BYTES : fake_place(&python->fake, room, 8);
    if (has_values) {
        write_values(python, values, attributes, count);
    }
    switch (scheme) {
    case ATTRIBUTES_DICT_OFFSET: break;
    case ATTRIBUTES_VALUES_BEFORE:
        fake_write_u64(&python->fake, object - 32, has_values ? values : 0);
        fake_write_u64(&python->fake, object - 24, dict);
        break;
    case ATTRIBUTES_TAGGED_BEFORE:
        fake_write_u64(&python->fake, object - 24, has_values ? values - 1 : dict);
        break;
    case ATTRIBUTES_INLINE:
        fake_write_u64(&python->fake, object - (python->layout->is_free_threaded ? 8 : 24), dict);
        break;
    }
    return object;
}

void python_know_threads(struct python *python, uint64_t interpreter,
                         const struct python_entry *active, size_t count) {
    struct python_entry names[] = {
        {python_text(python, "_limbo"), python->none},
        {0, 0},
        {python_text(python, "_active"), python_dict(python, DICT_GENERAL, active, count)},
    };
    uint64_t module = python_structure(python, "module", 0);
    python_set(python, module, LAYOUT_module_dict, python_dict(python, DICT_UNICODE, names, 3));
    struct python_entry modules[] = {
        {python_text(python, "sys"), python->none},
        {python_text(python, "threading"), module},
    };
    python_set(python, interpreter, LAYOUT_interpreter_modules,
               python_dict(python, DICT_UNICODE, modules, 2));
}
