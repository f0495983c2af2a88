#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/code.h"
#include "target-runtime/objects.h"
#include "target-runtime/threads.h"
#include "tests/unit/scenarios.h"

/* ---- helpers ---- */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct remote at(uint64_t address) {
    return (struct remote){address};
}

static void expect_text(const struct runtime *runtime, uint64_t object, const char *expected) {
    struct buffer text = {0};
    assert_int_equal(object_text(runtime, at(object), &text), STATUS_OK);
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.length > 0 ? text.data : "", expected, text.length);
    buffer_deinit(&text);
}

static void expect_no_text(const struct runtime *runtime, uint64_t object, enum status status) {
    struct buffer text = {0};
    assert_int_equal(object_text(runtime, at(object), &text), status);
    assert_int_equal(text.length, 0);
    buffer_deinit(&text);
}

/* ---- str ---- */

static void text_of_ascii(struct python *python) {
    struct runtime runtime;
    python_attach(python, &runtime);
    expect_text(&runtime, python_text(python, ""), "");
    expect_text(&runtime, python_text(python, "x"), "x");
    expect_text(&runtime, python_text(python, "<module>"), "<module>");
    expect_text(&runtime, python_text(python, "a name that is longer than the head of a string is"),
                "a name that is longer than the head of a string is");
}

static void text_of_every_width(struct python *python) {
    struct runtime runtime;
    static const uint32_t latin[] = {'b', 0xfc, 'r', 0xff, 0x80};
    static const uint32_t wide[] = {0x540d, 'x', 0x20ac, 0xffff};
    static const uint32_t widest[] = {0x1f40d, 'y', 0x10ffff};
    python_attach(python, &runtime);
    expect_text(&runtime, python_wide_text(python, 1, latin, COUNT(latin)),
                "b\xc3\xbcr\xc3\xbf\xc2\x80");
    expect_text(&runtime, python_wide_text(python, 2, wide, COUNT(wide)),
                "\xe5\x90\x8dx\xe2\x82\xac\xef\xbf\xbf");
    expect_text(&runtime, python_wide_text(python, 4, widest, COUNT(widest)),
                "\xf0\x9f\x90\x8dy\xf4\x8f\xbf\xbf");
    expect_text(&runtime, python_legacy_text(python, 1, latin, COUNT(latin)),
                "b\xc3\xbcr\xc3\xbf\xc2\x80");
    expect_text(&runtime, python_legacy_text(python, 2, wide, COUNT(wide)),
                "\xe5\x90\x8dx\xe2\x82\xac\xef\xbf\xbf");
    expect_text(&runtime, python_legacy_text(python, 4, widest, COUNT(widest)),
                "\xf0\x9f\x90\x8dy\xf4\x8f\xbf\xbf");
}

/* Valid in a Python str, not in UTF-8; or in neither. */
static void text_of_odd_characters(struct python *python) {
    struct runtime runtime;
    static const uint32_t lone[] = {'a', 0xdc80, 0xd800, 'b'};
    static const uint32_t beyond[] = {0x110000, 0xffffffff};
    static const uint32_t nul[] = {'a', 0, 'b'};
    python_attach(python, &runtime);
    expect_text(&runtime, python_wide_text(python, 2, lone, COUNT(lone)), "a\\udc80\\ud800b");
    expect_text(&runtime, python_wide_text(python, 4, beyond, COUNT(beyond)),
                "\\u110000\\uffffffff");
    struct buffer text = {0};
    uint64_t object = python_wide_text(python, 1, nul, COUNT(nul));
    assert_int_equal(object_text(&runtime, at(object), &text), STATUS_OK);
    assert_int_equal(text.length, 3);
    assert_memory_equal(text.data, "a\0b", 3);
    buffer_deinit(&text);
}

static uint64_t long_text(struct python *python, size_t count) {
    uint32_t *characters = memory_zeroed(count, sizeof *characters);
    for (size_t i = 0; i < count; i++) {
        characters[i] = 'a' + (uint32_t)(i % 26);
    }
    uint64_t text = python_wide_text(python, 2, characters, count);
    free(characters);
    return text;
}

