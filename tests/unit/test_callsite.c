#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target-runtime/callsite.h"
#include "target-runtime/opcodes.h"

/* ---- bytecode whose last byte is against an unmapped page ---- */

static uint8_t *page; /* readable; the next page is not */
static size_t page_bytes;

static int map_page(void **state) {
    (void)state;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : mprotect(page + page_bytes, page_bytes, PROT_NONE);
}

static int unmap_page(void **state) {
    (void)state;
    return munmap(page, 2 * page_bytes);
}

static const uint8_t *at_the_edge(const uint8_t *code, size_t bytes) {
    assert_true(bytes <= page_bytes);
    return memcpy(page + page_bytes - bytes, code, bytes);
}

/* ---- making bytecode ---- */

struct program {
    const struct opcode_table *table;
    uint8_t code[512];
    uint32_t bytes;
};

static uint8_t number_of(const struct opcode_table *table, const char *name) {
    for (int i = 0; i < 256; i++) {
        if (table->rows[i].name != NULL && strcmp(table->rows[i].name, name) == 0) {
            return (uint8_t)i;
        }
    }
    fail_msg("%s has no %s", table->version, name);
    return 0;
}

static void add_unit(struct program *program, uint32_t unit) {
    assert_true(program->bytes + 2 <= sizeof program->code);
    program->code[program->bytes++] = (uint8_t)unit;
    program->code[program->bytes++] = (uint8_t)(unit >> 8);
}

/* An instruction whose cache is full of `filling`; returns its offset. */
static uint32_t add_filled(struct program *program, const char *name, uint32_t filling) {
    uint32_t offset = program->bytes;
    uint8_t number = number_of(program->table, name);
    add_unit(program, number);
    for (uint32_t i = 0; i < program->table->rows[number].cache_units; i++) {
        add_unit(program, filling);
    }
    return offset;
}

static uint32_t add(struct program *program, const char *name) {
    return add_filled(program, name, 0);
}

/* Overwrites the cache of the instruction at `offset` from its unit `unit`, counted from 1. */
static void set_version(struct program *program, uint32_t offset, uint32_t unit, uint32_t version) {
    for (uint32_t i = 0; i < 4; i++) {
        program->code[offset + 2 * unit + i] = (uint8_t)(version >> (8 * i));
    }
}

static uint32_t add_call(struct program *program, const char *name, uint32_t version) {
    uint32_t offset = add_filled(program, name, 0xffff);
    set_version(program, offset, 2, version);
    return offset;
}

static struct callsite site_at(const struct program *program, uint32_t offset) {
    return callsite_at(program->table, at_the_edge(program->code, program->bytes), program->bytes,
                       offset);
}

static void assert_site(struct callsite found, enum callsite_kind kind, bool pushes,
                        uint32_t offset, uint32_t version) {
    assert_int_equal(found.kind, kind);
    assert_int_equal(found.pushes, pushes);
    assert_int_equal(found.offset, offset);
    assert_int_equal(found.callee_version, version);
}

/* ---- the tables ---- */

static void test_every_version_has_a_table(void **state) {
    (void)state;
    static const char *const versions[] = {"3.8",  "3.9",  "3.10", "3.11",
                                           "3.12", "3.13", "3.14", "3.15"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        assert_non_null(opcode_tables[i]);
        assert_string_equal(opcode_tables[i]->version, versions[i]);
    }
    assert_null(opcode_tables[sizeof versions / sizeof versions[0]]);
}

static void assert_row(const struct opcode_table *table, int number) {
    const struct opcode *row = &table->rows[number];
    const struct opcode *base = &table->rows[row->base];
    uint32_t family = OPCODE_QUIET | OPCODE_PUSHES | OPCODE_PREFIX;
    uint32_t version_units = (row->flags & OPCODE_SHORT_VERSION) != 0 ? 1 : 2;
    assert_int_equal(number_of(table, row->name), number); /* no name twice */
    assert_non_null(base->name);
    assert_int_equal(base->base, row->base);
    assert_int_equal(base->cache_units, row->cache_units);
    assert_true(row->cache_units <= OPCODE_MOST_CACHE_UNITS);
    assert_int_equal(base->flags & family, row->flags & family);
    assert_true((row->flags & OPCODE_QUIET) == 0 || (row->flags & OPCODE_PUSHES) == 0);
    if (row->version_unit != 0) {
        assert_true(row->version_unit - 1U + version_units <= row->cache_units);
        assert_true((row->flags & OPCODE_PUSHES) != 0);
    } else {
        assert_int_equal(version_units, 2);
    }
}

