#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/model/tree.h"
#include "profiler/model/window.h"

#define TICK_NS (10 * NS_PER_MS)

/* A run: a trace that the sampler would fill, and the window that it is handed over to. */
struct run {
    struct trace trace;
    struct window window;
    uint64_t time_ns;
};

static void start(struct run *run) {
    *run = (struct run){0};
    assert_int_equal(trace_init(&run->trace, false, NULL), STATUS_OK);
    window_init(&run->window);
    window_begin(&run->window, &run->trace);
}

static void end(struct run *run) {
    window_deinit(&run->window);
    trace_deinit(&run->trace);
}

static struct stack_id stack_named(struct trace *trace, const char *name) {
    struct trace_function function = {.name = trace_text(trace, name, strlen(name))};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .line = 1};
    return trace_intern_stack(trace, (struct stack_id){0}, trace_intern_frame(trace, frame));
}

static struct thread_ref thread_of(struct trace *trace, uint32_t tid) {
    return trace_intern_thread(trace, (struct trace_thread){.pid = 1, .tid = tid});
}

/* A tick in which one thread was in a function of this name. */
static void tick(struct run *run, uint32_t tid, const char *name) {
    run->time_ns += TICK_NS;
    struct sample sample = {.time_ns = run->time_ns,
                            .weight_ns = TICK_NS,
                            .thread = thread_of(&run->trace, tid),
                            .stack = stack_named(&run->trace, name)};
    window_push(&run->window, &sample);
    run->trace.health.ticks++;
    run->trace.health.samples++;
    run->trace.health.duration_ns = run->time_ns;
    if (window_is_due(&run->window, run->time_ns)) {
        window_offer(&run->window, run->time_ns / 2);
    }
}

static void ticks(struct run *run, uint64_t span_ns, uint32_t tid, const char *name) {
    for (uint64_t i = 0; i < span_ns / TICK_NS; i++) {
        tick(run, tid, name);
    }
}

/* Time of a function in what was selected. */
static uint64_t time_of(const struct run *run, const char *name) {
    const struct trace *trace = &run->window.trace;
    uint64_t time_ns = 0;
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        struct frame_id frame = trace_stack(trace, tally->stack)->frame;
        const struct trace_function *function =
            trace_function(trace, trace_frame(trace, frame)->function);
        if (strcmp(trace_string(trace, function->name), name) == 0) {
            time_ns += tally->weight_ns;
        }
    }
    return time_ns;
}

static void choose(struct run *run, uint64_t span_ns, uint64_t back_ns, uint32_t thread) {
    struct window_query query = {.span_ns = span_ns, .back_ns = back_ns, .thread = {thread}};
    window_lock(&run->window);
    window_select(&run->window, &query);
    window_unlock(&run->window);
}

static void test_window_slides(void **state) {
    (void)state;
    struct run run;
    start(&run);
    ticks(&run, 20 * NS_PER_S, 1, "red");
    ticks(&run, 7 * NS_PER_S, 1, "blue");
    window_end(&run.window, 0, WINDOW_ENDED);
    choose(&run, 5 * NS_PER_S, 0, 0);
    assert_int_equal(time_of(&run, "red"), 0);
    assert_in_range(time_of(&run, "blue"), 5 * NS_PER_S, 5 * NS_PER_S + NS_PER_S / 2);
    assert_int_equal(run.window.trace.health.duration_ns, time_of(&run, "blue"));
    assert_int_equal(run.window.trace.health.samples, time_of(&run, "blue") / TICK_NS);
    choose(&run, 30 * NS_PER_S, 0, 0);
    assert_int_equal(time_of(&run, "red"), 20 * NS_PER_S);
    assert_int_equal(time_of(&run, "blue"), 7 * NS_PER_S);
    choose(&run, 5 * NS_PER_S, 10 * NS_PER_S, 0);
    assert_int_equal(time_of(&run, "blue"), 0);
    assert_in_range(time_of(&run, "red"), 5 * NS_PER_S, 5 * NS_PER_S + NS_PER_S / 2);
    end(&run);
}

