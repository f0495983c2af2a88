#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/watcher.h"

enum { WARM_LOOKS = 10 };

/* ---- the list of threads ---- */

static void threads_come_and_go(struct python *python) {
    struct watcher watcher;
    struct python_thread threads[6] = {{0}};
    watcher_open(&watcher, python);
    for (size_t i = 0; i < 4; i++) {
        watcher_start_at(&watcher, &threads[i], i);
    }
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, 4);
    size_t slot = watcher_expect(&watcher, &threads[0])->slot;
    watcher_start_at(&watcher, &threads[4], 4); /* at the head */
    python_thread_end(python, &threads[1]);
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, 4);
    assert_true(watcher_expect(&watcher, &threads[4])->is_new);
    assert_null(watcher_find(&watcher, &threads[1]));
    assert_false(watcher_expect(&watcher, &threads[0])->is_new);
    assert_int_equal(watcher_expect(&watcher, &threads[0])->slot, slot);
    python_thread_end(python, &threads[0]); /* the last of the list */
    python_thread_end(python, &threads[4]); /* the first */
    watcher_start_at(&watcher, &threads[5], 5);
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, 3);
    for (size_t i = 2; i < 6; i += i == 3 ? 2 : 1) {
        assert_int_equal(watcher_expect(&watcher, &threads[i])->is_new, i == 5);
        python_thread_end(python, &threads[i]);
    }
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, 0);
    for (size_t i = 0; i < 6; i++) {
        python_thread_free(&threads[i]);
    }
    watcher_close(&watcher);
}

/* Slots are small numbers, so that those who keep something for each of them need not much room. */
static void slots_are_used_again(struct python *python) {
    struct watcher watcher;
    watcher_open(&watcher, python);
    for (int i = 0; i < 40; i++) {
        struct python_thread threads[2];
        watcher_start_at(&watcher, &threads[0], 1);
        watcher_start_at(&watcher, &threads[1], 2);
        watcher_look(&watcher);
        assert_int_equal(watcher.look->thread_count, 2);
        for (size_t t = 0; t < 2; t++) {
            const struct raw_thread *raw = watcher_expect(&watcher, &threads[t]);
            assert_true(raw->is_new);
            assert_true(raw->slot < 4);
            python_thread_end(python, &threads[t]);
            python_thread_free(&threads[t]);
        }
        assert_int_not_equal(watcher.look->threads[0].slot, watcher.look->threads[1].slot);
    }
    watcher_close(&watcher);
}

static void same_address_is_a_new_thread(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 5);
    watcher_look(&watcher);
    watcher_look(&watcher);
    python_set(python, thread.state, LAYOUT_thread_serial, 77);
    watcher_look(&watcher);
    assert_true(watcher_expect(&watcher, &thread)->is_new);
    assert_int_equal(watcher_expect(&watcher, &thread)->serial, 77);
    watcher_look(&watcher);
    assert_false(watcher_expect(&watcher, &thread)->is_new);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void list_of_threads_in_a_circle(struct python *python) {
    struct watcher watcher;
    struct python_thread threads[3];
    watcher_open(&watcher, python);
    for (size_t i = 0; i < 3; i++) {
        watcher_start_at(&watcher, &threads[i], i);
    }
    for (size_t to = 0; to < 3; to++) {
        python_set(python, threads[0].state, LAYOUT_thread_next, threads[to].state);
        watcher_look(&watcher);
        assert_int_equal(watcher.look->thread_count, 3);
        for (size_t i = 0; i < 3; i++) {
            watcher_expect(&watcher, &threads[i]);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        python_thread_free(&threads[i]);
    }
    watcher_close(&watcher);
}

/* ---- threads that end and start while they are looked at ---- */

/* What is to be read in the place of a thread that has ended. */
enum remains {
    REMAINS_OTHER,     /* something else */
    REMAINS_FREED,     /* what was there, but for its first words, which free() writes to */
    REMAINS_HALF_MADE, /* another one that is not linked yet */
    REMAINS_COUNT,
};

struct ending {
    struct python *python;
    struct python_thread *thread;
    uint64_t at; /* the read before which it happens */
    enum remains remains;
};

/* Python/pystate.c, tstate_delete_common(): first it leaves the list, then it is freed. */
static void end_on_read(void *context, uint64_t number) {
    struct ending *ending = context;
    struct python *python = ending->python;
    uint64_t state = ending->thread->state;
    const uint64_t nowhere = 0x5a5a5a5a5a5a;
    if (number == ending->at) {
        python_thread_end(python, ending->thread);
        python_set(python, state, LAYOUT_thread_next,
                   ending->remains == REMAINS_HALF_MADE ? 0 : nowhere);
        if (ending->remains == REMAINS_OTHER) {
            python_set(python, state, LAYOUT_thread_interp, nowhere);
        } else if (ending->remains == REMAINS_HALF_MADE) {
            python_set(python, state, LAYOUT_thread_serial, ++python->serials);
        }
    }
}

/* Ends thread `index` of four before read `at`. Gives how many reads there were. */
static uint64_t end_one(struct python *python, size_t index, uint64_t at, int warm_looks,
                        enum remains remains) {
    struct watcher watcher;
    struct python_thread threads[4];
    watcher_open(&watcher, python);
    for (size_t i = 0; i < 4; i++) {
        watcher_start_at(&watcher, &threads[i], i);
    }
    for (int i = 0; i < warm_looks; i++) {
        watcher_look(&watcher);
    }
    struct ending ending = {python, &threads[index], at, remains};
    fake_restart(&python->fake);
    python->fake.before_read = end_on_read;
    python->fake.context = &ending;
    watcher_look(&watcher);
    uint64_t reads = python->fake.reads;
    fake_restart(&python->fake);
    for (size_t i = 0; i < 4; i++) {
        if (i != index) {
            watcher_expect(&watcher, &threads[i]);
        }
    }
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, at <= reads ? 3 : 4);
    for (size_t i = 0; i < 4; i++) {
        if (i != index || at > reads) {
            python_thread_end(python, &threads[i]);
        }
        python_thread_free(&threads[i]);
    }
    watcher_close(&watcher);
    return reads;
}