static void assert_rows(const struct opcode_table *table) {
    static const struct opcode nothing;
    for (int i = 0; i < 256; i++) {
        if (table->rows[i].name != NULL) {
            assert_row(table, i);
        } else {
            assert_memory_equal(&table->rows[i], &nothing, sizeof nothing);
        }
    }
    assert_true(table->rows[number_of(table, "EXTENDED_ARG")].flags & OPCODE_PREFIX);
}

static void test_rows_agree_with_each_other(void **state) {
    (void)state;
    for (size_t i = 0; opcode_tables[i] != NULL; i++) {
        assert_rows(opcode_tables[i]);
    }
}

static void test_names_and_bases(void **state) {
    (void)state;
    const struct opcode_table *table = &opcodes_py3_13;
    uint8_t special = number_of(table, "CALL_PY_EXACT_ARGS");
    assert_string_equal(opcode_name(table, opcode_base(table, special)), "CALL");
    uint8_t instrumented = number_of(table, "INSTRUMENTED_CALL");
    assert_string_equal(opcode_name(table, opcode_base(table, instrumented)), "CALL");
    assert_null(opcode_name(table, 235));
    assert_int_equal(opcode_base(table, 235), 235);
}

/* ---- walking ---- */

static void expect_walk(const struct program *program, const struct instruction *wanted,
                        size_t count) {
    const uint8_t *code = at_the_edge(program->code, program->bytes);
    struct opcode_walk walk = opcode_walk_begin(program->table, code, program->bytes);
    struct instruction found;
    for (size_t i = 0; i < count; i++) {
        assert_true(opcode_walk_next(&walk, &found));
        assert_int_equal(found.begin, wanted[i].begin);
        assert_int_equal(found.start, wanted[i].start);
        assert_int_equal(found.end, wanted[i].end);
        assert_int_equal(found.opcode, code[found.start]);
    }
    assert_false(opcode_walk_next(&walk, &found));
    assert_false(opcode_walk_next(&walk, &found));
}

#define EXPECT_WALK(program, ...)                                                                  \
    do {                                                                                           \
        static const struct instruction wanted_[] = {__VA_ARGS__};                                 \
        expect_walk(program, wanted_, sizeof wanted_ / sizeof wanted_[0]);                         \
    } while (0)

static void test_caches_and_prefixes_belong_to_their_instruction(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_12};
    uint8_t call = number_of(program.table, "CALL");
    add(&program, "LOAD_FAST");
    add(&program, "EXTENDED_ARG");
    add(&program, "EXTENDED_ARG");
    add_filled(&program, "CALL", call); /* a cache that looks like calls */
    add(&program, "RETURN_VALUE");
    EXPECT_WALK(&program, {.begin = 0, .start = 0, .end = 2}, {.begin = 2, .start = 6, .end = 14},
                {.begin = 14, .start = 14, .end = 16});
    for (uint32_t offset = 2; offset < 14; offset++) {
        assert_site(site_at(&program, offset), CALLSITE_POSSIBLE, true, 6, 0);
    }
    assert_site(site_at(&program, 1), CALLSITE_NONE, false, 0, 0);
    assert_site(site_at(&program, 14), CALLSITE_POSSIBLE, false, 14, 0);
}

static void test_unknown_opcodes_are_one_unit(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_8};
    add_unit(&program, 0);
    add_unit(&program, 255);
    add(&program, "CALL_FUNCTION");
    EXPECT_WALK(&program, {.begin = 0, .start = 0, .end = 2}, {.begin = 2, .start = 2, .end = 4},
                {.begin = 4, .start = 4, .end = 6});
    assert_site(site_at(&program, 0), CALLSITE_POSSIBLE, true, 0, 0);
}

