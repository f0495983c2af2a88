/* The interactive flame graph: a page (see page.h) whose own part is in exporters/flamegraph/. What
 * the columns of its data are stands in exporters/flamegraph/tree.js, decodeProfile(). */
#include <stdlib.h>

#include "exporters/exporter.h"
#include "exporters/page.h"
#include "profiler/base/arena.h"
#include "profiler/model/tree.h"

PAGE_EMBED(flamegraph_body, "exporters/flamegraph/body.html");
PAGE_EMBED(flamegraph_css, "exporters/flamegraph/flamegraph.css");
PAGE_EMBED(flamegraph_tree, "exporters/flamegraph/tree.js");
PAGE_EMBED(flamegraph_names, "exporters/flamegraph/names.js");
PAGE_EMBED(flamegraph_graph, "exporters/flamegraph/graph.js");
PAGE_EMBED(flamegraph_panels, "exporters/flamegraph/panels.js");
PAGE_EMBED(flamegraph_view, "exporters/flamegraph/view.js");
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

static void write_tree(FILE *out, const struct trace *trace) {
    struct tree tree;
    tree_init(&tree, trace, GRAIN_LINE);
    uint32_t *frames = number_used_frames(trace, &tree);
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
    PAGE_WRITE_ROWS(out, "nodes", &tree.nodes, node_columns, NULL);
    PAGE_WRITE_ROWS(out, "selves", &tree.selves, self_columns, NULL);
    free(frames);
    tree_deinit(&tree);
}

static void write_data(FILE *out, const struct trace *trace) {
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
    page_write_head(out, trace);
    PAGE_WRITE_ROWS(out, "functions", &trace->functions, function_columns, NULL);
    PAGE_WRITE_ROWS(out, "threads", &trace->threads, thread_columns, NULL);
    write_tree(out, trace);
    fputs("}", out);
}

static const struct page_file styles[] = {PAGE_FILE(flamegraph_css), {0}};

static const struct page_file scripts[] = {
    PAGE_FILE(flamegraph_tree),  PAGE_FILE(flamegraph_names),
    PAGE_FILE(flamegraph_graph), PAGE_FILE(flamegraph_panels),
    PAGE_FILE(flamegraph_view),  PAGE_FILE(flamegraph_cards),
    PAGE_FILE(flamegraph_main),  {0},
};

static const struct page page = {
    .title = "flame graph",
    .body = PAGE_FILE(flamegraph_body),
    .styles = styles,
    .scripts = scripts,
    .write_data = write_data,
};

static enum status write_flamegraph(const struct trace *trace, FILE *out, struct error *error) {
    return page_write(&page, trace, out, error);
}

static const char *const extensions[] = {".html", NULL};

const struct exporter exporter_flamegraph = {
    .name = "flamegraph",
    .extensions = extensions,
    .help = "interactive flame graph, one self-contained HTML page",
    .needs_timeline = false,
    .write = write_flamegraph,
};
