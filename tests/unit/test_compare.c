/* Comparing profiles: what changed is found, what did not is not, and the intervals hold. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/model/compare.h"

enum { TICKS = 4000, PHASE_TICKS = 20 };

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static struct stack_id push(struct trace *trace, struct stack_id parent, const char *name) {
    struct trace_function function = {
        .name = text(trace, name), .file = text(trace, "/srv/app.py"), .first_line = 1};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .line = 2};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static double next_share(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 33) / (double)(UINT64_C(1) << 31);
}

/* main calls itself or `hot`, which takes `share` of the time; in phases, as programs do. */
static void fill(struct trace *trace, double share, uint64_t seed) {
    struct error error;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
    struct trace_thread row = {.pid = 1, .tid = 1, .serial = 1};
    struct thread_ref thread = trace_intern_thread(trace, row);
    struct stack_id idle = push(trace, (struct stack_id){0}, "main");
    struct stack_id hot = push(trace, push(trace, idle, "middle"), "hot");
    struct stack_id now = idle;
    for (uint64_t tick = 1; tick <= TICKS; tick++) {
        if (tick % PHASE_TICKS == 1) {
            now = next_share(&seed) < share ? hot : idle;
        }
        struct sample sample = {
            .time_ns = tick * NS_PER_MS, .weight_ns = NS_PER_MS, .thread = thread, .stack = now};
        assert_int_equal(trace_add(trace, &sample, &error), STATUS_OK);
    }
    trace->health.duration_ns = TICKS * NS_PER_MS;
    trace->health.samples = TICKS;
}

static const struct comparison *row_of(const struct trace *fresh, const struct comparison *rows,
                                       size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        const struct trace_function *function = trace_function(fresh, rows[i].fresh);
        if (strcmp(trace_string(fresh, function->name), name) == 0) {
            return &rows[i];
        }
    }
    fail_msg("no row of %s", name);
    return NULL;
}

/* The change of `hot` between two profiles in which it takes these shares. */
static struct comparison compare_hot(double base_share, double fresh_share, uint64_t seed,
                                     const char *name) {
    struct trace base;
    struct trace fresh;
    struct comparison *rows;
    enum status status;
    fill(&base, base_share, seed);
    fill(&fresh, fresh_share, seed + 1000);
    size_t count = compare_functions(&base, &fresh, &rows, &status);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(count, 3);
    struct comparison found = *row_of(&fresh, rows, count, name);
    free(rows);
    trace_deinit(&fresh);
    trace_deinit(&base);
    return found;
}

static void a_change_is_found(void **state) {
    (void)state;
    struct comparison hot = compare_hot(0.3, 0.7, 1, "hot");
    assert_true(change_is_distinct(&hot.self));
    assert_true(change_growth(&hot.self) > 0.25 && change_growth(&hot.self) < 0.55);
    assert_true(hot.self.low < change_growth(&hot.self) &&
                change_growth(&hot.self) < hot.self.high);
    struct comparison main_row = compare_hot(0.3, 0.7, 1, "main");
    assert_true(change_is_distinct(&main_row.self));
    assert_true(change_growth(&main_row.self) < 0);
}

static void self_and_total_are_apart(void **state) {
    (void)state;
    struct comparison middle = compare_hot(0.3, 0.7, 1, "middle");
    assert_true(middle.self.base == 0 && middle.self.fresh == 0);
    assert_false(change_is_distinct(&middle.self));
    assert_true(change_is_distinct(&middle.total));
    struct comparison main_row = compare_hot(0.3, 0.7, 1, "main");
    assert_true(fabs(main_row.total.base - 1) < 1e-3 && fabs(main_row.total.fresh - 1) < 1e-3);
}

/* Of 95 % intervals a few in a hundred miss; phases make naive ones miss most of the time. */
static void noise_is_no_change(void **state) {
    (void)state;
    size_t distinct = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct comparison hot = compare_hot(0.5, 0.5, seed * 7919, "hot");
        distinct += change_is_distinct(&hot.self);
    }
    assert_true(distinct <= 15);
}

static void one_that_is_gone_or_new(void **state) {
    (void)state;
    struct trace base;
    struct trace fresh;
    struct comparison *rows;
    enum status status;
    fill(&base, 1, 1);
    fill(&fresh, 0, 1); /* its functions are known, but never ran */
    size_t count = compare_functions(&base, &fresh, &rows, &status);
    assert_int_equal(count, 3);
    const struct comparison *hot = row_of(&fresh, rows, count, "hot");
    assert_true(fabs(hot->self.base - 1) < 1e-3 && hot->self.fresh == 0);
    assert_true(hot->self.high < 0);
    free(rows);
    trace_deinit(&fresh);
    trace_deinit(&base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_found),
        cmocka_unit_test(self_and_total_are_apart),
        cmocka_unit_test(noise_is_no_change),
        cmocka_unit_test(one_that_is_gone_or_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