static void test_bytecode_cut_short(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_13};
    add(&program, "EXTENDED_ARG");
    add_call(&program, "CALL_PY_EXACT_ARGS", 7);
    for (; program.bytes > 3; program.bytes--) {
        bool has_version = program.bytes >= 10;
        enum callsite_kind kind = has_version ? CALLSITE_NAMED : CALLSITE_POSSIBLE;
        assert_site(site_at(&program, 0), kind, true, 2, has_version ? 7 : 0);
        assert_site(site_at(&program, program.bytes), CALLSITE_NONE, false, program.bytes, 0);
    }
    expect_walk(&program, NULL, 0); /* a prefix of nothing, and half a unit */
    assert_site(site_at(&program, 0), CALLSITE_POSSIBLE, true, 0, 0);
    program.bytes = 0;
    expect_walk(&program, NULL, 0);
    assert_site(site_at(&program, 0), CALLSITE_NONE, false, 0, 0);
}

/* ---- instructions that hide another one ---- */

static void test_certain_again_behind_a_hidden_instruction(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_12};
    uint8_t nop = number_of(program.table, "NOP");
    uint32_t hidden = add(&program, "INSTRUMENTED_LINE");
    for (int i = 0; i < OPCODE_MOST_CACHE_UNITS; i++) {
        add_unit(&program, nop); /* instructions, or the hidden one's cache */
    }
    uint32_t certain = add_call(&program, "CALL_PY_EXACT_ARGS", 9);
    EXPECT_WALK(&program, {.begin = 0, .start = 0, .end = 2},
                {.begin = 22, .start = 22, .end = 30});
    assert_site(site_at(&program, hidden), CALLSITE_POSSIBLE, true, hidden, 0);
    assert_site(site_at(&program, 6), CALLSITE_POSSIBLE, true, 6, 0);
    assert_site(site_at(&program, certain), CALLSITE_NAMED, true, certain, 9);
}

static void test_what_may_be_a_cache_names_nobody(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_12};
    struct callsite site;
    add(&program, "INSTRUMENTED_LINE");
    uint32_t doubtful = add_call(&program, "CALL_PY_EXACT_ARGS", 9);
    assert_site(site_at(&program, doubtful), CALLSITE_POSSIBLE, true, doubtful, 0);
    const uint8_t *code = at_the_edge(program.code, program.bytes);
    assert_int_equal(callsite_of_callee(program.table, code, program.bytes, 0, 9, &site), 0);
}

/* Units that could be either keep the rest in doubt until all ways of reading them meet. */
static void test_doubt_lasts_until_all_readings_meet(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_12};
    uint8_t attribute = number_of(program.table, "LOAD_ATTR");
    add(&program, "INSTRUMENTED_LINE");
    for (int i = 0; i < 10; i++) {
        add_unit(&program, attribute); /* each with nine units of cache, if it is one */
    }
    for (int i = 0; i < 20; i++) {
        add(&program, "NOP");
    }
    /* The last doubt ends behind the cache of the tenth. */
    struct instruction found;
    struct opcode_walk walk = opcode_walk_begin(program.table, program.code, program.bytes);
    assert_true(opcode_walk_next(&walk, &found));
    assert_true(opcode_walk_next(&walk, &found));
    assert_int_equal(found.start, 2 * (1 + 10 + 9));
}

/* ---- what a site says ---- */

struct saying {
    const struct opcode_table *table;
    const char *name;
    enum callsite_kind kind; /* with a cache that is full of ones */
    bool pushes;
    uint32_t version;
};

