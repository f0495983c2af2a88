/* The interactive flame graph: a page (see page.h) whose own part is in exporters/flamegraph/. What
 * the columns of its data are stands in exporters/flamegraph/tree.js, decodeProfile(). */
#include <inttypes.h>
#include <stdlib.h>

#include "exporters/buckets.h"
#include "exporters/by_process.h"
#include "exporters/excerpt.h"
#include "exporters/exporter.h"
#include "exporters/merge.h"
#include "exporters/page.h"
#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/model/stack_task.h"
#include "profiler/model/tree.h"

PAGE_EMBED(flamegraph_body, "exporters/flamegraph/body.html");
PAGE_EMBED(flamegraph_css, "exporters/flamegraph/flamegraph.css");
PAGE_EMBED(flamegraph_tree, "exporters/flamegraph/tree.js");
PAGE_EMBED(flamegraph_names, "exporters/flamegraph/names.js");
PAGE_EMBED(flamegraph_time, "exporters/flamegraph/time.js");
PAGE_EMBED(flamegraph_chart, "exporters/flamegraph/chart.js");
PAGE_EMBED(flamegraph_filters, "exporters/flamegraph/filters.js");
PAGE_EMBED(flamegraph_graph, "exporters/flamegraph/graph.js");
PAGE_EMBED(flamegraph_panels, "exporters/flamegraph/panels.js");
PAGE_EMBED(flamegraph_heat, "exporters/flamegraph/heat.js");
PAGE_EMBED(flamegraph_view, "exporters/flamegraph/view.js");
PAGE_EMBED(flamegraph_sandwich, "exporters/flamegraph/sandwich.js");
PAGE_EMBED(flamegraph_lane, "exporters/flamegraph/lane.js");
PAGE_EMBED(flamegraph_ranges, "exporters/flamegraph/ranges.js");
PAGE_EMBED(flamegraph_address, "exporters/flamegraph/address.js");
PAGE_EMBED(flamegraph_cards, "exporters/flamegraph/cards.js");
PAGE_EMBED(flamegraph_main, "exporters/flamegraph/main.js");

/* For each frame id its new id, counted without the frames that no node has (0). The caller frees
 * it with free(). */
static uint32_t *number_used_frames(const struct trace *trace, const struct tree *tree) {
    uint32_t *number = memory_zeroed((size_t)trace->frames.count + 1, sizeof *number);
    for (uint32_t id = 1; id <= tree->nodes.count; id++) {
        number[tree_node(tree, id)->frame] = 1;
    }
    uint32_t count = 0;
    for (uint32_t id = 1; id <= trace->frames.count; id++) {
        number[id] = number[id] ? ++count : 0;
    }
    return number;
}

static void write_tree(FILE *out, const struct trace *trace, const struct tree *tree) {
    uint32_t *frames = number_used_frames(trace, tree);
    const struct page_column frame_columns[] = {
        {.name = "function", .offset = offsetof(struct trace_frame, function)},
        {.name = "line", .offset = offsetof(struct trace_frame, line)},
        {.name = "kind", .offset = offsetof(struct trace_frame, kind)},
    };
    const struct page_column node_columns[] = {
        {.name = "parent", .offset = offsetof(struct tree_node, parent)},
        {.name = "frame", .offset = offsetof(struct tree_node, frame), .map = frames},
    };
    const struct page_column self_columns[] = {
        {.name = "thread", .offset = offsetof(struct tree_self, thread)},
        {.name = "node", .offset = offsetof(struct tree_self, node)},
        {.name = "samples", .offset = offsetof(struct tree_self, samples), .is_64_bits = true},
        {.name = "weight_ns", .offset = offsetof(struct tree_self, weight_ns), .is_64_bits = true},
    };
    PAGE_WRITE_ROWS(out, "frames", &trace->frames, frame_columns, frames);
    PAGE_WRITE_ROWS(out, "nodes", &tree->nodes, node_columns, NULL);
    PAGE_WRITE_ROWS(out, "selves", &tree->selves, self_columns, NULL);
    free(frames);
}

/* ---- tasks ---- */

static void write_task_names(FILE *out, const struct trace *trace,
                             const struct stack_tasks *tasks) {
    fputs(",\n\"tasks\":[\"\"", out);
    for (uint32_t id = 1; id <= tasks->rows.count; id++) {
        struct buffer name = {0};
        stack_tasks_append_name(tasks, trace, id, &name);
        fputs(",\n", out);
        page_write_text(out, name.data);
        buffer_deinit(&name);
    }
    fputs("]", out);
}

