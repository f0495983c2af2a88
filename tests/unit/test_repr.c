#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/integer.h"
#include "target-runtime/locals.h"
#include "target-runtime/repr.h"
#include "target-runtime/repr_text.h"
#include "tests/unit/scenarios.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CALLS = 100000 };

static struct remote at(uint64_t address) {
    return (struct remote){address};
}

/* ---- texts ---- */

static void expect_and_clear(struct buffer *text, const char *expected) {
    assert_string_equal(text->length > 0 ? text->data : "", expected);
    buffer_deinit(text);
}

static void floats(struct python *python) {
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1.0 / 3, "0.3333333333333333"},
        {1e15, "1000000000000000.0"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {1e16, "1e+16"},
        {1e-4, "0.0001"},
        {1e-5, "1e-05"},
        {1.5e300, "1.5e+300"},
        {5e-324, "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    (void)python;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buffer text = {0};
        repr_text_float(rows[i].value, &text);
        expect_and_clear(&text, rows[i].text);
    }
}

static void expect_quoted(const uint32_t *points, size_t count, uint64_t length,
                          const char *expected) {
    struct buffer text = {0};
    repr_text_string(points, count, length, &text);
    expect_and_clear(&text, expected);
}

static void strings(struct python *python) {
    static const uint32_t single[] = {'i', 't', '\'', 's'};
    static const uint32_t both[] = {'\'', '"'};
    static const uint32_t odd[] = {'\n', '\\', 0, 0x7f, 0x85, 0xe9, 0x1f40d, 0xd800, 0x110000};
    struct buffer bytes = {0};
    (void)python;
    expect_quoted(single, 0, 0, "''");
    expect_quoted(single, 4, 4, "\"it's\"");
    expect_quoted(both, 2, 2, "'\\'\"'");
    expect_quoted(both + 1, 1, 1, "'\"'");
    expect_quoted(odd, COUNT(odd), COUNT(odd),
                  "'\\n\\\\\\x00\\x7f\\x85\xc3\xa9\xf0\x9f\x90\x8d\\ud800\\u110000'");
    expect_quoted(single, 2, 1000, "'it'...");
    repr_text_bytes((const uint8_t *)"a'\xff\t", 4, 4, &bytes);
    expect_and_clear(&bytes, "b\"a'\\xff\\t\"");
}

static void expect_integer(struct python *python, const uint32_t *digits, size_t count,
                           bool is_negative, const char *expected) {
    struct runtime runtime;
    struct integer integer;
    struct buffer text = {0};
    python_attach(python, &runtime);
    uint64_t object = python_integer(python, digits, count, is_negative);
    assert_int_equal(integer_read(&runtime, at(object), &integer), STATUS_OK);
    integer_print(&integer, &text);
    expect_and_clear(&text, expected);
}

static void integers(struct python *python) {
    uint32_t digits[INTEGER_DIGITS + 1] = {7};
    expect_integer(python, digits, 0, false, "0");
    expect_integer(python, digits, 1, true, "-7");
    digits[3] = 1;
    expect_integer(python, digits, 4, false, "1237940039285380274899124231");
    digits[3] = 0;
    digits[INTEGER_DIGITS] = 0x20000000;
    expect_integer(python, digits, INTEGER_DIGITS + 1, true, "<int of 1230 bits>");
    digits[0] = 1000000000;
    expect_integer(python, digits, 1, false, "1000000000");
}

static void numbers_that_are_none(struct python *python) {
    struct runtime runtime;
    struct integer integer;
    static const uint32_t too_large[] = {1, 0x40000000};
    python_attach(python, &runtime);
    uint64_t torn = python_integer(python, too_large, 2, false);
    assert_int_equal(integer_read(&runtime, at(torn), &integer), STATUS_TORN);
    python_set(python, torn, LAYOUT_integer_tag, UINT64_C(1) << 60);
    assert_int_equal(integer_read(&runtime, at(torn), &integer), STATUS_TORN);
    assert_int_equal(integer_read(&runtime, at(0x10), &integer), STATUS_NOT_MAPPED);
}

