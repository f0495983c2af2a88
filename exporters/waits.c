#include "exporters/waits.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "exporters/function_name.h"
#include "profiler/base/arena.h"
#include "profiler/base/table.h"
#include "profiler/base/text.h"

enum { ROWS_MAX = 30 };

/* Time for which a thread waited for another that was in a function. */
struct waiting {
    struct thread_ref waiter;
    struct function_id holder;   /* that of the frame FRAME_HOLDER */
    struct function_id function; /* of the holder's newest frame; the same as above: none */
    uint64_t weight_ns;          /* payload */
};

static void add_tally(struct table *rows, const struct trace *trace,
                      const struct trace_tally *tally) {
    struct waiting row = {.waiter = tally->thread};
    const struct trace_frame *frame = NULL;
    for (struct stack_id at = tally->stack; at.id != 0; at = trace_stack(trace, at)->parent) {
        frame = trace_frame(trace, trace_stack(trace, at)->frame);
        row.function = row.function.id == 0 ? frame->function : row.function;
    }
    if (frame == NULL || frame->kind != FRAME_HOLDER) {
        return;
    }
    row.holder = frame->function;
    struct waiting *known = table_row(rows, table_intern(rows, &row));
    known->weight_ns += tally->weight_ns;
}

static int compare(const void *a, const void *b) {
    const struct waiting *one = a;
    const struct waiting *other = b;
    return one->weight_ns > other->weight_ns ? -1 : one->weight_ns < other->weight_ns;
}

static void append_text(struct buffer *out, const struct trace *trace, struct string_id id) {
    text_append_escaped(out, trace_string(trace, id), "");
}

/* "  2.19 s   73.12 %  waiter-0 (4459): GIL held by holder (4458) in hold (blame.py:25)" */
static void append_row(struct buffer *out, const struct trace *trace, const struct waiting *row) {
    const struct trace_thread *waiter = trace_thread(trace, row->waiter);
    struct buffer time = {0};
    double of_ns = trace->health.duration_ns > 0 ? (double)trace->health.duration_ns : 1;
    text_append_time(&time, row->weight_ns);
    buffer_printf(out, "%8s  %6.2f %%  ", time.data, 100 * (double)row->weight_ns / of_ns);
    append_text(out, trace, waiter->name);
    buffer_printf(out, " (%" PRIu32 "): ", waiter->tid);
    append_text(out, trace, trace_function(trace, row->holder)->name);
    if (row->function.id != row->holder.id) {
        buffer_printf(out, " in ");
        function_name_append(trace, row->function, out);
    }
    buffer_printf(out, "\n");
    buffer_deinit(&time);
}

void waits_append(struct buffer *out, const struct trace *trace) {
    struct table rows;
    table_init(&rows, sizeof(struct waiting), offsetof(struct waiting, weight_ns));
    for (uint32_t id = 1; id <= trace->tallies.count; id++) {
        add_tally(&rows, trace, table_row(&trace->tallies, id));
    }
    struct waiting *sorted = memory_zeroed((size_t)rows.count + 1, sizeof *sorted);
    for (uint32_t i = 0; i < rows.count; i++) {
        sorted[i] = *(const struct waiting *)table_row(&rows, i + 1);
    }
    qsort(sorted, rows.count, sizeof *sorted, compare);
    if (rows.count > 0) {
        buffer_printf(out, "Who waited, for how long of the time, because of whom:\n");
    }
    for (uint32_t i = 0; i < rows.count && i < ROWS_MAX; i++) {
        append_row(out, trace, &sorted[i]);
    }
    if (rows.count > 0) {
        buffer_printf(out, "\n");
    }
    free(sorted);
    table_deinit(&rows);
}
