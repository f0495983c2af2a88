#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/watcher.h"

/* ---- stacks that move while they are read ---- */

struct motion {
    struct watcher *watcher;
    struct python_thread *thread;
    uint64_t at; /* the read before which it happens */
    void (*move)(struct python *python, struct python_thread *thread);
};

static void move_on_read(void *context, uint64_t number) {
    struct motion *motion = context;
    if (number == motion->at) {
        motion->move(motion->watcher->python, motion->thread);
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
static bool has_call(const struct watcher *watcher, const struct python_frame *stack, size_t count,
                     const struct raw_frame *caller, const struct raw_frame *callee) {
    const struct python_frame *below = NULL;
    for (size_t i = 0; i < count; i++) {
        if (stack[i].code == 0) {
            continue;
        }
        if (below != NULL && below->address == caller->at && below->code == caller->code &&
            python_position(watcher->python, below->code, below->offset) == caller->position &&
            stack[i].address == callee->at && stack[i].code == callee->code) {
            return true;
        }
        below = &stack[i];
    }
    return false;
}

/* A call whose caller stood still while its callee was alive was on the stack before the motion or
 * after it. Counts those calls. */
static size_t expect_calls_of_either(const struct watcher *watcher, const struct raw_thread *raw,
                                     const struct python_thread *thread,
                                     const struct python_frame *before, size_t before_count) {
    size_t known = 0;
    for (size_t i = 0; i + 1 < raw->frame_count; i++) {
        const struct raw_frame *callee = &watcher->look->frames[raw->first_frame + i];
        const struct raw_frame *caller = callee + 1;
        if (!caller->is_still || !callee->is_alive) {
            continue;
        }
        assert_true(caller->is_watched && callee->is_watched);
        assert_true(has_call(watcher, before, before_count, caller, callee) ||
                    has_call(watcher, thread->frames, thread->count, caller, callee));
        known++;
    }
    for (size_t i = 0; i < raw->sight_count; i++) {
        const struct raw_sight *sight = &watcher->look->sights[raw->first_sight + i];
        if (sight->is_still) {
            assert_true(
                has_call(watcher, before, before_count, &sight->caller, &sight->callee) ||
                has_call(watcher, thread->frames, thread->count, &sight->caller, &sight->callee));
            known++;
        }
    }
    return known;
}

/* Gives how many calls were known for certain, all in all. */
static size_t move_at_each_read(struct watcher *watcher, int warm_looks,
                                void (*move)(struct python *python, struct python_thread *thread)) {
    struct fake_memory *fake = &watcher->python->fake;
    size_t known = 0;
    for (uint64_t at = 1, reads = 1; at <= reads; at++) {
        struct python_thread thread;
        watcher_close(watcher);
        watcher->walk = walk_create(&watcher->runtime);
        watcher_start_at(watcher, &thread, 12);
        for (int i = 0; i < warm_looks; i++) {
            watcher_look(watcher);
        }
        size_t before_count = thread.count;
        struct python_frame *before = memory_zeroed(before_count, sizeof *before);
        for (size_t i = 0; i < before_count; i++) {
            before[i] = thread.frames[i];
        }
        struct motion motion = {watcher, &thread, at, move};
        fake_restart(fake);
        fake->before_read = move_on_read;
        fake->context = &motion;
        watcher_look(watcher);
        reads = fake->reads;
        fake_restart(fake);
        assert_int_equal(watcher->look->thread_count, 1);
        known += expect_calls_of_either(watcher, &watcher->look->threads[0], &thread, before,
                                        before_count);
        watcher_look(watcher);
        watcher_expect(watcher, &thread);
        free(before);
        python_thread_end(watcher->python, &thread);
        python_thread_free(&thread);
    }
    return known;
}

static void motion_of_a_known_stack(struct python *python) {
    struct watcher watcher;
    watcher_open(&watcher, python);
    assert_true(move_at_each_read(&watcher, 2, return_once) > 0);
    assert_true(move_at_each_read(&watcher, 2, call_once) > 0);
    assert_true(move_at_each_read(&watcher, 2, return_and_call) > 0);
    assert_true(move_at_each_read(&watcher, 2, call_back) > 0);
    watcher_close(&watcher);
}

static void motion_of_a_new_stack(struct python *python) {
    struct watcher watcher;
    watcher_open(&watcher, python);
    move_at_each_read(&watcher, 0, return_once);
    move_at_each_read(&watcher, 0, call_once);
    move_at_each_read(&watcher, 0, call_back);
    watcher_close(&watcher);
}

/* A function is called and left, again and again. (Were it both between any two reads, at their
 * very beat, it would look as if it stood still, whatever is read.) */
static void move_each_read(void *context, uint64_t number) {
    struct motion *motion = context;
    if (number % 5 == 0) {
        call_once(motion->watcher->python, motion->thread);
    } else if (number % 5 == 3) {
        return_once(motion->watcher->python, motion->thread);
    }
}

static void motion_without_end(struct python *python) {
    struct watcher watcher;
    struct python_thread thread;
    watcher_open(&watcher, python);
    watcher_start_at(&watcher, &thread, 12);
    call_once(python, &thread);
    watcher_look(&watcher);
    watcher_look(&watcher);
    struct motion motion = {&watcher, &thread, 0, NULL};
    python->fake.before_read = move_each_read;
    python->fake.context = &motion;
    for (int i = 0; i < 20; i++) {
        watcher_look(&watcher);
        const struct raw_thread *raw = watcher_find(&watcher, &thread);
        assert_non_null(raw);
    }
    fake_restart(&python->fake);
    watcher_look(&watcher);
    watcher_expect(&watcher, &thread);
    python_thread_free(&thread);
    watcher_close(&watcher);
}
int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(motion_of_a_known_stack),
        SCENARIO(motion_of_a_new_stack),
        SCENARIO(motion_without_end),
    };
    return scenarios_run("walk_motion", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
