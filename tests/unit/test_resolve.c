#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/resolve.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/stacks.h"

/* ---- helpers ---- */

enum {
    DEEP = 20000,
    MANY = 3000,
    BELIEVED_MS = 25,  /* no code object is believed unchecked for so long */
    SETTLE_LOOKS = 20, /* after so many looks a stack that stands still is known to the root */
};

struct bench {
    struct python *python;
    struct runtime runtime;
    struct trace trace;
    struct walk *walk;
    struct resolve *resolve;
    struct python_thread thread;
    uint64_t now_ns;
    struct buffer text; /* of the last look */
    uint32_t flags;
};

static void bench_open(struct bench *bench, struct python *python) {
    *bench = (struct bench){.python = python, .now_ns = NS_PER_S};
    python_attach(python, &bench->runtime);
    assert_int_equal(trace_init(&bench->trace, false, NULL), STATUS_OK);
    bench->walk = walk_create(&bench->runtime);
    bench->resolve = resolve_create(&bench->runtime, &bench->trace);
    python_thread_start(python, &bench->thread, python->interpreter);
}

static void bench_close(struct bench *bench) {
    resolve_destroy(bench->resolve);
    walk_destroy(bench->walk);
    trace_deinit(&bench->trace);
    python_thread_free(&bench->thread);
    buffer_deinit(&bench->text);
}

/* Looks at the thread as the sampler does, `later_ns` after the last time. */
static void look(struct bench *bench, uint64_t later_ns) {
    const struct raw_look *seen;
    bench->now_ns += later_ns;
    assert_int_equal(walk_look(bench->walk, &seen), STATUS_OK);
    assert_int_equal(resolve_check(bench->resolve, seen, bench->now_ns), STATUS_OK);
    assert_int_equal(seen->thread_count, 1);
    struct resolved resolved =
        resolve_stack(bench->resolve, seen, &seen->threads[0], bench->now_ns);
    if (resolved.has_doubts) {
        walk_doubt(bench->walk, seen->threads[0].slot, resolved.doubt_depth);
    }
    bench->flags = resolved.flags;
    buffer_clear(&bench->text);
    stack_describe(&bench->trace, resolved.stack, &bench->text);
}

static const char *text_of(const struct bench *bench) {
    return bench->text.data != NULL ? bench->text.data : "";
}

static void settle(struct bench *bench) {
    for (int i = 0; i < SETTLE_LOOKS; i++) {
        look(bench, 2 * NS_PER_MS);
    }
}

static void expect_text(const struct bench *bench, const char *expected, uint32_t flags) {
    if (strcmp(text_of(bench), expected) != 0 || bench->flags != flags) {
        fail_msg("%s:\n  %.2000s (flags %u), wanted\n  %.2000s (flags %u)",
                 bench->python->layout->label, text_of(bench), bench->flags, expected, flags);
    }
}

/* The whole stack, and nothing but it. */
static void expect_whole(const struct bench *bench) {
    struct buffer expected = {0};
    python_describe(bench->python, &bench->thread, &expected);
    expect_text(bench, expected.data, 0);
    buffer_deinit(&expected);
}

/* What is shown is true: the whole stack, or its root side and then a frame that says that there is
 * more. */
static void expect_true(const struct bench *bench) {
    struct buffer expected = {0};
    python_describe(bench->python, &bench->thread, &expected);
    if ((bench->flags & SAMPLE_UNVERIFIED) == 0) {
        expect_text(bench, expected.data, 0);
    } else if (!stack_is_part(text_of(bench), expected.data)) {
        fail_msg("%s: %s is no part of %s", bench->python->layout->label, text_of(bench),
                 expected.data);
    }
    buffer_deinit(&expected);
}

static void call(struct bench *bench, uint64_t code, uint64_t offset) {
    python_call(bench->python, &bench->thread, code, offset);
}

/* <module> called main, which called work. */
static void start_working(struct bench *bench) {
    python_enter(bench->python, &bench->thread);
    call(bench, python_function(bench->python, "<module>"), 2);
    call(bench, python_function(bench->python, "main"), 4);
    call(bench, python_function(bench->python, "work"), 6);
}

