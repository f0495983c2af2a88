/* Who holds the GIL, who collects, who handles an exception. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scenarios.h"
#include "tests/unit/watcher.h"

enum { THREADS = 3, NOBODY = THREADS };

struct stage {
    struct watcher watcher;
    struct python_thread threads[THREADS];
};

static void stage_open(struct stage *stage, struct python *python) {
    *stage = (struct stage){0};
    watcher_open(&stage->watcher, python);
    for (size_t i = 0; i < THREADS; i++) {
        watcher_start_at(&stage->watcher, &stage->threads[i], 2 + i);
        python_handle(python, &stage->threads[i], 0, false);
    }
}

static void stage_close(struct stage *stage) {
    for (size_t i = 0; i < THREADS; i++) {
        python_thread_free(&stage->threads[i]);
    }
    watcher_close(&stage->watcher);
}

static const struct raw_thread *seen(const struct stage *stage, size_t thread) {
    return watcher_expect(&stage->watcher, &stage->threads[thread]);
}

/* ---- the GIL ---- */

static void expect_holder(struct stage *stage, size_t holder) {
    watcher_look(&stage->watcher);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(seen(stage, i)->has_gil, i == holder);
    }
}

static void gil_is_handed_on(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    expect_holder(&stage, NOBODY);
    for (size_t i = 0; i < 6; i++) {
        python_hold_gil(python, python->interpreter, &stage.threads[i % THREADS]);
        expect_holder(&stage, i % THREADS);
        python_hold_gil(python, python->interpreter, NULL);
        expect_holder(&stage, NOBODY);
    }
    stage_close(&stage);
}

/* All of it comes with what a look copies anyway. */
static void states_cost_no_call(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    python_hold_gil(python, python->interpreter, &stage.threads[1]);
    python_handle(python, &stage.threads[0], python_number(python, 1), false);
    python_handle(python, &stage.threads[2], python_number(python, 1), true);
    watcher_look_often(&stage.watcher, 20);
    watcher_look_cheaply(&stage.watcher, 20);
    assert_true(seen(&stage, 0)->has_exception);
    assert_true(seen(&stage, 1)->has_gil);
    assert_true(seen(&stage, 2)->has_exception);
    stage_close(&stage);
}

static bool has_gil(const struct layout *layout) {
    return layout->gil_place != GIL_ABSENT;
}

static bool has_gil_of_interpreters(const struct layout *layout) {
    return layout->gil_place == GIL_IN_INTERPRETER;
}

/* An interpreter has a GIL of its own, or that of the first one. */
static void interpreters_share_a_gil_or_not(struct python *python) {
    struct stage stage;
    struct python_thread others[2];
    uint64_t interpreters[2] = {python_interpreter(python), python_interpreter(python)};
    stage_open(&stage, python);
    python_set(python, interpreters[1], LAYOUT_interpreter_gil,
               python_get(python, python->interpreter, LAYOUT_interpreter_gil));
    for (size_t i = 0; i < 2; i++) {
        python_thread_start(python, &others[i], interpreters[i]);
    }
    python_hold_gil(python, python->interpreter, &stage.threads[0]);
    python_hold_gil(python, interpreters[0], &others[0]);
    expect_holder(&stage, 0);
    assert_true(watcher_find(&stage.watcher, &others[0])->has_gil);
    assert_false(watcher_find(&stage.watcher, &others[1])->has_gil);
    python_hold_gil(python, interpreters[1], &others[1]);
    expect_holder(&stage, NOBODY);
    assert_true(watcher_find(&stage.watcher, &others[0])->has_gil);
    assert_true(watcher_find(&stage.watcher, &others[1])->has_gil);
    assert_int_equal(watcher_find(&stage.watcher, &others[1])->gil_lock.addr,
                     seen(&stage, 0)->gil_lock.addr);
    assert_int_not_equal(watcher_find(&stage.watcher, &others[0])->gil_lock.addr,
                         seen(&stage, 0)->gil_lock.addr);
    for (size_t i = 0; i < 2; i++) {
        python_thread_free(&others[i]);
    }
    stage_close(&stage);
}

static void threads_that_wait_sleep_on_the_gil(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    watcher_look(&stage.watcher);
    uint64_t gil = python->layout->gil_place == GIL_IN_RUNTIME
                       ? python->runtime + LAYOUT_AT(python->layout, runtime, gil)
                       : python_get(python, python->interpreter, LAYOUT_interpreter_gil);
    assert_int_equal(seen(&stage, 0)->gil_lock.addr, gil + LAYOUT_AT(python->layout, gil, cond));
    stage_close(&stage);
}