static void text_that_is_too_long(struct python *python) {
    struct runtime runtime;
    python_attach(python, &runtime);
    for (size_t more = 0; more < 3; more++) {
        struct buffer text = {0};
        uint64_t object = long_text(python, OBJECT_TEXT_LIMIT + more);
        assert_int_equal(object_text(&runtime, at(object), &text), STATUS_OK);
        assert_int_equal(text.length, OBJECT_TEXT_LIMIT + (more > 0 ? 3 : 0));
        assert_memory_equal(text.data + text.length - 3, more > 0 ? "..." : "nop", 3);
        assert_int_equal(text.data[OBJECT_TEXT_LIMIT - 1], 'a' + (OBJECT_TEXT_LIMIT - 1) % 26);
        buffer_deinit(&text);
    }
}

static void text_that_is_none(struct python *python) {
    struct runtime runtime;
    static const uint32_t letters[] = {'a', 'b'};
    python_attach(python, &runtime);
    uint64_t text = python_wide_text(python, 2, letters, 2);
    uint64_t state = python_get(python, text, LAYOUT_unicode_state);
    uint32_t shift = python->layout->string_state == STRING_STATE_BYTE ? 8 : 2;
    for (uint64_t kind = 0; kind < 8; kind++) {
        uint64_t other = (state & ~(UINT64_C(7) << shift)) | kind << shift;
        python_set(python, text, LAYOUT_unicode_state, other);
        if (kind == 0 || kind == 3 || kind > 4) {
            expect_no_text(&runtime, text, STATUS_TORN);
        }
    }
    python_set(python, text, LAYOUT_unicode_state, state);
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 32, INT32_MAX};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        python_set(python, text, LAYOUT_unicode_length, lengths[i]);
        expect_no_text(&runtime, text, STATUS_TORN);
    }
    /* As long as this, it does not end where its page does. */
    python_set(python, text, LAYOUT_unicode_length, 100);
    expect_no_text(&runtime, text, STATUS_NOT_MAPPED);
    expect_no_text(&runtime, 0, STATUS_NOT_MAPPED);
    expect_no_text(&runtime, 0x1000, STATUS_NOT_MAPPED);
    expect_no_text(&runtime, UINT64_MAX - 4, STATUS_NOT_MAPPED);
}

static void legacy_text_without_characters(struct python *python) {
    struct runtime runtime;
    static const uint32_t letters[] = {'a', 'b'};
    python_attach(python, &runtime);
    uint64_t text = python_legacy_text(python, 1, letters, 2);
    python_set(python, text, LAYOUT_unicode_legacy_data, 0);
    expect_no_text(&runtime, text, STATUS_NOT_MAPPED);
}

/* ---- bytes ---- */

static void bytes_within_the_limit(struct python *python) {
    struct runtime runtime;
    struct buffer out = {0};
    static const char data[] = "\x00\xff"
                               "abc";
    python_attach(python, &runtime);
    uint64_t object = python_bytes(python, data, 5);
    assert_int_equal(object_bytes(&runtime, at(object), 5, &out), STATUS_OK);
    assert_int_equal(out.length, 5);
    assert_memory_equal(out.data, data, 5);
    assert_int_equal(object_bytes(&runtime, at(object), 4, &out), STATUS_TORN);
    assert_int_equal(out.length, 5);
    assert_int_equal(object_bytes(&runtime, at(python_bytes(python, data, 0)), 0, &out), STATUS_OK);
    assert_int_equal(out.length, 5);
    python_set(python, object, LAYOUT_bytes_count, UINT64_MAX);
    assert_int_equal(object_bytes(&runtime, at(object), SIZE_MAX, &out), STATUS_TORN);
    python_set(python, object, LAYOUT_bytes_count, 7);
    assert_int_equal(object_bytes(&runtime, at(object), SIZE_MAX, &out), STATUS_NOT_MAPPED);
    assert_int_equal(object_bytes(&runtime, at(0x1000), 10, &out), STATUS_NOT_MAPPED);
    assert_int_equal(out.length, 5);
    buffer_deinit(&out);
}

/* ---- int ---- */

static void numbers_that_fit(struct python *python) {
    struct runtime runtime;
    static const uint64_t numbers[] = {0,
                                       1,
                                       (1 << 30) - 1,
                                       1 << 30,
                                       UINT64_C(0x030b02f0),
                                       UINT64_MAX,
                                       UINT64_MAX - 1,
                                       UINT64_C(1) << 60,
                                       INT64_MAX,
                                       UINT64_C(139637976602432)};
    python_attach(python, &runtime);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint64_t value = ~numbers[i];
        uint64_t object = python_number(python, numbers[i]);
        assert_int_equal(object_integer(&runtime, at(object), &value), STATUS_OK);
        assert_true(value == numbers[i]);
    }
}