/* ---- stacks that stand still ---- */

static void names_files_and_lines(struct python *python) {
    struct bench bench;
    const struct python_code method = {"run", "Class.run", "/a/b.py", 77, 20, 0, false, 0, 0};
    bench_open(&bench, python);
    start_working(&bench);
    call(&bench, python_code(python, &method), 38);
    settle(&bench);
    expect_whole(&bench);
    bool has_qualname = LAYOUT_HAS(python->layout, code, qualname);
    const char *name = has_qualname ? "Class.run (/a/b.py:96)" : "run (/a/b.py:96)";
    assert_non_null(strstr(text_of(&bench), name));
    bench_close(&bench);
}

static void callbacks_and_generators(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    python_enter(python, &bench.thread);
    call(&bench, python_function(python, "callback"), 2);
    python_call_elsewhere(python, &bench.thread, python_function(python, "generator"), 8);
    call(&bench, python_function(python, "helper"), 14);
    settle(&bench);
    expect_whole(&bench);
    bench_close(&bench);
}

static void recursion(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    uint64_t code = python_function(python, "recursive");
    for (uint64_t i = 0; i < DEEP; i++) {
        call(&bench, code, 2 * (i % 8));
    }
    settle(&bench);
    expect_whole(&bench);
    bench_close(&bench);
}

static void many_functions(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    for (uint32_t i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%u", i);
        struct python_code code = {name, name, "many.py", i + 1, 4, 0, false, 0, 0};
        uint64_t address = python_code(python, &code);
        assert_int_not_equal(address, 0);
        call(&bench, address, 2);
        look(&bench, 2 * NS_PER_MS);
        python_return(python, &bench.thread);
    }
    settle(&bench);
    expect_whole(&bench);
    bench_close(&bench);
}

/* What stands still is not read again: one call for the walk, and one now and then to see whether
 * the code objects are what they were. */
static void standing_still_costs_little(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    for (int i = 0; i < 10; i++) {
        settle(&bench);
    }
    const struct memory *memory = &python->fake.memory;
    for (int i = 0; i < 20; i++) {
        uint64_t before = memory->calls;
        look(&bench, 0);
        assert_int_equal(memory->calls - before, 1);
    }
    uint64_t calls = memory->calls;
    for (int i = 0; i < 100; i++) {
        look(&bench, 2 * NS_PER_MS);
    }
    calls = memory->calls - calls;
    bool has_generation = LAYOUT_HAS(python->layout, interpreter, code_object_generation);
    assert_true(has_generation ? calls == 100 : calls > 100 && calls <= 200);
    expect_whole(&bench);
    bench_close(&bench);
}

/* ---- stacks that change from look to look ---- */

static void random_program(struct python *python) {
    struct bench bench;
    uint64_t codes[6];
    bench_open(&bench, python);
    for (size_t i = 0; i < 6; i++) {
        codes[i] = python_function(python, (const char *const[]){"a", "b", "c", "d", "e", "f"}[i]);
    }
    start_working(&bench);
    int whole = 0;
    for (uint32_t i = 0, random = 1; i < 1500; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t dice = random >> 24;
        uint64_t code = codes[(random >> 16 & 0xff) % 6];
        if (dice < 100 && bench.thread.count > 4) {
            python_return(python, &bench.thread);
        } else if (dice < 160) {
            call(&bench, code, random >> 8 & 6);
        } else if (dice < 190) {
            python_call_elsewhere(python, &bench.thread, code, random >> 8 & 6);
        } else {
            size_t index = bench.thread.count - 1;
            python_move(python, &bench.thread, index, random >> 8 & 6);
        }
        look(&bench, NS_PER_MS);
        expect_true(&bench);
        whole += bench.flags == 0;
    }
    assert_true(whole > 700);
    bench_close(&bench);
}