/* It must not take those behind it in the list along. */
static void thread_that_ends_hides_no_other(struct python *python) {
    for (size_t i = 0; i < 2 * 4 * REMAINS_COUNT; i++) {
        int warm_looks = i % 2 == 0 ? 0 : 3;
        for (uint64_t at = 1, reads = 1; at <= reads; at++) {
            reads = end_one(python, i / 2 % 4, at, warm_looks, (enum remains)(i / 8));
        }
    }
}

/* ---- threads that are not wanted ---- */

static void skipped_thread_is_listed(struct python *python) {
    struct watcher watcher;
    struct python_thread threads[2];
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &threads[0], 3);
    watcher_start_at(&watcher, &threads[1], 4);
    watcher_look(&watcher);
    walk_skip(watcher.walk, watcher_expect(&watcher, &threads[1])->slot);
    for (int i = 0; i < 3; i++) {
        watcher_look(&watcher);
        const struct raw_thread *raw = watcher_find(&watcher, &threads[1]);
        assert_non_null(raw);
        assert_true(raw->is_skipped);
        assert_int_equal(raw->frame_count, 0);
        watcher_expect(&watcher, &threads[0]);
    }
    /* What comes to be at the same address is a thread of its own. */
    python_set(python, threads[1].state, LAYOUT_thread_serial, 99);
    for (int i = 0; i < 3; i++) {
        watcher_look(&watcher);
        assert_int_equal(watcher_expect(&watcher, &threads[1])->is_new, i == 0);
        watcher_expect(&watcher, &threads[0]);
    }
    python_thread_free(&threads[0]);
    python_thread_free(&threads[1]);
    watcher_close(&watcher);
}

/* ---- interpreters ---- */

static void several_interpreters(struct python *python) {
    struct watcher watcher;
    struct python_thread threads[3];
    uint64_t second = python_interpreter(python);
    uint64_t third = python_interpreter(python);
    watcher_open(&watcher, python);
    python_thread_start(python, &threads[0], third);
    python_thread_start(python, &threads[1], second);
    watcher_start_at(&watcher, &threads[2], 2);
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, 3);
    assert_int_equal(watcher_expect(&watcher, &threads[0])->interpreter, third);
    assert_int_equal(watcher_expect(&watcher, &threads[1])->interpreter, second);
    assert_int_equal(watcher_expect(&watcher, &threads[2])->interpreter, python->interpreter);
    watcher_look_often(&watcher, WARM_LOOKS);
    watcher_look_cheaply(&watcher, 3);
    /* The second one goes. */
    python_interpreter_end(python, second);
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, 2);
    watcher_expect(&watcher, &threads[0]);
    watcher_expect(&watcher, &threads[2]);
    watcher_look_often(&watcher, WARM_LOOKS);
    watcher_look_cheaply(&watcher, 3);
    for (size_t i = 0; i < 3; i++) {
        python_thread_free(&threads[i]);
    }
    watcher_close(&watcher);
}

struct leaving {
    struct python *python;
    uint64_t interpreter;
    uint64_t next; /* what is to be read there afterwards */
    uint64_t at;   /* the read before which it happens */
};

static void leave_on_read(void *context, uint64_t number) {
    struct leaving *leaving = context;
    if (number == leaving->at) {
        python_interpreter_end(leaving->python, leaving->interpreter);
        python_set(leaving->python, leaving->interpreter, LAYOUT_interpreter_next, leaving->next);
        python_set(leaving->python, leaving->interpreter, LAYOUT_interpreter_threads_head,
                   leaving->next);
    }
}

