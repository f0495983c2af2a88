/* Threads that cannot have moved are not read again, and whoever may have moved is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "target-runtime/epoch.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/watcher.h"

enum {
    THREADS = 4,
    WARM_LOOKS = 20, /* until nothing is in doubt */
    LOOKS = 100,
};

struct stage {
    struct watcher watcher;
    struct python_thread threads[THREADS];
};

static bool has_gil(const struct layout *layout) {
    return layout->gil_place != GIL_ABSENT;
}

static bool has_no_gil(const struct layout *layout) {
    return !has_gil(layout);
}

static void stage_open(struct stage *stage, struct python *python) {
    *stage = (struct stage){0};
    watcher_open(&stage->watcher, python);
    for (size_t i = 0; i < THREADS; i++) {
        watcher_start_at(&stage->watcher, &stage->threads[i], 2 + i);
    }
    python_take_gil(python, &stage->threads[0]);
    watcher_look_often(&stage->watcher, WARM_LOOKS);
}

static void stage_close(struct stage *stage) {
    for (size_t i = 0; i < THREADS; i++) {
        python_thread_free(&stage->threads[i]);
    }
    watcher_close(&stage->watcher);
}

/* Looks; everybody must be seen as they are. Returns how many were not read for that. */
static size_t look(struct stage *stage) {
    size_t kept = 0;
    watcher_look(&stage->watcher);
    for (size_t i = 0; i < THREADS; i++) {
        kept += watcher_expect(&stage->watcher, &stage->threads[i])->is_kept;
    }
    return kept;
}

static void move(struct python *python, struct python_thread *thread, int turn) {
    if (turn % 2 == 0) {
        python_call(python, thread, python_function(python, "moved"), 2);
    } else {
        python_return(python, thread);
    }
}

static void others_rest_while_one_moves(struct python *python) {
    struct stage stage;
    size_t full = 0;
    stage_open(&stage, python);
    for (int i = 0; i < LOOKS; i++) {
        move(python, &stage.threads[0], i);
        size_t kept = look(&stage);
        assert_true(kept == 0 || kept == THREADS - 1);
        assert_false(watcher_find(&stage.watcher, &stage.threads[0])->is_kept);
        full += kept == 0;
    }
    assert_in_range(full, 1, LOOKS / 16); /* now and then all the same */
    stage_close(&stage);
}

static void whoever_takes_the_gil_is_read(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    for (int i = 0; i < LOOKS; i++) {
        struct python_thread *thread = &stage.threads[(i / 10) % THREADS];
        if (i % 10 == 0) {
            python_take_gil(python, thread);
        }
        move(python, thread, i);
        size_t kept = look(&stage);
        assert_true(i % 10 != 0 || kept == 0);
    }
    stage_close(&stage);
}

/* It is on the condition of the GIL that they wait. */
static void whoever_waits_is_read(struct python *python) {
    struct stage stage;
    uint32_t at;
    stage_open(&stage, python);
    assert_int_not_equal(look(&stage), 0);
    assert_true(epoch_place(python->layout, &at));
    bool is_runtimes = python->layout->gil_place == GIL_IN_RUNTIME;
    uint64_t gil = (is_runtimes ? python->runtime : python->interpreter) + at;
    fake_write_u64(&python->fake, gil + EPOCH_BYTES - 8, 1);
    assert_int_equal(look(&stage), 0);
    stage_close(&stage);
}

static void new_threads_are_read(struct python *python) {
    struct stage stage;
    struct python_thread another;
    stage_open(&stage, python);
    watcher_start_at(&stage.watcher, &another, 7);
    look(&stage);
    assert_false(watcher_expect(&stage.watcher, &another)->is_kept);
    for (int i = 0; i < LOOKS; i++) {
        move(python, &stage.threads[0], i);
        look(&stage);
        watcher_expect(&stage.watcher, &another);
    }
    python_thread_free(&another);
    stage_close(&stage);
}

/* One thread of the system with two states may go from one to the other with the GIL in hand. */
static void states_of_one_thread_are_read(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    uint64_t ident = python_get(python, stage.threads[0].state, LAYOUT_thread_thread_id);
    python_set(python, stage.threads[2].state, LAYOUT_thread_thread_id, ident);
    watcher_look_often(&stage.watcher, LOOKS);
    for (int i = 0; i < LOOKS; i++) {
        move(python, &stage.threads[2], i);
        look(&stage);
    }
    stage_close(&stage);
}

static void nobody_rests_without_a_gil(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    for (int i = 0; i < LOOKS; i++) {
        move(python, &stage.threads[i % THREADS], i / THREADS);
        assert_int_equal(look(&stage), 0);
    }
    stage_close(&stage);
}

int main(void) {
    const struct scenario scenarios[] = {
        SCENARIO_FOR(others_rest_while_one_moves, has_gil),
        SCENARIO_FOR(whoever_takes_the_gil_is_read, has_gil),
        SCENARIO_FOR(whoever_waits_is_read, has_gil),
        SCENARIO_FOR(new_threads_are_read, has_gil),
        SCENARIO_FOR(states_of_one_thread_are_read, has_gil),
        SCENARIO_FOR(nobody_rests_without_a_gil, has_no_gil),
    };
    return scenarios_run("epoch", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