/* Since the start is more than the ring holds, and all of it. */
static void test_window_since_start(void **state) {
    (void)state;
    struct run run;
    start(&run);
    ticks(&run, 200 * NS_PER_S, 1, "red");
    ticks(&run, 200 * NS_PER_S, 1, "blue");
    window_end(&run.window, 0, WINDOW_ENDED);
    choose(&run, 0, 0, 0);
    assert_int_equal(time_of(&run, "red"), 200 * NS_PER_S);
    assert_int_equal(time_of(&run, "blue"), 200 * NS_PER_S);
    assert_int_equal(run.window.trace.health.duration_ns, 400 * NS_PER_S);
    choose(&run, 1000 * NS_PER_S, 0, 0);
    assert_int_equal(time_of(&run, "blue"), 200 * NS_PER_S);
    assert_in_range(time_of(&run, "red"), 50 * NS_PER_S, 150 * NS_PER_S);
    assert_true(run.window.next - run.window.first <= WINDOW_BUCKETS);
    end(&run);
}

/* Since the start until a while ago, also when the start is not kept any more. */
static void test_window_since_start_steps_back(void **state) {
    (void)state;
    struct run run;
    start(&run);
    ticks(&run, 350 * NS_PER_S, 1, "red");
    ticks(&run, 10 * NS_PER_S, 1, "red");
    ticks(&run, 10 * NS_PER_S, 2, "blue");
    window_end(&run.window, 0, WINDOW_ENDED);
    choose(&run, 0, 5 * NS_PER_S, 0);
    assert_int_equal(time_of(&run, "red"), 360 * NS_PER_S);
    assert_in_range(time_of(&run, "blue"), 5 * NS_PER_S - NS_PER_S / 2, 5 * NS_PER_S);
    assert_int_equal(run.window.trace.health.samples,
                     (time_of(&run, "red") + time_of(&run, "blue")) / TICK_NS);
    choose(&run, 0, 15 * NS_PER_S, 0);
    assert_in_range(time_of(&run, "red"), 355 * NS_PER_S - NS_PER_S / 2, 355 * NS_PER_S);
    assert_int_equal(run.window.cells.count, 1); /* the other thread was not there yet */
    assert_int_equal(run.window.trace.tallies.count, 1);
    choose(&run, 0, 0, 0);
    assert_int_equal(time_of(&run, "blue"), 10 * NS_PER_S);
    end(&run);
}

static void test_window_of_one_thread(void **state) {
    (void)state;
    struct run run;
    start(&run);
    for (int i = 0; i < 200; i++) {
        tick(&run, 1, "red");
        tick(&run, 2, "blue");
    }
    window_end(&run.window, 0, WINDOW_ENDED);
    choose(&run, 0, 0, 2);
    assert_int_equal(time_of(&run, "red"), 0);
    assert_int_equal(time_of(&run, "blue"), 200 * TICK_NS);
    choose(&run, 1 * NS_PER_S, 0, 1);
    assert_int_equal(time_of(&run, "blue"), 0);
    assert_true(time_of(&run, "red") > 0);
    end(&run);
}

static void test_window_reset(void **state) {
    (void)state;
    struct run run;
    start(&run);
    ticks(&run, 3 * NS_PER_S, 1, "red");
    window_offer(&run.window, 0);
    window_lock(&run.window);
    window_reset(&run.window);
    window_unlock(&run.window);
    choose(&run, 0, 0, 0);
    assert_int_equal(run.window.trace.tallies.count, 0);
    assert_int_equal(run.window.trace.health.ticks, 0);
    ticks(&run, NS_PER_S, 1, "blue");
    window_end(&run.window, 0, WINDOW_ENDED);
    choose(&run, 0, 0, 0);
    assert_int_equal(time_of(&run, "red"), 0);
    assert_int_equal(time_of(&run, "blue"), NS_PER_S);
    assert_int_equal(run.window.trace.health.ticks, NS_PER_S / TICK_NS);
    end(&run);
}

