/* Who waited for whom, from the order of samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/model/blame.h"
#include "tests/unit/stacks.h"

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static struct thread_ref thread(struct trace *trace, uint32_t pid, uint32_t tid, const char *name) {
    struct trace_thread row = {.pid = pid, .tid = tid, .name = text(trace, name)};
    return trace_intern_thread(trace, row);
}

static struct stack_id stack(struct trace *trace, const char *name) {
    struct trace_function function = {text(trace, name), text(trace, "a.py"), 3, false};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .line = 4};
    return trace_intern_stack(trace, (struct stack_id){0}, trace_intern_frame(trace, frame));
}

/* The sample that stands for the millisecond before `tick`. */
static void push(struct trace *trace, uint64_t tick, struct thread_ref thread,
                 struct stack_id stack, uint32_t state) {
    struct sample sample = {tick * NS_PER_MS, NS_PER_MS, thread, stack, 0, state};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

struct told {
    uint64_t waited_ns[8];    /* by waiter */
    uint64_t by_holder_ns[8]; /* by holder, 0: nobody */
    uint64_t last_end_ns;
};

static enum status tell(void *context, const struct blame *blame) {
    struct told *told = context;
    uint64_t weight_ns = blame->end_ns - blame->start_ns;
    assert_true(blame->end_ns > blame->start_ns && blame->end_ns >= told->last_end_ns);
    told->last_end_ns = blame->end_ns;
    told->waited_ns[blame->waiter.id] += weight_ns;
    told->by_holder_ns[blame->holder.id] += weight_ns;
    return STATUS_OK;
}

/* Two threads of one process, which take turns, a third one that waits all the time, and one of
 * another process. */
static void test_turns(void **state) {
    enum { TICKS = 1000 };
    struct trace trace;
    struct told told = {0};
    (void)state;
    assert_int_equal(trace_init(&trace, true, NULL), STATUS_OK);
    struct thread_ref threads[] = {thread(&trace, 1, 11, "a"), thread(&trace, 1, 12, "b"),
                                   thread(&trace, 1, 13, "c"), thread(&trace, 2, 21, "d")};
    struct stack_id stacks[] = {stack(&trace, "f"), stack(&trace, "g")};
    for (uint64_t tick = 1; tick <= TICKS; tick++) {
        size_t turn = tick / 3 % 2;
        push(&trace, tick, threads[turn], stacks[tick % 2], STATE_HAS_GIL);
        push(&trace, tick, threads[1 - turn], stacks[1], STATE_WANTS_GIL | STATE_WAITING);
        push(&trace, tick, threads[2], stacks[0], STATE_WANTS_GIL);
        push(&trace, tick, threads[3], stacks[0], tick % 10 == 0 ? STATE_WANTS_GIL : 0);
    }
    assert_int_equal(blame_each(&trace, tell, &told), STATUS_OK);
    assert_int_equal(told.waited_ns[1] + told.waited_ns[2], TICKS * NS_PER_MS);
    assert_int_equal(told.waited_ns[3], TICKS * NS_PER_MS);
    assert_int_equal(told.waited_ns[4], TICKS / 10 * NS_PER_MS);
    assert_int_equal(told.by_holder_ns[0], TICKS / 10 * NS_PER_MS); /* not those of process 1 */
    assert_int_equal(told.by_holder_ns[1] + told.by_holder_ns[2], 2 * TICKS * NS_PER_MS);
    assert_int_equal(told.by_holder_ns[1], 2 * told.waited_ns[2]);
    trace_deinit(&trace);
}

static void test_nobody_waits(void **state) {
    struct trace trace;
    struct told told = {0};
    (void)state;
    assert_int_equal(trace_init(&trace, true, NULL), STATUS_OK);
    assert_int_equal(blame_each(&trace, tell, &told), STATUS_OK);
    struct thread_ref one = thread(&trace, 1, 11, "a");
    push(&trace, 5, one, stack(&trace, "f"), STATE_HAS_GIL);
    push(&trace, 9, one, stack(&trace, "f"), STATE_HAS_GIL);
    assert_int_equal(blame_each(&trace, tell, &told), STATUS_OK);
    assert_int_equal(told.last_end_ns, 0);
    trace_deinit(&trace);
}

/* The waiter has the time, on the stack of who held it. */
static void test_profile(void **state) {
    struct trace all;
    struct trace out;
    struct error error;
    struct buffer shown = {0};
    (void)state;
    assert_int_equal(trace_init(&all, true, NULL), STATUS_OK);
    assert_int_equal(trace_init(&out, true, NULL), STATUS_OK);
    all.run.interval_ns = NS_PER_MS;
    all.health.duration_ns = 20 * NS_PER_MS;
    struct thread_ref holder = thread(&all, 1, 11, "holder");
    struct thread_ref waiter = thread(&all, 1, 12, "waiter");
    for (uint64_t tick = 1; tick <= 20; tick++) {
        push(&all, tick, holder, stack(&all, "f"), STATE_HAS_GIL);
        push(&all, tick, waiter, stack(&all, "g"), tick > 5 ? STATE_WANTS_GIL : STATE_RUNNING);
    }
    assert_int_equal(blame_apply(&all, &out, &error), STATUS_OK);
    assert_string_equal(trace_string(&out, out.run.mode), "gil-blame");
    assert_int_equal(out.health.samples, 15);
    assert_int_equal(out.tallies.count, 1);
    const struct trace_tally *tally = table_row(&out.tallies, 1);
    assert_int_equal(tally->thread.id, waiter.id);
    assert_int_equal(tally->samples, 15);
    assert_int_equal(tally->weight_ns, 15 * NS_PER_MS);
    stack_describe(&out, tally->stack, &shown);
    assert_string_equal(shown.data, "GIL held by holder (11);f (a.py:4)");
    buffer_deinit(&shown);
    trace_deinit(&out);
    trace_deinit(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_nobody_waits),
        cmocka_unit_test(test_profile),
    };
    return cmocka_run_group_tests_name("blame", tests, NULL, NULL);
}
