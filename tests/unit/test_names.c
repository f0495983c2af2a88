#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "target-runtime/names.h"
#include "tests/unit/scenarios.h"

/* ---- helpers ---- */

enum { NAME_COUNT = 3 };

struct bench {
    struct python *python;
    struct runtime runtime;
    uint64_t code;     /* that of the caller */
    uint64_t function; /* a global of it */
    uint64_t globals;
    uint64_t texts[NAME_COUNT];
};

static uint64_t make_tuple(struct python *python, const uint64_t *items, size_t count) {
    uint64_t tuple = python_structure(python, "tuple", 8 * count + 64);
    uint32_t items_at = LAYOUT_AT(python->layout, tuple, items);
    python_set(python, tuple, LAYOUT_object_var_count, count);
    for (size_t i = 0; i < count; i++) {
        fake_write(&python->fake, tuple + items_at + 8 * i, &items[i], 8);
    }
    return tuple;
}

/* Names: a function, something that is none, and one that is no global. */
static void bench_open(struct bench *bench, struct python *python, enum python_dict kind) {
    const struct python_code caller = {"caller", "caller", "a.py", 1, 30, 0, false, 1000, 0};
    const struct python_code callee = {"callee", "callee", "a.py", 80, 8, 0, false, 1001, 0};
    static const char *const texts[NAME_COUNT] = {"callee", "number", "absent"};
    *bench = (struct bench){.python = python};
    for (size_t i = 0; i < NAME_COUNT; i++) {
        bench->texts[i] = python_text(python, texts[i]);
    }
    bench->code = python_code(python, &caller);
    bench->function = python_function_of(python, python_code(python, &callee));
    const struct python_entry entries[] = {
        {python_text(python, "other"), bench->function},
        {0, 0},
        {bench->texts[1], python_number(python, 5)},
        {bench->texts[0], bench->function},
    };
    bench->globals = python_dict(python, kind, entries, sizeof entries / sizeof entries[0]);
    python_set(python, bench->code, LAYOUT_code_names,
               make_tuple(python, bench->texts, NAME_COUNT));
    python_attach(python, &bench->runtime);
    bench->runtime.code_type = (struct remote){python->code_type};
}

static enum status read_names(const struct bench *bench, uint64_t globals, struct names *out) {
    return names_read(&bench->runtime, (struct remote){bench->code}, (struct remote){globals}, out);
}

/* ---- what they stand for ---- */

static void functions_are_found(struct python *python) {
    static const enum python_dict kinds[] = {DICT_GENERAL, DICT_UNICODE};
    for (size_t kind = 0; kind < 2; kind++) {
        struct bench bench;
        struct names names;
        bench_open(&bench, python, kinds[kind]);
        assert_int_equal(read_names(&bench, bench.globals, &names), STATUS_OK);
        assert_int_equal(names.count, NAME_COUNT);
        for (size_t i = 0; i < NAME_COUNT; i++) {
            assert_int_equal(names.rows[i].text, bench.texts[i]);
        }
        assert_int_equal(names.rows[0].code,
                         python_get(python, bench.function, LAYOUT_function_code));
        assert_int_equal(names.rows[1].code, 0);
        assert_int_equal(names.rows[2].code, 0);
        names_free(&names);
    }
}

/* What has something else where a function has its code is none. */
static void function_without_code(struct python *python) {
    struct bench bench;
    struct names names;
    bench_open(&bench, python, DICT_GENERAL);
    const uint64_t others[] = {bench.globals, bench.function, 8, UINT64_MAX, 0};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        python_set(python, bench.function, LAYOUT_function_code, others[i]);
        assert_int_equal(read_names(&bench, bench.globals, &names), STATUS_OK);
        assert_int_equal(names.rows[0].code, 0);
        names_free(&names);
    }
}

static void nothing_to_read(struct python *python) {
    struct bench bench;
    struct names names;
    bench_open(&bench, python, DICT_GENERAL);
    assert_int_not_equal(read_names(&bench, 0x1000, &names), STATUS_OK);
    names_free(&names);
    python_set(python, bench.code, LAYOUT_code_names, 0);
    assert_int_not_equal(read_names(&bench, bench.globals, &names), STATUS_OK);
    names_free(&names);
    python_set(python, bench.code, LAYOUT_code_names, make_tuple(python, NULL, 0));
    assert_int_equal(read_names(&bench, bench.globals, &names), STATUS_OK);
    assert_int_equal(names.count, 0);
    names_free(&names);
}

/* A count that the target made up costs no memory. */
static void too_many_names(struct python *python) {
    struct bench bench;
    struct names names;
    bench_open(&bench, python, DICT_GENERAL);
    static const uint64_t counts[] = {1 << 20, UINT64_C(1) << 40, UINT64_MAX};
    uint64_t tuple = python_get(python, bench.code, LAYOUT_code_names);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        python_set(python, tuple, LAYOUT_object_var_count, counts[i]);
        assert_int_equal(read_names(&bench, bench.globals, &names), STATUS_TORN);
        assert_null(names.rows);
        names_free(&names);
    }
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(functions_are_found),
        SCENARIO(function_without_code),
        SCENARIO(nothing_to_read),
        SCENARIO(too_many_names),
    };
    return scenarios_run("names", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