static void *sample_for_a_second(void *context) {
    ticks(context, NS_PER_S, 1, "red");
    return NULL;
}

/* While somebody looks, the sampler goes on, and nothing is lost. */
static void test_window_never_waits(void **state) {
    (void)state;
    struct run run;
    pthread_t sampler;
    start(&run);
    window_lock(&run.window);
    assert_int_equal(pthread_create(&sampler, NULL, sample_for_a_second, &run), 0);
    assert_int_equal(pthread_join(sampler, NULL), 0);
    assert_int_equal(run.window.next, 0);
    window_unlock(&run.window);
    tick(&run, 1, "red");
    choose(&run, 5 * NS_PER_S, 0, 0);
    assert_int_equal(time_of(&run, "red"), NS_PER_S + TICK_NS);
    end(&run);
}

/* More stacks in a bucket than it may hold: the thread is known, the stack is not. */
static void test_window_bounds_a_bucket(void **state) {
    (void)state;
    struct run run;
    uint64_t weight_ns = 0;
    start(&run);
    for (uint32_t i = 0; i < WINDOW_BUCKET_CELLS_MAX + 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%u", i);
        struct sample sample = {.weight_ns = 1,
                                .thread = thread_of(&run.trace, 1),
                                .stack = stack_named(&run.trace, name)};
        window_push(&run.window, &sample);
    }
    assert_in_range(run.window.open.cells.count, 1, WINDOW_BUCKET_CELLS_MAX + 1);
    window_end(&run.window, 0, WINDOW_ENDED);
    choose(&run, 0, 0, 0);
    for (uint32_t i = 1; i <= run.window.trace.tallies.count; i++) {
        weight_ns += ((struct trace_tally *)table_row(&run.window.trace.tallies, i))->weight_ns;
    }
    assert_int_equal(weight_ns, WINDOW_BUCKET_CELLS_MAX + 100);
    end(&run);
}

static void test_window_marks(void **state) {
    (void)state;
    struct run run;
    struct window_mark first;
    struct window_mark last;
    start(&run);
    assert_false(window_marks(&run.window, 0, &first, &last));
    ticks(&run, 2 * NS_PER_S, 1, "red");
    assert_true(window_marks(&run.window, 0, &first, &last));
    assert_in_range(last.health.duration_ns - first.health.duration_ns,
                    WINDOW_BUCKET_MS * NS_PER_MS, WINDOW_BUCKET_MS * NS_PER_MS + TICK_NS);
    assert_int_equal(last.target_cpu_ns, last.health.duration_ns / 2);
    assert_false(window_marks(&run.window, (uint32_t)run.window.next, &first, &last));
    end(&run);
}

/* Names that come and change later are those of the trace. */
static void test_window_copies_names(void **state) {
    (void)state;
    struct run run;
    start(&run);
    ticks(&run, NS_PER_S, 1, "red");
    trace_intern_thread(
        &run.trace,
        (struct trace_thread){.pid = 1, .tid = 1, .name = trace_text(&run.trace, "x", 1)});
    run.trace.run.command = trace_text(&run.trace, "python app.py", 13);
    ticks(&run, NS_PER_S, 2, "blue");
    window_end(&run.window, 0, WINDOW_ENDED);
    const struct trace *copy = &run.window.trace;
    assert_int_equal(copy->threads.count, 2);
    assert_string_equal(trace_string(copy, trace_thread(copy, (struct thread_ref){1})->name), "x");
    assert_string_equal(trace_string(copy, copy->run.command), "python app.py");
    assert_int_equal(copy->stacks.count, run.trace.stacks.count);
    end(&run);
}

