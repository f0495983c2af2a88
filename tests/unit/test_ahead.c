/* Several looks by one system call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scenarios.h"
#include "tests/unit/watcher.h"

enum { AHEAD = 5, WARM_LOOKS = 20, DEPTH = 4 };

struct stage {
    struct watcher watcher;
    struct python_thread thread;
    bool is_deeper; /* by a call */
};

static void stage_open(struct stage *stage, struct python *python) {
    *stage = (struct stage){0};
    watcher_open(&stage->watcher, python);
    watcher_start_at(&stage->watcher, &stage->thread, DEPTH);
    watcher_look_often(&stage->watcher, WARM_LOOKS);
    walk_ahead(stage->watcher.walk, AHEAD);
}

static void stage_close(struct stage *stage) {
    python_thread_free(&stage->thread);
    watcher_close(&stage->watcher);
}

static uint64_t calls(const struct stage *stage) {
    return stage->watcher.python->fake.memory.calls;
}

static void one_call_brings_them_all(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    uint64_t before = calls(&stage);
    for (size_t i = 0; i < 3 * AHEAD; i++) {
        watcher_look(&stage.watcher);
        watcher_expect(&stage.watcher, &stage.thread);
        assert_int_equal(walk_left(stage.watcher.walk), AHEAD - 1 - i % AHEAD);
    }
    assert_int_equal(calls(&stage) - before, 3);
    walk_ahead(stage.watcher.walk, 1);
    watcher_look_cheaply(&stage.watcher, AHEAD);
    stage_close(&stage);
}

static void move(void *context, uint64_t number) {
    struct stage *stage = context;
    struct python *python = stage->watcher.python;
    if (number % 5 != 0) {
        return;
    }
    if (stage->is_deeper) {
        python_return(python, &stage->thread);
    } else {
        python_call(python, &stage->thread, stage->thread.frames[1].code, 2);
    }
    stage->is_deeper = !stage->is_deeper;
}

/* Each is of an instant of its own. */
static void looks_differ(struct python *python) {
    struct stage stage;
    size_t short_count = 0;
    size_t long_count = 0;
    stage_open(&stage, python);
    watcher_look(&stage.watcher);
    size_t frames = watcher_expect(&stage.watcher, &stage.thread)->frame_count;
    python->fake.before_read = move;
    python->fake.context = &stage;
    for (int i = 0; i < 50 * AHEAD; i++) {
        watcher_look(&stage.watcher);
        const struct raw_thread *raw = watcher_find(&stage.watcher, &stage.thread);
        assert_non_null(raw);
        assert_in_range(raw->frame_count, frames, frames + 1);
        short_count += raw->frame_count == frames;
        long_count += raw->frame_count > frames;
    }
    python->fake.before_read = NULL;
    assert_int_not_equal(short_count, 0);
    assert_int_not_equal(long_count, 0);
    stage_close(&stage);
}

static bool has_entries(const struct layout *layout) {
    return layout->entry_frames == ENTRY_FRAMES_OWNER;
}

static void touch_root(void *context, uint64_t number) {
    struct stage *stage = context;
    uint64_t root = stage->thread.frames[0].address;
    python_set(stage->watcher.python, root, LAYOUT_frame_globals, number);
}

/* The root of the chain is copied before the first look and after the last one: if it was not the
 * same, the looks in between are worth nothing. */
static void root_has_to_stand_still(struct python *python) {
    struct stage stage;
    stage_open(&stage, python);
    assert_int_equal(stage.thread.frames[0].code, 0);
    watcher_look_often(&stage.watcher, AHEAD);
    python->fake.before_read = touch_root;
    python->fake.context = &stage;
    for (int i = 0; i < AHEAD; i++) {
        watcher_look(&stage.watcher);
        watcher_expect(&stage.watcher, &stage.thread);
        assert_int_equal(walk_left(stage.watcher.walk), 0);
    }
    python->fake.before_read = NULL;
    stage_close(&stage);
}

static bool has_gil(const struct layout *layout) {
    return layout->gil_place != GIL_ABSENT;
}

static void only_one_may_move(struct python *python) {
    struct stage stage;
    struct python_thread another;
    stage_open(&stage, python);
    watcher_start_at(&stage.watcher, &another, DEPTH);
    watcher_look_often(&stage.watcher, WARM_LOOKS);
    assert_int_equal(walk_left(stage.watcher.walk), 0);
    python_take_gil(python, &stage.thread); /* now the other one rests */
    size_t ahead = 0;
    for (int i = 0; i < WARM_LOOKS; i++) {
        watcher_look(&stage.watcher);
        watcher_expect(&stage.watcher, &stage.thread);
        watcher_expect(&stage.watcher, &another);
        ahead += walk_left(stage.watcher.walk) > 0;
    }
    assert_int_not_equal(ahead, 0);
    python_thread_free(&another);
    stage_close(&stage);
}

int main(void) {
    const struct scenario scenarios[] = {
        SCENARIO(one_call_brings_them_all),
        SCENARIO(looks_differ),
        SCENARIO_FOR(root_has_to_stand_still, has_entries),
        SCENARIO_FOR(only_one_may_move, has_gil),
    };
    return scenarios_run("ahead", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
