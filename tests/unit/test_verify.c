#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/verify.h"
#include "target-runtime/opcodes.h"
#include "tests/unit/scenarios.h"

/* ---- helpers ---- */

enum {
    OFFSET = 2,  /* of the first instruction that names its callee; the one before is quiet */
    OFTEN = 100, /* more looks than it takes to believe or not to believe */
    VERSION = 4711,
    FLAG_GENERATOR = 0x20, /* CO_GENERATOR, Include/cpython/code.h */
};

struct bench {
    struct python *python;
    struct runtime runtime;
    struct trace trace;
    struct codes *codes;
    struct verify *verify;
    uint64_t caller; /* names VERSION */
    uint64_t plain;  /* may call anybody */
    uint64_t callee; /* has VERSION */
    uint64_t other;
    uint64_t now_ns;
};

static void bench_open(struct bench *bench, struct python *python) {
    const struct python_code caller = {"caller", "caller", "a.py", 1, 30, 0, false, 1000, VERSION};
    const struct python_code plain = {"plain", "plain", "a.py", 40, 30, 0, false, 1001, 0};
    const struct python_code callee = {"callee", "callee", "a.py", 80, 8, 0, false, VERSION, 0};
    const struct python_code other = {"other", "other", "a.py", 90, 8, 0, false, 1002, 0};
    *bench = (struct bench){.python = python, .now_ns = NS_PER_S};
    bench->caller = python_code(python, &caller);
    bench->plain = python_code(python, &plain);
    bench->callee = python_code(python, &callee);
    bench->other = python_code(python, &other);
    python_attach(python, &bench->runtime);
    assert_int_equal(trace_init(&bench->trace, false, NULL), STATUS_OK);
    bench->codes = codes_create(&bench->runtime, &bench->trace);
    bench->verify = verify_create(&bench->runtime, bench->codes);
}

static void bench_close(struct bench *bench) {
    verify_destroy(bench->verify);
    codes_destroy(bench->codes);
    trace_deinit(&bench->trace);
}

static struct known *find(struct bench *bench, uint64_t code) {
    struct known *known = codes_find(bench->codes, code, bench->now_ns);
    assert_non_null(known);
    return known;
}

static struct call make_call(struct bench *bench, uint64_t caller, uint64_t callee) {
    return (struct call){
        .caller = {.known = find(bench, caller), .offset = OFFSET},
        .callee = {.known = find(bench, callee),
                   .function = python_function_of(bench->python, callee)},
        .sight = SIGHT_MOVED,
    };
}

/* Judges a call in a look of its own. */
static enum verdict judge(struct bench *bench, const struct call *call, int64_t *offset_out) {
    bench->now_ns += 10 * NS_PER_MS;
    return verify_call(bench->verify, call, bench->now_ns, offset_out);
}

static void expect_verdict(struct bench *bench, const struct call *call, enum verdict verdict) {
    int64_t offset;
    assert_int_equal(judge(bench, call, &offset), verdict);
    assert_int_equal(offset, call->caller.offset);
}

static bool has_versions(const struct layout *layout) {
    return LAYOUT_HAS(layout, code, version) || LAYOUT_HAS(layout, function, version);
}

static bool has_no_versions(const struct layout *layout) {
    return !has_versions(layout);
}

static bool has_function_versions(const struct layout *layout) {
    return has_versions(layout) && !LAYOUT_HAS(layout, code, version);
}

static bool has_opcodes(const struct layout *layout) {
    return layout->opcodes != NULL;
}

/* ---- what the bytecode proves ---- */

/* In 3.12, where versions can be the same by chance, a call must have been seen once as well. */
static void prepare_proof(struct bench *bench, struct call *call) {
    int64_t offset;
    if (bench->python->layout->has_colliding_versions) {
        call->sight = SIGHT_STILL;
        (void)!judge(bench, call, &offset);
        call->sight = SIGHT_MOVED;
    }
}

static bool has_colliding_versions(const struct layout *layout) {
    return layout->has_colliding_versions;
}

