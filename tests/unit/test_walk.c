#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "target-runtime/walk.h"
#include "tests/unit/scenarios.h"

/* ---- helpers ---- */

enum {
    DEEP = 20000,
    MANY = 1000,
    WARM_LOOKS = 3,
    AGED_LOOKS = 70, /* the prediction has been revised once */
};

struct bench {
    struct python *python;
    struct runtime runtime;
    struct walk *walk;
    const struct raw_look *look;
};

static void bench_open(struct bench *bench, struct python *python) {
    *bench = (struct bench){.python = python};
    python_attach(python, &bench->runtime);
    bench->walk = walk_create(&bench->runtime);
}

static void bench_close(struct bench *bench) {
    walk_destroy(bench->walk);
}

static void look(struct bench *bench) {
    assert_int_equal(walk_look(bench->walk, &bench->look), STATUS_OK);
}

static const struct raw_thread *find_raw(const struct raw_look *look, uint64_t state) {
    for (size_t i = 0; i < look->thread_count; i++) {
        if (look->threads[i].state.addr == state) {
            return &look->threads[i];
        }
    }
    return NULL;
}

/* Whether the frames of `raw` are those of the thread, from some frame on. */
static bool has_frames(const struct bench *bench, const struct raw_thread *raw,
                       const struct python_frame *frames, size_t count) {
    const struct raw_frame *leaf = bench->look->frames + raw->first_frame;
    size_t found = 0;
    for (size_t i = count; i-- > 0;) {
        if (frames[i].code == 0) {
            continue;
        }
        uint64_t position = python_position(bench->python, frames[i].code, frames[i].offset);
        if (found == raw->frame_count || leaf[found].code != frames[i].code ||
            leaf[found].position != position || leaf[found].tlbc_index != 0) {
            return false;
        }
        found++;
    }
    return found == raw->frame_count;
}

static const struct raw_thread *expect_thread(const struct bench *bench,
                                              const struct python_thread *thread) {
    const struct raw_thread *raw = find_raw(bench->look, thread->state);
    assert_non_null(raw);
    assert_true(raw->is_complete);
    assert_false(raw->is_skipped);
    assert_true(has_frames(bench, raw, thread->frames, thread->count));
    return raw;
}

static void start(struct bench *bench, struct python_thread *thread) {
    python_thread_start(bench->python, thread, bench->python->interpreter);
}

/* A thread in a function of its own, called from `depth` others. */
static void start_at(struct bench *bench, struct python_thread *thread, size_t depth) {
    start(bench, thread);
    python_enter(bench->python, thread);
    uint64_t code = python_function(bench->python, "recursive");
    for (size_t i = 0; i < depth; i++) {
        python_call(bench->python, thread, code, 2 * (i % 8));
    }
    python_call(bench->python, thread, python_function(bench->python, "leaf"), 4);
}

/* ---- one thread ---- */

static void stack_of_one_thread(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 3);
    for (int i = 0; i < 4; i++) {
        look(&bench);
        assert_int_equal(bench.look->thread_count, 1);
        const struct raw_thread *raw = expect_thread(&bench, &thread);
        assert_int_equal(raw->frame_count, 4);
        assert_int_equal(raw->is_new, i == 0);
        assert_int_equal(raw->slot, 0);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

static void identity_of_a_thread(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 0);
    look(&bench);
    const struct raw_thread *raw = expect_thread(&bench, &thread);
    bool has_native_id = LAYOUT_HAS(python->layout, thread, native_thread_id);
    assert_int_equal(raw->interpreter, python->interpreter);
    assert_int_equal(raw->serial, python_get(python, thread.state, LAYOUT_thread_serial));
    assert_int_equal(raw->ident, python_get(python, thread.state, LAYOUT_thread_thread_id));
    assert_int_equal(raw->native_id, has_native_id ? 1001 : 0);
    python_thread_free(&thread);
    bench_close(&bench);
}