/* One caller, two callees by turns. */
static void callees_by_turns(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    uint64_t codes[] = {python_function(python, "odd"), python_function(python, "even")};
    for (size_t i = 0; i < 100; i++) {
        call(&bench, codes[i % 2], 2);
        look(&bench, NS_PER_MS);
        if (i < SETTLE_LOOKS) {
            expect_true(&bench);
        } else {
            expect_whole(&bench);
        }
        python_return(python, &bench.thread);
    }
    bench_close(&bench);
}

/* ---- frames that are not what they should be ---- */

/* As it is when it was left: from 3.12 on the code is taken out, before it is what it was. */
static void clear_newest(struct bench *bench) {
    struct python_frame *leaf = &bench->thread.frames[bench->thread.count - 1];
    struct python *python = bench->python;
    python_set(python, leaf->address, LAYOUT_frame_object_code, 0);
    python_set(python, leaf->address, LAYOUT_frame_executable,
               python->layout->code_reference == CODE_REFERENCE_TAGGED);
}

static void newest_frame_is_gone(struct python *python) {
    struct bench bench;
    struct buffer expected = {0};
    bench_open(&bench, python);
    start_working(&bench);
    settle(&bench);
    python_describe(python, &bench.thread, &expected);
    buffer_append(&expected, ";<unverified>", 13);
    call(&bench, python_function(python, "gone"), 0);
    clear_newest(&bench);
    look(&bench, 2 * NS_PER_MS);
    expect_text(&bench, expected.data, SAMPLE_UNVERIFIED);
    python_return(python, &bench.thread);
    look(&bench, 2 * NS_PER_MS);
    expect_whole(&bench);
    buffer_deinit(&expected);
    bench_close(&bench);
}

/* Its caller is at an instruction that calls nobody, so that one runs itself. */
static void newest_frame_is_gone_from_a_quiet_caller(struct python *python) {
    struct bench bench;
    struct buffer expected = {0};
    const struct python_code quiet = {"quiet", "quiet", "q.py", 5, 8, 0, true, 0, 0};
    bench_open(&bench, python);
    start_working(&bench);
    call(&bench, python_code(python, &quiet), 2);
    settle(&bench);
    python_describe(python, &bench.thread, &expected);
    call(&bench, python_function(python, "gone"), 0);
    clear_newest(&bench);
    look(&bench, 2 * NS_PER_MS);
    if (python->layout->opcodes != NULL) {
        expect_text(&bench, expected.data, 0);
    } else {
        assert_int_equal(strncmp(text_of(&bench), expected.data, expected.length), 0);
    }
    buffer_deinit(&expected);
    bench_close(&bench);
}

static bool has_versions(const struct layout *layout) {
    return LAYOUT_HAS(layout, code, version) || LAYOUT_HAS(layout, function, version);
}

/* Its caller's instruction says whom it calls, so that it is known who that was. */
static void newest_frame_is_gone_and_named(struct python *python) {
    struct bench bench;
    struct buffer expected = {0};
    const struct python_code caller = {"caller", "caller", "c.py", 5, 30, 0, false, 50, 51};
    const struct python_code callee = {"callee", "callee", "c.py", 50, 8, 0, false, 51, 0};
    bench_open(&bench, python);
    start_working(&bench);
    call(&bench, python_code(python, &caller), 2);
    call(&bench, python_code(python, &callee), 0); /* on its first line */
    settle(&bench);
    expect_whole(&bench);
    python_describe(python, &bench.thread, &expected);
    clear_newest(&bench);
    look(&bench, 2 * NS_PER_MS);
    expect_text(&bench, expected.data, SAMPLE_INFERRED);
    buffer_deinit(&expected);
    bench_close(&bench);
}

/* An instruction that was specialised for one callee calls another: that is not taken for a frame
 * that was left. */
static void newest_frame_is_another_than_is_named(struct python *python) {
    struct bench bench;
    const struct python_code caller = {"caller", "caller", "c.py", 5, 30, 0, false, 50, 51};
    const struct python_code callee = {"callee", "callee", "c.py", 50, 8, 0, false, 51, 0};
    bench_open(&bench, python);
    start_working(&bench);
    call(&bench, python_code(python, &caller), 2);
    call(&bench, python_code(python, &callee), 0);
    settle(&bench);
    expect_whole(&bench);
    python_return(python, &bench.thread);
    call(&bench, python_function(python, "another"), 0);
    for (int i = 0; i < SETTLE_LOOKS; i++) {
        look(&bench, 2 * NS_PER_MS);
        expect_true(&bench);
    }
    expect_whole(&bench);
    bench_close(&bench);
}

