/* The heat map: the source of every file with the samples of its lines, and the bytecode of hot
 * functions with those of its instructions. A page (see page.h) whose own part is in
 * exporters/heatmap/. What the columns of its data are stands in exporters/heatmap/heat.js,
 * decodeHeat(). */
#include <stddef.h>

#include "exporters/exporter.h"
#include "exporters/heat.h"
#include "exporters/page.h"

PAGE_EMBED(heatmap_body, "exporters/heatmap/body.html");
PAGE_EMBED(heatmap_css, "exporters/heatmap/heatmap.css");
PAGE_EMBED(heatmap_heat, "exporters/heatmap/heat.js");
PAGE_EMBED(heatmap_source, "exporters/heatmap/source.js");
PAGE_EMBED(heatmap_panels, "exporters/heatmap/panels.js");
PAGE_EMBED(heatmap_main, "exporters/heatmap/main.js");

#define COUNTS(type)                                                                               \
    {.name = "self", .offset = offsetof(type, count.self), .is_64_bits = true}, {                  \
        .name = "total", .offset = offsetof(type, count.total), .is_64_bits = true                 \
    }

static const struct page_column name_columns[] = {
    {.name = "name", .offset = offsetof(struct trace_function, name)},
    {.name = "file", .offset = offsetof(struct trace_function, file)},
    {.name = "line", .offset = offsetof(struct trace_function, first_line)},
};

static const struct page_column function_columns[] = {
    {.name = "function", .offset = offsetof(struct heat_function, function)},
    COUNTS(struct heat_function),
};

static const struct page_column file_columns[] = {
    {.name = "file", .offset = offsetof(struct heat_file, file)},
    COUNTS(struct heat_file),
};

static const struct page_column line_columns[] = {
    {.name = "file", .offset = offsetof(struct heat_line, file)},
    {.name = "line", .offset = offsetof(struct heat_line, line)},
    {.name = "function", .offset = offsetof(struct heat_line, function)},
    COUNTS(struct heat_line),
};

static const struct page_column call_columns[] = {
    {.name = "caller", .offset = offsetof(struct heat_call, caller)},
    {.name = "callee", .offset = offsetof(struct heat_call, callee)},
    COUNTS(struct heat_call),
};

static const struct page_column code_columns[] = {
    {.name = "function", .offset = offsetof(struct trace_code, function)},
};

static const struct page_column instruction_columns[] = {
    {.name = "code", .offset = offsetof(struct trace_instruction, code)},
    {.name = "offset", .offset = offsetof(struct trace_instruction, offset)},
    {.name = "opcode", .offset = offsetof(struct trace_instruction, opcode)},
    {.name = "base", .offset = offsetof(struct trace_instruction, base)},
    {.name = "argument", .offset = offsetof(struct trace_instruction, argument)},
    {.name = "line", .offset = offsetof(struct trace_instruction, line)},
    {.name = "end_line", .offset = offsetof(struct trace_instruction, end_line)},
    {.name = "column", .offset = offsetof(struct trace_instruction, column)},
    {.name = "end_column", .offset = offsetof(struct trace_instruction, end_column)},
};

static const struct page_column form_columns[] = {
    {.name = "instruction", .offset = offsetof(struct heat_form, instruction)},
    {.name = "opcode", .offset = offsetof(struct heat_form, opcode)},
    {.name = "samples", .offset = offsetof(struct heat_form, samples), .is_64_bits = true},
};

/* The texts, in the order of the table `sources`. */
static void write_sources(FILE *out, const struct trace *trace) {
    static const struct page_column columns[] = {
        {.name = "file", .offset = offsetof(struct trace_source, file)},
    };
    PAGE_WRITE_ROWS(out, "sources", &trace->sources, columns, NULL);
    fputs(",\n\"texts\":[", out);
    for (uint32_t id = 1; id <= trace->sources.count; id++) {
        const struct trace_source *source = table_row(&trace->sources, id);
        fputs(id > 1 ? ",\n" : "", out);
        page_write_text(out, source->text);
    }
    fputs("]", out);
}

static enum status write_data(FILE *out, const struct trace *trace, struct error *error) {
    (void)error;
    struct heat heat;
    heat_init(&heat, trace);
    page_write_head(out, trace);
    PAGE_WRITE_ROWS(out, "names", &trace->functions, name_columns, NULL);
    PAGE_WRITE_ROWS(out, "functions", &heat.functions, function_columns, NULL);
    PAGE_WRITE_ROWS(out, "files", &heat.files, file_columns, NULL);
    PAGE_WRITE_ROWS(out, "lines", &heat.lines, line_columns, NULL);
    PAGE_WRITE_ROWS(out, "calls", &heat.calls, call_columns, NULL);
    PAGE_WRITE_ROWS(out, "codes", &trace->codes, code_columns, NULL);
    PAGE_WRITE_ROWS(out, "instructions", &trace->instructions, instruction_columns, NULL);
    PAGE_WRITE_ROWS(out, "forms", &heat.forms, form_columns, NULL);
    write_sources(out, trace);
    fputs("}", out);
    heat_deinit(&heat);
    return STATUS_OK;
}

static const struct page_file styles[] = {PAGE_FILE(heatmap_css), {0}};

static const struct page_file scripts[] = {
    PAGE_FILE(heatmap_heat),
    PAGE_FILE(heatmap_source),
    PAGE_FILE(heatmap_panels),
    PAGE_FILE(heatmap_main),
    {0},
};

static const struct page page = {
    .title = "heat map",
    .body = PAGE_FILE(heatmap_body),
    .styles = styles,
    .scripts = scripts,
    .write_data = write_data,
};

static enum status write_heatmap(const struct trace *trace, FILE *out, struct error *error) {
    return page_write(&page, trace, out, error);
}

static const char *const extensions[] = {".heatmap.html", NULL};

const struct exporter exporter_heatmap = {
    .name = "heatmap",
    .extensions = extensions,
    .help = "source with the heat of every line, and bytecode with --opcodes; one HTML page",
    .needs_sources = true,
    .write = write_heatmap,
};
