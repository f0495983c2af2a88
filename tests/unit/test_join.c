#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/resolve.h"
#include "target-runtime/join.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/stacks.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- looks made by hand ---- */

#define STACK  UINT64_C(0x7f0000000000) /* somewhere on a C stack */
#define NOBODY SIZE_MAX

struct state {
    uint64_t interpreter;
    uint64_t ident;
    uint64_t newest;
    uint64_t oldest;
};

static struct raw_thread thread_of(const struct state *state) {
    return (struct raw_thread){
        .interpreter = 0x1000 + state->interpreter,
        .interpreter_id = state->interpreter,
        .ident = state->ident,
        .stack_newest = state->newest,
        .stack_oldest = state->oldest,
        .frame_count = 3,
        .is_complete = true,
    };
}

static void join_look(struct raw_thread *threads, size_t count) {
    struct raw_look look = {.threads = threads, .thread_count = count};
    struct join join = {0};
    join_threads(&join, &look);
    join_deinit(&join);
}

/* `below` says of each thread on which it stands. */
static void expect_below(const struct raw_thread *threads, const size_t *below, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool is_carried = false;
        for (size_t k = 0; k < count; k++) {
            is_carried |= below[k] == i;
        }
        assert_int_equal(threads[i].below, below[i] == NOBODY ? 0 : below[i] + 1);
        assert_int_equal(threads[i].is_carried, is_carried);
    }
}

static void expect_joined(const struct state *states, const size_t *below, size_t count) {
    struct raw_thread threads[8];
    for (size_t i = 0; i < count; i++) {
        threads[i] = thread_of(&states[i]);
    }
    join_look(threads, count);
    expect_below(threads, below, count);
}

static void callee_stands_on_its_caller(struct python *unused) {
    const struct state states[] = {
        {1, 5, STACK + 100, STACK + 200},
        {0, 5, STACK + 300, STACK + 900},
    };
    (void)unused;
    expect_joined(states, (const size_t[]){1, NOBODY}, 2);
}

/* Whatever ident it has: up to 3.12 that of whoever made the interpreter. */
static void thread_is_told_by_its_stack(struct python *unused) {
    const struct state states[] = {
        {1, STACK + 2000, STACK + 100, STACK + 200},
        {0, STACK + 2000, STACK + 1500, STACK + 1600}, /* the maker */
        {0, STACK + 1000, STACK + 300, STACK + 900},   /* the runner */
    };
    (void)unused;
    expect_joined(states, (const size_t[]){2, NOBODY, NOBODY}, 3);
}

static void another_threads_stack_lies_between(struct python *unused) {
    const struct state states[] = {
        {1, STACK + 250, STACK + 100, STACK + 200},
        {0, STACK + 2000, STACK + 300, STACK + 900},
    };
    (void)unused;
    expect_joined(states, (const size_t[]){NOBODY, NOBODY}, 2);
}

static void caller_is_not_so_far(struct python *unused) {
    const uint64_t far = UINT64_C(1) << 32;
    const struct state states[] = {
        {1, 5, STACK + 100, STACK + 200},
        {0, 5, STACK + far, STACK + far + 900},
    };
    (void)unused;
    expect_joined(states, (const size_t[]){NOBODY, NOBODY}, 2);
}

static void three_interpreters(struct python *unused) {
    const struct state states[] = {
        {0, 5, STACK + 500, STACK + 900},
        {2, 5, STACK + 100, STACK + 200},
        {1, 5, STACK + 300, STACK + 400},
    };
    (void)unused;
    expect_joined(states, (const size_t[]){NOBODY, 2, 0}, 3);
}

/* The one calls the other and that calls back: neither is above the other as a whole. */
static void callers_of_each_other(struct python *unused) {
    const struct state states[] = {
        {1, 5, STACK + 300, STACK + 400},
        {0, 5, STACK + 100, STACK + 900},
    };
    (void)unused;
    expect_joined(states, (const size_t[]){NOBODY, NOBODY}, 2);
}

static void states_of_one_interpreter(struct python *unused) {
    const struct state states[] = {
        {0, 5, STACK + 100, STACK + 200},
        {0, 5, STACK + 300, STACK + 900},
        {1, 6, 8, 9},
    };
    (void)unused;
    expect_joined(states, (const size_t[]){NOBODY, NOBODY, NOBODY}, 3);
}