/* The line of a call is that of the instruction that makes it, if the caller is elsewhere by now.
 */
static void line_of_a_call_is_mended(struct python *python) {
    struct bench bench;
    const struct python_code caller = {"caller", "caller", "c.py", 5, 30, 0, false, 50, 51};
    const struct python_code callee = {"callee", "callee", "c.py", 50, 8, 0, false, 51, 0};
    bench_open(&bench, python);
    start_working(&bench);
    settle(&bench);
    call(&bench, python_code(python, &caller), 0); /* quiet: it cannot have called from there */
    call(&bench, python_code(python, &callee), 4);
    for (int i = 0; i < 4; i++) {
        look(&bench, 2 * NS_PER_MS);
    }
    expect_text(&bench,
                "<module> (program.py:11);main (program.py:12);work (program.py:13);"
                "caller (c.py:6);callee (c.py:52)",
                SAMPLE_MENDED);
    bench_close(&bench);
}

static void frame_in_the_middle_is_gone(struct python *python) {
    struct bench bench;
    struct buffer expected = {0};
    bench_open(&bench, python);
    start_working(&bench);
    settle(&bench);
    python_describe(python, &bench.thread, &expected);
    buffer_append(&expected, ";<unverified>", 13);
    call(&bench, python_function(python, "gone"), 0);
    clear_newest(&bench);
    call(&bench, python_function(python, "newest"), 0);
    for (int i = 0; i < 3; i++) {
        look(&bench, 2 * NS_PER_MS);
        expect_text(&bench, expected.data, SAMPLE_UNVERIFIED);
    }
    buffer_deinit(&expected);
    bench_close(&bench);
}

/* An instruction that is none of this code: then frame and code are of two moments. */
static void position_outside_of_the_code(struct python *python) {
    struct bench bench;
    struct buffer expected = {0};
    bench_open(&bench, python);
    start_working(&bench);
    settle(&bench);
    python_describe(python, &bench.thread, &expected);
    buffer_append(&expected, ";<unverified>", 13);
    call(&bench, python_function(python, "odd"), 1000);
    look(&bench, 2 * NS_PER_MS);
    expect_text(&bench, expected.data, SAMPLE_UNVERIFIED);
    buffer_deinit(&expected);
    bench_close(&bench);
}

static void frame_that_has_not_begun(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    call(&bench, python_function(python, "f"), 0);
    uint64_t code = bench.thread.frames[bench.thread.count - 1].code;
    uint64_t leaf = bench.thread.frames[bench.thread.count - 1].address;
    bool is_pointer = python->layout->position == POSITION_INSTRUCTION_POINTER;
    python_set(python, leaf, LAYOUT_frame_object_lasti, UINT32_MAX);
    if (is_pointer) {
        python_set(python, leaf, LAYOUT_frame_instr_ptr, python_position(python, code, 0) - 2);
    }
    settle(&bench);
    expect_whole(&bench); /* on its first line */
    bench_close(&bench);
}

static bool has_copies(const struct layout *layout) {
    return LAYOUT_HAS(layout, code, tlbc);
}

/* Puts the newest frame into a copy of its code's bytecode. */
static void move_to_copy(struct bench *bench, uint32_t index, uint64_t position) {
    uint64_t leaf = bench->thread.frames[bench->thread.count - 1].address;
    python_set(bench->python, leaf, LAYOUT_frame_tlbc_index, index);
    python_set(bench->python, leaf, LAYOUT_frame_instr_ptr, position);
}