static const struct saying sayings[] = {
    {&opcodes_py3_8, "LOAD_FAST", CALLSITE_NONE, false, 0},
    {&opcodes_py3_8, "STORE_FAST", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_10, "CALL_METHOD", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_10, "BINARY_ADD", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_11, "CALL", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_11, "CALL_ADAPTIVE", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_11, "CALL_PY_EXACT_ARGS", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_11, "CALL_PY_WITH_DEFAULTS", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_11, "BINARY_SUBSCR_GETITEM", CALLSITE_NAMED, true, 0x0101},
    {&opcodes_py3_11, "PRECALL_PYFUNC", CALLSITE_POSSIBLE, false, 0},
    {&opcodes_py3_11, "CALL_FUNCTION_EX", CALLSITE_POSSIBLE, false, 0},
    {&opcodes_py3_11, "SEND", CALLSITE_POSSIBLE, false, 0},
    {&opcodes_py3_11, "LOAD_FAST__LOAD_CONST", CALLSITE_NONE, false, 0},
    {&opcodes_py3_12, "CALL_BOUND_METHOD_EXACT_ARGS", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_12, "CALL_FUNCTION_EX", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_12, "LOAD_ATTR_PROPERTY", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_12, "LOAD_ATTR_SLOT", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_12, "SEND", CALLSITE_GENERATOR, true, 0},
    {&opcodes_py3_12, "FOR_ITER_LIST", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_12, "BINARY_SUBSCR_GETITEM", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_12, "COMPARE_OP", CALLSITE_POSSIBLE, false, 0},
    {&opcodes_py3_13, "CALL_PY_GENERAL", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_13, "CALL_ALLOC_AND_ENTER_INIT", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_13, "CALL_KW", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_13, "INSTRUMENTED_CALL", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_13, "FOR_ITER_GEN", CALLSITE_GENERATOR, true, 0},
    {&opcodes_py3_13, "ENTER_EXECUTOR", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_13, "STORE_FAST", CALLSITE_POSSIBLE, false, 0},
    {&opcodes_py3_14, "CALL_KW_PY", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_14, "LOAD_ATTR_PROPERTY", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_14, "BINARY_OP_SUBSCR_GETITEM", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_14, "LOAD_CONST_IMMORTAL", CALLSITE_NONE, false, 0},
    {&opcodes_py3_15, "LOAD_ATTR_PROPERTY", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_15, "CALL_KW_BOUND_METHOD", CALLSITE_NAMED, true, 0x01010101},
    {&opcodes_py3_15, "CALL_EX_PY", CALLSITE_POSSIBLE, true, 0},
    {&opcodes_py3_15, "SEND_GEN", CALLSITE_GENERATOR, true, 0},
    {&opcodes_py3_15, "NOT_TAKEN", CALLSITE_NONE, false, 0},
};

static void test_sayings(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++) {
        const struct saying *saying = &sayings[i];
        struct program program = {.table = saying->table};
        add_filled(&program, saying->name, 0x0101);
        assert_site(site_at(&program, 0), saying->kind, saying->pushes, 0, saying->version);
    }
}

static void test_the_version_is_where_the_header_says(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_11};
    uint32_t call = add_call(&program, "CALL_PY_EXACT_ARGS", 0x89abcdef);
    uint32_t item = add_filled(&program, "BINARY_SUBSCR_GETITEM", 0x1111);
    program.code[item + 2 * 4] = 0xcd; /* counter, two of type_version, func_version */
    program.code[item + 2 * 4 + 1] = 0xab;
    assert_site(site_at(&program, call), CALLSITE_NAMED, true, call, 0x89abcdef);
    assert_site(site_at(&program, item), CALLSITE_NAMED, true, item, 0xabcd);

    program = (struct program){.table = &opcodes_py3_12};
    uint32_t property = add_filled(&program, "LOAD_ATTR_PROPERTY", 0x1111);
    set_version(&program, property, 4, 0x12345678); /* counter, two of type_version */
    assert_site(site_at(&program, property), CALLSITE_NAMED, true, property, 0x12345678);
}

static void test_version_0_is_nobody(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_13};
    struct callsite site;
    add_call(&program, "CALL_PY_EXACT_ARGS", 0);
    assert_site(site_at(&program, 0), CALLSITE_POSSIBLE, true, 0, 0);
    const uint8_t *code = at_the_edge(program.code, program.bytes);
    assert_int_equal(callsite_of_callee(program.table, code, program.bytes, 0, 0, &site), 0);
    assert_int_equal(site.kind, CALLSITE_NONE);
}

static void test_what_can_be_proved(void **state) {
    (void)state;
    assert_true(callsite_can_prove(0x3)); /* CO_OPTIMIZED, CO_NEWLOCALS */
    assert_true(callsite_can_prove(~(uint32_t)(0x20 | 0x80 | 0x200)));
    assert_false(callsite_can_prove(0x23));  /* a generator */
    assert_false(callsite_can_prove(0x123)); /* of types.coroutine() */
    assert_false(callsite_can_prove(0x83));  /* a coroutine */
    assert_false(callsite_can_prove(0x203)); /* an asynchronous generator */
}

/* ---- from a callee to its site ---- */