static void numbers_that_do_not_fit(struct python *python) {
    struct runtime runtime;
    static const uint32_t over[] = {0, 0, 16};
    static const uint32_t largest[] = {0x3fffffff, 0x3fffffff, 0x3fffffff};
    static const uint32_t longer[] = {1, 0, 0, 1};
    uint64_t value;
    python_attach(python, &runtime);
    uint64_t objects[] = {
        python_integer(python, over, 3, false),   python_integer(python, largest, 3, false),
        python_integer(python, longer, 4, false), python_integer(python, longer, 1, true),
        python_integer(python, largest, 2, true),
    };
    for (size_t i = 0; i < COUNT(objects); i++) {
        assert_int_equal(object_integer(&runtime, at(objects[i]), &value), STATUS_TORN);
    }
    assert_int_equal(object_integer(&runtime, at(0), &value), STATUS_NOT_MAPPED);
}

/* ---- dict ---- */

static const enum python_dict dict_kinds[] = {DICT_GENERAL, DICT_UNICODE, DICT_SPLIT};

static void expect_found(const struct runtime *runtime, uint64_t dict, const char *key,
                         uint64_t value) {
    struct remote found;
    assert_int_equal(dict_find(runtime, at(dict), key, &found), STATUS_OK);
    assert_int_equal(found.addr, value);
}

static void expect_not_found(const struct runtime *runtime, uint64_t dict, const char *key) {
    struct remote found;
    assert_int_equal(dict_find(runtime, at(dict), key, &found), STATUS_NOT_FOUND);
}

static void dicts_of_every_kind(struct python *python) {
    struct runtime runtime;
    static const uint32_t umlaut[] = {'k', 0xfc};
    python_attach(python, &runtime);
    const struct python_entry entries[] = {
        {python_text(python, "one"), 101},  {0, 0},
        {python_text(python, "two"), 102},  {python_text(python, "gone"), 0},
        {python_text(python, "onet"), 103}, {python_wide_text(python, 1, umlaut, 2), 104},
        {python_text(python, ""), 105},
    };
    for (size_t kind = 0; kind < COUNT(dict_kinds); kind++) {
        uint64_t dict = python_dict(python, dict_kinds[kind], entries, COUNT(entries));
        expect_found(&runtime, dict, "one", 101);
        expect_found(&runtime, dict, "two", 102);
        expect_found(&runtime, dict, "onet", 103);
        expect_found(&runtime, dict, "", 105);
        expect_not_found(&runtime, dict, "gone");
        expect_not_found(&runtime, dict, "on");
        expect_not_found(&runtime, dict, "three");
        expect_not_found(&runtime, python_dict(python, dict_kinds[kind], entries, 0), "one");
    }
}

/* Tables of indices of one, two and four bytes. */
static void dicts_of_every_size(struct python *python) {
    struct runtime runtime;
    static const size_t sizes[] = {1, 5, 6, 170, 171, 511, 512, 513, 43690, 43691};
    uint64_t other = python_text(python, "other");
    uint64_t wanted = python_text(python, "wanted");
    python_attach(python, &runtime);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct python_entry *entries = memory_zeroed(sizes[i], sizeof *entries);
        for (size_t k = 0; k < sizes[i]; k++) {
            entries[k] = (struct python_entry){other, 7};
        }
        entries[sizes[i] - 1] = (struct python_entry){wanted, 8};
        for (size_t kind = 0; kind < COUNT(dict_kinds); kind++) {
            uint64_t dict = python_dict(python, dict_kinds[kind], entries, sizes[i]);
            expect_found(&runtime, dict, "wanted", 8);
            expect_not_found(&runtime, dict, "unwanted");
        }
        free(entries);
    }
}

struct visits {
    uint64_t keys[8];
    uint64_t values[8];
    size_t count;
    size_t limit;
};

static bool visit(void *context, struct remote key, struct remote value) {
    struct visits *visits = context;
    visits->keys[visits->count] = key.addr;
    visits->values[visits->count] = value.addr;
    return ++visits->count < visits->limit;
}