/* ---- objects ---- */

#define FLAG_HEAP          (UINT64_C(1) << 9)
#define FLAG_TYPE_SUBCLASS (UINT64_C(1) << 31)

static uint64_t make_type(struct python *python, const char *name, uint64_t flags,
                          uint64_t metatype) {
    size_t bytes = strlen(name) + 1;
    uint64_t type = python_structure(python, "type", 0);
    uint64_t text = fake_place(&python->fake, bytes, 1);
    fake_write(&python->fake, text, name, bytes);
    python_set(python, type, LAYOUT_type_name, text);
    python_set(python, type, LAYOUT_type_flags, flags);
    python_set(python, type, LAYOUT_object_type, metatype != 0 ? metatype : type);
    return type;
}

/* A Python with types, and who reads it. */
struct world {
    struct python *python;
    struct runtime runtime;
    struct repr repr;
    uint64_t metatype;
};

static void world_init(struct world *world, struct python *python, uint64_t calls) {
    world->python = python;
    python_attach(python, &world->runtime);
    world->metatype = make_type(python, "type", FLAG_TYPE_SUBCLASS, 0);
    repr_init(&world->repr, &world->runtime, calls);
}

static uint64_t typed(struct world *world, uint64_t object, const char *type) {
    python_set(world->python, object, LAYOUT_object_type,
               make_type(world->python, type, 0, world->metatype));
    return object;
}

static uint64_t number(struct world *world, uint64_t value) {
    return typed(world, python_number(world->python, value), "int");
}

static uint64_t text(struct world *world, const char *ascii) {
    return typed(world, python_text(world->python, ascii), "str");
}

static uint64_t array_of(struct world *world, uint64_t at_bytes, const uint64_t *items,
                         size_t count) {
    uint64_t array = fake_place(&world->python->fake, at_bytes + count * 8, 8);
    for (size_t i = 0; i < count; i++) {
        fake_write_u64(&world->python->fake, array + at_bytes + i * 8, items[i]);
    }
    return array;
}

static uint64_t tuple(struct world *world, const uint64_t *items, size_t count) {
    uint64_t object = array_of(world, LAYOUT_AT(world->python->layout, tuple, items), items, count);
    python_set(world->python, object, LAYOUT_object_var_count, count);
    return typed(world, object, "tuple");
}

static uint64_t list(struct world *world, const uint64_t *items, size_t count) {
    uint64_t object = python_structure(world->python, "list", 0);
    python_set(world->python, object, LAYOUT_object_var_count, count);
    python_set(world->python, object, LAYOUT_list_items, array_of(world, 0, items, count));
    return typed(world, object, "list");
}

static uint64_t set(struct world *world, const uint64_t *slots, size_t slot_count, size_t used) {
    uint64_t object = python_structure(world->python, "set", 0);
    python_set(world->python, object, LAYOUT_set_used, used);
    python_set(world->python, object, LAYOUT_set_mask, slot_count - 1);
    python_set(world->python, object, LAYOUT_set_table, array_of(world, 0, slots, slot_count * 2));
    return typed(world, object, "set");
}

static uint64_t cell(struct world *world, uint64_t value) {
    uint64_t object = python_structure(world->python, "cell", 0);
    python_set(world->python, object, LAYOUT_cell_value, value);
    return typed(world, object, "cell");
}

static void expect_repr(struct world *world, uint64_t object, const char *expected) {
    struct buffer made = {0};
    repr_append(&world->repr, at(object), &made);
    expect_and_clear(&made, expected);
}