static void position_in_a_copy_of_the_code(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    uint64_t code = python_function(python, "f");
    call(&bench, code, 4);
    move_to_copy(&bench, 2, python_copy(python, code, 2, NULL) + 4);
    settle(&bench);
    expect_whole(&bench);
    /* Another thread's copy, made after the list was read: it has grown, or an empty place of it
     * has been filled. */
    for (uint32_t index = 9; index > 6; index -= 2) {
        move_to_copy(&bench, index, python_copy(python, code, index, NULL) + 4);
        look(&bench, 2 * NS_PER_MS);
        expect_whole(&bench);
    }
    /* The copy was given up, and another was made in its place. */
    move_to_copy(&bench, 7, python_copy(python, code, 7, NULL) + 4);
    look(&bench, 2 * NS_PER_MS);
    expect_whole(&bench);
    bench_close(&bench);
}

static void position_in_no_copy_of_the_code(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    uint64_t code = python_function(python, "f");
    uint64_t copy = python_copy(python, code, 2, NULL);
    call(&bench, code, 4);
    const struct {
        uint32_t index;
        uint64_t position;
    } wrong[] = {{2, copy + 16},         {2, python_position(python, code, 4)},
                 {1, copy + 4},          {3, copy + 4},
                 {UINT32_MAX, copy + 4}, {0, copy + 4}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        move_to_copy(&bench, wrong[i].index, wrong[i].position);
        settle(&bench);
        assert_int_equal(bench.flags & SAMPLE_UNVERIFIED, SAMPLE_UNVERIFIED);
    }
    move_to_copy(&bench, 2, copy + 4);
    settle(&bench);
    expect_whole(&bench);
    /* The list of copies is none. */
    uint64_t array = python_get(python, code, LAYOUT_code_tlbc);
    const uint64_t sizes[] = {0, 1, UINT64_MAX, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        python_set(python, array, LAYOUT_code_array_size, sizes[i]);
        move_to_copy(&bench, 2, copy + 6);
        settle(&bench);
        move_to_copy(&bench, 3, copy + 6);
        settle(&bench);
        assert_int_equal(bench.flags & SAMPLE_UNVERIFIED, SAMPLE_UNVERIFIED);
    }
    bench_close(&bench);
}

static void hidden_frames_are_left_out(struct python *python) {
    struct bench bench;
    const struct python_code shim = {"__init__", "__init__", "__init__", 1, 3, 4, false, 0, 0};
    bench_open(&bench, python);
    start_working(&bench);
    bool has_shims = LAYOUT_HAS(python->layout, code, first_traceable);
    call(&bench, python_code(python, &shim), 2);
    call(&bench, python_function(python, "C.__init__"), 2);
    settle(&bench);
    if (has_shims) {
        expect_text(&bench,
                    "<module> (program.py:11);main (program.py:12);work (program.py:13);"
                    "C.__init__ (program.py:11)",
                    0);
    } else {
        expect_whole(&bench);
    }
    bench_close(&bench);
}

/* ---- stacks whose root side is missing ---- */

static void root_is_missing(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    call(&bench, python_function(python, "leaf"), 2);
    settle(&bench);
    struct python_frame *frames = bench.thread.frames;
    uint64_t caller = frames[bench.thread.count - 3].address;
    enum layout_field link = LAYOUT_HAS(python->layout, frame_object, back)
                                 ? LAYOUT_frame_object_back
                                 : LAYOUT_frame_previous;
    uint64_t before = python_get(python, caller, link);
    python_set(python, caller, link, 0x1000);
    look(&bench, 2 * NS_PER_MS);
    expect_text(&bench,
                "<missing frames>;main (program.py:12);work (program.py:13);leaf (program.py:11)",
                SAMPLE_TRUNCATED | SAMPLE_UNVERIFIED);
    python_set(python, caller, link, before);
    look(&bench, 2 * NS_PER_MS);
    expect_whole(&bench);
    bench_close(&bench);
}

static void nothing_can_be_read(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    fake_write_u64(&python->fake, python_head_place(python, &bench.thread), 0x1000);
    look(&bench, 2 * NS_PER_MS);
    expect_text(&bench, "", bench.flags);
    bench_close(&bench);
}

/* ---- code objects that are replaced ---- */

/* One that was freed, and whose memory is another's now, is noticed: when the target says that one
 * was freed (3.14-), else before long. */