static void dict_is_visited_in_order(struct python *python) {
    struct runtime runtime;
    const struct python_entry entries[] = {{11, 21}, {0, 0}, {12, 22}, {13, 0}, {14, 24}};
    python_attach(python, &runtime);
    for (size_t kind = 0; kind < COUNT(dict_kinds); kind++) {
        struct dict_entries found;
        struct visits all = {.limit = 8};
        struct visits some = {.limit = 2};
        uint64_t dict = python_dict(python, dict_kinds[kind], entries, COUNT(entries));
        assert_int_equal(dict_entries_of(&runtime, at(dict), &found), STATUS_OK);
        assert_int_equal(dict_each(&runtime, &found, visit, &all), STATUS_OK);
        assert_int_equal(all.count, 3);
        assert_int_equal(all.keys[2], 14);
        assert_int_equal(all.values[2], 24);
        assert_int_equal(all.values[0], 21);
        assert_int_equal(dict_each(&runtime, &found, visit, &some), STATUS_OK);
        assert_int_equal(some.count, 2);
        assert_int_equal(some.keys[1], 12);
    }
}

static void dict_that_is_none(struct python *python) {
    struct runtime runtime;
    struct dict_entries found;
    const struct python_entry entries[] = {{11, 21}};
    python_attach(python, &runtime);
    uint64_t dict = python_dict(python, DICT_GENERAL, entries, 1);
    uint64_t keys = python_get(python, dict, LAYOUT_dict_keys);
    static const uint64_t counts[] = {UINT64_MAX, UINT64_C(1) << 32, (1 << 20) + 1};
    for (size_t i = 0; i < COUNT(counts); i++) {
        python_set(python, keys, LAYOUT_dict_keys_entry_count, counts[i]);
        assert_int_equal(dict_entries_of(&runtime, at(dict), &found), STATUS_TORN);
    }
    python_set(python, keys, LAYOUT_dict_keys_entry_count, 1);
    python_set(python, keys, LAYOUT_dict_keys_size, UINT64_C(1) << 40);
    python_set(python, keys, LAYOUT_dict_keys_log2_index_bytes, 64);
    assert_int_equal(dict_entries_of(&runtime, at(dict), &found), STATUS_TORN);
    /* More entries than are mapped. */
    dict = python_dict(python, DICT_GENERAL, entries, 1);
    keys = python_get(python, dict, LAYOUT_dict_keys);
    python_set(python, keys, LAYOUT_dict_keys_entry_count, 2);
    struct visits visits = {.limit = 8};
    assert_int_equal(dict_entries_of(&runtime, at(dict), &found), STATUS_OK);
    assert_int_equal(dict_each(&runtime, &found, visit, &visits), STATUS_NOT_MAPPED);
    assert_int_equal(visits.count, 0);
    python_set(python, dict, LAYOUT_dict_keys, 0);
    assert_int_equal(dict_entries_of(&runtime, at(dict), &found), STATUS_NOT_MAPPED);
    assert_int_equal(dict_entries_of(&runtime, at(0), &found), STATUS_NOT_MAPPED);
}

/* ---- attributes ---- */

static const enum python_instance instance_kinds[] = {INSTANCE_VALUES, INSTANCE_DICT,
                                                      INSTANCE_OFFSET};

static void attributes_of_every_scheme(struct python *python) {
    struct runtime runtime;
    struct remote found;
    python_attach(python, &runtime);
    const struct python_entry attributes[] = {
        {python_text(python, "_target"), 31},
        {python_text(python, "_name"), 32},
        {python_text(python, "_deleted"), 0},
        {python_text(python, "_native_id"), 33},
    };
    for (size_t kind = 0; kind < COUNT(instance_kinds); kind++) {
        struct remote object = at(python_instance(python, instance_kinds[kind], attributes, 4));
        assert_int_equal(attribute_find(&runtime, object, "_name", &found), STATUS_OK);
        assert_int_equal(found.addr, 32);
        assert_int_equal(attribute_find(&runtime, object, "_native_id", &found), STATUS_OK);
        assert_int_equal(found.addr, 33);
        assert_int_equal(attribute_find(&runtime, object, "_deleted", &found), STATUS_NOT_FOUND);
        assert_int_equal(attribute_find(&runtime, object, "_nam", &found), STATUS_NOT_FOUND);
    }
}