/* All stacks that are one node are in one task. A column as page.h has it. */
static void write_node_tasks(FILE *out, const struct trace *trace, const struct tree *tree,
                             const struct stack_tasks *tasks) {
    uint32_t *of_node = memory_zeroed((size_t)tree->nodes.count + 1, sizeof *of_node);
    for (uint32_t id = 1; id <= trace->stacks.count; id++) {
        of_node[tree->node_of[id]] = tasks->of_stack[id];
    }
    fputs(",\n\"node_tasks\":[", out);
    of_node[0] = 0; /* what has no samples */
    for (uint32_t id = 1; id <= tree->nodes.count; id++) {
        fprintf(out, id > 1 ? ",%" PRId64 : "%" PRId64, (int64_t)of_node[id] - of_node[id - 1]);
    }
    fputs("]", out);
    free(of_node);
}

/* Nothing where there are none. */
static void write_tasks(FILE *out, const struct trace *trace, const struct tree *tree) {
    struct stack_tasks tasks;
    stack_tasks_init(&tasks, trace);
    if (tasks.rows.count > 0) {
        write_task_names(out, trace, &tasks);
        write_node_tasks(out, trace, tree, &tasks);
    }
    stack_tasks_deinit(&tasks);
}

/* ---- time; what the numbers are stands in exporters/flamegraph/time.js ---- */

struct span_writer {
    FILE *out;
    int64_t interval_ns;
    uint32_t end;  /* of the newest span, in buckets */
    uint32_t node; /* of the newest cell */
    const char *comma;
};

static enum status write_span(void *context, const struct bucket_span *span) {
    struct span_writer *writer = context;
    fprintf(writer->out, "%s%" PRIu32 ",%" PRIu32 ",%zu", writer->comma, span->first - writer->end,
            span->length, span->cell_count);
    writer->comma = ",\n";
    writer->end = span->first + span->length;
    for (size_t i = 0; i < span->cell_count; i++) {
        const struct bucket_cell *cell = &span->cells[i];
        int64_t beyond_ns = (int64_t)(cell->weight_ns - cell->samples * writer->interval_ns);
        fprintf(writer->out, ",%" PRId64 ",%" PRIu64 ",%" PRId64,
                (int64_t)cell->node - writer->node, cell->samples, beyond_ns);
        writer->node = cell->node;
    }
    return ferror(writer->out) ? STATUS_NO_OUTPUT : STATUS_OK;
}

static enum status write_spans(FILE *out, const struct buckets *buckets) {
    const char *open = "";
    enum status status = STATUS_OK;
    fputs("],\n\"spans\":[", out);
    for (uint32_t id = 1; id <= buckets->trace->threads.count && !status; id++) {
        struct span_writer writer = {
            .out = out, .interval_ns = (int64_t)buckets->trace->run.interval_ns, .comma = ""};
        fprintf(out, "%s[", open);
        status = buckets_each(buckets, (struct thread_ref){id}, write_span, &writer);
        fputs("]", out);
        open = ",\n";
    }
    fputs("]}", out);
    return status;
}

static enum status write_buckets(FILE *out, const struct buckets *buckets) {
    fprintf(out,
            ",\n\"timeline\":{\"width_ns\":%" PRIu64 ",\"count\":%" PRIu32 ",\"fold_ns\":%" PRIu64
            ",\"small\":[",
            buckets->width_ns, buckets->count, buckets->fold_ns);
    for (uint32_t i = 0; i < buckets->small_count; i++) {
        uint32_t last = i ? buckets->small_parents[i - 1] : 0;
        fprintf(out, i ? ",%" PRId64 : "%" PRId64, (int64_t)buckets->small_parents[i] - last);
    }
    return write_spans(out, buckets);
}

static enum status write_timeline(FILE *out, const struct trace *trace, const struct tree *tree,
                                  struct error *error) {
    struct buckets buckets;
    enum status status = buckets_init(&buckets, trace, tree);
    if (!status) {
        status = write_buckets(out, &buckets);
    }
    buckets_deinit(&buckets);
    if (status && !ferror(out)) {
        return error_set(error, status, "the order of samples cannot be read back");
    }
    return STATUS_OK;
}

/* ---- source lines ---- */

struct excerpt_writer {
    FILE *out;
    const char *comma;
};

static void write_line(void *context, const struct excerpt_line *line) {
    struct excerpt_writer *writer = context;
    struct buffer text = {0};
    buffer_append(&text, line->text, line->bytes);
    fprintf(writer->out, "%s[%" PRIu32 ",%" PRIu32 ",", writer->comma, line->file.id, line->line);
    page_write_text(writer->out, text.data ? text.data : "");
    fputs("]", writer->out);
    writer->comma = ",\n";
    buffer_deinit(&text);
}