static void test_nearest_site(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_13};
    uint32_t first = add_call(&program, "CALL_PY_EXACT_ARGS", 5);
    uint32_t between = add(&program, "NOP");
    add_call(&program, "CALL_PY_EXACT_ARGS", 6);
    add_call(&program, "CALL_ALLOC_AND_ENTER_INIT", 5); /* a type's version */
    uint32_t second = add_call(&program, "CALL_BOUND_METHOD_GENERAL", 5);
    uint32_t end = add(&program, "RETURN_VALUE");
    const struct {
        uint32_t near;
        uint32_t wanted;
    } rows[] = {{0, first},          {first + 6, first},   {between, first},
                {second - 2, first}, {second, second},     {end, second},
                {100000, second},    {UINT32_MAX, second}, {between + 4, first}};
    const uint8_t *code = at_the_edge(program.code, program.bytes);
    struct callsite site;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(
            callsite_of_callee(program.table, code, program.bytes, rows[i].near, 5, &site), 2);
        assert_site(site, CALLSITE_NAMED, true, rows[i].wanted, 5);
    }
}

static void test_first_site_after_when_none_is_before(void **state) {
    (void)state;
    struct program program = {.table = &opcodes_py3_15};
    add(&program, "NOP");
    uint32_t first = add_call(&program, "CALL_KW_PY", 5);
    add_call(&program, "CALL_KW_PY", 5);
    const uint8_t *code = at_the_edge(program.code, program.bytes);
    struct callsite site;
    assert_int_equal(callsite_of_callee(program.table, code, program.bytes, 0, 5, &site), 2);
    assert_site(site, CALLSITE_NAMED, true, first, 5);
    assert_int_equal(callsite_of_callee(program.table, code, program.bytes, 0, 4, &site), 0);
    assert_int_equal(site.kind, CALLSITE_NONE);
}

/* ---- bytes that nobody's compiler made ---- */

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

/* What callsite_at says of every offset is what the walk says. */
static void assert_consistent(const struct opcode_table *table, const uint8_t *code,
                              uint32_t bytes) {
    struct opcode_walk walk = opcode_walk_begin(table, code, bytes);
    struct instruction instruction;
    uint32_t end = 0;
    while (opcode_walk_next(&walk, &instruction)) {
        assert_true(instruction.begin >= end && instruction.begin <= instruction.start);
        assert_true(instruction.start < instruction.end && instruction.end <= bytes);
        end = instruction.end;
        struct callsite site = callsite_at(table, code, bytes, instruction.end - 1);
        assert_int_equal(site.offset, instruction.start);
        assert_int_equal(site.kind == CALLSITE_NAMED, site.callee_version != 0);
        struct callsite named = {0};
        uint32_t count =
            callsite_of_callee(table, code, bytes, site.offset, site.callee_version, &named);
        assert_int_equal(count > 0, site.kind == CALLSITE_NAMED);
        assert_true(count == 0 || named.offset == site.offset);
    }
}

static void test_random_bytes(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        const struct opcode_table *table = opcode_tables[next_random(&seed) % 8];
        uint8_t code[80];
        uint32_t bytes = next_random(&seed) % sizeof code;
        for (uint32_t i = 0; i < bytes; i++) {
            code[i] = (uint8_t)next_random(&seed);
        }
        const uint8_t *edge = at_the_edge(code, bytes);
        assert_consistent(table, edge, bytes);
        callsite_at(table, edge, bytes, next_random(&seed) % 100);
        assert_site(callsite_at(table, edge, bytes, UINT32_MAX), CALLSITE_NONE, false, UINT32_MAX,
                    0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version_has_a_table),
        cmocka_unit_test(test_rows_agree_with_each_other),
        cmocka_unit_test(test_names_and_bases),
        cmocka_unit_test(test_caches_and_prefixes_belong_to_their_instruction),
        cmocka_unit_test(test_unknown_opcodes_are_one_unit),
        cmocka_unit_test(test_bytecode_cut_short),
        cmocka_unit_test(test_certain_again_behind_a_hidden_instruction),
        cmocka_unit_test(test_what_may_be_a_cache_names_nobody),
        cmocka_unit_test(test_doubt_lasts_until_all_readings_meet),
        cmocka_unit_test(test_sayings),
        cmocka_unit_test(test_the_version_is_where_the_header_says),
        cmocka_unit_test(test_version_0_is_nobody),
        cmocka_unit_test(test_what_can_be_proved),
        cmocka_unit_test(test_nearest_site),
        cmocka_unit_test(test_first_site_after_when_none_is_before),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests_name("callsite", tests, map_page, unmap_page);
}
