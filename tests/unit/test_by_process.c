/* The level of processes in formats that put all stacks into one picture; and what a trace made of
 * others must not lose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "exporters/by_process.h"
#include "exporters/merge.h"
#include "profiler/base/buffer.h"
#include "tests/unit/stacks.h"

static struct stack_id call(struct trace *trace, struct stack_id parent, const char *name) {
    struct trace_function function = {.name = trace_text(trace, name, strlen(name)),
                                      .file = trace_text(trace, "a.py", 4)};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .line = 1};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static struct thread_ref thread_of(struct trace *trace, uint32_t pid, uint64_t serial) {
    struct trace_thread thread = {.pid = pid, .tid = pid, .serial = serial, .is_main = serial == 1};
    return trace_intern_thread(trace, thread);
}

/* `count` samples of 1 ns of a stack. */
static void samples(struct trace *trace, struct thread_ref thread, struct stack_id stack,
                    uint32_t state, int count) {
    struct error error;
    for (int i = 0; i < count; i++) {
        struct sample taken = {.time_ns = ++trace->health.duration_ns,
                               .weight_ns = 1,
                               .thread = thread,
                               .stack = stack,
                               .state = state};
        assert_int_equal(trace_add(trace, &taken, &error), STATUS_OK);
    }
}

/* What by_process() hands on, as lines "STACK SAMPLES\n", by which the test is told. */
static struct buffer told;
static uint64_t told_states[STATE_BITS];
static uint64_t told_run_ns;

static enum status add_run(void *context, const struct timeline_run *run) {
    (void)context;
    told_run_ns += run->weight_ns;
    return STATUS_OK;
}

static enum status tell(const struct trace *trace, FILE *out, struct error *error) {
    (void)out;
    (void)error;
    buffer_deinit(&told);
    told = (struct buffer){0};
    told_run_ns = 0;
    memcpy(told_states, trace->state_ns, sizeof told_states);
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        stack_describe(trace, tally->stack, &told);
        buffer_printf(&told, " %u\n", (unsigned)tally->samples);
    }
    for (uint32_t id = 1; trace->timeline != NULL && id <= trace->threads.count; id++) {
        assert_int_equal(timeline_each(trace->timeline, (struct thread_ref){id}, add_run, NULL),
                         STATUS_OK);
    }
    return STATUS_OK;
}

static void expect_told(const struct trace *trace, const char *wanted) {
    struct error error;
    assert_int_equal(by_process(trace, tell, NULL, &error), STATUS_OK);
    assert_string_equal(told.data != NULL ? told.data : "", wanted);
}

static void open_trace(struct trace *trace) {
    struct error error;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
}

static void one_process_is_no_level(void **state) {
    (void)state;
    struct trace trace;
    open_trace(&trace);
    expect_told(&trace, "");
    struct stack_id main_stack = call(&trace, (struct stack_id){0}, "main");
    samples(&trace, thread_of(&trace, 7, 1), main_stack, 0, 2);
    samples(&trace, thread_of(&trace, 7, 2), main_stack, 0, 1);
    (void)thread_of(&trace, 8, 1); /* without a sample it is none of the picture */
    expect_told(&trace, "main (a.py:1) 2\nmain (a.py:1) 1\n");
    trace_deinit(&trace);
}

/* Equal stacks of two processes are two, however alike the processes' names. */
static void several_processes_are_a_level(void **state) {
    (void)state;
    struct trace trace;
    open_trace(&trace);
    struct stack_id main_stack = call(&trace, (struct stack_id){0}, "main");
    struct stack_id leaf = call(&trace, main_stack, "leaf");
    samples(&trace, thread_of(&trace, 7, 1), main_stack, STATE_RUNNING, 2);
    samples(&trace, thread_of(&trace, 8, 1), leaf, STATE_WAITING, 3);
    samples(&trace, thread_of(&trace, 8, 2), main_stack, STATE_RUNNING, 1);
    expect_told(&trace, "process ? (7);main (a.py:1) 2\n"
                        "process ? (8);main (a.py:1);leaf (a.py:1) 3\n"
                        "process ? (8);main (a.py:1) 1\n");
    assert_int_equal(told_run_ns, 6);
    assert_memory_equal(told_states, trace.state_ns, sizeof told_states);
    uint64_t states_ns = 0;
    for (int bit = 0; bit < STATE_BITS; bit++) {
        states_ns += told_states[bit];
    }
    assert_int_equal(states_ns, 6);
    trace_deinit(&trace);
}

static void what_is_compared_keeps_its_states(void **state) {
    (void)state;
    struct trace trace;
    struct trace base;
    struct trace both;
    struct error error;
    open_trace(&trace);
    open_trace(&base);
    samples(&trace, thread_of(&trace, 7, 1), call(&trace, (struct stack_id){0}, "main"),
            STATE_RUNNING, 2);
    samples(&base, thread_of(&base, 8, 1), call(&base, (struct stack_id){0}, "main"), STATE_WAITING,
            5);
    trace.base = &base;
    assert_int_equal(merge_base(&both, &trace, &error), STATUS_OK);
    assert_memory_equal(both.state_ns, trace.state_ns, sizeof both.state_ns);
    trace_deinit(&both);
    trace_deinit(&base);
    trace_deinit(&trace);
}

static int forget(void **state) {
    (void)state;
    buffer_deinit(&told);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_is_no_level),
        cmocka_unit_test(several_processes_are_a_level),
        cmocka_unit_test(what_is_compared_keeps_its_states),
    };
    return cmocka_run_group_tests_name("by_process", tests, NULL, forget);
}