static void thread_without_python_code(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start(&bench, &thread);
    look(&bench);
    assert_int_equal(expect_thread(&bench, &thread)->frame_count, 0);
    python_thread_free(&thread);
    bench_close(&bench);
}

static void callbacks_and_generators(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 2);
    python_enter(python, &thread);
    python_call(python, &thread, python_function(python, "callback"), 0);
    python_call_elsewhere(python, &thread, python_function(python, "generator"), 14);
    python_call(python, &thread, python_function(python, "helper"), 2);
    python_enter(python, &thread);
    python_call_elsewhere(python, &thread, python_function(python, "__repr__"), 6);
    for (int i = 0; i < 3; i++) {
        look(&bench);
        assert_int_equal(expect_thread(&bench, &thread)->frame_count, 7);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

static void stack_that_moves(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    uint64_t code = python_function(python, "f");
    bench_open(&bench, python);
    start_at(&bench, &thread, 30);
    for (uint32_t i = 0, random = 1; i < 400; i++) {
        random = random * 1664525 + 1013904223;
        if (random >> 24 < 120 && thread.count > 4) {
            python_return(python, &thread);
        } else if (random >> 24 < 240) {
            python_call(python, &thread, code, random >> 8 & 14);
        } else {
            python_call_elsewhere(python, &thread, code, random >> 8 & 14);
        }
        python_move(python, &thread, thread.count / 2, random >> 8 & 14);
        look(&bench);
        expect_thread(&bench, &thread);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

static void deep_recursion(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, DEEP);
    for (int i = 0; i < 3; i++) {
        look(&bench);
        assert_int_equal(expect_thread(&bench, &thread)->frame_count, DEEP + 1);
    }
    /* The same, less deep. */
    for (int i = 0; i < DEEP / 2; i++) {
        python_return(python, &thread);
    }
    for (int i = 0; i < 3; i++) {
        look(&bench);
        expect_thread(&bench, &thread);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

/* ---- what stood still ---- */

/* How many frames of the thread have been seen alive, and how many still. */
static void count_still(const struct bench *bench, const struct raw_thread *raw, size_t *alive_out,
                        size_t *still_out) {
    *alive_out = 0;
    *still_out = 0;
    for (size_t i = 0; i < raw->frame_count; i++) {
        const struct raw_frame *frame = &bench->look->frames[raw->first_frame + i];
        *alive_out += frame->is_alive;
        *still_out += frame->is_still;
        assert_true(frame->is_alive || !frame->is_still);
    }
}

static void expect_still(struct bench *bench, const struct python_thread *thread, bool is_watched) {
    size_t alive;
    size_t still;
    look(bench);
    const struct raw_thread *raw = expect_thread(bench, thread);
    count_still(bench, raw, &alive, &still);
    assert_int_equal(raw->is_watched, is_watched);
    assert_int_equal(alive, is_watched ? raw->frame_count : 0);
    assert_int_equal(still, is_watched ? raw->frame_count : 0);
}

/* New threads are watched, then only those that are doubted. */
static void frames_are_watched_while_in_doubt(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 5);
    python_enter(python, &thread);
    python_call_elsewhere(python, &thread, python_function(python, "generator"), 2);
    look(&bench);
    expect_still(&bench, &thread, true);
    for (int i = 0; i < AGED_LOOKS; i++) {
        look(&bench);
    }
    expect_still(&bench, &thread, false);
    walk_doubt(bench.walk, bench.look->threads[0].slot);
    expect_still(&bench, &thread, true);
    for (int i = 0; i < AGED_LOOKS; i++) {
        look(&bench);
    }
    expect_still(&bench, &thread, false);
    python_thread_free(&thread);
    bench_close(&bench);
}

/* ---- steady state ---- */

static void expect_one_call_a_look(struct bench *bench, int looks) {
    for (int i = 0; i < looks; i++) {
        uint64_t before = bench->python->fake.memory.calls;
        look(bench);
        assert_int_equal(bench->python->fake.memory.calls - before, 1);
    }
}

static void steady_state_is_one_call(struct python *python) {
    struct bench bench;
    struct python_thread threads[3];
    bench_open(&bench, python);
    for (size_t i = 0; i < 3; i++) {
        start_at(&bench, &threads[i], 10 * i);
        python_enter(python, &threads[i]);
        python_call_elsewhere(python, &threads[i], python_function(python, "generator"), 2);
    }
    for (int i = 0; i < AGED_LOOKS; i++) {
        look(&bench);
    }
    expect_one_call_a_look(&bench, 300);
    for (size_t i = 0; i < 3; i++) {
        expect_thread(&bench, &threads[i]);
        python_thread_free(&threads[i]);
    }
    bench_close(&bench);
}

static void steady_state_of_a_deep_stack(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, DEEP);
    for (int i = 0; i < AGED_LOOKS; i++) {
        look(&bench);
    }
    expect_one_call_a_look(&bench, AGED_LOOKS);
    expect_thread(&bench, &thread);
    python_thread_free(&thread);
    bench_close(&bench);
}

static void steady_state_of_many_threads(struct python *python) {
    struct bench bench;
    struct python_thread *threads = memory_zeroed(MANY, sizeof *threads);
    bench_open(&bench, python);
    for (size_t i = 0; i < MANY; i++) {
        start_at(&bench, &threads[i], i % 4);
    }
    for (int i = 0; i < WARM_LOOKS; i++) {
        look(&bench);
    }
    expect_one_call_a_look(&bench, 5);
    assert_int_equal(bench.look->thread_count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        expect_thread(&bench, &threads[i]);
        python_thread_free(&threads[i]);
    }
    free(threads);
    bench_close(&bench);
}

/* A loop that calls and returns is foreseen after a few rounds. */
static void steady_state_of_a_loop(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    uint64_t code = python_function(python, "called");
    bench_open(&bench, python);
    start_at(&bench, &thread, 20);
    uint64_t calls = 0;
    for (int i = 0; i < 600; i++) {
        uint64_t before = python->fake.memory.calls;
        look(&bench);
        expect_thread(&bench, &thread);
        calls += i >= 100 ? python->fake.memory.calls - before : 0;
        if (i % 2 == 0) {
            python_call(python, &thread, code, 2);
        } else {
            python_return(python, &thread);
        }
    }
    assert_int_equal(calls, 500);
    python_thread_free(&thread);
    bench_close(&bench);
}

/* ---- the list of threads ---- */

static void threads_come_and_go(struct python *python) {
    struct bench bench;
    struct python_thread threads[6] = {{0}};
    bench_open(&bench, python);
    for (size_t i = 0; i < 4; i++) {
        start_at(&bench, &threads[i], i);
    }
    look(&bench);
    assert_int_equal(bench.look->thread_count, 4);
    size_t slot = expect_thread(&bench, &threads[0])->slot;
    start_at(&bench, &threads[4], 4); /* at the head */
    python_thread_end(python, &threads[1]);
    look(&bench);
    assert_int_equal(bench.look->thread_count, 4);
    assert_true(expect_thread(&bench, &threads[4])->is_new);
    assert_null(find_raw(bench.look, threads[1].state));
    assert_false(expect_thread(&bench, &threads[0])->is_new);
    assert_int_equal(expect_thread(&bench, &threads[0])->slot, slot);
    python_thread_end(python, &threads[0]); /* the last of the list */
    python_thread_end(python, &threads[4]); /* the first */
    start_at(&bench, &threads[5], 5);
    look(&bench);
    assert_int_equal(bench.look->thread_count, 3);
    for (size_t i = 2; i < 6; i += i == 3 ? 2 : 1) {
        assert_int_equal(expect_thread(&bench, &threads[i])->is_new, i == 5);
        python_thread_end(python, &threads[i]);
    }
    look(&bench);
    assert_int_equal(bench.look->thread_count, 0);
    for (size_t i = 0; i < 6; i++) {
        python_thread_free(&threads[i]);
    }
    bench_close(&bench);
}

/* Slots are small numbers, so that those who keep something for each of them need not much room. */
static void slots_are_used_again(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    for (int i = 0; i < 40; i++) {
        struct python_thread threads[2];
        start_at(&bench, &threads[0], 1);
        start_at(&bench, &threads[1], 2);
        look(&bench);
        assert_int_equal(bench.look->thread_count, 2);
        for (size_t t = 0; t < 2; t++) {
            const struct raw_thread *raw = expect_thread(&bench, &threads[t]);
            assert_true(raw->is_new);
            assert_true(raw->slot < 4);
            python_thread_end(python, &threads[t]);
            python_thread_free(&threads[t]);
        }
        assert_int_not_equal(bench.look->threads[0].slot, bench.look->threads[1].slot);
    }
    bench_close(&bench);
}

static void same_address_is_a_new_thread(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 5);
    look(&bench);
    look(&bench);
    python_set(python, thread.state, LAYOUT_thread_serial, 77);
    look(&bench);
    assert_true(expect_thread(&bench, &thread)->is_new);
    assert_int_equal(expect_thread(&bench, &thread)->serial, 77);
    look(&bench);
    assert_false(expect_thread(&bench, &thread)->is_new);
    python_thread_free(&thread);
    bench_close(&bench);
}

static void list_of_threads_in_a_circle(struct python *python) {
    struct bench bench;
    struct python_thread threads[3];
    bench_open(&bench, python);
    for (size_t i = 0; i < 3; i++) {
        start_at(&bench, &threads[i], i);
    }
    for (size_t to = 0; to < 3; to++) {
        python_set(python, threads[0].state, LAYOUT_thread_next, threads[to].state);
        look(&bench);
        assert_int_equal(bench.look->thread_count, 3);
        for (size_t i = 0; i < 3; i++) {
            expect_thread(&bench, &threads[i]);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        python_thread_free(&threads[i]);
    }
    bench_close(&bench);
}

/* ---- threads that end and start while they are looked at ---- */

struct ending {
    struct python *python;
    struct python_thread *thread;
    uint64_t at; /* the read before which it happens */
};

/* Python/pystate.c, tstate_delete_common(): first it leaves the list, then it is freed. */
static void end_on_read(void *context, uint64_t number) {
    struct ending *ending = context;
    if (number == ending->at) {
        python_thread_end(ending->python, ending->thread);
        python_set(ending->python, ending->thread->state, LAYOUT_thread_interp, 0x5a5a5a5a5a5a);
        python_set(ending->python, ending->thread->state, LAYOUT_thread_next, 0x5a5a5a5a5a5a);
    }
}

/* Ends thread `index` of four before read `at`. Gives how many reads there were. */
static uint64_t end_one(struct python *python, size_t index, uint64_t at, int warm_looks) {
    struct bench bench;
    struct python_thread threads[4];
    bench_open(&bench, python);
    for (size_t i = 0; i < 4; i++) {
        start_at(&bench, &threads[i], i);
    }
    for (int i = 0; i < warm_looks; i++) {
        look(&bench);
    }
    struct ending ending = {python, &threads[index], at};
    fake_restart(&python->fake);
    python->fake.before_read = end_on_read;
    python->fake.context = &ending;
    look(&bench);
    uint64_t reads = python->fake.reads;
    fake_restart(&python->fake);
    for (size_t i = 0; i < 4; i++) {
        if (i != index) {
            expect_thread(&bench, &threads[i]);
        }
    }
    look(&bench);
    assert_int_equal(bench.look->thread_count, at <= reads ? 3 : 4);
    for (size_t i = 0; i < 4; i++) {
        if (i != index || at > reads) {
            python_thread_end(python, &threads[i]);
        }
        python_thread_free(&threads[i]);
    }
    bench_close(&bench);
    return reads;
}

/* It must not take those behind it in the list along. */
static void thread_that_ends_hides_no_other(struct python *python) {
    for (int warm_looks = 0; warm_looks < 4; warm_looks += 3) {
        for (size_t index = 0; index < 4; index++) {
            for (uint64_t at = 1, reads = 1; at <= reads; at++) {
                reads = end_one(python, index, at, warm_looks);
            }
        }
    }
}

/* ---- threads that are not wanted ---- */

static void skipped_thread_is_listed(struct python *python) {
    struct bench bench;
    struct python_thread threads[2];
    bench_open(&bench, python);
    start_at(&bench, &threads[0], 3);
    start_at(&bench, &threads[1], 4);
    look(&bench);
    walk_skip(bench.walk, expect_thread(&bench, &threads[1])->slot);
    for (int i = 0; i < 3; i++) {
        look(&bench);
        const struct raw_thread *raw = find_raw(bench.look, threads[1].state);
        assert_non_null(raw);
        assert_true(raw->is_skipped);
        assert_int_equal(raw->frame_count, 0);
        expect_thread(&bench, &threads[0]);
    }
    /* What comes to be at the same address is a thread of its own. */
    python_set(python, threads[1].state, LAYOUT_thread_serial, 99);
    for (int i = 0; i < 3; i++) {
        look(&bench);
        assert_int_equal(expect_thread(&bench, &threads[1])->is_new, i == 0);
        expect_thread(&bench, &threads[0]);
    }
    python_thread_free(&threads[0]);
    python_thread_free(&threads[1]);
    bench_close(&bench);
}

/* ---- interpreters ---- */

static void several_interpreters(struct python *python) {
    struct bench bench;
    struct python_thread threads[3];
    uint64_t second = python_interpreter(python);
    uint64_t third = python_interpreter(python);
    bench_open(&bench, python);
    python_thread_start(python, &threads[0], third);
    python_thread_start(python, &threads[1], second);
    start_at(&bench, &threads[2], 2);
    look(&bench);
    assert_int_equal(bench.look->thread_count, 3);
    assert_int_equal(expect_thread(&bench, &threads[0])->interpreter, third);
    assert_int_equal(expect_thread(&bench, &threads[1])->interpreter, second);
    assert_int_equal(expect_thread(&bench, &threads[2])->interpreter, python->interpreter);
    look(&bench);
    expect_one_call_a_look(&bench, 3);
    /* The second one goes. */
    python_set(python, python->interpreter, LAYOUT_interpreter_next, third);
    look(&bench);
    assert_int_equal(bench.look->thread_count, 2);
    expect_thread(&bench, &threads[0]);
    expect_thread(&bench, &threads[2]);
    look(&bench);
    expect_one_call_a_look(&bench, 3);
    for (size_t i = 0; i < 3; i++) {
        python_thread_free(&threads[i]);
    }
    bench_close(&bench);
}

static void interpreters_in_a_circle(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    uint64_t second = python_interpreter(python);
    bench_open(&bench, python);
    start_at(&bench, &thread, 2);
    python_set(python, second, LAYOUT_interpreter_next, python->interpreter);
    look(&bench);
    assert_int_equal(bench.look->thread_count, 1);
    expect_thread(&bench, &thread);
    look(&bench);
    expect_thread(&bench, &thread);
    python_thread_free(&thread);
    bench_close(&bench);
}

static void generations_of_code_are_added_up(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    uint64_t second = python_interpreter(python);
    bool has_generation = LAYOUT_HAS(python->layout, interpreter, code_object_generation);
    bench_open(&bench, python);
    start_at(&bench, &thread, 2);
    python_set(python, python->interpreter, LAYOUT_interpreter_code_object_generation, 40);
    python_set(python, second, LAYOUT_interpreter_code_object_generation, 2);
    for (int i = 0; i < 2; i++) {
        look(&bench);
        assert_int_equal(bench.look->has_code_generation, has_generation);
        assert_int_equal(bench.look->code_generation, has_generation ? 42 : 0);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

static void runtime_that_is_not_what_it_was(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    uint64_t head = python->runtime + LAYOUT_AT(python->layout, runtime, interpreters_head);
    bench_open(&bench, python);
    start_at(&bench, &thread, 2);
    look(&bench);
    fake_write_u64(&python->fake, head, 0);
    assert_int_equal(walk_look(bench.walk, &bench.look), STATUS_NOT_READY);
    assert_int_equal(bench.look->thread_count, 0);
    fake_write_u64(&python->fake, head, 0x1000);
    assert_int_equal(walk_look(bench.walk, &bench.look), STATUS_NOT_MAPPED);
    fake_write_u64(&python->fake, head, python->interpreter);
    look(&bench);
    expect_thread(&bench, &thread);
    fake_unmap(&python->fake, python->runtime, 1);
    fake_unmap(&python->fake, head, 8);
    assert_int_equal(walk_look(bench.walk, &bench.look), STATUS_NOT_MAPPED);
    python_thread_free(&thread);
    bench_close(&bench);
}

/* ---- chains that cannot be followed ---- */

static enum layout_field link_field(const struct python *python) {
    return LAYOUT_HAS(python->layout, frame_object, back) ? LAYOUT_frame_object_back
                                                          : LAYOUT_frame_previous;
}

/* Whether the whole of the stack's leaf side down to frame `index` is there, and no more. */
static void expect_cut(const struct bench *bench, const struct python_thread *thread,
                       size_t index) {
    const struct raw_thread *raw = find_raw(bench->look, thread->state);
    assert_non_null(raw);
    assert_false(raw->is_complete);
    assert_true(has_frames(bench, raw, thread->frames + index, thread->count - index));
}

static void chain_into_nowhere(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 9);
    look(&bench);
    size_t index = thread.count - 4;
    uint64_t frame = thread.frames[index].address;
    uint64_t link = python_get(python, frame, link_field(python));
    static const uint64_t nowhere[] = {8, 0x1000, UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        python_set(python, frame, link_field(python), nowhere[i]);
        look(&bench);
        expect_cut(&bench, &thread, index);
    }
    python_set(python, frame, link_field(python), link);
    look(&bench);
    expect_thread(&bench, &thread);
    python_thread_free(&thread);
    bench_close(&bench);
}

static void chain_in_a_circle(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 9);
    for (size_t to = 3; to < 8; to += 4) {
        python_set(python, thread.frames[3].address, link_field(python), thread.frames[to].address);
        look(&bench);
        assert_int_equal(bench.look->thread_count, 1);
        assert_false(bench.look->threads[0].is_complete);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

/* A frame that was left has no caller any more. It can be told from a root only where roots are
 * marked, from 3.11 on. */
static void chain_that_ends_too_soon(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 9);
    look(&bench);
    if (python->layout->entry_frames != ENTRY_FRAMES_NONE) {
        size_t index = thread.count - 3;
        python_set(python, thread.frames[index].address, link_field(python), 0);
        look(&bench);
        expect_cut(&bench, &thread, index);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

/* A generator that is not run has no caller; it is never the root of a stack. */
static void chain_that_ends_in_a_generator(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 3);
    python_call_elsewhere(python, &thread, python_function(python, "generator"), 2);
    python_call(python, &thread, python_function(python, "helper"), 2);
    look(&bench);
    size_t index = thread.count - 2;
    python_set(python, thread.frames[index].address, link_field(python), 0);
    for (int i = 0; i < 3; i++) {
        look(&bench);
        expect_cut(&bench, &thread, index);
    }
    python_thread_free(&thread);
    bench_close(&bench);
}

/* Cleared frames have no code: the walk says so and goes on. */
static void frame_without_code(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 3);
    uint64_t leaf = thread.frames[thread.count - 1].address;
    python_set(python, leaf, LAYOUT_frame_object_code, 0);
    python_set(python, leaf, LAYOUT_frame_executable,
               python->layout->code_reference == CODE_REFERENCE_TAGGED);
    look(&bench);
    const struct raw_thread *raw = find_raw(bench.look, thread.state);
    assert_true(raw->is_complete);
    assert_int_equal(raw->frame_count, 4);
    assert_int_equal(bench.look->frames[raw->first_frame].code, 0);
    assert_int_equal(bench.look->frames[raw->first_frame + 1].code, thread.frames[2].code);
    python_thread_free(&thread);
    bench_close(&bench);
}

static void copies_of_bytecode_are_told(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 1);
    python_set(python, thread.frames[thread.count - 1].address, LAYOUT_frame_tlbc_index, 3);
    look(&bench);
    bool has_copies = LAYOUT_HAS(python->layout, frame, tlbc_index);
    assert_int_equal(bench.look->frames[0].tlbc_index, has_copies ? 3 : 0);
    assert_int_equal(bench.look->frames[1].tlbc_index, 0);
    python_thread_free(&thread);
    bench_close(&bench);
}

/* ---- stacks that move while they are read ---- */

struct motion {
    struct bench *bench;
    struct python_thread *thread;
    uint64_t at; /* the read before which it happens */
    void (*move)(struct python *python, struct python_thread *thread);
};

static void move_on_read(void *context, uint64_t number) {
    struct motion *motion = context;
    if (number == motion->at) {
        motion->move(motion->bench->python, motion->thread);
    }
}

static void return_once(struct python *python, struct python_thread *thread) {
    python_return(python, thread);
}

static void call_once(struct python *python, struct python_thread *thread) {
    python_call(python, thread, thread->frames[1].code, 0);
}

static void return_and_call(struct python *python, struct python_thread *thread) {
    python_return(python, thread);
    python_move(python, thread, thread->count - 1, 10);
    python_call(python, thread, thread->frames[1].code, 12);
    python_call(python, thread, thread->frames[1].code, 0);
}

static void call_back(struct python *python, struct python_thread *thread) {
    python_enter(python, thread);
    python_call_elsewhere(python, thread, thread->frames[1].code, 6);
}

/* Whether a stack had this call in it: `caller` right below `callee`, both in `stack`. */
static bool has_call(const struct bench *bench, const struct python_frame *stack, size_t count,
                     const struct raw_frame *caller, const struct raw_frame *callee) {
    const struct python_frame *below = NULL;
    for (size_t i = 0; i < count; i++) {
        if (stack[i].code == 0) {
            continue;
        }
        if (below != NULL && below->address == caller->at && below->code == caller->code &&
            python_position(bench->python, below->code, below->offset) == caller->position &&
            stack[i].address == callee->at && stack[i].code == callee->code) {
            return true;
        }
        below = &stack[i];
    }
    return false;
}

/* A call whose caller stood still while its callee was alive was on the stack before the motion or
 * after it. Counts those calls. */
static size_t expect_calls_of_either(const struct bench *bench, const struct raw_thread *raw,
                                     const struct python_thread *thread,
                                     const struct python_frame *before, size_t before_count) {
    size_t known = 0;
    for (size_t i = 0; i + 1 < raw->frame_count; i++) {
        const struct raw_frame *callee = &bench->look->frames[raw->first_frame + i];
        const struct raw_frame *caller = callee + 1;
        if (!caller->is_still || !callee->is_alive) {
            continue;
        }
        assert_true(raw->is_watched);
        assert_true(has_call(bench, before, before_count, caller, callee) ||
                    has_call(bench, thread->frames, thread->count, caller, callee));
        known++;
    }
    return known;
}

static void move_at_each_read(struct bench *bench, int warm_looks,
                              void (*move)(struct python *python, struct python_thread *thread)) {
    struct fake_memory *fake = &bench->python->fake;
    for (uint64_t at = 1, reads = 1; at <= reads; at++) {
        struct python_thread thread;
        bench_close(bench);
        bench->walk = walk_create(&bench->runtime);
        start_at(bench, &thread, 12);
        for (int i = 0; i < warm_looks; i++) {
            look(bench);
        }
        size_t before_count = thread.count;
        struct python_frame *before = memory_zeroed(before_count, sizeof *before);
        for (size_t i = 0; i < before_count; i++) {
            before[i] = thread.frames[i];
        }
        struct motion motion = {bench, &thread, at, move};
        fake_restart(fake);
        fake->before_read = move_on_read;
        fake->context = &motion;
        look(bench);
        reads = fake->reads;
        fake_restart(fake);
        assert_int_equal(bench->look->thread_count, 1);
        expect_calls_of_either(bench, &bench->look->threads[0], &thread, before, before_count);
        look(bench);
        expect_thread(bench, &thread);
        free(before);
        python_thread_end(bench->python, &thread);
        python_thread_free(&thread);
    }
}

static void motion_of_a_known_stack(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    move_at_each_read(&bench, 2, return_once);
    move_at_each_read(&bench, 2, call_once);
    move_at_each_read(&bench, 2, return_and_call);
    move_at_each_read(&bench, 2, call_back);
    bench_close(&bench);
}

static void motion_of_a_new_stack(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    move_at_each_read(&bench, 0, return_once);
    move_at_each_read(&bench, 0, call_once);
    move_at_each_read(&bench, 0, call_back);
    bench_close(&bench);
}

/* A function is called and left, again and again, before every single read. */
static void move_each_read(void *context, uint64_t number) {
    struct motion *motion = context;
    if (number % 2 == 0) {
        call_once(motion->bench->python, motion->thread);
    } else {
        return_once(motion->bench->python, motion->thread);
    }
}

static void motion_without_end(struct python *python) {
    struct bench bench;
    struct python_thread thread;
    bench_open(&bench, python);
    start_at(&bench, &thread, 12);
    call_once(python, &thread);
    look(&bench);
    look(&bench);
    struct motion motion = {&bench, &thread, 0, NULL};
    python->fake.before_read = move_each_read;
    python->fake.context = &motion;
    for (int i = 0; i < 20; i++) {
        look(&bench);
        const struct raw_thread *raw = find_raw(bench.look, thread.state);
        assert_non_null(raw);
        /* thread.frames still holds what was left last. */
        const struct python_frame *last = thread.frames;
        expect_calls_of_either(&bench, raw, &thread, last, 15);
    }
    fake_restart(&python->fake);
    look(&bench);
    expect_thread(&bench, &thread);
    python_thread_free(&thread);
    bench_close(&bench);
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(stack_of_one_thread),
        SCENARIO(identity_of_a_thread),
        SCENARIO(thread_without_python_code),
        SCENARIO(callbacks_and_generators),
        SCENARIO(stack_that_moves),
        SCENARIO(deep_recursion),
        SCENARIO(frames_are_watched_while_in_doubt),
        SCENARIO(steady_state_is_one_call),
        SCENARIO(steady_state_of_a_deep_stack),
        SCENARIO(steady_state_of_many_threads),
        SCENARIO(steady_state_of_a_loop),
        SCENARIO(threads_come_and_go),
        SCENARIO(slots_are_used_again),
        SCENARIO(same_address_is_a_new_thread),
        SCENARIO(list_of_threads_in_a_circle),
        SCENARIO(thread_that_ends_hides_no_other),
        SCENARIO(skipped_thread_is_listed),
        SCENARIO(several_interpreters),
        SCENARIO(interpreters_in_a_circle),
        SCENARIO(generations_of_code_are_added_up),
        SCENARIO(runtime_that_is_not_what_it_was),
        SCENARIO(chain_into_nowhere),
        SCENARIO(chain_in_a_circle),
        SCENARIO(chain_that_ends_too_soon),
        SCENARIO(chain_that_ends_in_a_generator),
        SCENARIO(frame_without_code),
        SCENARIO(copies_of_bytecode_are_told),
        SCENARIO(motion_of_a_known_stack),
        SCENARIO(motion_of_a_new_stack),
        SCENARIO(motion_without_end),
    };
    return scenarios_run("walk", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
