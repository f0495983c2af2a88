#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "exporters/heat.h"

/* ---- helpers ---- */

enum { FUNCTIONS = 4, FILES = 2, LINES = 3, STACKS = 300, LONGEST = 12, DEEP = 200000 };

static uint32_t random_below(uint32_t *seed, uint32_t limit) {
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % limit;
}

static struct frame_id frame(struct trace *trace, uint32_t function, uint32_t line) {
    char name[16];
    char file[16];
    int name_bytes = snprintf(name, sizeof name, "f%u", function);
    int file_bytes = snprintf(file, sizeof file, "%u.py", function % FILES);
    struct trace_function row = {.name = trace_text(trace, name, (size_t)name_bytes),
                                 .file = trace_text(trace, file, (size_t)file_bytes)};
    return trace_intern_frame(
        trace, (struct trace_frame){.function = trace_intern_function(trace, row), .line = line});
}

static void add(struct trace *trace, struct stack_id stack) {
    struct trace_thread thread = {.pid = 1, .tid = 1, .serial = 1};
    struct sample sample = {.thread = trace_intern_thread(trace, thread), .stack = stack};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

/* What is asked of the frames of a stack; `caller` is NULL at the root. */
typedef bool predicate(const struct trace *trace, const struct trace_frame *frame,
                       const struct trace_frame *caller, const void *row);

static bool is_function(const struct trace *trace, const struct trace_frame *frame,
                        const struct trace_frame *caller, const void *row) {
    (void)trace;
    (void)caller;
    return frame->function.id == ((const struct heat_function *)row)->function.id;
}

static bool is_file(const struct trace *trace, const struct trace_frame *frame,
                    const struct trace_frame *caller, const void *row) {
    (void)caller;
    return trace_function(trace, frame->function)->file.id ==
           ((const struct heat_file *)row)->file.id;
}

static bool is_line(const struct trace *trace, const struct trace_frame *frame,
                    const struct trace_frame *caller, const void *row) {
    const struct heat_line *line = row;
    struct heat_file file = {.file = line->file};
    return frame->line == line->line && is_file(trace, frame, caller, &file);
}

static bool is_call(const struct trace *trace, const struct trace_frame *frame,
                    const struct trace_frame *caller, const void *row) {
    const struct heat_call *call = row;
    (void)trace;
    return caller && caller->function.id == call->caller.id &&
           frame->function.id == call->callee.id;
}

/* Counts again, from the definition: every tally, every frame of it. */
static struct heat_count count_again(const struct trace *trace, predicate *fits, const void *row) {
    struct heat_count count = {0};
    for (uint32_t id = 1; id <= trace->tallies.count; id++) {
        const struct trace_tally *tally = table_row(&trace->tallies, id);
        bool is_in_it = false;
        for (struct stack_id at = tally->stack; at.id; at = trace_stack(trace, at)->parent) {
            const struct trace_stack *stack = trace_stack(trace, at);
            const struct trace_frame *caller =
                stack->parent.id ? trace_frame(trace, trace_stack(trace, stack->parent)->frame)
                                 : NULL;
            bool is_here = fits(trace, trace_frame(trace, stack->frame), caller, row);
            is_in_it |= is_here;
            count.self += is_here && at.id == tally->stack.id ? tally->samples : 0;
        }
        count.total += is_in_it ? tally->samples : 0;
    }
    return count;
}

static void expect_rows(const struct trace *trace, const struct table *rows, size_t offset,
                        predicate *fits) {
    assert_true(rows->count > 0);
    for (uint32_t id = 1; id <= rows->count; id++) {
        const char *row = table_row(rows, id);
        const struct heat_count *found = (const struct heat_count *)(const void *)(row + offset);
        struct heat_count wanted = count_again(trace, fits, row);
        assert_int_equal(found->self, wanted.self);
        assert_int_equal(found->total, wanted.total);
    }
}

/* ---- tests ---- */

static void test_counts_are_what_they_are_defined_as(void **state) {
    (void)state;
    struct trace trace;
    struct heat heat;
    uint32_t seed = 7;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    for (int i = 0; i < STACKS; i++) {
        struct stack_id stack = {0};
        for (uint32_t left = 1 + random_below(&seed, LONGEST); left > 0; left--) {
            struct frame_id top =
                frame(&trace, random_below(&seed, FUNCTIONS), 1 + random_below(&seed, LINES));
            stack = trace_intern_stack(&trace, stack, top);
        }
        add(&trace, stack);
    }
    heat_init(&heat, &trace);
    assert_int_equal(heat.samples, STACKS);
    assert_int_equal(heat.functions.count, FUNCTIONS);
    assert_int_equal(heat.files.count, FILES);
    assert_int_equal(heat.lines.count, FILES * LINES);
    assert_int_equal(heat.calls.count, FUNCTIONS * FUNCTIONS);
    expect_rows(&trace, &heat.functions, offsetof(struct heat_function, count), is_function);
    expect_rows(&trace, &heat.files, offsetof(struct heat_file, count), is_file);
    expect_rows(&trace, &heat.lines, offsetof(struct heat_line, count), is_line);
    expect_rows(&trace, &heat.calls, offsetof(struct heat_call, count), is_call);
    heat_deinit(&heat);
    trace_deinit(&trace);
}

static void test_very_deep_stacks(void **state) {
    (void)state;
    struct trace trace;
    struct heat heat;
    struct stack_id stack = {0};
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    for (uint32_t i = 0; i < DEEP; i++) {
        stack = trace_intern_stack(&trace, stack, frame(&trace, 0, 1));
    }
    add(&trace, stack);
    heat_init(&heat, &trace);
    const struct heat_call *call = table_row(&heat.calls, 1);
    assert_int_equal(call->count.self, 1);
    assert_int_equal(call->count.total, 1);
    heat_deinit(&heat);
    trace_deinit(&trace);
}

static void test_an_empty_trace(void **state) {
    (void)state;
    struct trace trace;
    struct heat heat;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    heat_init(&heat, &trace);
    assert_int_equal(heat.samples, 0);
    assert_int_equal(heat.functions.count, 0);
    heat_deinit(&heat);
    trace_deinit(&trace);
}

static void test_forms_of_instructions(void **state) {
    (void)state;
    struct trace trace;
    struct heat heat;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct trace_frame leaf = *trace_frame(&trace, frame(&trace, 0, 1));
    struct trace_instruction row = {
        .code = trace_intern_code(&trace, (struct trace_code){leaf.function, 1}), .offset = 2};
    leaf.instruction = trace_intern_instruction(&trace, &row);
    const char *const forms[] = {"CALL", "CALL_LEN", "CALL_LEN"};
    for (size_t i = 0; i < 3; i++) {
        leaf.opcode = trace_text(&trace, forms[i], strlen(forms[i]));
        add(&trace,
            trace_intern_stack(&trace, (struct stack_id){0}, trace_intern_frame(&trace, leaf)));
    }
    heat_init(&heat, &trace);
    assert_int_equal(heat.forms.count, 2);
    for (uint32_t id = 1; id <= 2; id++) {
        const struct heat_form *form = table_row(&heat.forms, id);
        assert_int_equal(form->instruction, leaf.instruction);
        assert_int_equal(form->samples, form->opcode.id == leaf.opcode.id ? 2 : 1);
    }
    heat_deinit(&heat);
    trace_deinit(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_what_they_are_defined_as),
        cmocka_unit_test(test_very_deep_stacks),
        cmocka_unit_test(test_an_empty_trace),
        cmocka_unit_test(test_forms_of_instructions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
