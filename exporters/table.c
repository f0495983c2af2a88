/* The hottest functions, as plain text for people.
 *
 * Percentages are shares of the time that the samples stand for: a sample taken late stands for
 * more. Samples are draws, so beside the share stands the range that explains it: drawn as often,
 * the true share is in such a range in 95 of 100 cases. */
#include <inttypes.h>
#include <stdlib.h>

#include "exporters/dwells.h"
#include "exporters/exporter.h"
#include "exporters/states.h"
#include "exporters/waits.h"
#include "exporters/threads.h"
#include "profiler/base/text.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/tree.h"

#define ROWS_MAX            ((size_t)30)
#define NAME_COLUMNS_MAX    ((size_t)40)
#define FILE_COLUMNS_MAX    ((size_t)80)
#define COMMAND_COLUMNS_MAX ((size_t)100)

static void append_text(struct buffer *out, const struct trace *trace, struct string_id id) {
    text_append_escaped(out, id.id ? trace_string(trace, id) : "?", "");
}

/* python3 (PID 4242): python3 app.py
 * Python 3.11.2, wall mode, pyrometer 0.1.0 */
static void append_run(struct buffer *out, const struct trace *trace) {
    const struct trace_run *run = &trace->run;
    append_text(out, trace, run->process_name);
    buffer_printf(out, " (PID %" PRIu32 "): ", run->pid);
    append_text(out, trace, run->command);
    buffer_printf(out, "\nPython ");
    append_text(out, trace, run->python_version);
    buffer_printf(out, ", ");
    append_text(out, trace, run->mode);
    buffer_printf(out, " mode, ");
    append_text(out, trace, run->profiler);
    buffer_printf(out, "\n");
}

/* What it cost the target to be stopped for every look. */
static void append_pauses(struct buffer *out, const struct histogram *pauses) {
    const struct {
        const char *before;
        uint64_t duration_ns;
    } figures[] = {{" times for ", pauses->sum_ns},
                   {", median ", histogram_quantile_ns(pauses, 0.5)},
                   {", p99 ", histogram_quantile_ns(pauses, 0.99)},
                   {", longest ", pauses->max_ns}};
    if (pauses->count == 0) {
        return;
    }
    buffer_printf(out, "stopped ");
    text_append_count(out, pauses->count);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        buffer_printf(out, "%s", figures[i].before);
        text_append_time(out, figures[i].duration_ns);
    }
    buffer_printf(out, "\n");
}

/* 10.0 s, 9,987 samples, 996.7 Hz (1000.0 Hz asked for)
 * 0 lost, 13 late, 2 unverified, 0 truncated */
static void append_health(struct buffer *out, const struct trace *trace, uint64_t samples) {
    const struct health *health = &trace->health;
    text_append_time(out, health->duration_ns);
    buffer_printf(out, ", ");
    text_append_count(out, samples);
    buffer_printf(out, " samples, %.1f Hz", health_rate_hz(health));
    if (trace->run.interval_ns) {
        double asked_hz = (double)NS_PER_S / (double)trace->run.interval_ns;
        buffer_printf(out, " (%.1f Hz asked for)", asked_hz);
    }
    const struct {
        const char *before;
        uint64_t count;
        const char *after;
    } faults[] = {{"\n", health->lost, " lost"},
                  {", ", health->late, " late"},
                  {", ", health->unverified, " unverified"},
                  {", ", health->truncated, " truncated\n"}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        buffer_printf(out, "%s", faults[i].before);
        text_append_count(out, faults[i].count);
        buffer_printf(out, "%s", faults[i].after);
    }
    append_pauses(out, &trace->pauses);
    buffer_printf(out, "\n");
}

/* The table: a row of `columns` for each column. To add a column, add a row. */

struct table_view {
    const struct trace *trace;
    uint64_t samples;
    uint64_t weight_ns; /* of all threads: 100 % */
    double draws;
};

struct column {
    const char *title;
    bool is_number; /* flush right */
    void (*append)(struct buffer *out, const struct table_view *view,
                   const struct function_total *total);
};

static double share(const struct table_view *view, uint64_t weight_ns) {
    return view->weight_ns > 0 ? (double)weight_ns / (double)view->weight_ns : 0;
}

/* An end of Wilson's interval: the share p nearest to `limit` (0 or 1) that still explains the one
 * observed, that is (observed - p)^2 <= z^2 p (1 - p) / draws. */
static double interval_end(double observed, double draws, double limit) {
    const double z = 1.959964; /* 95 % of the normal distribution is within z */
    double inside = observed;
    double outside = limit;
    for (int halvings = 0; halvings < 40; halvings++) {
        double p = (inside + outside) / 2;
        double distance = observed - p;
        if (distance * distance <= z * z * p * (1 - p) / draws) {
            inside = p;
        } else {
            outside = p;
        }
    }
    return inside;
}

