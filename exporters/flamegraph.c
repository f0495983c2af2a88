/* The interactive flame graph: one HTML file that asks nobody for anything.
 *
 * The page is exporters/page/flamegraph.html with its {{markers}} filled in: style and script from
 * the files beside it, and the profile as JSON, which is written as it is made. In that JSON ids
 * count from 1 as in the trace, and every column of numbers holds the differences from the row
 * before (from 0 in the first): most are then one digit long. What the columns are stands in
 * exporters/page/tree.js, decodeProfile(). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/exporter.h"
#include "exporters/json.h"
#include "profiler/base/text.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/tree.h"

/* The assembler's .incbin is the one way to embed a file that old gcc and clang share. Paths are
 * relative to the root of the tree, where the compiler is started. */
#define EMBED(name, path)                                                                          \
    __asm__(".pushsection .rodata\n"                                                               \
            ".hidden page_" #name "\n"                                                             \
            ".hidden page_" #name "_end\n"                                                         \
            ".global page_" #name "\n"                                                             \
            ".global page_" #name "_end\n"                                                         \
            "page_" #name ":\n"                                                                    \
            ".incbin \"exporters/page/" path "\"\n"                                                \
            "page_" #name "_end:\n"                                                                \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char page_##name[] __attribute__((visibility("hidden")));                         \
    extern const char page_##name##_end[] __attribute__((visibility("hidden")))

EMBED(html, "flamegraph.html");
EMBED(css, "flamegraph.css");
EMBED(tree, "tree.js");
EMBED(names, "names.js");
EMBED(graph, "graph.js");
EMBED(panels, "panels.js");
EMBED(view, "view.js");
EMBED(cards, "cards.js");
EMBED(main, "main.js");

/* Writes page source without what only its authors need: indentation, empty lines and lines that
 * are a // comment. Nothing in the page is written over several lines where that would matter. */
static void write_source(FILE *out, const char *at, const char *end) {
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline + 1 : end;
        at += strspn(at, " ");
        if (at < next && *at != '\n' && strncmp(at, "//", 2) != 0) {
            fwrite(at, 1, (size_t)(next - at), out);
        }
        at = next;
    }
}

/* What must not stand in the data as it is: an HTML parser would see a tag, an old script parser a
 * line end. In JSON it can only be part of a string. */
static const struct escape {
    const char *text;
    const char *json;
} escapes[] = {
    {"<", "\\u003c"},
    {"\xe2\x80\xa8", "\\u2028"},
    {"\xe2\x80\xa9", "\\u2029"},
};

static const struct escape *escape_at(const char *at) {
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (strncmp(at, escapes[i].text, strlen(escapes[i].text)) == 0) {
            return &escapes[i];
        }
    }
    return NULL;
}

static void write_harmless(FILE *out, const char *json) {
    for (const char *at; (at = strpbrk(json, "<\xe2")) != NULL;) {
        const struct escape *escape = escape_at(at);
        const char *next = at + (escape ? strlen(escape->text) : 1);
        fwrite(json, 1, (size_t)((escape ? at : next) - json), out);
        fputs(escape ? escape->json : "", out);
        json = next;
    }
    fputs(json, out);
}

static void write_strings(FILE *out, const struct strings *strings) {
    fputs(",\n\"strings\":[\"\"", out);
    for (uint32_t id = 1; id <= strings->count; id++) {
        cJSON *text = cJSON_CreateStringReference(strings_text(strings, id, NULL));
        char *json = cJSON_PrintUnformatted(text);
        fputs(",\n", out);
        write_harmless(out, json);
        cJSON_free(json);
        cJSON_Delete(text);
    }
    fputs("]", out);
}

/* A number of each row of a table. */
struct column {
    const char *name;
    size_t offset;
    bool is_64_bits;
    const uint32_t *map; /* the id to write for an id; NULL when that is the same */
};

static int64_t column_value(const struct column *column, const void *row) {
    const char *field = (const char *)row + column->offset;
    uint32_t narrow;
    int64_t wide;
    if (column->is_64_bits) {
        memcpy(&wide, field, sizeof wide);
        return wide;
    }
    memcpy(&narrow, field, sizeof narrow);
    return column->map ? column->map[narrow] : narrow;
}

/* Rows with used[id] == 0 are left out; all are written when it is NULL. */
static void write_column(FILE *out, const struct table *rows, const struct column *column,
                         const uint32_t *used) {
    int64_t last = 0;
    const char *comma = "";
    fprintf(out, "\"%s\":[", column->name);
    for (uint32_t id = 1; id <= rows->count; id++) {
        if (used && !used[id]) {
            continue;
        }
        int64_t value = column_value(column, table_row(rows, id));
        fprintf(out, "%s%" PRId64, comma, value - last);
        last = value;
        comma = ",";
    }
    fputs("]", out);
}

static void write_rows(FILE *out, const char *name, const struct table *rows,
                       const struct column *columns, size_t column_count, const uint32_t *used) {
    fprintf(out, ",\n\"%s\":{", name);
    for (size_t i = 0; i < column_count; i++) {
        fputs(i ? ",\n" : "", out);
        write_column(out, rows, &columns[i], used);
    }
    fputs("}", out);
}