static void what_is_not_whole_is_left_alone(struct python *unused) {
    const struct state upper = {1, 5, STACK + 100, STACK + 200};
    const struct state lower = {0, 5, STACK + 300, STACK + 900};
    (void)unused;
    for (int spoilt = 0; spoilt < 5; spoilt++) {
        struct raw_thread threads[] = {thread_of(&upper), thread_of(&lower)};
        threads[0].is_complete = spoilt != 0;
        threads[0].frame_count = spoilt == 1 ? 0 : 3;
        threads[1].is_complete = spoilt != 2;
        threads[1].frame_count = spoilt == 3 ? 0 : 3;
        threads[1].is_cut = spoilt == 4;
        join_look(threads, 2);
        expect_below(threads, (const size_t[]){NOBODY, NOBODY}, 2);
    }
}

/* 3.8 and 3.9. */
static void nothing_is_known_of_stacks(struct python *unused) {
    const struct state two[] = {{1, 5, 0, 0}, {0, 5, 0, 0}};
    const struct state others[] = {{1, 6, 0, 0}, {0, 5, 0, 0}};
    const struct state three[] = {{1, 5, 0, 0}, {0, 5, 0, 0}, {0, 6, 0, 0}};
    const struct state no_main[] = {{1, 5, 0, 0}, {2, 5, 0, 0}};
    const size_t apart[] = {NOBODY, NOBODY, NOBODY};
    (void)unused;
    expect_joined(two, (const size_t[]){1, NOBODY}, 2);
    expect_joined(others, apart, 2);
    expect_joined(three, apart, 3);
    expect_joined(no_main, apart, 2);
}

/* ---- a made Python ---- */

static void start(struct python *python, struct python_thread *thread, uint64_t interpreter,
                  const char *leaf) {
    python_thread_start(python, thread, interpreter);
    python_set(python, thread->state, LAYOUT_thread_thread_id, 5);
    python_enter(python, thread);
    if (python->layout->frame_chain == FRAME_CHAIN_OBJECTS) { /* 3.10 */
        python_set(python, thread->state, LAYOUT_thread_cframe,
                   python_structure(python, "thread", 0));
    }
    python_call(python, thread, python_function(python, "<module>"), 2);
    python_call(python, thread, python_function(python, leaf), 2);
}

/* Structures are made at ever higher addresses, so what is made first is the newer on a stack. */
static void stack_through_two_interpreters(struct python *python) {
    struct python_thread upper;
    struct python_thread lower;
    struct runtime runtime;
    struct trace trace;
    struct resolved resolved = {0};
    struct buffer text = {0};
    start(python, &upper, python_interpreter(python), "inside");
    start(python, &lower, python->interpreter, "main");
    python_attach(python, &runtime);
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct walk *walk = walk_create(&runtime);
    struct resolve *resolve = resolve_create(&runtime, &trace);
    for (uint64_t i = 1; i < 20; i++) {
        const struct raw_look *look;
        assert_int_equal(walk_look(walk, &look), STATUS_OK);
        assert_int_equal(look->thread_count, 2);
        if (look->threads[0].below == 0) {
            continue; /* which frame is the oldest is to be learned first */
        }
        assert_ptr_equal(join_bottom(look, &look->threads[0]), &look->threads[1]);
        resolved = resolve_stack(resolve, look, &look->threads[0], i * NS_PER_MS);
        if (resolved.has_doubts) {
            join_doubt(walk, look, &look->threads[0], resolved.doubt_depth);
        }
    }
    stack_describe(&trace, resolved.stack, &text);
    assert_non_null(text.data);
    assert_string_equal(text.data, "<module> (program.py:11);main (program.py:11);"
                                   "<module> (program.py:11);inside (program.py:11)");
    assert_int_equal(resolved.flags, 0);
    buffer_deinit(&text);
    resolve_destroy(resolve);
    walk_destroy(walk);
    trace_deinit(&trace);
    python_thread_free(&upper);
    python_thread_free(&lower);
}

static bool is_oldest(const struct layout *layout) {
    return layout == layouts[0];
}

/* Looks made by hand are of no version: once is enough. */
int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO_FOR(callee_stands_on_its_caller, is_oldest),
        SCENARIO_FOR(thread_is_told_by_its_stack, is_oldest),
        SCENARIO_FOR(another_threads_stack_lies_between, is_oldest),
        SCENARIO_FOR(caller_is_not_so_far, is_oldest),
        SCENARIO_FOR(three_interpreters, is_oldest),
        SCENARIO_FOR(callers_of_each_other, is_oldest),
        SCENARIO_FOR(states_of_one_interpreter, is_oldest),
        SCENARIO_FOR(what_is_not_whole_is_left_alone, is_oldest),
        SCENARIO_FOR(nothing_is_known_of_stacks, is_oldest),
        SCENARIO(stack_through_two_interpreters),
    };
    return scenarios_run("join", scenarios, COUNT(scenarios));
}
