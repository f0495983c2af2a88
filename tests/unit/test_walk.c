#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/watcher.h"

enum {
    DEEP = 20000,
    MANY = 1000,
    WARM_LOOKS = 10,
    AGED_LOOKS = 70, /* the prediction has been revised once */
};

/* ---- one thread ---- */

static void stack_of_one_thread(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 3);
    for (int i = 0; i < 4; i++) {
        watcher_look(&watcher);
        assert_int_equal(watcher.look->thread_count, 1);
        const struct raw_thread *raw = watcher_expect(&watcher, &thread);
        assert_int_equal(raw->frame_count, 4);
        assert_int_equal(raw->is_new, i == 0);
        assert_int_equal(raw->slot, 0);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void identity_of_a_thread(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 0);
    watcher_look(&watcher);
    const struct raw_thread *raw = watcher_expect(&watcher, &thread);
    bool has_native_id = LAYOUT_HAS(python->layout, thread, native_thread_id);
    assert_int_equal(raw->interpreter, python->interpreter);
    assert_int_equal(raw->serial, python_get(python, thread.state, LAYOUT_thread_serial));
    assert_int_equal(raw->ident, python_get(python, thread.state, LAYOUT_thread_thread_id));
    assert_int_equal(raw->native_id, has_native_id ? 1001 : 0);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void thread_without_python_code(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start(&watcher, &thread);
    watcher_look(&watcher);
    assert_int_equal(watcher_expect(&watcher, &thread)->frame_count, 0);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void callbacks_and_generators(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 2);
    python_enter(python, &thread);
    python_call(python, &thread, python_function(python, "callback"), 0);
    python_call_elsewhere(python, &thread, python_function(python, "generator"), 14);
    python_call(python, &thread, python_function(python, "helper"), 2);
    python_enter(python, &thread);
    python_call_elsewhere(python, &thread, python_function(python, "__repr__"), 6);
    for (int i = 0; i < 3; i++) {
        watcher_look(&watcher);
        assert_int_equal(watcher_expect(&watcher, &thread)->frame_count, 7);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void stack_that_moves(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    uint64_t code = python_function(python, "f");
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 30);
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
        watcher_look(&watcher);
        watcher_expect(&watcher, &thread);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void deep_recursion(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, DEEP);
    for (int i = 0; i < 3; i++) {
        watcher_look(&watcher);
        assert_int_equal(watcher_expect(&watcher, &thread)->frame_count, DEEP + 1);
    }
    /* The same, less deep. */
    for (int i = 0; i < DEEP / 2; i++) {
        python_return(python, &thread);
    }
    for (int i = 0; i < 3; i++) {
        watcher_look(&watcher);
        watcher_expect(&watcher, &thread);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* ---- what stood still ---- */

/* How many frames of the thread have been seen alive, and how many still. */
static void count_still(const struct watcher *watcher, const struct raw_thread *raw,
                        size_t *alive_out, size_t *still_out) {
    *alive_out = 0;
    *still_out = 0;
    for (size_t i = 0; i < raw->frame_count; i++) {
        const struct raw_frame *frame = &watcher->look->frames[raw->first_frame + i];
        *alive_out += frame->is_alive;
        *still_out += frame->is_still;
        assert_true(frame->is_alive || !frame->is_still);
    }
}

/* Frame objects are watched a few calls at a time. */
static void expect_sights(const struct watcher *watcher, const struct raw_thread *raw,
                          bool is_watched) {
    assert_int_equal(raw->sight_count, is_watched ? 4 : 0);
    for (size_t i = 0; i < raw->sight_count; i++) {
        assert_true(watcher->look->sights[raw->first_sight + i].is_still);
    }
}

static void expect_still(struct watcher *watcher, const struct python_thread *thread,
                         bool is_watched) {
    size_t alive;
    size_t still;
    watcher_look(watcher);
    const struct raw_thread *raw = watcher_expect(watcher, thread);
    if (watcher->python->layout->frame_chain == FRAME_CHAIN_OBJECTS) {
        expect_sights(watcher, raw, is_watched);
        return;
    }
    count_still(watcher, raw, &alive, &still);
    assert_int_equal(alive, is_watched ? raw->frame_count : 0);
    assert_int_equal(still, is_watched ? raw->frame_count : 0);
}

/* New threads are watched, then only those that are doubted. */
static void frames_are_watched_while_in_doubt(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 5);
    python_enter(python, &thread);
    python_call_elsewhere(python, &thread, python_function(python, "generator"), 2);
    watcher_look(&watcher);
    expect_still(&watcher, &thread, true);
    watcher_look_often(&watcher, AGED_LOOKS);
    expect_still(&watcher, &thread, false);
    walk_doubt(watcher.walk, watcher.look->threads[0].slot, 0);
    expect_still(&watcher, &thread, true);
    watcher_look_often(&watcher, AGED_LOOKS);
    expect_still(&watcher, &thread, false);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* ---- steady state ---- */

static void steady_state_is_one_call(struct python *python) {
    struct watcher watcher;
    struct python_thread threads[3];
    watcher_open(&watcher, python);
    for (size_t i = 0; i < 3; i++) {
        watcher_start_at(&watcher, &threads[i], 10 * i);
        python_enter(python, &threads[i]);
        python_call_elsewhere(python, &threads[i], python_function(python, "generator"), 2);
    }
    watcher_look_often(&watcher, AGED_LOOKS);
    watcher_look_cheaply(&watcher, 300);
    for (size_t i = 0; i < 3; i++) {
        watcher_expect(&watcher, &threads[i]);
        python_thread_free(&threads[i]);
    }
    watcher_close(&watcher);
}

static void steady_state_of_a_deep_stack(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, DEEP);
    watcher_look_often(&watcher, AGED_LOOKS);
    watcher_look_cheaply(&watcher, AGED_LOOKS);
    watcher_expect(&watcher, &thread);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void steady_state_of_many_threads(struct python *python) {
    struct watcher watcher;
    struct python_thread *threads = memory_zeroed(MANY, sizeof *threads);
    watcher_open(&watcher, python);
    for (size_t i = 0; i < MANY; i++) {
        watcher_start_at(&watcher, &threads[i], i % 4);
    }
    watcher_look_often(&watcher, WARM_LOOKS);
    watcher_look_cheaply(&watcher, 5);
    assert_int_equal(watcher.look->thread_count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        watcher_expect(&watcher, &threads[i]);
        python_thread_free(&threads[i]);
    }
    free(threads);
    watcher_close(&watcher);
}

/* A loop that calls and returns is foreseen after a few rounds. */
static void steady_state_of_a_loop(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    uint64_t code = python_function(python, "called");
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 20);
    uint64_t calls = 0;
    for (int i = 0; i < 600; i++) {
        uint64_t before = python->fake.memory.calls;
        watcher_look(&watcher);
        watcher_expect(&watcher, &thread);
        calls += i >= 100 ? python->fake.memory.calls - before : 0;
        if (i % 2 == 0) {
            python_call(python, &thread, code, 2);
        } else {
            python_return(python, &thread);
        }
    }
    assert_int_equal(calls, 500);
    python_thread_free(&thread);
    watcher_close(&watcher);
}
/* ---- chains that cannot be followed ---- */

static enum layout_field link_field(const struct python *python) {
    return LAYOUT_HAS(python->layout, frame_object, back) ? LAYOUT_frame_object_back
                                                          : LAYOUT_frame_previous;
}

/* Whether the whole of the stack's leaf side down to frame `index` is there, and no more. */
static void expect_cut(const struct watcher *watcher, const struct python_thread *thread,
                       size_t index) {
    const struct raw_thread *raw = watcher_find(watcher, thread);
    assert_non_null(raw);
    assert_false(raw->is_complete);
    assert_true(watcher_has_frames(watcher, raw, thread->frames + index, thread->count - index));
}

static void chain_into_nowhere(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 9);
    watcher_look(&watcher);
    size_t index = 2;
    uint64_t frame = thread.frames[index].address;
    uint64_t link = python_get(python, frame, link_field(python));
    static const uint64_t nowhere[] = {8, 0x1000, UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        python_set(python, frame, link_field(python), nowhere[i]);
        watcher_look(&watcher);
        expect_cut(&watcher, &thread, index);
    }
    python_set(python, frame, link_field(python), link);
    watcher_look(&watcher);
    watcher_expect(&watcher, &thread);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void chain_in_a_circle(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 9);
    for (size_t to = 3; to < 8; to += 4) {
        python_set(python, thread.frames[3].address, link_field(python), thread.frames[to].address);
        watcher_look(&watcher);
        assert_int_equal(watcher.look->thread_count, 1);
        assert_false(watcher.look->threads[0].is_complete);
        /* Noticed before it costs much. */
        assert_true(watcher.look->frame_count < 1000);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* A frame that was left has no caller any more. It can be told from a root only where roots are
 * marked, from 3.11 on. */
static void chain_that_ends_too_soon(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 9);
    watcher_look(&watcher);
    if (python->layout->entry_frames != ENTRY_FRAMES_NONE) {
        size_t index = 2;
        python_set(python, thread.frames[index].address, link_field(python), 0);
        watcher_look(&watcher);
        expect_cut(&watcher, &thread, index);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* An entry frame that is half made leads nowhere, as the oldest one does. However often that is
 * seen: while the true root is seen in between, there is no other. */
static void chain_that_ends_too_soon_now_and_then(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 3);
    size_t entry = thread.count;
    python_enter(python, &thread);
    python_call(python, &thread, python_function(python, "callback"), 4);
    watcher_look_often(&watcher, 3);
    bool has_entries = python->layout->entry_frames == ENTRY_FRAMES_OWNER;
    for (int i = 0; i < 12 && has_entries; i++) {
        uint64_t link = python_get(python, thread.frames[entry].address, link_field(python));
        python_set(python, thread.frames[entry].address, link_field(python), 0);
        watcher_look(&watcher);
        const struct raw_thread *raw = watcher_find(&watcher, &thread);
        assert_true(raw->is_cut || !raw->is_complete);
        python_set(python, thread.frames[entry].address, link_field(python), link);
        watcher_look(&watcher);
        watcher_expect(&watcher, &thread);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* A greenlet that gives way has taken the entry frame from below its oldest frame, which has a
 * frame object then; and the chain of one that goes on ends in an entry frame that leads nowhere.
 */
static void chain_of_a_greenlet(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 9);
    watcher_look(&watcher);
    if (python->layout->entry_frames == ENTRY_FRAMES_OWNER) {
        uint64_t entry = thread.frames[0].address;
        uint64_t oldest = thread.frames[1].address;
        python_set(python, oldest, link_field(python), 0);
        python_set(python, oldest, LAYOUT_frame_frame_obj, oldest);
        watcher_look(&watcher); /* without greenlets, that was torn */
        assert_false(watcher.look->threads[0].is_complete);
        assert_true(walk_wonders(watcher.walk));
        walk_expect_greenlets(watcher.walk);
        assert_false(walk_wonders(watcher.walk));
        watcher_look(&watcher);
        watcher_expect(&watcher, &thread);
        python_set(python, oldest, link_field(python), entry);
        python_set(python, entry, link_field(python), 0);
        watcher_look(&watcher);
        watcher_expect(&watcher, &thread);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* A generator that is not run has no caller; it is never the root of a stack. Its caller is the one
 * of the last looks, if there was one. */
static void chain_that_ends_in_a_generator(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 3);
    watcher_look(&watcher);
    size_t index = thread.count;
    python_call_elsewhere(python, &thread, python_function(python, "generator"), 2);
    while (thread.count < 2 * index) {
        python_call(python, &thread, python_function(python, "helper"), 2);
    }
    uint64_t frame = thread.frames[index].address;
    uint64_t link = python_get(python, frame, link_field(python));
    python_set(python, frame, link_field(python), 0);
    for (int i = 0; i < 3; i++) {
        watcher_look(&watcher);
        expect_cut(&watcher, &thread, index);
    }
    python_set(python, frame, link_field(python), link);
    watcher_look(&watcher);
    watcher_expect(&watcher, &thread);
    python_set(python, frame, link_field(python), 0);
    watcher_look(&watcher);
    watcher_expect(&watcher, &thread);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* The newest frame is gone, and what it was linked to as well: what was below it is still there. */
static void chain_that_breaks_at_its_head(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 9);
    watcher_look(&watcher);
    for (int i = 0; i < 2; i++) {
        watcher_look(&watcher);
        assert_false(watcher.look->threads[0].is_cut);
        python_set(python, thread.frames[thread.count - 1].address, link_field(python), 0x1000);
        watcher_look(&watcher);
        const struct raw_thread *raw = watcher_find(&watcher, &thread);
        assert_true(raw->is_complete && raw->is_cut);
        assert_true(watcher_has_frames(&watcher, raw, thread.frames, thread.count - 1));
        python_set(python, thread.frames[thread.count - 1].address, link_field(python),
                   thread.frames[thread.count - 2].address);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* What was overwritten may lead through many things that are no frames: of those nothing is kept.
 */
static void head_that_leads_to_garbage(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    const char *structure =
        LAYOUT_HAS(python->layout, frame_object, back) ? "frame_object" : "frame";
    watcher_open(&watcher, python);
    watcher.runtime.code_type.addr = python->code_type;
    watcher_start_at(&watcher, &thread, 3);
    watcher_look_often(&watcher, 3);
    uint64_t garbage = 0x1000;
    for (int i = 0; i < 9; i++) {
        uint64_t next = python_structure(python, structure, 0);
        python_set(python, next, LAYOUT_frame_object_code, python->none);
        python_set(python, next, LAYOUT_frame_executable, python->none);
        python_set(python, next, link_field(python), garbage);
        garbage = next;
    }
    fake_write_u64(&python->fake, python_head_place(python, &thread), garbage);
    watcher_look(&watcher);
    const struct raw_thread *raw = watcher_find(&watcher, &thread);
    assert_true(raw->is_complete && raw->is_cut);
    assert_true(watcher_has_frames(&watcher, raw, thread.frames, thread.count));
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* A thread that runs no Python has no newest frame. In 3.11 and 3.12 it does run some while it
 * points to a cframe on the C stack: that one has been left, or is not filled in yet. In 3.15 there
 * is always one at the base. */
static void head_that_is_not_there(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    bool has_left = python->layout->frame_chain == FRAME_CHAIN_CFRAME ||
                    LAYOUT_HAS(python->layout, thread, base_frame);
    watcher_open(&watcher, python);
    watcher_start(&watcher, &thread);
    python_enter(python, &thread);
    python_call(python, &thread, python_function(python, "main"), 4);
    watcher_look_often(&watcher, 3);
    fake_write_u64(&python->fake, python_head_place(python, &thread), 0);
    watcher_look(&watcher);
    const struct raw_thread *raw = watcher_find(&watcher, &thread);
    assert_true(raw->is_complete);
    assert_int_equal(raw->is_cut, has_left);
    assert_int_equal(raw->frame_count, has_left ? 1 : 0);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

/* Cleared frames have no code: the walk says so and goes on. */
static void frame_without_code(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 3);
    uint64_t leaf = thread.frames[thread.count - 1].address;
    python_set(python, leaf, LAYOUT_frame_object_code, 0);
    python_set(python, leaf, LAYOUT_frame_executable,
               python->layout->code_reference == CODE_REFERENCE_TAGGED);
    watcher_look(&watcher);
    const struct raw_thread *raw = watcher_find(&watcher, &thread);
    assert_true(raw->is_complete);
    assert_int_equal(raw->frame_count, 4);
    assert_int_equal(watcher.look->frames[raw->first_frame].code, 0);
    assert_int_equal(watcher.look->frames[raw->first_frame + 1].code, thread.frames[2].code);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void copies_of_bytecode_are_told(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 1);
    python_set(python, thread.frames[thread.count - 1].address, LAYOUT_frame_tlbc_index, 3);
    watcher_look(&watcher);
    bool has_copies = LAYOUT_HAS(python->layout, frame, tlbc_index);
    assert_int_equal(watcher.look->frames[0].tlbc_index, has_copies ? 3 : 0);
    assert_int_equal(watcher.look->frames[1].tlbc_index, 0);
    python_thread_free(&thread);
    watcher_close(&watcher);
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
        SCENARIO(chain_into_nowhere),
        SCENARIO(chain_in_a_circle),
        SCENARIO(chain_that_ends_too_soon),
        SCENARIO(chain_that_ends_too_soon_now_and_then),
        SCENARIO(chain_of_a_greenlet),
        SCENARIO(chain_that_ends_in_a_generator),
        SCENARIO(chain_that_breaks_at_its_head),
        SCENARIO(head_that_leads_to_garbage),
        SCENARIO(head_that_is_not_there),
        SCENARIO(frame_without_code),
        SCENARIO(copies_of_bytecode_are_told),
    };
    return scenarios_run("walk", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
