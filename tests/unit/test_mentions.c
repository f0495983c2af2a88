#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "target-runtime/mentions.h"

/* ---- making bytecode ---- */

struct program {
    const struct opcode_table *table;
    uint8_t code[256];
    uint32_t bytes;
};

static int find_number(const struct opcode_table *table, const char *name) {
    for (int i = 0; i < 256; i++) {
        if (table->rows[i].name != NULL && strcmp(table->rows[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* An instruction with its cache, by the first of two names that the version has; its offset. */
static uint32_t add(struct program *program, const char *name, const char *other,
                    uint32_t argument) {
    int number = find_number(program->table, name);
    number = number < 0 ? find_number(program->table, other) : number;
    assert_true(number >= 0);
    if (argument > 255) {
        add(program, "EXTENDED_ARG", "", argument >> 8);
    }
    uint32_t at = program->bytes;
    program->bytes += 2 + 2 * program->table->rows[number].cache_units;
    assert_true(program->bytes <= sizeof program->code);
    program->code[at] = (uint8_t)number;
    program->code[at + 1] = (uint8_t)argument;
    return at;
}

static uint32_t load_global(struct program *program, uint32_t name) {
    return add(program, "LOAD_GLOBAL", "", name << program->table->global_shift);
}

static uint32_t load_attribute(struct program *program, uint32_t name) {
    return add(program, "LOAD_ATTR", "", name << program->table->attribute_shift);
}

static uint32_t call(struct program *program) {
    return add(program, "CALL", "CALL_FUNCTION", 0);
}

/* ---- looking ---- */

struct sight {
    struct mention_walk walk;
    enum mention_role role;
    bool is_found;
};

static struct sight look_at(const struct program *program, uint32_t offset) {
    struct instruction instruction;
    struct sight sight = {mention_walk_begin(program->table, program->code, program->bytes),
                          MENTION_NOTHING, false};
    sight.is_found = mention_walk_to(&sight.walk, offset, &instruction, &sight.role);
    return sight;
}

static void expect_mentions(const struct program *program, uint32_t offset, enum mention_role role,
                            const uint32_t *names, uint32_t count) {
    struct sight sight = look_at(program, offset);
    assert_true(sight.is_found);
    assert_int_equal(sight.role, role);
    assert_int_equal(sight.walk.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(sight.walk.mentions[i].name, names[i]);
    }
}

static void each_table(void (*run)(struct program *program)) {
    for (size_t i = 0; opcode_tables[i] != NULL; i++) {
        struct program program = {.table = opcode_tables[i]};
        run(&program);
    }
}

/* ---- statements ---- */

/* f(); g(h.i()) */
static void run_calls(struct program *program) {
    uint32_t load = load_global(program, 1);
    uint32_t first = call(program);
    uint32_t drop = add(program, "POP_TOP", "", 0);
    load_global(program, 300);
    load_global(program, 3);
    load_attribute(program, 4);
    uint32_t inner = call(program);
    uint32_t outer = call(program);
    add(program, "POP_TOP", "", 0);
    expect_mentions(program, load, MENTION_LOADS, (uint32_t[]){1}, 1);
    expect_mentions(program, first, MENTION_CALLS, (uint32_t[]){1}, 1);
    expect_mentions(program, drop, MENTION_NOTHING, (uint32_t[]){1}, 1);
    expect_mentions(program, inner, MENTION_CALLS, (uint32_t[]){300, 3, 4}, 3);
    expect_mentions(program, outer, MENTION_CALLS, (uint32_t[]){300, 3, 4}, 3);
    struct sight sight = look_at(program, outer);
    assert_true(sight.walk.mentions[0].is_global && sight.walk.mentions[1].is_global);
    assert_false(sight.walk.mentions[2].is_global);
    assert_int_equal(look_at(program, first).walk.mentions[0].offset, load);
    assert_false(look_at(program, program->bytes).is_found);
}

static void test_calls(void **state) {
    (void)state;
    each_table(run_calls);
}

/* for _ in f(): g() */
static void run_loop(struct program *program) {
    load_global(program, 1);
    call(program);
    add(program, "GET_ITER", "", 0);
    uint32_t loop = add(program, "FOR_ITER", "", 8);
    load_global(program, 2);
    uint32_t inside = call(program);
    add(program, "POP_TOP", "", 0);
    expect_mentions(program, loop, MENTION_RESUMES, (uint32_t[]){1}, 1);
    expect_mentions(program, inside, MENTION_CALLS, (uint32_t[]){2}, 1);
}

static void test_loops(void **state) {
    (void)state;
    each_table(run_loop);
}

/* Of a statement without end the last mentions are kept. */
static void run_many(struct program *program) {
    uint32_t names[MENTION_LIMIT];
    for (uint32_t i = 0; i < MENTION_LIMIT + 3; i++) {
        load_global(program, i);
    }
    for (uint32_t i = 0; i < MENTION_LIMIT; i++) {
        names[i] = i + 3;
    }
    expect_mentions(program, call(program), MENTION_CALLS, names, MENTION_LIMIT);
}

static void test_many_mentions(void **state) {
    (void)state;
    each_table(run_many);
}

/* LOAD_NAME has no other bits in its argument, in no version. */
static void run_module(struct program *program) {
    add(program, "LOAD_NAME", "", 7);
    expect_mentions(program, call(program), MENTION_CALLS, (uint32_t[]){7}, 1);
}

static void test_names_of_modules(void **state) {
    (void)state;
    each_table(run_module);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_many_mentions),
        cmocka_unit_test(test_names_of_modules),
    };
    return cmocka_run_group_tests_name("mentions", tests, NULL, NULL);
}