static void version_that_may_collide_is_not_enough(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    for (int i = 0; i < OFTEN; i++) {
        expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    }
    call.sight = SIGHT_STILL;
    bench.now_ns += NS_PER_S;
    expect_verdict(&bench, &call, VERDICT_GOOD);
    bench_close(&bench);
}

static void call_is_proved_at_once(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    prepare_proof(&bench, &call);
    expect_verdict(&bench, &call, VERDICT_GOOD);
    /* It stays proved when the instruction is specialised for another one. */
    python_set(python, bench.callee, LAYOUT_code_version, 5);
    for (int i = 0; i < OFTEN; i++) {
        expect_verdict(&bench, &call, VERDICT_GOOD);
    }
    bench_close(&bench);
}

static bool has_copies(const struct layout *layout) {
    return LAYOUT_HAS(layout, code, tlbc);
}

/* What one thread specialised speaks for it alone, until it has proved the call: that is of the
 * code. */
static void call_is_proved_by_the_threads_own_copy(struct python *python) {
    const struct python_code naming = {"", "", "", 1, 30, 0, false, 0, VERSION};
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.plain, bench.callee);
    python_copy(python, bench.plain, 3, &naming);
    expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    python_copy(python, bench.plain, 4, NULL);
    call.caller.tlbc_index = 4;
    bench.now_ns += NS_PER_S;
    expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    call.caller.tlbc_index = 3;
    bench.now_ns += NS_PER_S;
    expect_verdict(&bench, &call, VERDICT_GOOD);
    call.caller.tlbc_index = 0;
    expect_verdict(&bench, &call, VERDICT_GOOD);
    bench_close(&bench);
}

/* The caller has moved on since; there is one call of this callee near. */
static void call_is_mended(struct python *python) {
    struct bench bench;
    int64_t offset;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    call.caller.offset = 0;
    prepare_proof(&bench, &call);
    assert_int_equal(judge(&bench, &call, &offset), VERDICT_MENDED);
    assert_int_equal(offset, OFFSET);
    bench_close(&bench);
}

static void expect_no_proof(struct bench *bench, const struct call *call) {
    for (int i = 0; i < OFTEN; i++) {
        expect_verdict(bench, call, VERDICT_UNKNOWN);
    }
}

static void nothing_proves_another_callee(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call wrong = make_call(&bench, bench.caller, bench.other);
    struct call silent = make_call(&bench, bench.plain, bench.callee);
    expect_no_proof(&bench, &wrong);
    expect_no_proof(&bench, &silent);
    bench_close(&bench);
}

/* C code called it, whatever the instruction names. */
static void nothing_proves_a_call_from_c(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    call.callee.is_from_c = true;
    expect_no_proof(&bench, &call);
    bench_close(&bench);
}

/* The frame of a generator is not made by the call of its function. */
static void nothing_proves_a_generator(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    python_set(python, bench.callee, LAYOUT_code_flags, 3 | FLAG_GENERATOR);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    expect_no_proof(&bench, &call);
    bench_close(&bench);
}

/* 0 is the version of who has none, and from 3.14 on 1 that of who lost it. */
static void nobodys_version_proves_nothing(struct python *python) {
    for (uint32_t version = 0; version < 2; version++) {
        struct bench bench;
        bench_open(&bench, python);
        const struct python_code caller = {"c", "c", "b.py", 1, 30, 0, false, 1, version};
        const struct python_code callee = {"d", "d", "b.py", 9, 8, 0, false, version, 0};
        struct call call =
            make_call(&bench, python_code(python, &caller), python_code(python, &callee));
        expect_no_proof(&bench, &call);
        bench_close(&bench);
    }
}

/* 3.11: its function has been given other code since. */
static void function_with_other_code_proves_nothing(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    python_set(python, call.callee.function, LAYOUT_function_code, bench.other);
    expect_no_proof(&bench, &call);
    call.callee.function = 0;
    expect_no_proof(&bench, &call);
    call.callee.function = 0x1000;
    expect_no_proof(&bench, &call);
    bench_close(&bench);
}