static void code_at_the_same_address(struct python *python) {
    struct bench bench;
    const struct python_code first = {"first", "first", "a.py", 10, 8, 0, false, 0, 0};
    const struct python_code other = {"other", "other", "b.py", 50, 8, 0, false, 0, 0};
    bench_open(&bench, python);
    start_working(&bench);
    uint64_t code = python_code(python, &first);
    call(&bench, code, 2);
    settle(&bench);
    expect_whole(&bench);
    python_recode(python, code, &other);
    python_set(python, python->interpreter, LAYOUT_interpreter_code_object_generation, 9);
    look(&bench, BELIEVED_MS * NS_PER_MS);
    expect_true(&bench);
    assert_null(strstr(text_of(&bench), "first"));
    settle(&bench);
    expect_whole(&bench);
    bench_close(&bench);
}

/* It was not on the stack when it was freed; nobody looked at it meanwhile. */
static void code_at_the_same_address_later(struct python *python) {
    struct bench bench;
    const struct python_code first = {"first", "first", "a.py", 10, 8, 0, false, 0, 0};
    const struct python_code other = {"other", "other", "b.py", 50, 8, 0, false, 0, 0};
    bench_open(&bench, python);
    start_working(&bench);
    uint64_t code = python_code(python, &first);
    call(&bench, code, 2);
    settle(&bench);
    python_return(python, &bench.thread);
    look(&bench, 2 * NS_PER_MS);
    python_recode(python, code, &other);
    python_set(python, python->interpreter, LAYOUT_interpreter_code_object_generation, 9);
    look(&bench, BELIEVED_MS * NS_PER_MS);
    call(&bench, code, 2);
    look(&bench, NS_PER_MS / 10);
    expect_true(&bench);
    assert_null(strstr(text_of(&bench), "first"));
    settle(&bench);
    expect_whole(&bench);
    bench_close(&bench);
}

static void code_that_is_freed(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    call(&bench, python_function(python, "freed"), 2);
    settle(&bench);
    expect_whole(&bench);
    fake_unmap(&python->fake, bench.thread.frames[bench.thread.count - 1].code, 1);
    python_set(python, python->interpreter, LAYOUT_interpreter_code_object_generation, 9);
    look(&bench, BELIEVED_MS * NS_PER_MS);
    assert_null(strstr(text_of(&bench), "freed"));
    assert_int_equal(bench.flags, SAMPLE_UNVERIFIED);
    bench_close(&bench);
}

/* A new thread in the slot of an old one does not inherit its stack. */
static void thread_in_the_same_slot(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    settle(&bench);
    python_thread_end(python, &bench.thread);
    python_thread_free(&bench.thread);
    python_thread_start(python, &bench.thread, python->interpreter);
    python_enter(python, &bench.thread);
    call(&bench, python_function(python, "bootstrap"), 2);
    call(&bench, python_function(python, "work"), 4);
    look(&bench, 2 * NS_PER_MS);
    expect_true(&bench);
    settle(&bench);
    expect_whole(&bench);
    bench_close(&bench);
}

/* ---- a target that is stopped for every look ---- */

/* Nothing needs to be seen twice, and nothing is doubted. */
static void stopped_for_every_look(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    resolve_trust(bench.resolve, true);
    start_working(&bench);
    for (int i = 0; i < 3; i++) {
        call(&bench, python_function(python, "leaf"), 8);
        look(&bench, NS_PER_MS);
        expect_whole(&bench);
        python_return(python, &bench.thread);
        look(&bench, NS_PER_MS);
        expect_whole(&bench);
    }
    bench_close(&bench);
}

/* ---- the collector ---- */

/* The stack, and the collector above so many of its frames from the root; SIZE_MAX: nowhere. */
static void expect_collector(const struct bench *bench, size_t above) {
    struct python_thread below = bench->thread;
    struct buffer whole = {0};
    struct buffer expected = {0};
    python_describe(bench->python, &below, &whole);
    below.count = above < below.count ? above : below.count;
    python_describe(bench->python, &below, &expected);
    size_t split = expected.length;
    if (above != SIZE_MAX) {
        buffer_printf(&expected, ";<GC>%s", whole.data + split);
    }
    expect_text(bench, expected.data, 0);
    buffer_deinit(&whole);
    buffer_deinit(&expected);
}