/* ---- states, and who waits for whom ---- */

static void push(struct run *run, struct thread_ref thread, const char *name, uint32_t state) {
    struct sample sample = {.time_ns = run->time_ns,
                            .weight_ns = TICK_NS,
                            .thread = thread,
                            .stack = stack_named(&run->trace, name),
                            .state = state};
    window_push(&run->window, &sample);
    run->trace.health.samples++;
}

/* Ten ticks in which 1 has the GIL, 2 and 3 want it, and 9, of another process, wants its own. */
static void contend(struct run *run) {
    struct thread_ref other =
        trace_intern_thread(&run->trace, (struct trace_thread){.pid = 2, .tid = 9});
    for (int i = 0; i < 10; i++) {
        run->time_ns += TICK_NS;
        push(run, thread_of(&run->trace, 1), "red", STATE_RUNNING | STATE_HAS_GIL);
        push(run, thread_of(&run->trace, 2), "blue", STATE_WAITING | STATE_WANTS_GIL);
        push(run, thread_of(&run->trace, 3), i < 5 ? "red" : "blue",
             i < 5 ? STATE_WANTS_GIL : STATE_RUNNING | STATE_COLLECTING);
        push(run, other, "green", STATE_WANTS_GIL);
        run->trace.health.duration_ns = run->time_ns;
    }
    window_end(&run->window, 0, WINDOW_ENDED);
}

static uint64_t wait_of(const struct run *run, uint32_t waiter, uint32_t holder) {
    struct wait key = {.waiter = {waiter}, .holder = {holder}};
    uint32_t id = table_find(&run->window.waits, &key);
    return id != 0 ? ((const struct wait *)table_row(&run->window.waits, id))->weight_ns : 0;
}

static void test_window_knows_who_waits_for_whom(void **state) {
    (void)state;
    struct run run;
    start(&run);
    contend(&run);
    struct thread_ref other = {1}; /* it was interned first */
    uint32_t one = thread_of(&run.trace, 1).id;
    uint32_t two = thread_of(&run.trace, 2).id;
    uint32_t three = thread_of(&run.trace, 3).id;
    choose(&run, 0, 0, 0);
    assert_int_equal(wait_of(&run, two, one), 10 * TICK_NS);
    assert_int_equal(wait_of(&run, three, one), 5 * TICK_NS);
    assert_int_equal(wait_of(&run, other.id, 0), 10 * TICK_NS);
    assert_int_equal(run.window.waits.count, 3);
    choose(&run, 5 * NS_PER_S, 0, three);
    assert_int_equal(wait_of(&run, three, one), 5 * TICK_NS);
    assert_int_equal(run.window.waits.count, 1);
    end(&run);
}

static void test_window_selects_by_state(void **state) {
    (void)state;
    struct run run;
    struct window_mark before;
    struct window_mark after;
    start(&run);
    contend(&run);
    struct window_query query = {.states = STATE_HAS_GIL};
    window_select(&run.window, &query);
    assert_int_equal(time_of(&run, "red"), 10 * TICK_NS);
    assert_int_equal(time_of(&run, "blue"), 0);
    query = (struct window_query){.states = STATE_RUNNING};
    window_select(&run.window, &query);
    assert_int_equal(time_of(&run, "red") + time_of(&run, "blue"), 15 * TICK_NS);
    query = (struct window_query){.pid = 2};
    window_select(&run.window, &query);
    assert_int_equal(time_of(&run, "green"), 10 * TICK_NS);
    assert_int_equal(time_of(&run, "red"), 0);
    assert_true(window_marks(&run.window, 0, &before, &after));
    assert_int_equal(after.held_ns - before.held_ns, 10 * TICK_NS);
    assert_int_equal(after.collecting_ns - before.collecting_ns, 5 * TICK_NS);
    end(&run);
}

/* ---- the order of samples ---- */

