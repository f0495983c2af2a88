#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/appeals.h"
#include "profiler/base/clock.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/stacks.h"

enum {
    SETTLE_LOOKS = 20, /* after so many looks a stack that stands still is known to the root */
    MANY = 1 << 20,    /* more than are held */
};
#define HOLD_NS NS_PER_S

/* ---- helpers ---- */

struct bench {
    struct python *python;
    struct runtime runtime;
    struct trace trace;
    struct walk *walk;
    struct resolve *resolve;
    struct appeals *appeals;
    struct python_thread thread;
    uint64_t work; /* code that <module> called */
    uint64_t now_ns;
};

/* <module> called work, by a call that no bytecode proves. */
static void bench_open(struct bench *bench, struct python *python) {
    *bench = (struct bench){.python = python, .now_ns = NS_PER_S};
    python_attach(python, &bench->runtime);
    assert_int_equal(trace_init(&bench->trace, false, NULL), STATUS_OK);
    bench->walk = walk_create(&bench->runtime);
    bench->resolve = resolve_create(&bench->runtime, &bench->trace);
    bench->appeals = appeals_create(HOLD_NS);
    python_thread_start(python, &bench->thread, python->interpreter);
    python_enter(python, &bench->thread);
    bench->work = python_function(python, "work");
    python_call(python, &bench->thread, python_function(python, "<module>"), 2);
    python_call(python, &bench->thread, bench->work, 4);
}

static void bench_close(struct bench *bench) {
    appeals_destroy(bench->appeals);
    resolve_destroy(bench->resolve);
    walk_destroy(bench->walk);
    trace_deinit(&bench->trace);
    python_thread_free(&bench->thread);
}

/* Looks as the sampler does; what it saw is borrowed until the next time. */
static struct sample look(struct bench *bench, struct evidence *evidence) {
    const struct raw_look *seen;
    assert_int_equal(walk_look(bench->walk, &seen), STATUS_OK);
    assert_int_equal(resolve_check(bench->resolve, seen, bench->now_ns), STATUS_OK);
    struct resolved resolved =
        resolve_stack(bench->resolve, seen, &seen->threads[0], bench->now_ns);
    if (resolved.has_doubts) {
        walk_doubt(bench->walk, seen->threads[0].slot, resolved.doubt_depth);
    }
    *evidence = (struct evidence){
        .resolve = bench->resolve,
        .look = seen,
        .thread = &seen->threads[0],
        .taken_ns = bench->now_ns,
    };
    return (struct sample){
        .time_ns = bench->now_ns, .stack = resolved.stack, .flags = resolved.flags};
}

/* The first look at the stack, of which next to nothing can be shown; held. */
static struct sample hold_first(struct bench *bench) {
    struct evidence evidence;
    struct sample sample = look(bench, &evidence);
    assert_int_equal(sample.flags, SAMPLE_UNVERIFIED);
    assert_true(appeals_hold(bench->appeals, &sample, &evidence, bench->now_ns));
    return sample;
}

static void settle(struct bench *bench) {
    struct evidence evidence;
    for (int i = 0; i < SETTLE_LOOKS; i++) {
        bench->now_ns += 2 * NS_PER_MS;
        (void)look(bench, &evidence);
    }
}

/* What is taken out at the end of its time: the stack as it truly was, or what was shown at once.
 */
static void expect_taken(struct bench *bench, const struct sample *held, bool is_verified) {
    struct sample taken;
    struct buffer text = {0};
    struct buffer expected = {0};
    assert_false(appeals_take(bench->appeals, held->time_ns + HOLD_NS - 1, false, &taken));
    assert_true(appeals_take(bench->appeals, held->time_ns + HOLD_NS, false, &taken));
    assert_int_equal(taken.time_ns, held->time_ns);
    stack_describe(&bench->trace, taken.stack, &text);
    if (is_verified) {
        python_describe(bench->python, &bench->thread, &expected);
        assert_int_equal(taken.flags, 0);
    } else {
        stack_describe(&bench->trace, held->stack, &expected);
        assert_int_equal(taken.flags, held->flags);
    }
    assert_string_equal(text.data, expected.data);
    buffer_deinit(&text);
    buffer_deinit(&expected);
}

/* ---- what becomes of a sample ---- */

static void call_became_known(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct sample held = hold_first(&bench);
    settle(&bench);
    expect_taken(&bench, &held, true);
    bench_close(&bench);
}

static void call_was_never_seen_again(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct sample held = hold_first(&bench);
    expect_taken(&bench, &held, false);
    bench_close(&bench);
}

/* The call of another function that has come to be at the same address says nothing. */
static void code_was_replaced(struct python *python) {
    struct bench bench;
    const struct python_code other = {"other", "other", "o.py", 1, 8, 0, false, 0, 0};
    bench_open(&bench, python);
    struct sample held = hold_first(&bench);
    python_recode(python, bench.work, &other);
    python_set(python, python->interpreter, LAYOUT_interpreter_code_object_generation, 9);
    bench.now_ns += 100 * NS_PER_MS;
    settle(&bench);
    expect_taken(&bench, &held, false);
    bench_close(&bench);
}

static void target_has_gone(struct python *python) {
    struct bench bench;
    bench_open(&bench, python);
    struct sample held = hold_first(&bench);
    settle(&bench);
    appeals_settle(bench.appeals, bench.resolve, bench.now_ns);
    resolve_destroy(bench.resolve);
    bench.resolve = NULL;
    struct sample taken;
    assert_true(appeals_take(bench.appeals, bench.now_ns, false, &taken));
    assert_int_equal(taken.flags, 0);
    assert_int_equal(taken.time_ns, held.time_ns);
    bench_close(&bench);
}

/* ---- the queue ---- */

static void samples_keep_their_order(struct python *python) {
    struct bench bench;
    const struct evidence none = {0};
    bench_open(&bench, python);
    struct sample later = {.time_ns = bench.now_ns + 1, .stack = {1}};
    struct sample taken;
    assert_false(appeals_hold(bench.appeals, &later, &none, bench.now_ns)); /* why should it? */
    struct sample held = hold_first(&bench);
    assert_true(appeals_hold(bench.appeals, &later, &none, bench.now_ns));
    assert_false(appeals_take(bench.appeals, bench.now_ns, false, &taken));
    assert_true(appeals_take(bench.appeals, bench.now_ns, true, &taken));
    assert_int_equal(taken.time_ns, held.time_ns);
    assert_true(appeals_take(bench.appeals, bench.now_ns, false, &taken));
    assert_int_equal(taken.time_ns, later.time_ns);
    assert_false(appeals_take(bench.appeals, bench.now_ns, true, &taken));
    bench_close(&bench);
}

static void room_is_bounded(struct python *python) {
    struct bench bench;
    const struct evidence none = {0};
    bench_open(&bench, python);
    (void)hold_first(&bench);
    struct sample sample = {.stack = {1}};
    struct sample taken;
    uint64_t count = 1;
    while (count < MANY && appeals_hold(bench.appeals, &sample, &none, bench.now_ns)) {
        sample.time_ns = ++count;
    }
    assert_in_range(count, 2, MANY - 1);
    for (uint64_t i = 0; i < count; i++) {
        assert_true(appeals_take(bench.appeals, bench.now_ns, true, &taken));
    }
    assert_int_equal(taken.time_ns, count - 1);
    bench_close(&bench);
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(call_became_known),        SCENARIO(call_was_never_seen_again),
        SCENARIO(code_was_replaced),        SCENARIO(target_has_gone),
        SCENARIO(samples_keep_their_order), SCENARIO(room_is_bounded),
    };
    return scenarios_run("appeals", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
