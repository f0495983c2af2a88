#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/listing.h"
#include "target-runtime/opcodes.h"

/* ---- helpers ---- */

enum { FIRST_LINE = 7, ROUNDS = 2000 };

static uint8_t number_of(const struct opcode_table *table, const char *name) {
    for (int i = 0; i < 256; i++) {
        if (table->rows[i].name != NULL && strcmp(table->rows[i].name, name) == 0) {
            return (uint8_t)i;
        }
    }
    fail_msg("%s has no %s", table->version, name);
    return 0;
}

struct bench {
    struct trace trace;
    struct layout layout;
    struct code code;
    uint8_t bytecode[64];
    uint8_t line_table[64];
    struct listing *listing;
};

/* As 3.13 has it: every unit is in a line of its own, from FIRST_LINE on. */
static void bench_open(struct bench *bench, uint32_t units) {
    *bench =
        (struct bench){.layout = {.opcodes = &opcodes_py3_13, .line_table = LINE_TABLE_LOCATIONS}};
    assert_int_equal(trace_init(&bench->trace, false, NULL), STATUS_OK);
    for (uint32_t i = 0; i < units; i++) {
        /* Kind 11: a line further, then the columns. */
        const uint8_t entry[] = {0x80 | 11 << 3, (uint8_t)i, (uint8_t)(i + 4)};
        memcpy(bench->line_table + sizeof entry * i, entry, sizeof entry);
    }
    bench->code = (struct code){.code_bytes = (uint64_t)units * 2,
                                .first_line = FIRST_LINE - 1,
                                .line_table = bench->line_table,
                                .line_table_bytes = (size_t)units * 3};
    struct trace_function function = {.name = trace_text(&bench->trace, "f", 1)};
    struct trace_code code = {trace_intern_function(&bench->trace, function), 1};
    bench->listing = listing_create(&bench->trace, &bench->layout, &bench->code,
                                    trace_intern_code(&bench->trace, code));
}

static void bench_close(struct bench *bench) {
    listing_destroy(bench->listing);
    trace_deinit(&bench->trace);
}

static void set(struct bench *bench, uint32_t unit, const char *name, uint8_t argument) {
    bench->bytecode[2 * unit] = number_of(bench->layout.opcodes, name);
    bench->bytecode[2 * unit + 1] = argument;
}

static const struct trace_instruction *row_at(struct bench *bench, int64_t offset) {
    struct string_id opcode;
    uint32_t id = listing_at(bench->listing, offset, &opcode);
    assert_int_not_equal(id, 0);
    const struct trace_instruction *row = table_row(&bench->trace.instructions, id);
    assert_int_equal(row->opcode.id, opcode.id);
    return row;
}

static void expect_row(struct bench *bench, int64_t offset, uint32_t start, const char *opcode,
                       const char *base, uint32_t argument) {
    const struct trace_instruction *row = row_at(bench, offset);
    assert_int_equal(row->offset, start);
    assert_string_equal(trace_string(&bench->trace, row->opcode), opcode);
    assert_string_equal(trace_string(&bench->trace, row->base), base);
    assert_int_equal(row->argument, argument);
    assert_int_equal(row->line, FIRST_LINE + start / 2);
    assert_int_equal(row->column, start / 2 + 1);
    assert_int_equal(row->end_column, start / 2 + 5);
}

static void expect_nothing(struct bench *bench, int64_t offset) {
    struct string_id opcode = {1};
    assert_int_equal(listing_at(bench->listing, offset, &opcode), 0);
    assert_int_equal(opcode.id, 0);
}

/* ---- tests ---- */