struct counted {
    uint64_t weight_ns;
    uint64_t end_ns;
    int runs;
};

static enum status count_run(void *context, const struct timeline_run *run) {
    struct counted *counted = context;
    assert_true(run->start_ns >= counted->end_ns);
    counted->weight_ns += run->weight_ns;
    counted->end_ns = run->start_ns + run->weight_ns;
    counted->runs++;
    return STATUS_OK;
}

static struct counted extract(struct run *run, uint64_t span_ns, bool *whole_out) {
    struct counted counted = {0};
    struct trace trace;
    struct window_query query = {.span_ns = span_ns};
    assert_int_equal(window_extract(&run->window, &query, &trace, whole_out, NULL), STATUS_OK);
    assert_int_equal(timeline_each(trace.timeline, thread_of(&run->trace, 1), count_run, &counted),
                     STATUS_OK);
    assert_true(counted.end_ns <= trace.health.duration_ns);
    trace_deinit(&trace);
    return counted;
}

static void test_window_keeps_the_order(void **state) {
    (void)state;
    struct run run;
    bool is_whole;
    start(&run);
    ticks(&run, 3 * NS_PER_S, 1, "red");
    ticks(&run, 3 * NS_PER_S, 1, "blue");
    window_end(&run.window, 0, WINDOW_ENDED);
    struct counted all = extract(&run, 0, &is_whole);
    assert_true(is_whole);
    assert_int_equal(all.runs, 2);
    assert_int_equal(all.weight_ns, 6 * NS_PER_S);
    struct counted late = extract(&run, 2 * NS_PER_S, &is_whole);
    assert_int_equal(late.runs, 1);
    assert_in_range(late.weight_ns, 2 * NS_PER_S, 2 * NS_PER_S + NS_PER_S / 2);
    end(&run);
}

/* More changes than may be kept: the rest of the order is, and it is said that it is not all. */
static void test_window_bounds_the_order(void **state) {
    (void)state;
    struct run run;
    bool is_whole;
    start(&run);
    for (uint32_t i = 0; i < ORDER_RUNS_MAX + 2; i++) {
        run.time_ns += NS_PER_US;
        push(&run, thread_of(&run.trace, 1), i % 2 == 0 ? "red" : "blue", 0);
    }
    run.trace.health.duration_ns = run.time_ns;
    window_end(&run.window, 0, WINDOW_ENDED);
    assert_int_equal(extract(&run, 0, &is_whole).runs, ORDER_RUNS_MAX);
    assert_false(is_whole);
    end(&run);
}

/* The target is started anew: its times begin at 0 again, the window's go on. */
static void test_window_goes_on(void **state) {
    (void)state;
    struct run run;
    bool is_whole;
    start(&run);
    ticks(&run, 3 * NS_PER_S, 1, "red");
    window_end(&run.window, 0, WINDOW_WAITS);
    window_continue(&run.window);
    run.trace.health = (struct health){0};
    run.time_ns = 0;
    window_note_restart(&run.window);
    ticks(&run, 2 * NS_PER_S, 1, "blue");
    window_end(&run.window, 0, WINDOW_ENDED);
    choose(&run, 0, 0, 0);
    assert_int_equal(run.window.restarts, 1);
    assert_int_equal(time_of(&run, "red"), 3 * NS_PER_S);
    assert_int_equal(time_of(&run, "blue"), 2 * NS_PER_S);
    assert_int_equal(run.window.trace.health.duration_ns, 5 * NS_PER_S);
    assert_int_equal(run.window.trace.health.ticks, 5 * NS_PER_S / TICK_NS);
    choose(&run, NS_PER_S, 0, 0);
    assert_int_equal(time_of(&run, "red"), 0);
    assert_int_equal(extract(&run, 0, &is_whole).weight_ns, 5 * NS_PER_S);
    end(&run);
}

