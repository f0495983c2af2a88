/* What changed between two profiles, function by function, as plain text for people.
 *
 * All shares are of the time a profile lasted (profiler/model/compare.h), so 200 % is two threads
 * all the time, and a change is in points of that: "+4.1 ± 0.8" is 4.1 percent of the time more,
 * give or take 0.8. Where the give-or-take is larger than the change, the two profiles cannot be
 * told apart in that function, and it says so. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/exporter.h"
#include "profiler/base/text.h"
#include "profiler/model/compare.h"

#define ROWS_MAX         ((size_t)40)
#define NAME_COLUMNS     ((size_t)40)
#define FILE_COLUMNS_MAX ((size_t)80)

static void append_text(struct buffer *out, const char *text, size_t columns_max) {
    struct buffer escaped = {0};
    text_append_escaped(&escaped, *text ? text : "?", "");
    text_append_shortened(out, escaped.data, columns_max);
    buffer_deinit(&escaped);
}

/* base: python3 (PID 4242): python3 app.py; 10.0 s, 9,987 samples, 3 unverified */
static void append_side(struct buffer *out, const char *side, const struct trace *trace) {
    buffer_printf(out, "%s ", side);
    append_text(out, trace_string(trace, trace->run.process_name), NAME_COLUMNS);
    buffer_printf(out, " (PID %" PRIu32 "): ", trace->run.pid);
    append_text(out, trace_string(trace, trace->run.command), FILE_COLUMNS_MAX);
    buffer_printf(out, "; ");
    text_append_time(out, trace->health.duration_ns);
    buffer_printf(out, ", ");
    text_append_count(out, trace->health.samples);
    buffer_printf(out, " samples, ");
    text_append_count(out, trace->health.unverified);
    buffer_printf(out, " unverified\n");
}

/* What to say of a change. */
static const char *verdict(const struct change *change) {
    if (!change_is_distinct(change)) {
        return "not distinguishable";
    }
    return change_growth(change) > 0 ? "slower" : "faster";
}

static void append_summary(struct buffer *out, const struct comparison *rows, size_t count) {
    size_t slower = 0;
    size_t faster = 0;
    for (size_t i = 0; i < count; i++) {
        if (change_is_distinct(&rows[i].self)) {
            slower += change_growth(&rows[i].self) > 0;
            faster += change_growth(&rows[i].self) < 0;
        }
    }
    buffer_printf(out, "functions: %zu slower, %zu faster, %zu not distinguishable\n\n", slower,
                  faster, count - slower - faster);
}

/* "+4.1 ± 0.8", in points */
static void append_change(struct buffer *out, const struct change *change) {
    buffer_printf(out, "%+8.2f \xc2\xb1 %-6.2f", 100 * change_growth(change),
                  50 * (change->high - change->low));
}

static void append_padded(struct buffer *out, const char *text, size_t columns) {
    struct buffer shown = {0};
    append_text(&shown, text, columns);
    size_t width = text_columns(shown.data);
    buffer_printf(out, "%s%*s", shown.data, (int)(width < columns ? columns - width : 0), "");
    buffer_deinit(&shown);
}

static void append_row(struct buffer *out, const struct trace *fresh,
                       const struct comparison *row) {
    const struct trace *trace = row->fresh.id ? fresh : fresh->base;
    const struct trace_function *function =
        trace_function(trace, row->fresh.id ? row->fresh : row->base);
    buffer_printf(out, "%8.2f %8.2f", 100 * row->self.base, 100 * row->self.fresh);
    append_change(out, &row->self);
    append_change(out, &row->total);
    buffer_printf(out, "  %-19s  ", verdict(&row->self));
    append_padded(out, trace_string(trace, function->name), NAME_COLUMNS);
    if (function->file.id) {
        buffer_printf(out, "  ");
        append_text(out, trace_string(trace, function->file), FILE_COLUMNS_MAX);
        if (function->first_line) {
            buffer_printf(out, ":%" PRIu32, function->first_line);
        }
    }
    buffer_printf(out, "%s\n", !row->base.id ? " (new)" : !row->fresh.id ? " (gone)" : "");
}

static void append_rows(struct buffer *out, const struct trace *trace,
                        const struct comparison *rows, size_t count) {
    size_t shown = count < ROWS_MAX ? count : ROWS_MAX;
    buffer_printf(
        out,
        "  base %%    new %%    self \xc2\xb1 95 %%     total \xc2\xb1 95 %%    %-19s  %-*s  %s\n",
        "self time", (int)NAME_COLUMNS, "function", "file:line");
    for (size_t i = 0; i < shown; i++) {
        append_row(out, trace, &rows[i]);
    }
    if (shown < count) {
        buffer_printf(out, "... %zu more functions\n", count - shown);
    }
}

static enum status diff_write(const struct trace *trace, FILE *out, struct error *error) {
    struct comparison *rows;
    enum status status;
    size_t count = compare_functions(trace->base, trace, &rows, &status);
    if (status) {
        free(rows);
        return error_set(error, status, "the order of samples cannot be read back");
    }
    struct buffer text = {0};
    append_side(&text, "base:", trace->base);
    append_side(&text, "new: ", trace);
    append_summary(&text, rows, count);
    append_rows(&text, trace, rows, count);
    fwrite(text.data, 1, text.length, out);
    buffer_deinit(&text);
    free(rows);
    return STATUS_OK;
}

static const char *const extensions[] = {".diff", NULL};

const struct exporter exporter_diff = {
    .name = "diff",
    .extensions = extensions,
    .help = "which functions changed since a base profile, as plain text",
    .needs_timeline = true,
    .needs_base = true,
    .write = diff_write,
};