static void plain_objects(struct python *python) {
    struct world world;
    world_init(&world, python, CALLS);
    double half = 0.5;
    uint64_t number_of_half = python_structure(python, "float", 0);
    fake_write(&python->fake, number_of_half + LAYOUT_AT(python->layout, float, value), &half, 8);
    expect_repr(&world, typed(&world, python->none, "NoneType"), "None");
    expect_repr(&world, typed(&world, python_number(python, 1), "bool"), "True");
    expect_repr(&world, typed(&world, python_number(python, 0), "bool"), "False");
    expect_repr(&world, number(&world, 1234567890123), "1234567890123");
    expect_repr(&world, typed(&world, number_of_half, "float"), "0.5");
    expect_repr(&world, text(&world, "it's"), "\"it's\"");
    expect_repr(&world, typed(&world, python_bytes(python, "a\0", 2), "bytes"), "b'a\\x00'");
    repr_deinit(&world.repr);
}

static void containers(struct python *python) {
    struct world world;
    world_init(&world, python, CALLS);
    uint64_t items[REPR_ITEMS + 1];
    for (size_t i = 0; i < COUNT(items); i++) {
        items[i] = number(&world, i);
    }
    uint64_t inner = list(&world, items, 1);
    uint64_t pair[] = {items[1], tuple(&world, &inner, 1)};
    uint64_t slots[] = {0, 0, items[2], 2, python->none, UINT64_MAX, items[3], 3};
    struct python_entry entries[] = {{text(&world, "a"), items[1]}, {0, 0}, {items[2], inner}};
    expect_repr(&world, tuple(&world, items, 0), "()");
    expect_repr(&world, tuple(&world, items, 1), "(0,)");
    expect_repr(&world, tuple(&world, pair, 2), "(1, ([...],))");
    expect_repr(&world, list(&world, items, 0), "[]");
    expect_repr(&world, list(&world, items, REPR_ITEMS), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
    expect_repr(&world, list(&world, items, REPR_ITEMS + 1), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]");
    expect_repr(&world, set(&world, slots, 4, 2), "{2, 3}");
    expect_repr(&world, set(&world, slots, 4, 3), "{2, 3, ...}");
    expect_repr(&world, set(&world, slots, 1, 0), "set()");
    expect_repr(&world, typed(&world, set(&world, slots, 4, 2), "frozenset"), "frozenset({2, 3})");
    expect_repr(&world, typed(&world, python_dict(python, DICT_GENERAL, entries, 3), "dict"),
                "{'a': 1, 2: [0]}");
    expect_repr(&world, typed(&world, python_dict(python, DICT_GENERAL, entries, 0), "dict"), "{}");
    repr_deinit(&world.repr);
}

static void circles_end(struct python *python) {
    struct world world;
    uint64_t nothing[REPR_ITEMS] = {0};
    world_init(&world, python, CALLS);
    uint64_t object = list(&world, nothing, REPR_ITEMS);
    uint64_t items = python_get(python, object, LAYOUT_list_items);
    for (size_t i = 0; i < REPR_ITEMS; i++) {
        fake_write_u64(&python->fake, items + i * 8, object);
    }
    struct buffer made = {0};
    repr_append(&world.repr, at(object), &made);
    assert_true(made.length > 0 && made.length < 10 * REPR_OBJECTS);
    buffer_deinit(&made);
    repr_deinit(&world.repr);
}

static void objects_of_classes(struct python *python) {
    struct world world;
    char expected[64];
    world_init(&world, python, CALLS);
    uint64_t type = make_type(python, "Thing", FLAG_HEAP, world.metatype);
    struct python_entry entries[] = {{text(&world, "other"), python->none},
                                     {text(&world, "__module__"), text(&world, "some.where")}};
    python_set(python, type, LAYOUT_type_dict, python_dict(python, DICT_UNICODE, entries, 2));
    uint64_t object = python_structure(python, "object", 0);
    python_set(python, object, LAYOUT_object_type, type);
    snprintf(expected, sizeof expected, "<some.where.Thing at 0x%llx>", (unsigned long long)object);
    expect_repr(&world, object, expected);
    /* A class may be called like a plain type, and is none. */
    uint64_t impostor = make_type(python, "int", FLAG_HEAP, world.metatype);
    python_set(python, object, LAYOUT_object_type, impostor);
    snprintf(expected, sizeof expected, "<int at 0x%llx>", (unsigned long long)object);
    expect_repr(&world, object, expected);
    repr_deinit(&world.repr);
}

static void objects_that_are_none(struct python *python) {
    struct world world;
    world_init(&world, python, CALLS);
    uint64_t no_type = python_structure(python, "object", 0);
    uint64_t typeless = python_structure(python, "object", 0);
    python_set(python, typeless, LAYOUT_object_type, no_type);
    expect_repr(&world, 0, REPR_UNREADABLE);
    expect_repr(&world, 0x10, REPR_UNREADABLE);
    expect_repr(&world, no_type, REPR_UNREADABLE);
    expect_repr(&world, typeless, REPR_UNREADABLE);
    uint64_t torn = typed(&world, python_number(python, 2), "bool");
    expect_repr(&world, torn, REPR_UNREADABLE);
    uint64_t lost = list(&world, &torn, 1);
    python_set(python, lost, LAYOUT_list_items, 0x10);
    expect_repr(&world, lost, REPR_UNREADABLE);
    repr_deinit(&world.repr);
}

static void reading_is_bounded(struct python *python) {
    struct world world;
    world_init(&world, python, CALLS);
    uint64_t object = number(&world, 5);
    expect_repr(&world, object, "5");
    repr_deinit(&world.repr);
    repr_init(&world.repr, &world.runtime, 0);
    expect_repr(&world, object, REPR_UNREADABLE);
    repr_deinit(&world.repr);
}

/* ---- locals ---- */

/* A frame of a code object with `plain`, a cell `held` and a free variable `free`. */
static struct raw_frame make_frame(struct world *world, const uint64_t *slots, size_t count) {
    struct python *python = world->python;
    uint64_t names[] = {text(world, "plain"), text(world, "held"), text(world, "free")};
    uint64_t code = python_function(python, "f");
    switch (python->layout->local_names) {
    case LOCAL_NAMES_BY_KIND:
        python_set(python, code, LAYOUT_code_varnames, tuple(world, names, 1));
        python_set(python, code, LAYOUT_code_cellvars, tuple(world, names + 1, 1));
        python_set(python, code, LAYOUT_code_freevars, tuple(world, names + 2, 1));
        break;
    case LOCAL_NAMES_TOGETHER:
        python_set(python, code, LAYOUT_code_localsplusnames, tuple(world, names, 3));
        python_set(python, code, LAYOUT_code_localspluskinds,
                   python_bytes(python, "\x20\x40\x80", 3));
        break;
    }
    uint64_t frame = array_of(world, LAYOUT_AT(python->layout, locals, slots), slots, count);
    return (struct raw_frame){.at = frame, .code = code};
}

/* How a frame holds an object; NULL is tagged as well (PyStackRef_NULL). */
static uint64_t slot_of(const struct python *python, uint64_t object) {
    return python->layout->code_reference == CODE_REFERENCE_TAGGED ? object | 1 : object;
}

static void expect_local(const struct frame_locals *locals, size_t index, const char *name,
                         const char *value) {
    assert_true(index < locals->count);
    assert_string_equal(locals->all[index].name.data, name);
    assert_string_equal(locals->all[index].value.data, value);
}

static void locals_of_a_frame(struct python *python) {
    struct world world;
    struct frame_locals found;
    world_init(&world, python, CALLS);
    uint64_t slots[] = {slot_of(python, number(&world, 1)),
                        slot_of(python, cell(&world, number(&world, 2))),
                        slot_of(python, cell(&world, text(&world, "c")))};
    struct raw_frame frame = make_frame(&world, slots, 3);
    struct locals *locals = locals_create(&world.runtime, CALLS);
    for (int is_stopped = 0; is_stopped <= 1; is_stopped++) {
        locals_read(locals, &frame, is_stopped, &found);
        assert_true(found.is_readable);
        assert_int_equal(found.count, 3);
        expect_local(&found, 0, "plain", "1");
        expect_local(&found, 1, "held", "2");
        expect_local(&found, 2, "free", "'c'");
        locals_free(&found);
    }
    locals_destroy(locals);
    repr_deinit(&world.repr);
}

/* A variable without a value is left out, one that is not in its cell yet is there. */
static void locals_without_values(struct python *python) {
    struct world world;
    struct frame_locals found;
    world_init(&world, python, CALLS);
    uint64_t slots[] = {slot_of(python, 0), slot_of(python, number(&world, 2)),
                        slot_of(python, cell(&world, 0))};
    struct raw_frame frame = make_frame(&world, slots, 3);
    struct locals *locals = locals_create(&world.runtime, CALLS);
    locals_read(locals, &frame, false, &found);
    assert_int_equal(found.count, 1);
    expect_local(&found, 0, "held", "2");
    locals_free(&found);
    locals_destroy(locals);
    repr_deinit(&world.repr);
}

struct counting {
    struct python *python;
    uint64_t digit; /* of an int */
    uint32_t next;
};

static void count_up(void *context, uint64_t read_number) {
    struct counting *counting = context;
    (void)read_number;
    counting->next++;
    fake_write(&counting->python->fake, counting->digit, &counting->next, sizeof counting->next);
}

/* Another value with every read: looks never agree, and one is enough of what is said to stand
 * still. */
static void locals_that_change(struct python *python) {
    struct world world;
    struct frame_locals found;
    world_init(&world, python, CALLS);
    uint64_t object = number(&world, 1);
    uint64_t slots[] = {slot_of(python, object), slot_of(python, 0), slot_of(python, 0)};
    struct raw_frame frame = make_frame(&world, slots, 3);
    struct locals *locals = locals_create(&world.runtime, CALLS);
    struct counting counting = {python, object + LAYOUT_AT(python->layout, integer, digits), 1};
    python->fake.before_read = count_up;
    python->fake.context = &counting;
    locals_read(locals, &frame, false, &found);
    assert_int_equal(found.count, 1);
    expect_local(&found, 0, "plain", LOCALS_CHANGING);
    locals_free(&found);
    locals_read(locals, &frame, true, &found);
    assert_int_equal(found.count, 1);
    assert_string_not_equal(found.all[0].value.data, LOCALS_CHANGING);
    locals_free(&found);
    locals_destroy(locals);
    repr_deinit(&world.repr);
}

static void frames_that_are_none(struct python *python) {
    struct world world;
    struct frame_locals found;
    world_init(&world, python, CALLS);
    uint64_t slots[] = {slot_of(python, number(&world, 1)), slot_of(python, 0), slot_of(python, 0)};
    struct raw_frame frame = make_frame(&world, slots, 3);
    struct raw_frame lost = {.at = 0x10, .code = frame.code};
    struct raw_frame nameless = {.at = frame.at, .code = 0x10};
    struct locals *locals = locals_create(&world.runtime, CALLS);
    locals_read(locals, &lost, false, &found);
    assert_false(found.is_readable);
    locals_free(&found);
    locals_read(locals, &nameless, true, &found);
    assert_false(found.is_readable);
    assert_int_equal(found.count, 0);
    locals_free(&found);
    locals_destroy(locals);
    locals = locals_create(&world.runtime, 0);
    locals_read(locals, &frame, true, &found);
    assert_false(found.is_readable);
    locals_free(&found);
    locals_destroy(locals);
    repr_deinit(&world.repr);
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(floats),
        SCENARIO(strings),
        SCENARIO(integers),
        SCENARIO(numbers_that_are_none),
        SCENARIO(plain_objects),
        SCENARIO(containers),
        SCENARIO(circles_end),
        SCENARIO(objects_of_classes),
        SCENARIO(objects_that_are_none),
        SCENARIO(reading_is_bounded),
        SCENARIO(locals_of_a_frame),
        SCENARIO(locals_without_values),
        SCENARIO(locals_that_change),
        SCENARIO(frames_that_are_none),
    };
    return scenarios_run("repr", scenarios, COUNT(scenarios));
}