#define WRITE_ROWS(out, name, rows, columns, used)                                                 \
    write_rows(out, name, rows, columns, sizeof(columns) / sizeof((columns)[0]), used)

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
    const struct column frame_columns[] = {
        {.name = "function", .offset = offsetof(struct trace_frame, function)},
        {.name = "line", .offset = offsetof(struct trace_frame, line)},
        {.name = "kind", .offset = offsetof(struct trace_frame, kind)},
    };
    const struct column node_columns[] = {
        {.name = "parent", .offset = offsetof(struct tree_node, parent)},
        {.name = "frame", .offset = offsetof(struct tree_node, frame), .map = frames},
    };
    const struct column self_columns[] = {
        {.name = "thread", .offset = offsetof(struct tree_self, thread)},
        {.name = "node", .offset = offsetof(struct tree_self, node)},
        {.name = "samples", .offset = offsetof(struct tree_self, samples), .is_64_bits = true},
        {.name = "weight_ns", .offset = offsetof(struct tree_self, weight_ns), .is_64_bits = true},
    };
    WRITE_ROWS(out, "frames", &trace->frames, frame_columns, frames);
    WRITE_ROWS(out, "nodes", &tree.nodes, node_columns, NULL);
    WRITE_ROWS(out, "selves", &tree.selves, self_columns, NULL);
    free(frames);
    tree_deinit(&tree);
}

/* Texts are ids of strings. */
static cJSON *make_run(const struct trace_run *run) {
    cJSON *object = cJSON_CreateObject();
    json_add_count(object, "pid", run->pid);
    json_add_count(object, "process", run->process_name.id);
    json_add_count(object, "command", run->command.id);
    json_add_count(object, "python", run->python_version.id);
    json_add_count(object, "mode", run->mode.id);
    json_add_count(object, "profiler", run->profiler.id);
    json_add_count(object, "start_ms", run->start_wall_ns / NS_PER_MS);
    json_add_count(object, "interval_ns", run->interval_ns);
    return object;
}

static cJSON *make_health(const struct health *health) {
    cJSON *object = cJSON_CreateObject();
    json_add_count(object, "ticks", health->ticks);
    json_add_count(object, "samples", health->samples);
    json_add_count(object, "lost", health->lost);
    json_add_count(object, "late", health->late);
    json_add_count(object, "unverified", health->unverified);
    json_add_count(object, "truncated", health->truncated);
    json_add_count(object, "empty", health->empty);
    json_add_count(object, "duration_ns", health->duration_ns);
    json_add_count(object, "cpu_ns", health->cpu_ns);
    cJSON_AddNumberToObject(object, "rate_hz", health_rate_hz(health));
    return object;
}

static void write_data(FILE *out, const struct trace *trace) {
    const struct column function_columns[] = {
        {.name = "name", .offset = offsetof(struct trace_function, name)},
        {.name = "file", .offset = offsetof(struct trace_function, file)},
        {.name = "line", .offset = offsetof(struct trace_function, first_line)},
    };
    const struct column thread_columns[] = {
        {.name = "name", .offset = offsetof(struct trace_thread, name)},
        {.name = "tid", .offset = offsetof(struct trace_thread, tid)},
        {.name = "pid", .offset = offsetof(struct trace_thread, pid)},
    };
    cJSON *head = cJSON_CreateObject();
    cJSON_AddItemToObject(head, "run", make_run(&trace->run));
    cJSON_AddItemToObject(head, "health", make_health(&trace->health));
    json_write_open_take(out, head);
    write_strings(out, &trace->strings);
    WRITE_ROWS(out, "functions", &trace->functions, function_columns, NULL);
    WRITE_ROWS(out, "threads", &trace->threads, thread_columns, NULL);
    write_tree(out, trace);
    fputs("}", out);
}

/* "NAME (PID) flame graph" as HTML text. */
static void write_title(FILE *out, const struct trace *trace) {
    struct buffer name = {0};
    const char *process = trace_string(trace, trace->run.process_name);
    text_append_escaped(&name, *process ? process : "?", "");
    for (size_t i = 0; i < name.length; i++) {
        switch (name.data[i]) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        default: fputc(name.data[i], out);
        }
    }
    buffer_deinit(&name);
    fprintf(out, " (%" PRIu32 ") flame graph", trace->run.pid);
}

static void write_css(FILE *out, const struct trace *trace) {
    (void)trace;
    write_source(out, page_css, page_css_end);
}

static void write_js(FILE *out, const struct trace *trace) {
    (void)trace;
    write_source(out, page_tree, page_tree_end);
    write_source(out, page_names, page_names_end);
    write_source(out, page_graph, page_graph_end);
    write_source(out, page_panels, page_panels_end);
    write_source(out, page_view, page_view_end);
    write_source(out, page_cards, page_cards_end);
    write_source(out, page_main, page_main_end);
}

/* What the markers in flamegraph.html stand for. */
static const struct marker {
    const char *text;
    void (*write)(FILE *out, const struct trace *trace);
} markers[] = {
    {"{{title}}", write_title},
    {"{{css}}", write_css},
    {"{{data}}", write_data},
    {"{{js}}", write_js},
};

static const struct marker *marker_at(const char *at) {
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
        if (strncmp(at, markers[i].text, strlen(markers[i].text)) == 0) {
            return &markers[i];
        }
    }
    return NULL;
}

static enum status write_flamegraph(const struct trace *trace, FILE *out, struct error *error) {
    const char *at = page_html;
    json_init();
    for (const char *open; (open = strstr(at, "{{")) != NULL;) {
        const struct marker *marker = marker_at(open);
        if (!marker) {
            return error_set(error, STATUS_INTERNAL, "filling in the page: no such marker: %.12s",
                             open);
        }
        write_source(out, at, open);
        marker->write(out, trace);
        at = open + strlen(marker->text);
    }
    write_source(out, at, page_html_end);
    return STATUS_OK;
}

static const char *const extensions[] = {".html", NULL};

const struct exporter exporter_flamegraph = {
    .name = "flamegraph",
    .extensions = extensions,
    .help = "interactive flame graph, one self-contained HTML page",
    .needs_timeline = false,
    .write = write_flamegraph,
};