/* ---- what names prove ---- */

/* A code object whose only statement is `callee()`. */
struct statement {
    uint64_t code;
    uint64_t globals;
    int64_t call; /* offsets */
    int64_t end;
};

static uint32_t write_instruction(struct python *python, uint64_t at, const char *name,
                                  const char *other) {
    const struct opcode *rows = python->layout->opcodes->rows;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 256; i++) {
            if (rows[i].name != NULL && strcmp(rows[i].name, pass == 0 ? name : other) == 0) {
                uint16_t unit = (uint16_t)i;
                fake_write(&python->fake, at, &unit, sizeof unit);
                return 2 + 2U * rows[i].cache_units;
            }
        }
    }
    fail_msg("%s: neither %s nor %s", python->layout->label, name, other);
    return 0;
}

static struct statement make_statement(struct bench *bench) {
    struct python *python = bench->python;
    const struct layout *layout = python->layout;
    const struct python_code code = {"one", "one", "a.py", 70, 30, 0, true, 0, 0};
    struct statement made = {.code = python_code(python, &code)};
    uint64_t at = LAYOUT_HAS(layout, code, adaptive)
                      ? made.code + LAYOUT_AT(layout, code, adaptive)
                      : python_get(python, made.code, LAYOUT_code_bytes_object) +
                            LAYOUT_AT(layout, bytes, data);
    made.call = write_instruction(python, at, "LOAD_GLOBAL", "");
    made.end =
        made.call + write_instruction(python, at + (uint64_t)made.call, "CALL", "CALL_FUNCTION");
    (void)write_instruction(python, at + (uint64_t)made.end, "POP_TOP", "");
    python_set(python, made.code, LAYOUT_code_line_table,
               python_bytes(python, "", 0)); /* one line */
    uint64_t names = python_structure(python, "tuple", 64);
    uint64_t text = python_text(python, "callee");
    fake_write(&python->fake, names + LAYOUT_AT(layout, tuple, items), &text, sizeof text);
    python_set(python, names, LAYOUT_object_var_count, 1);
    python_set(python, made.code, LAYOUT_code_names, names);
    const struct python_entry entry = {text, python_function_of(python, bench->callee)};
    made.globals = python_dict(python, DICT_GENERAL, &entry, 1);
    return made;
}

static struct call call_by_name(struct bench *bench, const struct statement *statement,
                                uint64_t callee) {
    struct call call = make_call(bench, statement->code, callee);
    call.caller.offset = statement->call;
    call.caller.globals = statement->globals;
    return call;
}

static void call_is_proved_by_name(struct python *python) {
    for (int is_from_c = 0; is_from_c < 2; is_from_c++) {
        struct bench bench;
        bench_open(&bench, python);
        struct statement statement = make_statement(&bench);
        struct call call = call_by_name(&bench, &statement, bench.callee);
        call.callee.is_from_c = is_from_c != 0;
        expect_verdict(&bench, &call, VERDICT_GOOD);
        bench_close(&bench);
    }
}

static void call_is_mended_by_name(struct python *python) {
    struct bench bench;
    int64_t offset;
    bench_open(&bench, python);
    struct statement statement = make_statement(&bench);
    struct call call = call_by_name(&bench, &statement, bench.callee);
    call.caller.offset = statement.end;
    assert_int_equal(judge(&bench, &call, &offset), VERDICT_MENDED);
    assert_int_equal(offset, statement.call);
    bench_close(&bench);
}

/* A call of a function that is known is none of another, unless that is seen again and again. */
static void names_speak_against_another(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct statement statement = make_statement(&bench);
    struct call call = call_by_name(&bench, &statement, bench.other);
    call.sight = SIGHT_STILL;
    for (int i = 0; i < 7; i++) { /* with one more it would be a call that takes its time */
        expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    }
    call.sight = SIGHT_MOVED;
    expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    call.sight = SIGHT_STILL;
    int64_t offset;
    for (int i = 0; i < 2 * OFTEN; i++) {
        (void)!judge(&bench, &call, &offset);
    }
    expect_verdict(&bench, &call, VERDICT_GOOD);
    bench_close(&bench);
}