static void write_excerpt(FILE *out, const struct trace *trace) {
    struct excerpt_writer writer = {.out = out, .comma = ""};
    fputs(",\n\"lines\":[", out);
    excerpt_each(trace, write_line, &writer);
    fputs("]", out);
}

/* ---- the whole ---- */

static void write_tables(FILE *out, const struct trace *trace) {
    const struct page_column function_columns[] = {
        {.name = "name", .offset = offsetof(struct trace_function, name)},
        {.name = "file", .offset = offsetof(struct trace_function, file)},
        {.name = "line", .offset = offsetof(struct trace_function, first_line)},
    };
    const struct page_column thread_columns[] = {
        {.name = "name", .offset = offsetof(struct trace_thread, name)},
        {.name = "tid", .offset = offsetof(struct trace_thread, tid)},
        {.name = "pid", .offset = offsetof(struct trace_thread, pid)},
    };
    PAGE_WRITE_ROWS(out, "functions", &trace->functions, function_columns, NULL);
    PAGE_WRITE_ROWS(out, "threads", &trace->threads, thread_columns, NULL);
}

/* What is compared with; its threads come after the `own_threads` of the trace itself. */
static void write_base(FILE *out, const struct trace *base, uint32_t own_threads) {
    fprintf(out,
            ",\n\"base\":{\"threads_after\":%" PRIu32 ",\"pid\":%" PRIu32 ",\"start_ms\":%" PRIu64
            ",\"duration_ns\":%" PRIu64 ",\"process\":",
            own_threads, base->run.pid, base->run.start_wall_ns / NS_PER_MS,
            base->health.duration_ns);
    page_write_text(out, trace_string(base, base->run.process_name));
    fputs("}", out);
}

/* `whole` is `trace`, with its base if it has one; the ids of `trace` are the same in it. */
static enum status write_members(FILE *out, const struct trace *trace, const struct trace *whole,
                                 struct error *error) {
    struct tree tree;
    enum status status = STATUS_OK;
    page_write_head(out, whole);
    write_tables(out, whole);
    tree_init(&tree, whole, GRAIN_LINE);
    write_tree(out, whole, &tree);
    write_tasks(out, whole, &tree);
    write_excerpt(out, whole);
    if (trace->base) {
        write_base(out, trace->base, trace->threads.count);
    }
    if (trace->timeline) {
        status = write_timeline(out, trace, &tree, error);
    }
    tree_deinit(&tree);
    fputs("}", out);
    return status;
}

static enum status write_data(FILE *out, const struct trace *trace, struct error *error) {
    if (!trace->base) {
        return write_members(out, trace, trace, error);
    }
    struct trace both;
    enum status status = merge_base(&both, trace, error);
    if (!status) {
        status = write_members(out, trace, &both, error);
    }
    trace_deinit(&both);
    return status;
}

static const struct page_file styles[] = {PAGE_FILE(flamegraph_css), {0}};

static const struct page_file scripts[] = {
    PAGE_FILE(flamegraph_tree),     PAGE_FILE(flamegraph_time),
    PAGE_FILE(flamegraph_chart),    PAGE_FILE(flamegraph_names),
    PAGE_FILE(flamegraph_graph),    PAGE_FILE(flamegraph_panels),
    PAGE_FILE(flamegraph_heat),     PAGE_FILE(flamegraph_view),
    PAGE_FILE(flamegraph_sandwich), PAGE_FILE(flamegraph_lane),
    PAGE_FILE(flamegraph_ranges),   PAGE_FILE(flamegraph_address),
    PAGE_FILE(flamegraph_cards),    PAGE_FILE(flamegraph_filters),
    PAGE_FILE(flamegraph_main),     {0},
};

static const struct page page = {
    .title = "flame graph",
    .body = PAGE_FILE(flamegraph_body),
    .styles = styles,
    .scripts = scripts,
    .write_data = write_data,
};

static enum status write_page(const struct trace *trace, FILE *out, struct error *error) {
    return page_write(&page, trace, out, error);
}

/* A comparison has no level for the process: other runs have other pids, and nothing would be the
 * same stack as before. */
static enum status write_flamegraph(const struct trace *trace, FILE *out, struct error *error) {
    return trace->base ? write_page(trace, out, error) : by_process(trace, write_page, out, error);
}

static const char *const extensions[] = {".html", NULL};

const struct exporter exporter_flamegraph = {
    .name = "flamegraph",
    .extensions = extensions,
    .help = "interactive flame graph, one self-contained HTML page",
    .needs_timeline = true,
    .needs_sources = true,
    .write = write_flamegraph,
};
