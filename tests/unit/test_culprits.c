/* Because of whom each thread waited for the GIL, and the intervals of states that say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "exporters/culprits.h"
#include "exporters/states.h"
#include "profiler/base/clock.h"

enum { TICKS = 20, INTERVALS_MAX = 32 };

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static struct thread_ref thread(struct trace *trace, uint32_t tid, const char *name) {
    struct trace_thread row = {.pid = 1, .tid = tid, .name = text(trace, name)};
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

struct scene {
    struct trace trace;
    struct thread_ref holder;
    struct thread_ref waiter;
};

/* The waiter wants it from tick 5 on; the holder has it in "f" to tick 10, in "g" to tick 15, and
 * then no more. */
static void scene_open(struct scene *scene) {
    struct trace *trace = &scene->trace;
    assert_int_equal(trace_init(trace, true, NULL), STATUS_OK);
    trace->run.interval_ns = NS_PER_MS;
    scene->holder = thread(trace, 11, "holder");
    scene->waiter = thread(trace, 12, "waiter");
    for (uint64_t tick = 1; tick <= TICKS; tick++) {
        push(trace, tick, scene->holder, stack(trace, tick <= 10 ? "f" : "g"),
             tick <= 15 ? STATE_HAS_GIL : 0);
        push(trace, tick, scene->waiter, stack(trace, "h"), tick >= 5 ? STATE_WANTS_GIL : 0);
    }
}

static void expect_words(const struct trace *trace, const struct culprit *culprit,
                         const char *holder, const char *place) {
    struct buffer out = {0};
    culprit_append_holder(trace, culprit, &out);
    assert_string_equal(out.data, holder);
    out.length = 0;
    culprit_append_place(trace, culprit, &out);
    assert_string_equal(out.data, place);
    buffer_deinit(&out);
}

static void test_waiting_is_cut_where_the_holder_goes_on(void **state) {
    (void)state;
    struct scene scene;
    struct culprits culprits;
    size_t count;
    scene_open(&scene);
    assert_int_equal(culprits_find(&scene.trace, &culprits), STATUS_OK);
    const struct culprit *rows = culprits_of(&culprits, scene.waiter, &count);
    assert_int_equal(count, 3);
    expect_words(&scene.trace, &rows[0], "holder (11)", "f (a.py:3)");
    expect_words(&scene.trace, &rows[1], "holder (11)", "g (a.py:3)");
    expect_words(&scene.trace, &rows[2], "nobody seen", "?");
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].start_ns, (i == 0 ? 4 : 5 + 5 * i) * NS_PER_MS);
        assert_int_equal(rows[i].end_ns, (10 + 5 * i) * NS_PER_MS);
    }
    culprits_of(&culprits, scene.holder, &count);
    assert_int_equal(count, 0);
    culprits_free(&culprits);
    trace_deinit(&scene.trace);
}

struct seen {
    struct state_interval intervals[INTERVALS_MAX];
    size_t count;
};

static enum status see(void *context, const struct state_interval *interval) {
    struct seen *seen = context;
    seen->intervals[seen->count++] = *interval;
    return seen->count < INTERVALS_MAX ? STATUS_OK : STATUS_INTERNAL;
}

/* All of the time in which it wanted the GIL, and each bit of it once. */
static void test_intervals_have_culprits(void **state) {
    (void)state;
    struct scene scene;
    struct culprits culprits;
    struct seen seen = {0};
    uint64_t wanted_ns = 0;
    scene_open(&scene);
    assert_int_equal(culprits_find(&scene.trace, &culprits), STATUS_OK);
    assert_int_equal(states_each(&scene.trace, &culprits, scene.waiter, see, &seen), STATUS_OK);
    assert_int_equal(seen.count, 3);
    for (size_t i = 0; i < seen.count; i++) {
        const struct state_interval *interval = &seen.intervals[i];
        assert_int_equal(states[interval->state].bit, STATE_WANTS_GIL);
        assert_non_null(interval->culprit);
        assert_int_equal(interval->samples, (interval->end_ns - interval->start_ns) / NS_PER_MS);
        wanted_ns += interval->end_ns - interval->start_ns;
    }
    assert_int_equal(wanted_ns, (TICKS - 4) * NS_PER_MS);
    seen.count = 0;
    assert_int_equal(states_each(&scene.trace, &culprits, scene.holder, see, &seen), STATUS_OK);
    assert_int_equal(seen.count, 1);
    assert_null(seen.intervals[0].culprit);
    culprits_free(&culprits);
    trace_deinit(&scene.trace);
}

static void test_nobody_waits(void **state) {
    (void)state;
    struct trace trace;
    struct culprits culprits;
    size_t count;
    assert_int_equal(trace_init(&trace, true, NULL), STATUS_OK);
    struct thread_ref one = thread(&trace, 11, "a");
    push(&trace, 5, one, stack(&trace, "f"), STATE_HAS_GIL);
    assert_int_equal(culprits_find(&trace, &culprits), STATUS_OK);
    culprits_of(&culprits, one, &count);
    assert_int_equal(count, 0);
    culprits_free(&culprits);
    trace_deinit(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_is_cut_where_the_holder_goes_on),
        cmocka_unit_test(test_intervals_have_culprits),
        cmocka_unit_test(test_nobody_waits),
    };
    return cmocka_run_group_tests_name("culprits", tests, NULL, NULL);
}