static void names_without_globals_prove_nothing(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct statement statement = make_statement(&bench);
    statement.globals = 0x1000;
    struct call call = call_by_name(&bench, &statement, bench.callee);
    expect_no_proof(&bench, &call);
    bench_close(&bench);
}

static void vanished_callee_is_named_by_name(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct statement statement = make_statement(&bench);
    struct caller caller = {find(&bench, statement.code), statement.call, statement.globals, 0, 0};
    for (int i = 0; i < 2; i++) {
        struct known *named = verify_callee(bench.verify, &caller, bench.now_ns);
        assert_ptr_equal(named, find(&bench, bench.callee));
    }
    caller.offset = statement.end;
    assert_null(verify_callee(bench.verify, &caller, bench.now_ns));
    bench_close(&bench);
}

/* Whether the call of a generator's function has a frame (RETURN_GENERATOR, 3.11-). */
static bool frames_making(const struct layout *layout) {
    return layout->frame_chain != FRAME_CHAIN_OBJECTS;
}

/* From 3.11 on the frame that makes a generator lies above the call; up to 3.10 there is none. */
static void vanished_maker_is_named_by_name(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    python_set(python, bench.callee, LAYOUT_code_flags, 3 | FLAG_GENERATOR);
    struct statement statement = make_statement(&bench);
    struct caller caller = {find(&bench, statement.code), statement.call, statement.globals, 0, 0};
    struct known *named = verify_named_callee(bench.verify, &caller, bench.now_ns);
    assert_ptr_equal(named, frames_making(python->layout) ? find(&bench, bench.callee) : NULL);
    bench_close(&bench);
}

/* What a code calls by name is known before it was seen. */
static void calls_by_name_are_learned(struct python *python) {
    struct bench bench;
    size_t count;
    bench_open(&bench, python);
    struct statement statement = make_statement(&bench);
    struct caller caller = {find(&bench, statement.code), statement.end, statement.globals, 0, 0};
    const struct known *callee = find(&bench, bench.callee);
    assert_false(verify_has_callings(bench.verify, callee));
    for (int i = 0; i < 2; i++) {
        verify_learn(bench.verify, &caller, bench.now_ns);
        const struct calling *rows = verify_callings(bench.verify, callee, &count);
        assert_int_equal(count, 1);
        assert_int_equal(rows[0].code, statement.code);
        assert_int_equal(rows[0].offset, statement.call);
    }
    assert_false(verify_has_callings(bench.verify, find(&bench, bench.other)));
    bench_close(&bench);
}

/* ---- opcode and version are two writes ---- */

/* Every second time that the bytecode is read it is another. */
static void change_bytecode(void *context, uint64_t number) {
    struct bench *bench = context;
    const struct layout *layout = bench->python->layout;
    uint64_t code = bench->caller + LAYOUT_AT(layout, code, adaptive);
    (void)number;
    for (uint64_t at = 2; at < 60; at += 2) {
        uint64_t word = fake_value(&bench->python->fake, code + at, 2);
        uint16_t next = word == VERSION       ? VERSION + 1
                        : word == VERSION + 1 ? VERSION
                                              : (uint16_t)word;
        fake_write(&bench->python->fake, code + at, &next, sizeof next);
    }
}

static void one_reading_proves_nothing(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    int64_t offset;
    python->fake.before_read = change_bytecode;
    python->fake.context = &bench;
    assert_int_equal(judge(&bench, &call, &offset), VERDICT_UNKNOWN);
    bench_close(&bench);
}

/* ---- what was seen standing still ---- */

