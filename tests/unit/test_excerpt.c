#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "exporters/excerpt.h"
#include "exporters/merge.h"
#include "profiler/model/trace.h"

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static struct frame_id frame(struct trace *trace, const char *name, const char *file,
                             uint32_t line) {
    struct trace_function function = {.name = text(trace, name), .file = text(trace, file)};
    return trace_intern_frame(
        trace,
        (struct trace_frame){.function = trace_intern_function(trace, function), .line = line});
}

static void set_source(struct trace *trace, const char *file, const char *source) {
    trace_set_source(trace, text(trace, file), source, strlen(source));
}

struct lines {
    char text[4096]; /* "FILE:LINE:TEXT|" for each */
    const struct trace *trace;
};

static void add_line(void *context, const struct excerpt_line *line) {
    struct lines *lines = context;
    size_t length = strlen(lines->text);
    snprintf(lines->text + length, sizeof lines->text - length, "%s:%u:%.*s|",
             trace_string(lines->trace, line->file), line->line, (int)line->bytes, line->text);
}

static void check_lines(const struct trace *trace, const char *wanted) {
    struct lines lines = {.trace = trace};
    excerpt_each(trace, add_line, &lines);
    assert_string_equal(lines.text, wanted);
}

/* Each line once, by number, however many frames are in it; lines that are not there are left out.
 */
static void test_lines_of_frames(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    frame(&trace, "f", "a.py", 4);
    frame(&trace, "g", "a.py", 2);
    frame(&trace, "h", "a.py", 2);
    frame(&trace, "h", "a.py", 0);
    frame(&trace, "h", "a.py", 5);
    frame(&trace, "h", "a.py", 4000000000);
    frame(&trace, "k", "b.py", 1);
    check_lines(&trace, "");
    set_source(&trace, "a.py", "one\n  \ttwo \r\nthree\nfour");
    check_lines(&trace, "a.py:2:two|a.py:4:four|");
    set_source(&trace, "b.py", "");
    check_lines(&trace, "a.py:2:two|a.py:4:four|");
    trace_deinit(&trace);
}

/* What is too long ends before a character that does not fit whole. */
static void test_long_line(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    frame(&trace, "f", "a.py", 1);
    char source[300];
    char wanted[300];
    char kept[240] = {0};
    memset(kept, 'x', 239);
    snprintf(source, sizeof source, "%s\xe6\x96\x87 and more", kept);
    snprintf(wanted, sizeof wanted, "a.py:1:%s|", kept);
    set_source(&trace, "a.py", source);
    check_lines(&trace, wanted);
    trace_deinit(&trace);
}

static struct stack_id stack(struct trace *trace, struct frame_id first, struct frame_id second) {
    return trace_intern_stack(trace, trace_intern_stack(trace, (struct stack_id){0}, first),
                              second);
}

static void add_sample(struct trace *trace, struct stack_id id, uint32_t tid) {
    struct trace_thread thread = {.pid = 1, .tid = tid, .name = text(trace, "worker")};
    struct sample sample = {
        .time_ns = 10, .weight_ns = 5, .thread = trace_intern_thread(trace, thread), .stack = id};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

/* Ids of the trace stay; what both have is one; the base's threads are others. */
static void test_merge(void **state) {
    (void)state;
    struct trace trace;
    struct trace base;
    struct trace both;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    assert_int_equal(trace_init(&base, false, NULL), STATUS_OK);
    struct stack_id old =
        stack(&base, frame(&base, "gone", "c.py", 1), frame(&base, "f", "a.py", 4));
    struct stack_id same =
        stack(&base, frame(&base, "main", "a.py", 9), frame(&base, "f", "a.py", 4));
    add_sample(&base, old, 7);
    add_sample(&base, same, 7);
    set_source(&base, "c.py", "gone");
    struct stack_id mine =
        stack(&trace, frame(&trace, "main", "a.py", 9), frame(&trace, "f", "a.py", 4));
    add_sample(&trace, mine, 7);
    trace.base = &base;
    assert_int_equal(merge_base(&both, &trace, NULL), STATUS_OK);
    assert_int_equal(both.stacks.count, 4);
    assert_int_equal(both.functions.count, 3);
    assert_int_equal(both.threads.count, 2);
    assert_int_equal(both.tallies.count, 3);
    const struct trace_tally *first = table_row(&both.tallies, 1);
    const struct trace_tally *last = table_row(&both.tallies, 3);
    assert_int_equal(first->stack.id, mine.id);
    assert_int_equal(first->thread.id, 1);
    assert_int_equal(last->stack.id, mine.id); /* the base's `same` */
    assert_int_equal(last->thread.id, 2);
    assert_int_equal(last->weight_ns, 5);
    check_lines(&both, "c.py:1:gone|");
    trace_deinit(&both);
    trace_deinit(&base);
    trace_deinit(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_of_frames),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests_name("excerpt and merge", tests, NULL, NULL);
}