static void object_without_attributes(struct python *python) {
    struct runtime runtime;
    struct remote found;
    python_attach(python, &runtime);
    uint64_t object = python_instance(python, INSTANCE_OFFSET, NULL, 0);
    uint64_t type = python_get(python, object, LAYOUT_object_type);
    python_set(python, type, LAYOUT_type_dict_offset, 0);
    assert_int_equal(attribute_find(&runtime, at(object), "_name", &found), STATUS_NOT_FOUND);
    python_set(python, type, LAYOUT_type_dict_offset, UINT64_MAX);
    assert_int_equal(attribute_find(&runtime, at(object), "_name", &found), STATUS_NOT_FOUND);
    python_set(python, type, LAYOUT_type_basic_size, UINT64_C(1) << 40);
    assert_int_equal(attribute_find(&runtime, at(object), "_name", &found), STATUS_TORN);
    python_set(python, object, LAYOUT_object_type, 0);
    assert_int_not_equal(attribute_find(&runtime, at(object), "_name", &found), STATUS_OK);
    assert_int_equal(attribute_find(&runtime, at(0), "_name", &found), STATUS_NOT_MAPPED);
}

/* Its first attribute is yet to be set. */
static void object_without_a_dict_yet(struct python *python) {
    struct runtime runtime;
    struct remote found;
    python_attach(python, &runtime);
    uint64_t object = python_instance(python, INSTANCE_DICT, NULL, 0);
    for (uint64_t before = 32; before > 0; before -= 8) {
        fake_write_u64(&python->fake, object - before, 0);
    }
    if (python->layout->attributes == ATTRIBUTES_DICT_OFFSET) {
        uint64_t type = python_get(python, object, LAYOUT_object_type);
        uint64_t offset = python_get(python, type, LAYOUT_type_dict_offset);
        fake_write_u64(&python->fake, object + offset, 0);
    }
    assert_int_equal(attribute_find(&runtime, at(object), "_name", &found), STATUS_NOT_FOUND);
}

/* ---- types ---- */

static bool is_type_named(const struct runtime *runtime, struct remote type, const char *name) {
    bool is_named;
    assert_int_equal(type_is_named(runtime, type, name, &is_named), STATUS_OK);
    return is_named;
}

static void types_by_name(struct python *python) {
    struct runtime runtime;
    python_attach(python, &runtime);
    assert_true(is_type_named(&runtime, at(python->code_type), "code"));
    assert_false(is_type_named(&runtime, at(python->code_type), "cod"));
    assert_false(is_type_named(&runtime, at(python->code_type), "codes"));
    assert_false(is_type_named(&runtime, at(python->code_type),
                               "a name that is longer than any that is asked for"));
    assert_false(is_type_named(&runtime, at(0), "code"));
    assert_false(is_type_named(&runtime, at(python->none), "code"));
}

/* ---- threading ---- */

static void names_of_threads(struct python *python) {
    struct runtime runtime;
    struct active_thread *active;
    size_t count;
    struct buffer name = {0};
    uint64_t native_id = 0;
    python_attach(python, &runtime);
    assert_int_equal(threads_active(&runtime, at(python->interpreter), &active, &count),
                     STATUS_NOT_FOUND);
    assert_int_equal(count, 0);
    free(active);
    const struct python_entry attributes[] = {
        {python_text(python, "_name"), python_text(python, "worker 1")},
        {python_text(python, "_native_id"), python_number(python, 4711)},
    };
    const struct python_entry entries[] = {
        {python_number(python, UINT64_C(139637976602432)),
         python_instance(python, INSTANCE_VALUES, attributes, 2)},
        {0, 0},
        {python_number(python, 2), python_instance(python, INSTANCE_DICT, attributes, 2)},
    };
    python_know_threads(python, python->interpreter, entries, 3);
    assert_int_equal(threads_active(&runtime, at(python->interpreter), &active, &count), STATUS_OK);
    assert_int_equal(count, 2);
    assert_int_equal(active[0].ident, UINT64_C(139637976602432));
    assert_int_equal(active[0].object.addr, entries[0].value);
    assert_int_equal(active[1].ident, 2);
    assert_int_equal(thread_object_name(&runtime, active[0].object, &name), STATUS_OK);
    assert_int_equal(thread_object_name(&runtime, active[1].object, &name), STATUS_OK);
    assert_string_equal(name.data, "worker 1worker 1");
    assert_int_equal(thread_object_native_id(&runtime, active[0].object, &native_id), STATUS_OK);
    assert_int_equal(native_id, 4711);
    buffer_deinit(&name);
    free(active);
}