/* Ends the `index`th of two interpreters beside the main one before read `at`. Gives how many reads
 * there were. */
static uint64_t end_interpreter(struct python *python, size_t index, uint64_t at, int warm_looks,
                                uint64_t next) {
    struct watcher watcher;
    struct python_thread threads[3];
    uint64_t interpreters[2] = {python_interpreter(python), python_interpreter(python)};
    watcher_open(&watcher, python);
    for (size_t i = 0; i < 2; i++) {
        python_thread_start(python, &threads[i], interpreters[i]);
    }
    watcher_start_at(&watcher, &threads[2], 2);
    watcher_look_often(&watcher, warm_looks);
    struct leaving leaving = {python, interpreters[index], next, at};
    fake_restart(&python->fake);
    python->fake.before_read = leave_on_read;
    python->fake.context = &leaving;
    watcher_look(&watcher);
    uint64_t reads = python->fake.reads;
    fake_restart(&python->fake);
    python->fake.before_read = NULL;
    watcher_expect(&watcher, &threads[1 - index]);
    watcher_expect(&watcher, &threads[2]);
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, at <= reads ? 2 : 3);
    python_thread_end(python, &threads[2]);
    for (size_t i = 0; i < 3; i++) {
        python_thread_free(&threads[i]);
    }
    python_interpreter_end(python, interpreters[1 - index]);
    if (at > reads) {
        python_interpreter_end(python, interpreters[index]);
    }
    watcher_close(&watcher);
    return reads;
}

/* It must not take those along that are older, the main one above all. */
static void interpreter_that_ends_hides_no_other(struct python *python) {
    const uint64_t nexts[] = {0, 0x5a5a5a5a5a5a};
    for (size_t i = 0; i < 2 * 2 * 2; i++) {
        int warm_looks = i % 2 == 0 ? 0 : WARM_LOOKS;
        for (uint64_t at = 1, reads = 1; at <= reads; at++) {
            reads = end_interpreter(python, i / 2 % 2, at, warm_looks, nexts[i / 4]);
        }
    }
}

static void interpreters_in_a_circle(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    uint64_t second = python_interpreter(python);
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 2);
    python_set(python, python->interpreter, LAYOUT_interpreter_next, second);
    watcher_look(&watcher);
    assert_int_equal(watcher.look->thread_count, 1);
    watcher_expect(&watcher, &thread);
    watcher_look(&watcher);
    watcher_expect(&watcher, &thread);
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void generations_of_code_are_added_up(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    uint64_t second = python_interpreter(python);
    bool has_generation = LAYOUT_HAS(python->layout, interpreter, code_object_generation);
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 2);
    python_set(python, python->interpreter, LAYOUT_interpreter_code_object_generation, 40);
    watcher_look(&watcher);
    for (uint64_t more = 0; more < 3; more++) {
        python_set(python, second, LAYOUT_interpreter_code_object_generation, 2 + more);
        watcher_look(&watcher);
        assert_int_equal(watcher.look->has_code_generation, has_generation);
        assert_int_equal(watcher.look->code_generation, has_generation ? 42 + more : 0);
    }
    python_thread_free(&thread);
    watcher_close(&watcher);
}

static void runtime_that_is_not_what_it_was(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    uint64_t head = python->runtime + LAYOUT_AT(python->layout, runtime, interpreters_head);
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 2);
    watcher_look(&watcher);
    fake_write_u64(&python->fake, head, 0);
    assert_int_equal(walk_look(watcher.walk, &watcher.look), STATUS_NOT_READY);
    assert_int_equal(watcher.look->thread_count, 0);
    fake_write_u64(&python->fake, head, 0x1000);
    assert_int_equal(walk_look(watcher.walk, &watcher.look), STATUS_NOT_MAPPED);
    fake_write_u64(&python->fake, head, python->interpreter);
    watcher_look(&watcher);
    watcher_expect(&watcher, &thread);
    fake_unmap(&python->fake, python->runtime, 1);
    fake_unmap(&python->fake, head, 8);
    assert_int_equal(walk_look(watcher.walk, &watcher.look), STATUS_NOT_MAPPED);
    python_thread_free(&thread);
    watcher_close(&watcher);
}
int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(threads_come_and_go),
        SCENARIO(slots_are_used_again),
        SCENARIO(same_address_is_a_new_thread),
        SCENARIO(list_of_threads_in_a_circle),
        SCENARIO(thread_that_ends_hides_no_other),
        SCENARIO(skipped_thread_is_listed),
        SCENARIO(several_interpreters),
        SCENARIO(interpreter_that_ends_hides_no_other),
        SCENARIO(interpreters_in_a_circle),
        SCENARIO(generations_of_code_are_added_up),
        SCENARIO(runtime_that_is_not_what_it_was),
    };
    return scenarios_run("walk_threads", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