static void call_that_stands_still(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.plain, bench.other);
    call.sight = SIGHT_NONE;
    expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    call.sight = SIGHT_STILL;
    expect_verdict(&bench, &call, VERDICT_UNKNOWN); /* once may be chance */
    expect_verdict(&bench, &call, VERDICT_SEEN);
    for (int i = 0; i < OFTEN; i++) {
        int64_t offset;
        (void)!judge(&bench, &call, &offset);
    }
    expect_verdict(&bench, &call, VERDICT_GOOD);
    call.sight = SIGHT_NONE;
    expect_verdict(&bench, &call, VERDICT_GOOD);
    bench_close(&bench);
}

/* A splice of two moments is seen standing still hardly ever, but it may be. */
static void call_that_mostly_moves(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.plain, bench.other);
    for (int i = 0; i < OFTEN; i++) {
        expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    }
    call.sight = SIGHT_STILL;
    expect_verdict(&bench, &call, VERDICT_UNKNOWN);
    /* As often as not is a true call. */
    int good = 0;
    for (int i = 0; i < 10 * OFTEN; i++) {
        int64_t offset;
        call.sight = i % 2 == 0 ? SIGHT_STILL : SIGHT_MOVED;
        good += judge(&bench, &call, &offset) != VERDICT_UNKNOWN;
    }
    assert_true(good > 5 * OFTEN);
    bench_close(&bench);
}

/* Each call is judged by itself: caller, instruction, callee, and how. */
static void calls_are_told_apart(struct python *python) {
    struct bench bench;
    int64_t offset;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.plain, bench.other);
    call.sight = SIGHT_STILL;
    for (int i = 0; i < OFTEN; i++) {
        (void)!judge(&bench, &call, &offset);
    }
    expect_verdict(&bench, &call, VERDICT_GOOD);
    struct call others[] = {call, call, call, call};
    others[0].caller.offset = 20;
    others[1].callee.known = find(&bench, bench.plain);
    others[2].caller.known = find(&bench, bench.other);
    others[3].callee.is_from_c = true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        others[i].sight = SIGHT_MOVED;
        expect_verdict(&bench, &others[i], VERDICT_UNKNOWN);
    }
    bench_close(&bench);
}

/* ---- who was called, when its frame is gone ---- */

static struct known *callee_of(struct bench *bench, uint64_t code, int64_t offset) {
    struct caller caller = {.known = find(bench, code), .offset = offset};
    return verify_callee(bench->verify, &caller, bench->now_ns);
}

static bool is_alone(struct bench *bench, uint64_t code, int64_t offset) {
    struct caller caller = {.known = find(bench, code), .offset = offset};
    return verify_is_alone(bench->verify, &caller, bench->now_ns);
}

static void vanished_callee_is_named(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    assert_null(callee_of(&bench, bench.caller, OFFSET));
    struct call call = make_call(&bench, bench.caller, bench.callee);
    prepare_proof(&bench, &call);
    expect_verdict(&bench, &call, VERDICT_GOOD);
    struct known *named = callee_of(&bench, bench.caller, OFFSET);
    assert_ptr_equal(named, find(&bench, bench.callee));
    assert_null(callee_of(&bench, bench.caller, 0));
    assert_null(callee_of(&bench, bench.caller, -1));
    assert_null(callee_of(&bench, bench.plain, OFFSET));
    bench_close(&bench);
}

/* Where its code object was there is another one now, which nobody named. */
static void vanished_callee_is_not_whoever_came_after(struct python *python) {
    struct bench bench;
    const struct python_code after = {"after", "after", "z.py", 5, 8, 0, false, 2000, 0};
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    prepare_proof(&bench, &call);
    expect_verdict(&bench, &call, VERDICT_GOOD);
    python_recode(python, bench.callee, &after);
    const struct raw_look look = {
        .has_code_generation = LAYOUT_HAS(python->layout, interpreter, code_object_generation),
        .code_generation = 1,
    };
    bench.now_ns += NS_PER_S;
    assert_int_equal(codes_check(bench.codes, &look, bench.now_ns), STATUS_OK);
    struct known *named = callee_of(&bench, bench.caller, OFFSET);
    assert_true(named == NULL || strcmp(named->code.name.data, "after") != 0);
    bench_close(&bench);
}