/* Where there is no id in the thread state, the C library's structure is searched for it. */
static void kernel_ids_of_threads(struct python *python) {
    struct runtime runtime;
    struct thread_id_place place = THREAD_ID_PLACE_UNKNOWN;
    static const struct thread_ids tasks[] = {{500, 5}, {501, 6}};
    python_attach(python, &runtime);
    uint32_t id = 6;
    if (LAYOUT_HAS(python->layout, thread, native_thread_id)) {
        const struct raw_thread known = {.native_id = 6};
        assert_int_equal(thread_native_id(&runtime, &known, tasks, 2, &place), 6);
        /* Not bound yet: 0 stays 0, whatever the C library has. */
        const struct raw_thread unknown = {.ident = fake_place(&python->fake, 2304, 8)};
        fake_write(&python->fake, unknown.ident + 720, &id, sizeof id);
        assert_int_equal(thread_native_id(&runtime, &unknown, tasks, 2, &place), 0);
        assert_int_equal(place.offset, -1);
        return;
    }
    static const uint32_t offsets[] = {720, 48, 2304 - 4};
    for (size_t i = 0; i < COUNT(offsets); i++) {
        id = 6;
        place = THREAD_ID_PLACE_UNKNOWN;
        const struct raw_thread raw = {.ident = fake_place(&python->fake, 2304, 8)};
        fake_write(&python->fake, raw.ident + offsets[i], &id, sizeof id);
        assert_int_equal(thread_native_id(&runtime, &raw, tasks, 2, &place), 6);
        assert_int_equal(place.offset, offsets[i]);
        id = 7; /* no task of this process */
        fake_write(&python->fake, raw.ident + offsets[i], &id, sizeof id);
        assert_int_equal(thread_native_id(&runtime, &raw, tasks, 2, &place), 0);
    }
    place = THREAD_ID_PLACE_UNKNOWN;
    const struct raw_thread gone = {.ident = 0x1000};
    assert_int_equal(thread_native_id(&runtime, &gone, tasks, 2, &place), 0);
    assert_int_equal(place.offset, -1);
}

/* ---- code objects ---- */

static void code_is_read(struct python *python) {
    struct runtime runtime;
    struct code code;
    const struct python_code made = {"method", "Class.method", "/a/b.py", 77, 21, 0, false, 0, 0};
    bool has_qualname = LAYOUT_HAS(python->layout, code, qualname);
    uint64_t address = python_code(python, &made);
    python_attach(python, &runtime);
    assert_int_equal(code_fetch(&runtime, at(address), &code), STATUS_OK);
    assert_int_equal(code.address.addr, address);
    assert_string_equal(code.name.data, has_qualname ? "Class.method" : "method");
    assert_string_equal(code.file.data, "/a/b.py");
    assert_int_equal(code.first_line, 77);
    assert_int_equal(code.code_bytes, 42);
    assert_false(code.is_hidden);
    for (uint32_t unit = 0; unit < made.units; unit++) {
        struct source_range range = line_at(python->layout->line_table, code.line_table,
                                            code.line_table_bytes, code.first_line, unit * 2);
        assert_int_equal(range.line, 77 + unit);
    }
    assert_int_equal(runtime.code_type.addr, python->code_type);
    code_free(&code);
}

/* Include/internal/pycore_frame.h, _PyFrame_IsIncomplete(): never begins as far as Python is
 * concerned. */
static void code_of_a_shim_is_hidden(struct python *python) {
    struct runtime runtime;
    struct code code;
    const struct python_code made = {"__init__", "__init__", "__init__", 1, 3, 4, false, 0, 0};
    uint64_t address = python_code(python, &made);
    python_attach(python, &runtime);
    assert_int_equal(code_fetch(&runtime, at(address), &code), STATUS_OK);
    assert_int_equal(code.is_hidden, LAYOUT_HAS(python->layout, code, first_traceable));
    code_free(&code);
}

static void expect_torn(struct runtime *runtime, uint64_t address) {
    struct code code;
    assert_int_equal(code_fetch(runtime, at(address), &code), STATUS_TORN);
    code_free(&code);
}