/* Tells that there are these tasks, and nothing else. */
static void call_roll(struct run *run, uint32_t pid, size_t count) {
    struct roll_entry entries[4] = {{.pid = pid}, {.pid = pid}, {.pid = pid}, {.pid = pid}};
    window_note_tasks(&run->window, pid, entries, count, run->time_ns);
}

static void select_at(struct run *run, uint64_t back_ns) {
    struct window_query query = {.span_ns = NS_PER_S, .back_ns = back_ns};
    window_select(&run->window, &query);
}

static void test_tasks_are_those_of_the_moment(void **state) {
    (void)state;
    struct run run;
    start(&run);
    ticks(&run, NS_PER_S, 1, "f");
    select_at(&run, 0);
    assert_int_equal(run.window.roll.time_ns, 0);
    call_roll(&run, 1, 2);
    call_roll(&run, 2, 1);
    ticks(&run, 2 * NS_PER_S, 1, "f");
    call_roll(&run, 1, 4);
    ticks(&run, 2 * NS_PER_S, 1, "f");
    select_at(&run, 0);
    assert_int_equal(run.window.roll.count, 5);
    select_at(&run, 3 * NS_PER_S);
    assert_int_equal(run.window.roll.count, 3);
    call_roll(&run, 2, 0);
    ticks(&run, NS_PER_S, 1, "f");
    window_select(&run.window, &(struct window_query){0});
    assert_int_equal(run.window.roll.count, 4);
    end(&run);
}

/* Of a task are the stacks whose newest marker is the task's, with its coroutine on it. */
static void test_one_task(void **state) {
    (void)state;
    struct run run;
    start(&run);
    struct trace *trace = &run.trace;
    struct task_key keys[3];
    struct stack_id stack = {0};
    for (int i = 0; i < 3; i++) {
        static const char *const names[][2] = {
            {"<task>", "main"}, {"<task>", "fetch"}, {"<task b>", "fetch"}};
        for (int part = 0; part < 2; part++) {
            struct trace_function function = {
                .name = trace_text(trace, names[i][part], strlen(names[i][part]))};
            struct trace_frame frame = {.function = trace_intern_function(trace, function),
                                        .kind = part == 0 ? FRAME_TASK : FRAME_PYTHON};
            stack = trace_intern_stack(trace, stack, trace_intern_frame(trace, frame));
            *(part == 0 ? &keys[i].marker : &keys[i].coroutine) = frame.function;
        }
        struct sample sample = {.weight_ns = (uint64_t)(i + 1) * TICK_NS,
                                .thread = thread_of(trace, 1),
                                .stack = stack};
        window_push(&run.window, &sample);
    }
    ticks(&run, NS_PER_S, 1, "elsewhere");
    for (uint64_t i = 0; i < 3; i++) {
        window_select(&run.window, &(struct window_query){.task = keys[i]});
        assert_int_equal(run.window.trace.tallies.count, 1);
        const struct trace_tally *tally = table_row(&run.window.trace.tallies, 1);
        assert_int_equal(tally->weight_ns, (i + 1) * TICK_NS);
    }
    end(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_slides),
        cmocka_unit_test(test_window_since_start),
        cmocka_unit_test(test_window_since_start_steps_back),
        cmocka_unit_test(test_window_of_one_thread),
        cmocka_unit_test(test_window_reset),
        cmocka_unit_test(test_window_never_waits),
        cmocka_unit_test(test_window_bounds_a_bucket),
        cmocka_unit_test(test_window_marks),
        cmocka_unit_test(test_window_copies_names),
        cmocka_unit_test(test_window_knows_who_waits_for_whom),
        cmocka_unit_test(test_window_selects_by_state),
        cmocka_unit_test(test_window_keeps_the_order),
        cmocka_unit_test(test_window_bounds_the_order),
        cmocka_unit_test(test_window_goes_on),
        cmocka_unit_test(test_tasks_are_those_of_the_moment),
        cmocka_unit_test(test_one_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