static bool tells_requests(const struct layout *layout) {
    return LAYOUT_HAS(layout, thread, gil_requested);
}

static void requests_are_seen(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    python_hold_gil(python, python->interpreter, &stage.threads[0]);
    python_set(python, stage.threads[0].state, LAYOUT_thread_gil_requested, 1);
    python_set(python, stage.threads[1].state, LAYOUT_thread_gil_requested, 1);
    expect_holder(&stage, 0);
    assert_false(seen(&stage, 0)->wants_gil); /* it has just got it */
    assert_true(seen(&stage, 1)->wants_gil);
    assert_false(seen(&stage, 2)->wants_gil);
    stage_close(&stage);
}

/* ---- the collector ---- */

static void expect_collector(struct stage *stage, size_t collector) {
    watcher_look(&stage->watcher);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(seen(stage, i)->is_collecting, i == collector);
    }
}

static void collector_has_the_gil(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    python_hold_gil(python, python->interpreter, &stage.threads[2]);
    expect_collector(&stage, NOBODY);
    python_collect(python, python->interpreter, true);
    expect_collector(&stage, 2);
    assert_int_equal(seen(&stage, 2)->collected_above, 0);
    python_collect(python, python->interpreter, false);
    expect_collector(&stage, NOBODY);
    stage_close(&stage);
}

static bool tells_where_it_collects(const struct layout *layout) {
    return LAYOUT_HAS(layout, interpreter, collecting_frame);
}

/* A finalizer has given the GIL away. */
static void collector_is_below_finalizers(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    struct python_thread *thread = &stage.threads[1];
    python_hold_gil(python, python->interpreter, &stage.threads[0]);
    python_collect(python, python->interpreter, true);
    python_set(python, python->interpreter, LAYOUT_interpreter_collecting_frame,
               thread->frames[thread->count - 2].address);
    expect_collector(&stage, 1);
    assert_int_equal(seen(&stage, 1)->collected_above, 1);
    stage_close(&stage);
}

/* ---- handlers ---- */

static void expect_handlers(struct stage *stage, bool first, bool second) {
    watcher_look(&stage->watcher);
    assert_int_equal(seen(stage, 0)->has_exception, first);
    assert_int_equal(seen(stage, 1)->has_exception, second);
    assert_false(seen(stage, 2)->has_exception);
}

static void handlers_are_seen(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    expect_handlers(&stage, false, false);
    python_handle(python, &stage.threads[1], python_number(python, 1), false);
    expect_handlers(&stage, false, true);
    python_handle(python, &stage.threads[0], python->none, false);
    expect_handlers(&stage, false, true);
    python_handle(python, &stage.threads[1], python->none, false);
    expect_handlers(&stage, false, false);
    python_handle(python, &stage.threads[0], python_number(python, 1), false);
    expect_handlers(&stage, true, false);
    stage_close(&stage);
}

/* Each generator that runs another has an item, most of them empty. */
static void handlers_of_generators_are_seen(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    uint64_t outer = python_handle(python, &stage.threads[0], 0, true);
    python_handle(python, &stage.threads[0], 0, true);
    expect_handlers(&stage, false, false);
    python_set(python, outer, LAYOUT_exc_item_value, python_number(python, 1));
    expect_handlers(&stage, true, false);
    python_set(python, outer, LAYOUT_exc_item_value, 0);
    expect_handlers(&stage, false, false);
    stage_close(&stage);
}

/* A generator that was freed meanwhile leads anywhere. */
static void chain_of_handlers_is_bounded(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    uint64_t item = python_handle(python, &stage.threads[0], 0, true);
    python_set(python, item, LAYOUT_exc_item_previous, item);
    expect_handlers(&stage, false, false);
    python_set(python, item, LAYOUT_exc_item_previous, 0x1000);
    expect_handlers(&stage, false, false);
    stage_close(&stage);
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(gil_is_handed_on),
        SCENARIO(states_cost_no_call),
        SCENARIO_FOR(interpreters_share_a_gil_or_not, has_gil_of_interpreters),
        SCENARIO_FOR(threads_that_wait_sleep_on_the_gil, has_gil),
        SCENARIO_FOR(requests_are_seen, tells_requests),
        SCENARIO(collector_has_the_gil),
        SCENARIO_FOR(collector_is_below_finalizers, tells_where_it_collects),
        SCENARIO(handlers_are_seen),
        SCENARIO(handlers_of_generators_are_seen),
        SCENARIO(chain_of_handlers_is_bounded),
    };
    return scenarios_run("states", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