static void quiet_caller_is_alone(struct python *python) {
    struct bench bench;
    const struct python_code quiet = {"quiet", "quiet", "q.py", 1, 8, 0, true, 0, 0};
    bench_open(&bench, python);
    uint64_t code = python_code(python, &quiet);
    assert_true(is_alone(&bench, code, 4));
    assert_true(is_alone(&bench, bench.plain, -1)); /* it has not begun */
    assert_false(is_alone(&bench, bench.plain, 4));
    bench_close(&bench);
}

/* ---- who may have called ---- */

/* Makes it known that the code of the caller calls from that offset. */
static void make_calling(struct bench *bench, uint64_t caller, int64_t offset) {
    struct call call = make_call(bench, caller, bench->other);
    call.caller.offset = offset;
    call.sight = SIGHT_STILL;
    for (int i = 0; i < OFTEN; i++) {
        int64_t ignored;
        (void)!judge(bench, &call, &ignored);
    }
    expect_verdict(bench, &call, VERDICT_GOOD);
}

static size_t callings_of_other(struct bench *bench) {
    size_t count;
    (void)!verify_callings(bench->verify, find(bench, bench->other), &count);
    return count;
}

/* One statement may have its callee above several of its instructions. */
static void one_line_is_one_calling(struct python *python) {
    struct bench bench;
    const struct python_code line = {"line", "line", "l.py", 1, 30, 0, false, 0, 0};
    bench_open(&bench, python);
    python->is_one_line = true;
    uint64_t code = python_code(python, &line);
    make_calling(&bench, code, 8);
    make_calling(&bench, code, 20);
    assert_int_equal(callings_of_other(&bench), 1);
    make_calling(&bench, bench.plain, 8);
    make_calling(&bench, bench.plain, 20);
    assert_int_equal(callings_of_other(&bench), 3);
    bench_close(&bench);
}

/* ---- without versions ---- */

static void nothing_is_proved_without_versions(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct call call = make_call(&bench, bench.caller, bench.callee);
    expect_no_proof(&bench, &call);
    assert_null(callee_of(&bench, bench.caller, OFFSET));
    bench_close(&bench);
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO_FOR(call_is_proved_at_once, has_versions),
        SCENARIO_FOR(call_is_mended, has_versions),
        SCENARIO_FOR(call_is_proved_by_the_threads_own_copy, has_copies),
        SCENARIO_FOR(version_that_may_collide_is_not_enough, has_colliding_versions),
        SCENARIO_FOR(nothing_proves_another_callee, has_versions),
        SCENARIO_FOR(nothing_proves_a_call_from_c, has_versions),
        SCENARIO_FOR(nothing_proves_a_generator, has_versions),
        SCENARIO_FOR(nobodys_version_proves_nothing, has_versions),
        SCENARIO_FOR(function_with_other_code_proves_nothing, has_function_versions),
        SCENARIO(call_is_proved_by_name),
        SCENARIO(call_is_mended_by_name),
        SCENARIO(names_speak_against_another),
        SCENARIO(names_without_globals_prove_nothing),
        SCENARIO(vanished_callee_is_named_by_name),
        SCENARIO(vanished_maker_is_named_by_name),
        SCENARIO(calls_by_name_are_learned),
        SCENARIO_FOR(one_reading_proves_nothing, has_versions),
        SCENARIO(call_that_stands_still),
        SCENARIO(call_that_mostly_moves),
        SCENARIO(calls_are_told_apart),
        SCENARIO_FOR(vanished_callee_is_named, has_versions),
        SCENARIO_FOR(vanished_callee_is_not_whoever_came_after, has_versions),
        SCENARIO_FOR(quiet_caller_is_alone, has_opcodes),
        SCENARIO(one_line_is_one_calling),
        SCENARIO_FOR(nothing_is_proved_without_versions, has_no_versions),
    };
    return scenarios_run("verify", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