static void collector_is_on_top(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    python_hold_gil(python, python->interpreter, &bench.thread);
    settle(&bench);
    for (int i = 0; i < 3; i++) {
        python_collect(python, python->interpreter, i % 2 == 0);
        look(&bench, NS_PER_MS);
        expect_collector(&bench, i % 2 == 0 ? bench.thread.count : SIZE_MAX);
        look(&bench, NS_PER_MS);
        expect_collector(&bench, i % 2 == 0 ? bench.thread.count : SIZE_MAX);
    }
    resolve_hide_collector(bench.resolve);
    look(&bench, NS_PER_MS);
    expect_whole(&bench);
    bench_close(&bench);
}

static bool tells_where_it_collects(const struct layout *layout) {
    return LAYOUT_HAS(layout, interpreter, collecting_frame);
}

static void finalizers_are_above_the_collector(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    start_working(&bench);
    size_t depth = bench.thread.count;
    python_set(python, python->interpreter, LAYOUT_interpreter_collecting_frame,
               bench.thread.frames[depth - 1].address);
    python_collect(python, python->interpreter, true);
    python_enter(python, &bench.thread);
    call(&bench, python_function(python, "__del__"), 2);
    settle(&bench);
    expect_collector(&bench, depth);
    python_collect(python, python->interpreter, false);
    look(&bench, NS_PER_MS);
    expect_whole(&bench);
    bench_close(&bench);
}

/* ---- what is about all of the process ---- */

static void end_of_the_process(struct python *python) {
    struct bench bench;
    const struct raw_look *seen;
    bench_open(&bench, python);
    start_working(&bench);
    settle(&bench);
    python_set(python, python->interpreter, LAYOUT_interpreter_code_object_generation, 9);
    assert_int_equal(walk_look(bench.walk, &seen), STATUS_OK);
    python->fake.fail_at = python->fake.reads + 1;
    python->fake.fail_status = STATUS_GONE;
    bench.now_ns += BELIEVED_MS * NS_PER_MS;
    assert_int_equal(resolve_check(bench.resolve, seen, bench.now_ns), STATUS_GONE);
    assert_int_equal(walk_look(bench.walk, &seen), STATUS_GONE);
    bench_close(&bench);
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(names_files_and_lines),
        SCENARIO(callbacks_and_generators),
        SCENARIO(recursion),
        SCENARIO(many_functions),
        SCENARIO(standing_still_costs_little),
        SCENARIO(random_program),
        SCENARIO(callees_by_turns),
        SCENARIO(newest_frame_is_gone),
        SCENARIO(newest_frame_is_gone_from_a_quiet_caller),
        SCENARIO_FOR(newest_frame_is_gone_and_named, has_versions),
        SCENARIO_FOR(newest_frame_is_another_than_is_named, has_versions),
        SCENARIO_FOR(line_of_a_call_is_mended, has_versions),
        SCENARIO(frame_in_the_middle_is_gone),
        SCENARIO(position_outside_of_the_code),
        SCENARIO(frame_that_has_not_begun),
        SCENARIO_FOR(position_in_a_copy_of_the_code, has_copies),
        SCENARIO_FOR(position_in_no_copy_of_the_code, has_copies),
        SCENARIO(hidden_frames_are_left_out),
        SCENARIO(root_is_missing),
        SCENARIO(nothing_can_be_read),
        SCENARIO(code_at_the_same_address),
        SCENARIO(code_at_the_same_address_later),
        SCENARIO(code_that_is_freed),
        SCENARIO(thread_in_the_same_slot),
        SCENARIO(stopped_for_every_look),
        SCENARIO(collector_is_on_top),
        SCENARIO_FOR(finalizers_are_above_the_collector, tells_where_it_collects),
        SCENARIO(end_of_the_process),
    };
    return scenarios_run("resolve", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