static void test_prefixes_and_caches_belong_to_their_instruction(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 9);
    set(&bench, 0, "EXTENDED_ARG", 1);
    set(&bench, 1, "EXTENDED_ARG", 2);
    set(&bench, 2, "LOAD_CONST", 3);
    set(&bench, 3, "CALL_PY_EXACT_ARGS", 4); /* and three units of cache */
    set(&bench, 7, "BINARY_OP_ADD_INT", 0);  /* and one */
    listing_update(bench.listing, bench.bytecode);
    assert_int_equal(bench.trace.instructions.count, 3);
    expect_row(&bench, 0, 4, "LOAD_CONST", "LOAD_CONST", 0x010203);
    expect_row(&bench, 4, 4, "LOAD_CONST", "LOAD_CONST", 0x010203);
    expect_row(&bench, 6, 6, "CALL_PY_EXACT_ARGS", "CALL", 4);
    expect_row(&bench, 12, 6, "CALL_PY_EXACT_ARGS", "CALL", 4);
    expect_row(&bench, 16, 14, "BINARY_OP_ADD_INT", "BINARY_OP", 0);
    bench_close(&bench);
}

static void test_follows_specialisation(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 3);
    set(&bench, 0, "BINARY_OP", 5);
    set(&bench, 2, "RETURN_VALUE", 0);
    listing_update(bench.listing, bench.bytecode);
    expect_row(&bench, 0, 0, "BINARY_OP", "BINARY_OP", 5);
    set(&bench, 0, "BINARY_OP_MULTIPLY_INT", 5);
    listing_update(bench.listing, bench.bytecode);
    expect_row(&bench, 0, 0, "BINARY_OP_MULTIPLY_INT", "BINARY_OP", 5);
    assert_int_equal(bench.trace.instructions.count, 2);
    bench_close(&bench);
}

static void test_what_is_hidden_is_remembered(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 3);
    set(&bench, 0, "JUMP_BACKWARD", 9);
    set(&bench, 2, "RETURN_VALUE", 0);
    listing_update(bench.listing, bench.bytecode);
    set(&bench, 0, "ENTER_EXECUTOR", 0);
    listing_update(bench.listing, bench.bytecode);
    expect_row(&bench, 2, 0, "ENTER_EXECUTOR", "JUMP_BACKWARD", 9);
    expect_row(&bench, 4, 4, "RETURN_VALUE", "RETURN_VALUE", 0);
    bench_close(&bench);
}

static void test_what_was_always_hidden_is_itself(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1);
    set(&bench, 0, "INSTRUMENTED_LINE", 9);
    listing_update(bench.listing, bench.bytecode);
    expect_row(&bench, 0, 0, "INSTRUMENTED_LINE", "INSTRUMENTED_LINE", 9);
    bench_close(&bench);
}

static void test_unknown_opcodes_are_numbers(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 1);
    bench.bytecode[0] = 255;
    listing_update(bench.listing, bench.bytecode);
    expect_row(&bench, 0, 0, "<255>", "<255>", 0);
    bench_close(&bench);
}

static void test_nothing_outside(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, 2);
    set(&bench, 0, "NOP", 0);
    expect_nothing(&bench, 0);
    listing_update(bench.listing, bench.bytecode);
    expect_row(&bench, 1, 0, "NOP", "NOP", 0);
    expect_nothing(&bench, -1);
    expect_nothing(&bench, 4);
    expect_nothing(&bench, INT64_MAX);
    bench_close(&bench);
}

/* Whatever is read, every row is of the code, in it, and the same instruction as before. */
static void test_random_bytes(void **state) {
    (void)state;
    struct bench bench;
    uint32_t seed = 1;
    bench_open(&bench, 20);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < sizeof bench.bytecode; i++) {
            seed = seed * 1664525 + 1013904223;
            bench.bytecode[i] = (uint8_t)(seed >> 24);
        }
        listing_update(bench.listing, bench.bytecode);
        assert_true(bench.trace.instructions.count <= 20);
        for (int64_t offset = 0; offset < 40; offset++) {
            struct string_id opcode;
            uint32_t id = listing_at(bench.listing, offset, &opcode);
            assert_true(id <= bench.trace.instructions.count);
            assert_true(id == 0 || row_at(&bench, offset)->offset < 40);
        }
    }
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes_and_caches_belong_to_their_instruction),
        cmocka_unit_test(test_follows_specialisation),
        cmocka_unit_test(test_what_is_hidden_is_remembered),
        cmocka_unit_test(test_what_was_always_hidden_is_itself),
        cmocka_unit_test(test_unknown_opcodes_are_numbers),
        cmocka_unit_test(test_nothing_outside),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