static void append_self_percent(struct buffer *out, const struct table_view *view,
                                const struct function_total *total) {
    buffer_printf(out, "%.2f", share(view, total->self_ns) * 100);
}

static void append_range(struct buffer *out, const struct table_view *view,
                         const struct function_total *total) {
    double self = share(view, total->self_ns);
    double low = interval_end(self, view->draws, 0);
    double high = interval_end(self, view->draws, 1);
    buffer_printf(out, "%.2f-%.2f", low * 100, high * 100);
}

static void append_self_time(struct buffer *out, const struct table_view *view,
                             const struct function_total *total) {
    (void)view;
    text_append_time(out, total->self_ns);
}

static void append_total_percent(struct buffer *out, const struct table_view *view,
                                 const struct function_total *total) {
    buffer_printf(out, "%.2f", share(view, total->total_ns) * 100);
}

static void append_total_time(struct buffer *out, const struct table_view *view,
                              const struct function_total *total) {
    (void)view;
    text_append_time(out, total->total_ns);
}

/* Appends a text, escaped first and then shortened, so that no escape is cut by its being long. */
static void append_limited(struct buffer *out, const struct table_view *view, struct string_id id,
                           size_t columns) {
    struct buffer escaped = {0};
    append_text(&escaped, view->trace, id);
    text_append_shortened(out, escaped.data, columns);
    buffer_deinit(&escaped);
}

static void append_name(struct buffer *out, const struct table_view *view,
                        const struct function_total *total) {
    const struct trace_function *function = trace_function(view->trace, total->function);
    append_limited(out, view, function->name, NAME_COLUMNS_MAX);
}

static void append_place(struct buffer *out, const struct table_view *view,
                         const struct function_total *total) {
    const struct trace_function *function = trace_function(view->trace, total->function);
    if (!function->file.id) {
        return;
    }
    append_limited(out, view, function->file, FILE_COLUMNS_MAX);
    if (function->first_line) {
        buffer_printf(out, ":%" PRIu32, function->first_line);
    }
    if (total->hot_line) {
        buffer_printf(out, " (%" PRIu32 ")", total->hot_line);
    }
}

static const struct column columns[] = {
    {"self %", true, append_self_percent},
    {"95 % range", true, append_range},
    {"self", true, append_self_time},
    {"total %", true, append_total_percent},
    {"total", true, append_total_time},
    {"function", false, append_name},
    {"file:line (hottest)", false, append_place},
};
enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

/* Text of the column in one row; the title when `total` is NULL. */
static void cell_set(struct buffer *cell, const struct column *column,
                     const struct table_view *view, const struct function_total *total) {
    buffer_clear(cell);
    if (total) {
        column->append(cell, view, total);
    } else {
        buffer_printf(cell, "%s", column->title);
    }
    buffer_append(cell, "", 0); /* so that even an empty one has its terminator */
}

static void append_row(struct buffer *out, const struct table_view *view,
                       const struct function_total *total, const size_t *widths) {
    struct buffer cell = {0};
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        bool is_last = c + 1 == COLUMN_COUNT;
        cell_set(&cell, &columns[c], view, total);
        int padding = (int)(widths[c] - text_columns(cell.data));
        buffer_printf(out, "%s%*s%s%*s", c ? "  " : "", columns[c].is_number ? padding : 0, "",
                      cell.data, columns[c].is_number || is_last ? 0 : padding, "");
    }
    buffer_printf(out, "\n");
    buffer_deinit(&cell);
}