static void code_that_is_none(struct python *python) {
    struct runtime runtime;
    uint64_t good = python_function(python, "f");
    python_attach(python, &runtime);
    expect_torn(&runtime, 0);
    expect_torn(&runtime, 0x1000);
    expect_torn(&runtime, UINT64_MAX - 100);
    expect_torn(&runtime, python->none);
    static const enum layout_field pointers[] = {LAYOUT_object_type, LAYOUT_code_filename,
                                                 LAYOUT_code_line_table, LAYOUT_code_name};
    for (size_t i = 0; i < COUNT(pointers); i++) {
        uint64_t bad = python_function(python, "g");
        python_set(python, bad, pointers[i], 0x1000);
        if (pointers[i] == LAYOUT_code_name) {
            python_set(python, bad, LAYOUT_code_qualname, 0x1000);
        }
        expect_torn(&runtime, bad);
    }
    struct code code;
    assert_int_equal(code_fetch(&runtime, at(good), &code), STATUS_OK);
    code_free(&code);
    /* Now the type of code objects is known. */
    uint64_t impostor = python_function(python, "h");
    python_set(python, impostor, LAYOUT_object_type, good);
    expect_torn(&runtime, impostor);
}

static void sizes_of_code_are_bounded(struct python *python) {
    struct runtime runtime;
    python_attach(python, &runtime);
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 40};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint64_t code = python_function(python, "f");
        uint64_t table = python_get(python, code, LAYOUT_code_line_table);
        python_set(python, table, LAYOUT_bytes_count, sizes[i]);
        expect_torn(&runtime, code);
        code = python_function(python, "g");
        if (LAYOUT_HAS(python->layout, code, bytes_object)) {
            uint64_t bytecode = python_get(python, code, LAYOUT_code_bytes_object);
            python_set(python, bytecode, LAYOUT_bytes_count, sizes[i]);
        }
        python_set(python, code, LAYOUT_code_unit_count, sizes[i]);
        expect_torn(&runtime, code);
    }
}

static void positions_in_code(struct python *python) {
    const uint64_t COPY = UINT64_C(0x7f0000001230);
    struct runtime runtime;
    struct code code;
    int64_t offset;
    uint64_t address = python_function(python, "f"); /* 16 bytes of bytecode */
    const struct layout *layout = python->layout;
    python_attach(python, &runtime);
    assert_int_equal(code_fetch(&runtime, at(address), &code), STATUS_OK);
    for (uint64_t want = 0; want < 16; want += 2) {
        uint64_t position = python_position(python, address, want);
        assert_true(code_position(layout, &code, position, 0, &offset));
        assert_int_equal(offset, want);
    }
    assert_false(code_position(layout, &code, python_position(python, address, 16), 0, &offset));
    assert_false(
        code_position(layout, &code, python_position(python, address, 1 << 20), 0, &offset));
    /* Not begun: -1 is what a frame's f_lasti says, one unit before the code its pointer. */
    bool is_pointer = layout->position == POSITION_INSTRUCTION_POINTER;
    uint64_t before = is_pointer ? python_position(python, address, 0) - 2 : (uint64_t)(int64_t)-1;
    assert_true(code_position(layout, &code, before, 0, &offset));
    assert_int_equal(offset, -1);
    if (is_pointer) {
        assert_false(code_position(layout, &code, before - 2, 0, &offset));
        assert_false(code_position(layout, &code, 0, 0, &offset));
        assert_false(code_position(layout, &code, UINT64_MAX, 0, &offset));
        /* The same in a copy of the bytecode. */
        assert_true(code_position(layout, &code, COPY + 6, COPY, &offset));
        assert_int_equal(offset, 6);
        assert_true(code_position(layout, &code, COPY - 2, COPY, &offset));
        assert_int_equal(offset, -1);
        assert_false(code_position(layout, &code, COPY + 16, COPY, &offset));
        assert_false(code_position(layout, &code, before + 2, COPY, &offset));
    }
    code_free(&code);
}

/* Reads the places of a fingerprint again; whether they hold what they held. */
/* Reads the places of a fingerprint again; whether they hold what they held. */
static bool is_still(const struct runtime *runtime, const struct code *code) {
    struct code_fingerprint copy;
    struct range ranges[CODE_FINGERPRINT_PARTS];
    code_fingerprint_ranges(&code->fingerprint, &copy, ranges);
    assert_int_equal(memory_read(runtime->memory, ranges, CODE_FINGERPRINT_PARTS), STATUS_OK);
    for (size_t i = 0; i < CODE_FINGERPRINT_PARTS; i++) {
        assert_int_equal(ranges[i].status, STATUS_OK);
        assert_true(ranges[i].bytes > 0);
    }
    return code_fingerprint_matches(&code->fingerprint, &copy);
}

