#include "exporters/dwells.h"

#include <inttypes.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/text.h"

enum { ROWS_MAX = 30 };

static int compare(const void *a, const void *b) {
    const struct trace_dwell *one = *(const struct trace_dwell *const *)a;
    const struct trace_dwell *other = *(const struct trace_dwell *const *)b;
    if (one->sum_ns != other->sum_ns) {
        return one->sum_ns > other->sum_ns ? -1 : 1;
    }
    return (one->place.id > other->place.id) - (one->place.id < other->place.id);
}

static void append_count(struct buffer *out, uint64_t count) {
    struct buffer text = {0};
    text_append_count(&text, count);
    buffer_printf(out, "%9s  ", text.data);
    buffer_deinit(&text);
}

static void append_time(struct buffer *out, uint64_t duration_ns) {
    struct buffer text = {0};
    text_append_time(&text, duration_ns);
    buffer_printf(out, "%8s  ", text.data);
    buffer_deinit(&text);
}

/* "      800          3   50.1 ms   52.4 ms   61.0 ms        40  query (/srv/app.py:31)" */
static void append_row(struct buffer *out, const struct trace *trace,
                       const struct trace_dwell *dwell) {
    const struct trace_frame *frame = trace_frame(trace, dwell->place);
    const struct trace_function *function = trace_function(trace, frame->function);
    append_count(out, dwell->waits);
    append_count(out, dwell->going_on);
    append_time(out, dwell->waits > 0 ? dwell->sum_ns / dwell->waits : 0);
    append_time(out, dwell->long_ns);
    append_time(out, dwell->longest_ns);
    append_count(out, dwell->most);
    text_append_escaped(out, trace_string(trace, function->name), "");
    buffer_printf(out, " (");
    text_append_escaped(out, trace_string(trace, function->file), "");
    buffer_printf(out, ":%" PRIu32 ")\n", frame->line);
}

/* How long it takes until one is looked at again: nothing shorter is sure to be seen. */
static uint64_t blind_ns(const struct trace *trace) {
    const struct health *health = &trace->health;
    double ticks = health->ticks > 0 ? (double)health->ticks : 1;
    double seen = health->tasks_seen > 0 ? (double)health->tasks_seen : 1;
    return (uint64_t)((double)health->duration_ns / ticks * (double)health->tasks_there / seen);
}

void dwells_append(struct buffer *out, const struct trace *trace) {
    size_t count = trace->dwells.count;
    const struct trace_dwell **sorted = memory_zeroed(count + 1, sizeof *sorted);
    if (count > 0) {
        buffer_printf(out, "\nWhere tasks waited (each looked at every ");
        text_append_time(out, blind_ns(trace));
        buffer_printf(out, "; shorter waits are seen by chance):\n"
                           "    waits   going on      mean      95 %%   longest  at once  where\n");
    }
    for (uint32_t id = 1; id <= count; id++) {
        sorted[id - 1] = table_row(&trace->dwells, id);
    }
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count && i < ROWS_MAX; i++) {
        append_row(out, trace, sorted[i]);
    }
    if (count > ROWS_MAX) {
        buffer_printf(out, "... %zu more places\n", count - ROWS_MAX);
    }
    free(sorted);
}
