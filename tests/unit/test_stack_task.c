/* The task of a stack, and the tracks that tasks have in the formats that show time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "exporters/tracks.h"
#include "profiler/model/stack_task.h"
#include "profiler/model/trace.h"

static struct stack_id call(struct trace *trace, struct stack_id parent, const char *name,
                            enum frame_kind kind) {
    struct trace_function function = {.name = trace_text(trace, name, strlen(name))};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .kind = kind};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static void expect_task(const struct stack_tasks *tasks, const struct trace *trace,
                        struct stack_id stack, const char *wanted) {
    struct buffer name = {0};
    uint32_t id = tasks->of_stack[stack.id];
    buffer_printf(&name, "%s", "");
    if (id) {
        stack_tasks_append_name(tasks, trace, id, &name);
    }
    assert_string_equal(name.data, wanted);
    buffer_deinit(&name);
}

static void the_innermost_marker_names_the_task(void **state) {
    (void)state;
    struct trace trace;
    struct error error;
    struct stack_tasks tasks;
    struct stack_id none = {0};
    assert_int_equal(trace_init(&trace, false, &error), STATUS_OK);
    struct stack_id plain = call(&trace, none, "main", FRAME_PYTHON);
    struct stack_id root = call(&trace, none, "<task root>", FRAME_TASK);
    struct stack_id waits = call(&trace, root, "gather", FRAME_PYTHON);
    struct stack_id inner = call(&trace, waits, "<task>", FRAME_TASK);
    struct stack_id first = call(&trace, inner, "fetch", FRAME_PYTHON);
    struct stack_id deeper = call(&trace, first, "parse", FRAME_NATIVE);
    struct stack_id other = call(&trace, inner, "store", FRAME_PYTHON);
    struct stack_id look_alike = call(&trace, plain, "<task root>", FRAME_PYTHON);
    struct stack_id loop = call(&trace, none, "<loop>", FRAME_TASK);
    struct stack_id idle = call(&trace, loop, "<idle>", FRAME_TASK);
    stack_tasks_init(&tasks, &trace);
    expect_task(&tasks, &trace, plain, "");
    expect_task(&tasks, &trace, look_alike, "");
    expect_task(&tasks, &trace, root, "<task root>");
    expect_task(&tasks, &trace, waits, "<task root>");
    expect_task(&tasks, &trace, inner, "<task>");
    expect_task(&tasks, &trace, first, "<task> fetch");
    expect_task(&tasks, &trace, deeper, "<task> fetch");
    expect_task(&tasks, &trace, other, "<task> store");
    expect_task(&tasks, &trace, loop, "<loop>");
    expect_task(&tasks, &trace, idle, "<idle>");
    stack_tasks_deinit(&tasks);
    trace_deinit(&trace);
}

static void sample(struct trace *trace, struct thread_ref thread, struct stack_id stack,
                   uint64_t weight_ns, uint64_t *time_ns) {
    struct error error;
    *time_ns += weight_ns;
    struct sample taken = {
        .time_ns = *time_ns, .weight_ns = weight_ns, .thread = thread, .stack = stack};
    assert_int_equal(trace_add(trace, &taken, &error), STATUS_OK);
}

static enum status add_weight(void *context, const struct timeline_run *run) {
    *(uint64_t *)context += run->weight_ns;
    return STATUS_OK;
}

static uint64_t weight_of(const struct tracks *tracks, size_t index) {
    uint64_t weight_ns = 0;
    assert_int_equal(tracks_each(tracks, &tracks->rows[index], add_weight, &weight_ns), STATUS_OK);
    return weight_ns;
}

/* A thread with `task_count` tasks of 1, 2, 3 ... ns and 1 ns without a task, and one with none. */
static void make_tracks(struct trace *trace, struct tracks *tracks, uint64_t task_count) {
    struct error error;
    uint64_t time_ns = 0;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
    struct thread_ref busy = trace_intern_thread(trace, (struct trace_thread){.pid = 1, .tid = 1});
    struct thread_ref plain =
        trace_intern_thread(trace, (struct trace_thread){.pid = 1, .tid = 1, .serial = 1});
    struct stack_id outside = call(trace, (struct stack_id){0}, "main", FRAME_PYTHON);
    sample(trace, plain, outside, 1, &time_ns);
    sample(trace, busy, outside, 1, &time_ns);
    for (uint64_t i = 1; i <= task_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "<task %u>", (unsigned)i);
        sample(trace, busy, call(trace, outside, name, FRAME_TASK), i, &time_ns);
    }
    tracks_init(tracks, trace);
}

static void tasks_have_tracks_after_their_thread(void **state) {
    (void)state;
    struct trace trace;
    struct tracks tracks;
    make_tracks(&trace, &tracks, TRACKS_OF_TASKS);
    assert_int_equal(tracks.count, 1 + TRACKS_OF_TASKS + 1);
    assert_true(track_is_thread(&tracks.rows[0]));
    assert_int_equal(weight_of(&tracks, 0), 1 + TRACKS_OF_TASKS * (TRACKS_OF_TASKS + 1) / 2);
    for (size_t i = 1; i <= TRACKS_OF_TASKS; i++) {
        assert_int_equal(weight_of(&tracks, i), TRACKS_OF_TASKS + 1 - i);
        assert_int_equal(tracks.rows[i].joined, 0);
    }
    assert_int_equal(weight_of(&tracks, TRACKS_OF_TASKS + 1), 1);
    for (size_t i = 0; i < tracks.count; i++) {
        assert_int_equal(tracks.rows[i].id, ((uint64_t)i << 22) + 1);
    }
    tracks_deinit(&tracks);
    trace_deinit(&trace);
}

static void too_many_tasks_share_a_track(void **state) {
    (void)state;
    struct trace trace;
    struct tracks tracks;
    struct buffer name = {0};
    make_tracks(&trace, &tracks, TRACKS_OF_TASKS + 2);
    assert_int_equal(tracks.count, 1 + TRACKS_OF_TASKS + 1);
    assert_int_equal(tracks.rows[TRACKS_OF_TASKS].joined, 3);
    assert_int_equal(weight_of(&tracks, TRACKS_OF_TASKS), 1 + 2 + 3);
    tracks_append_name(&tracks, &tracks.rows[TRACKS_OF_TASKS], &name);
    assert_string_equal(name.data, "?: 3 other tasks");
    buffer_deinit(&name);
    tracks_deinit(&tracks);
    trace_deinit(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_innermost_marker_names_the_task),
        cmocka_unit_test(tasks_have_tracks_after_their_thread),
        cmocka_unit_test(too_many_tasks_share_a_track),
    };
    return cmocka_run_group_tests_name("tasks of stacks", tests, NULL, NULL);
}