/* What must differ between any two code objects that lived at one address. */
static void fingerprints_differ(struct python *python) {
    struct runtime runtime;
    struct code code;
    const struct python_code one = {"f", "f", "a.py", 1, 8, 0, false, 0, 0};
    const struct python_code others[] = {{"g", "g", "a.py", 1, 8, 0, false, 0, 0},
                                         {"f", "f", "b.py", 1, 8, 0, false, 0, 0},
                                         {"f", "f", "a.py", 2, 8, 0, false, 0, 0}};
    uint64_t address = python_code(python, &one);
    python_attach(python, &runtime);
    for (size_t i = 0; i < COUNT(others); i++) {
        python_recode(python, address, &one);
        assert_int_equal(code_fetch(&runtime, at(address), &code), STATUS_OK);
        assert_true(is_still(&runtime, &code));
        python_recode(python, address, &others[i]);
        assert_false(is_still(&runtime, &code));
        code_free(&code);
    }
}

/* Freed together and made again together: every pointer is what it was, the strings are not. */
static void fingerprints_differ_at_the_same_addresses(struct python *python) {
    struct runtime runtime;
    struct code code;
    uint64_t address = python_function(python, "function");
    bool has_qualname = LAYOUT_HAS(python->layout, code, qualname);
    const enum layout_field strings[] = {
        has_qualname ? LAYOUT_code_qualname : LAYOUT_code_name,
        LAYOUT_code_filename,
    };
    python_attach(python, &runtime);
    for (size_t i = 0; i < COUNT(strings); i++) {
        assert_int_equal(code_fetch(&runtime, at(address), &code), STATUS_OK);
        assert_true(is_still(&runtime, &code));
        uint64_t characters = python_get(python, address, strings[i]) +
                              LAYOUT_AT(python->layout, unicode, ascii_data);
        fake_write(&python->fake, characters, "other", 5);
        assert_false(is_still(&runtime, &code));
        code_free(&code);
    }
}

/* ---- what is about all of the process ---- */

static void end_of_the_process_is_told(struct python *python) {
    struct runtime runtime;
    static const enum status statuses[] = {STATUS_GONE, STATUS_NOT_PERMITTED};
    uint64_t address = python_function(python, "f");
    const struct python_entry attribute[] = {{python_text(python, "_name"), 1}};
    uint64_t object = python_instance(python, INSTANCE_VALUES, attribute, 1);
    python_attach(python, &runtime);
    for (size_t i = 0; i < COUNT(statuses); i++) {
        for (uint64_t n = 1;; n++) {
            struct code code;
            struct remote found;
            fake_restart(&python->fake);
            python->fake.fail_at = n;
            python->fake.fail_status = statuses[i];
            runtime.code_type.addr = 0;
            enum status status = code_fetch(&runtime, at(address), &code);
            code_free(&code);
            if (status == STATUS_OK) {
                status = attribute_find(&runtime, at(object), "_name", &found);
            }
            if (python->fake.reads < n) {
                assert_int_equal(status, STATUS_OK);
                break;
            }
            assert_int_equal(status, statuses[i]);
        }
    }
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(text_of_ascii),
        SCENARIO(text_of_every_width),
        SCENARIO(text_of_odd_characters),
        SCENARIO(text_that_is_too_long),
        SCENARIO(text_that_is_none),
        SCENARIO(legacy_text_without_characters),
        SCENARIO(bytes_within_the_limit),
        SCENARIO(numbers_that_fit),
        SCENARIO(numbers_that_do_not_fit),
        SCENARIO(dicts_of_every_kind),
        SCENARIO(dicts_of_every_size),
        SCENARIO(dict_is_visited_in_order),
        SCENARIO(dict_that_is_none),
        SCENARIO(attributes_of_every_scheme),
        SCENARIO(object_without_attributes),
        SCENARIO(object_without_a_dict_yet),
        SCENARIO(types_by_name),
        SCENARIO(names_of_threads),
        SCENARIO(kernel_ids_of_threads),
        SCENARIO(code_is_read),
        SCENARIO(code_of_a_shim_is_hidden),
        SCENARIO(code_that_is_none),
        SCENARIO(sizes_of_code_are_bounded),
        SCENARIO(positions_in_code),
        SCENARIO(fingerprints_differ),
        SCENARIO(fingerprints_differ_at_the_same_addresses),
        SCENARIO(end_of_the_process_is_told),
    };
    return scenarios_run("objects", scenarios, COUNT(scenarios));
}
