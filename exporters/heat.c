#include "exporters/heat.h"

#include <stddef.h>
#include <stdlib.h>

#include "profiler/base/arena.h"

/* What is counted of a stack's newest frame. */
enum grain { IN_FUNCTION, IN_FILE, IN_LINE, IN_CALL, GRAINS };

static const size_t count_offsets[GRAINS] = {
    [IN_FUNCTION] = offsetof(struct heat_function, count),
    [IN_FILE] = offsetof(struct heat_file, count),
    [IN_LINE] = offsetof(struct heat_line, count),
    [IN_CALL] = offsetof(struct heat_call, count),
};

/* The stacks as a tree, and what they are counted under. Arrays are by stack id. */
struct count {
    const struct trace *trace;
    struct table *tables[GRAINS];
    uint32_t *rows[GRAINS];   /* ids; 0: not counted */
    uint32_t *active[GRAINS]; /* by row: how often it is in the stack that is looked at */
    uint64_t *self;
    uint64_t *total;
    uint32_t *first; /* child; of stack 0: the roots */
    uint32_t *next;  /* sibling */
};

static uint32_t function_row(struct count *count, const struct trace_frame *frame) {
    struct heat_function row = {.function = frame->function};
    return table_intern(count->tables[IN_FUNCTION], &row);
}

static uint32_t file_row(struct count *count, const struct trace_frame *frame) {
    struct heat_file row = {.file = trace_function(count->trace, frame->function)->file};
    return row.file.id ? table_intern(count->tables[IN_FILE], &row) : 0;
}

static uint32_t line_row(struct count *count, const struct trace_frame *frame) {
    struct string_id file = trace_function(count->trace, frame->function)->file;
    struct heat_line row = {.file = file, .line = frame->line, .function = frame->function};
    return file.id ? table_intern(count->tables[IN_LINE], &row) : 0;
}

static uint32_t call_row(struct count *count, const struct trace_stack *stack) {
    if (!stack->parent.id) {
        return 0;
    }
    const struct trace_stack *caller = trace_stack(count->trace, stack->parent);
    struct heat_call row = {.caller = trace_frame(count->trace, caller->frame)->function,
                            .callee = trace_frame(count->trace, stack->frame)->function};
    return table_intern(count->tables[IN_CALL], &row);
}

static void count_samples(struct count *count, struct heat *heat) {
    const struct trace *trace = count->trace;
    for (uint32_t id = 1; id <= trace->tallies.count; id++) {
        const struct trace_tally *tally = table_row(&trace->tallies, id);
        if (!tally->stack.id) {
            continue;
        }
        const struct trace_frame *frame =
            trace_frame(trace, trace_stack(trace, tally->stack)->frame);
        count->self[tally->stack.id] += tally->samples;
        heat->samples += tally->samples;
        if (frame->instruction) {
            struct heat_form form = {.instruction = frame->instruction, .opcode = frame->opcode};
            uint32_t row = table_intern(&heat->forms, &form);
            ((struct heat_form *)table_row(&heat->forms, row))->samples += tally->samples;
        }
    }
}

/* Parents have smaller ids than what is on top of them. */
static void link_stacks(struct count *count) {
    const struct trace *trace = count->trace;
    for (uint32_t id = trace->stacks.count; id >= 1; id--) {
        const struct trace_stack *stack = trace_stack(trace, (struct stack_id){id});
        const struct trace_frame *frame = trace_frame(trace, stack->frame);
        count->total[id] += count->self[id];
        count->total[stack->parent.id] += count->total[id];
        count->next[id] = count->first[stack->parent.id];
        count->first[stack->parent.id] = id;
        count->rows[IN_FUNCTION][id] = function_row(count, frame);
        count->rows[IN_FILE][id] = file_row(count, frame);
        count->rows[IN_LINE][id] = line_row(count, frame);
        count->rows[IN_CALL][id] = call_row(count, stack);
    }
}

static void enter(struct count *count, uint32_t stack) {
    for (int grain = 0; grain < GRAINS; grain++) {
        uint32_t id = count->rows[grain][stack];
        if (!id) {
            continue;
        }
        char *row = table_row(count->tables[grain], id);
        struct heat_count *heat = (struct heat_count *)(void *)(row + count_offsets[grain]);
        heat->self += count->self[stack];
        heat->total += count->active[grain][id]++ == 0 ? count->total[stack] : 0;
    }
}

static void leave(struct count *count, uint32_t stack) {
    for (int grain = 0; grain < GRAINS; grain++) {
        uint32_t id = count->rows[grain][stack];
        count->active[grain][id] -= id != 0;
    }
}

/* Every stack is entered after the one below it and left before it, as deep as they may be. */
static void visit_all(struct count *count) {
    uint32_t at = count->first[0];
    while (at) {
        enter(count, at);
        if (count->first[at]) {
            at = count->first[at];
            continue;
        }
        leave(count, at);
        while (at && !count->next[at]) {
            at = trace_stack(count->trace, (struct stack_id){at})->parent.id;
            if (at) {
                leave(count, at);
            }
        }
        at = at ? count->next[at] : 0;
    }
}

void heat_init(struct heat *heat, const struct trace *trace) {
    size_t slots = (size_t)trace->stacks.count + 1;
    struct count count = {
        .trace = trace,
        .tables = {&heat->functions, &heat->files, &heat->lines, &heat->calls},
        .self = memory_zeroed(slots, sizeof *count.self),
        .total = memory_zeroed(slots, sizeof *count.total),
        .first = memory_zeroed(slots, sizeof *count.first),
        .next = memory_zeroed(slots, sizeof *count.next),
    };
    *heat = (struct heat){0};
    table_init(&heat->functions, sizeof(struct heat_function),
               offsetof(struct heat_function, count));
    table_init(&heat->files, sizeof(struct heat_file), offsetof(struct heat_file, count));
    table_init(&heat->lines, sizeof(struct heat_line), offsetof(struct heat_line, function));
    table_init(&heat->calls, sizeof(struct heat_call), offsetof(struct heat_call, count));
    table_init(&heat->forms, sizeof(struct heat_form), offsetof(struct heat_form, samples));
    for (int grain = 0; grain < GRAINS; grain++) {
        count.rows[grain] = memory_zeroed(slots, sizeof **count.rows);
    }
    count_samples(&count, heat);
    link_stacks(&count);
    for (int grain = 0; grain < GRAINS; grain++) {
        count.active[grain] =
            memory_zeroed((size_t)count.tables[grain]->count + 1, sizeof **count.active);
    }
    visit_all(&count);
    for (int grain = 0; grain < GRAINS; grain++) {
        free(count.rows[grain]);
        free(count.active[grain]);
    }
    free(count.self);
    free(count.total);
    free(count.first);
    free(count.next);
}

void heat_deinit(struct heat *heat) {
    table_deinit(&heat->functions);
    table_deinit(&heat->files);
    table_deinit(&heat->lines);
    table_deinit(&heat->calls);
    table_deinit(&heat->forms);
}