static void find_widths(const struct table_view *view, const struct function_total *totals,
                        size_t count, size_t *widths) {
    struct buffer cell = {0};
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        widths[c] = text_columns(columns[c].title);
        for (size_t row = 0; row < count; row++) {
            cell_set(&cell, &columns[c], view, &totals[row]);
            size_t width = text_columns(cell.data);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    buffer_deinit(&cell);
}

static void append_rows(struct buffer *out, const struct table_view *view,
                        struct function_total *totals, size_t count) {
    size_t shown = count < ROWS_MAX ? count : ROWS_MAX;
    size_t widths[COLUMN_COUNT];
    find_widths(view, totals, shown, widths);
    append_row(out, view, NULL, widths);
    for (size_t row = 0; row < shown; row++) {
        append_row(out, view, &totals[row], widths);
    }
    if (shown < count) {
        buffer_printf(out, "... %zu more functions\n", count - shown);
    }
}

/* ---- what threads waited for ---- */

static void append_wait(struct buffer *out, const struct table_view *view, const char *what,
                        uint64_t weight_ns) {
    double percent = share(view, weight_ns) * 100;
    if (percent >= 0.005) {
        buffer_printf(out, "%7.2f  %s\n", percent, what);
    }
}

/* Nothing when nobody waited, or nobody asked. What waits for the GIL is told elsewhere. */
static void append_waits(struct buffer *out, const struct table_view *view) {
    uint64_t left_ns = 0;
    struct buffer rows = {0};
    for (size_t i = 0; i < STATES; i++) {
        left_ns += states[i].bit == STATE_WAITING ? view->trace->state_ns[i] : 0;
        if (states[i].bit >= STATE_SLEEPS) {
            append_wait(&rows, view, states[i].name, view->trace->state_ns[i]);
            left_ns -= view->trace->state_ns[i] < left_ns ? view->trace->state_ns[i] : left_ns;
        }
    }
    append_wait(&rows, view, "waits for the GIL, or for something else", left_ns);
    if (rows.length > 0) {
        buffer_printf(out, "\n wait %%  in the kernel\n%s", rows.data);
    }
    buffer_deinit(&rows);
}

static struct table_view view_of(const struct trace *trace) {
    struct table_view view = {.trace = trace, .draws = trace_draws(trace)};
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        view.samples += tally->samples;
        view.weight_ns += tally->weight_ns;
    }
    return view;
}

/* ---- by process, when there are several ---- */

struct process_total {
    uint32_t pid;
    uint32_t reserved;
    uint64_t samples; /* payload */
    uint64_t weight_ns;
};

static int compare_totals(const void *left, const void *right) {
    const struct process_total *a = left;
    const struct process_total *b = right;
    if (a->weight_ns != b->weight_ns) {
        return a->weight_ns > b->weight_ns ? -1 : 1;
    }
    return (a->pid > b->pid) - (a->pid < b->pid);
}

/* Those with samples, most first. The caller frees. */
static struct process_total *process_totals(const struct trace *trace, size_t *count_out) {
    struct table totals;
    table_init(&totals, sizeof(struct process_total), offsetof(struct process_total, samples));
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        struct process_total key = {.pid = trace_thread(trace, tally->thread)->pid};
        struct process_total *total = table_row(&totals, table_intern(&totals, &key));
        total->samples += tally->samples;
        total->weight_ns += tally->weight_ns;
    }
    struct process_total *sorted = memory_zeroed((size_t)totals.count + 1, sizeof *sorted);
    for (uint32_t i = 1; i <= totals.count; i++) {
        sorted[i - 1] = *(const struct process_total *)table_row(&totals, i);
    }
    *count_out = totals.count;
    qsort(sorted, *count_out, sizeof *sorted, compare_totals);
    table_deinit(&totals);
    return sorted;
}

static void append_process(struct buffer *out, const struct table_view *view,
                           const struct process_total *total) {
    const struct trace_process *process = threads_process(view->trace, total->pid);
    struct buffer samples = {0};
    text_append_count(&samples, total->samples);
    buffer_printf(out, "%7.2f  %9s  %8" PRIu32 "  ", share(view, total->weight_ns) * 100,
                  samples.data, total->pid);
    append_limited(out, view, process ? process->command : view->trace->run.command,
                   COMMAND_COLUMNS_MAX);
    buffer_printf(out, "\n");
    buffer_deinit(&samples);
}

static void append_processes(struct buffer *out, const struct table_view *view) {
    size_t count;
    struct process_total *totals = process_totals(view->trace, &count);
    size_t shown = count < ROWS_MAX ? count : ROWS_MAX;
    if (count > 1) {
        buffer_printf(out, "\ntotal %%    samples       PID  command\n");
        for (size_t row = 0; row < shown; row++) {
            append_process(out, view, &totals[row]);
        }
    }
    if (shown < count) {
        buffer_printf(out, "... %zu more processes\n", count - shown);
    }
    free(totals);
}

static enum status table_write(const struct trace *trace, FILE *out, struct error *error) {
    (void)error;
    struct table_view view = view_of(trace);
    struct function_total *totals;
    size_t count = tree_function_totals(trace, &totals);
    struct buffer text = {0};
    append_run(&text, trace);
    append_health(&text, trace, view.samples);
    waits_append(&text, trace);
    if (count) {
        append_rows(&text, &view, totals, count);
        append_waits(&text, &view);
        append_processes(&text, &view);
        dwells_append(&text, trace);
    } else {
        buffer_printf(&text, "No samples.\n");
    }
    fwrite(text.data, 1, text.length, out);
    buffer_deinit(&text);
    free(totals);
    return STATUS_OK;
}

static const char *const extensions[] = {".txt", NULL};

const struct exporter exporter_table = {
    .name = "table",
    .extensions = extensions,
    .help = "the hottest functions, as plain text",
    .write = table_write,
};
