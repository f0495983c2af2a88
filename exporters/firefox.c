/* The Firefox Profiler's own file format ("processed"), version 64: the last before its tables
 * changed shape, so every viewer since reads it, and Perfetto too, which knows it by `meta` being
 * the first member. https://github.com/firefox-devtools/profiler, src/types/profile.ts
 *
 * A row of `samples` is what that viewer takes it for: the stack at one instant, with how much CPU
 * time was used since the row before it. The call tree sums `weight`, which counts samples, so its
 * totals are ours. A run of equal samples becomes a row at its first sample, one at its last, and
 * between them one for each thousandth of the profile, so that a range picked in the viewer holds
 * about its share, and a long wait is not long in the file. Where a thread was not seen (not there
 * yet, or ticks that were dropped) a row without a stack says so.
 *
 * The viewer colours by the category of a frame; a category that comes from what the thread was at
 * (waiting, collecting garbage) is given by a second frame of the same function.
 *
 * No thread is marked as the main thread: the viewer would show the process in its place, and its
 * name would be lost. */
#include "exporters/firefox.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "exporters/category.h"
#include "exporters/exporter.h"
#include "exporters/json.h"
#include "exporters/states.h"
#include "profiler/base/arena.h"

/* ---- tables ---- */

/* A column of a table: what stands in each row, or what stands in all of them. */
struct column {
    const char *name;
    const char *everywhere;
    void (*write)(const struct firefox *writer, uint32_t row);
};

static void write_column(const struct firefox *writer, const struct column *column, uint32_t rows) {
    fprintf(writer->out, ",\n\"%s\":[", column->name);
    for (uint32_t row = 0; row < rows; row++) {
        if (row > 0) {
            fputc(',', writer->out);
        }
        if (column->everywhere) {
            fputs(column->everywhere, writer->out);
        } else {
            column->write(writer, row);
        }
    }
    fputc(']', writer->out);
}

static void write_table(const struct firefox *writer, const char *name,
                        const struct column *columns, uint32_t rows) {
    fprintf(writer->out, ",\n\"%s\":{\"length\":%" PRIu32, name, rows);
    for (; columns->name; columns++) {
        write_column(writer, columns, rows);
    }
    fputc('}', writer->out);
}

static void write_count(const struct firefox *writer, uint64_t count) {
    fprintf(writer->out, "%" PRIu64, count);
}

/* Ids count from 1, the viewer's indexes from 0. */
static void write_index(const struct firefox *writer, uint32_t id) {
    if (id) {
        write_count(writer, id - 1);
    } else {
        fputs("null", writer->out);
    }
}

/* Lines and columns, which count from 1. */
static void write_known(const struct firefox *writer, uint32_t number) {
    write_index(writer, number ? number + 1 : 0);
}

/* ---- what threads share ---- */

static const struct firefox_variant *variant_of(const struct firefox *writer, uint32_t id) {
    return table_row(&writer->variants, id);
}

/* Rows of the stack and frame tables are those of the trace, and after them a row of each for every
 * variant. */
static bool is_variant(uint32_t row, const struct table *table, uint32_t *variant_id) {
    *variant_id = row >= table->count ? row - table->count + 1 : 0;
    return *variant_id;
}

static const struct trace_stack *stack_of(const struct firefox *writer, uint32_t row) {
    uint32_t id;
    bool is_other = is_variant(row, &writer->trace->stacks, &id);
    return trace_stack(writer->trace,
                       (struct stack_id){is_other ? variant_of(writer, id)->stack : row + 1});
}

static void stack_frame(const struct firefox *writer, uint32_t row) {
    uint32_t id;
    if (is_variant(row, &writer->trace->stacks, &id)) {
        write_count(writer, writer->trace->frames.count + id - 1);
    } else {
        write_index(writer, stack_of(writer, row)->frame.id);
    }
}

static void stack_prefix(const struct firefox *writer, uint32_t row) {
    write_index(writer, stack_of(writer, row)->parent.id);
}

static const struct trace_frame *frame_of(const struct firefox *writer, uint32_t row) {
    const struct trace *trace = writer->trace;
    uint32_t id;
    if (is_variant(row, &trace->frames, &id)) {
        struct stack_id stack = {variant_of(writer, id)->stack};
        return trace_frame(trace, trace_stack(trace, stack)->frame);
    }
    return trace_frame(trace, (struct frame_id){row + 1});
}

static void frame_category(const struct firefox *writer, uint32_t row) {
    uint32_t id;
    bool is_other = is_variant(row, &writer->trace->frames, &id);
    write_count(writer, is_other ? variant_of(writer, id)->category
                                 : writer->categories[frame_of(writer, row)->function.id]);
}

static void frame_function(const struct firefox *writer, uint32_t row) {
    write_index(writer, frame_of(writer, row)->function.id);
}

static void frame_line(const struct firefox *writer, uint32_t row) {
    write_known(writer, frame_of(writer, row)->line);
}

static void frame_column(const struct firefox *writer, uint32_t row) {
    write_known(writer, frame_of(writer, row)->column);
}

static const struct trace_function *function_of(const struct firefox *writer, uint32_t row) {
    return trace_function(writer->trace, (struct function_id){row + 1});
}

/* The index of a string is its id, that of the empty one too. */
static void function_name(const struct firefox *writer, uint32_t row) {
    write_count(writer, function_of(writer, row)->name.id);
}

static void function_source(const struct firefox *writer, uint32_t row) {
    write_index(writer, table_find(&writer->sources, &function_of(writer, row)->file));
}

static void function_line(const struct firefox *writer, uint32_t row) {
    write_known(writer, function_of(writer, row)->first_line);
}

static struct string_id source_of(const struct firefox *writer, uint32_t row) {
    return *(const struct string_id *)table_row(&writer->sources, row + 1);
}

static void source_name(const struct firefox *writer, uint32_t row) {
    write_count(writer, source_of(writer, row).id);
}

/* What was captured shows in the viewer by a double click on a function. */
static void source_text(const struct firefox *writer, uint32_t row) {
    const struct trace_source *source = trace_source(writer->trace, source_of(writer, row));
    json_write_take(writer->out,
                    source ? cJSON_CreateStringReference(source->text) : cJSON_CreateNull());
}

/* Functions are not JavaScript's: those could be filtered away as such. */
static const struct column function_columns[] = {
    {"name", NULL, function_name},
    {"isJS", "false", NULL},
    {"relevantForJS", "false", NULL},
    {"resource", "-1", NULL},
    {"source", NULL, function_source},
    {"lineNumber", NULL, function_line},
    {"columnNumber", "null", NULL},
    {"originalLocation", "null", NULL},
    {NULL, NULL, NULL},
};
static const struct column frame_columns[] = {
    {"address", "-1", NULL},
    {"inlineDepth", "0", NULL},
    {"category", NULL, frame_category},
    {"subcategory", "0", NULL},
    {"func", NULL, frame_function},
    {"nativeSymbol", "null", NULL},
    {"innerWindowID", "0", NULL},
    {"line", NULL, frame_line},
    {"column", NULL, frame_column},
    {"originalLocation", "null", NULL},
    {NULL, NULL, NULL},
};
static const struct column stack_columns[] = {
    {"frame", NULL, stack_frame}, {"prefix", NULL, stack_prefix}, {NULL, NULL, NULL}};
static const struct column source_columns[] = {
    {"id", "null", NULL},       {"filename", NULL, source_name}, {"startLine", "1", NULL},
    {"startColumn", "1", NULL}, {"sourceMapURL", "null", NULL},  {"content", NULL, source_text},
    {NULL, NULL, NULL},
};

/* All of the trace's, then the names of the states. */
static void write_strings(const struct firefox *writer) {
    const struct trace *trace = writer->trace;
    fputs("\"stringArray\":[\"\"", writer->out);
    for (uint32_t id = 1; id <= trace->strings.count; id++) {
        fputs(",\n", writer->out);
        const char *text = trace_string(trace, (struct string_id){id});
        json_write_take(writer->out, cJSON_CreateStringReference(text));
    }
    for (size_t i = 0; i < STATES; i++) {
        fprintf(writer->out, ",\n\"%s\"", states[i].name);
    }
    fputc(']', writer->out);
}

static void write_shared(const struct firefox *writer) {
    const struct trace *trace = writer->trace;
    uint32_t variants = writer->variants.count;
    fputs(",\n\"shared\":{", writer->out);
    write_strings(writer);
    write_table(writer, "sources", source_columns, writer->sources.count);
    write_table(writer, "funcTable", function_columns, trace->functions.count);
    write_table(writer, "frameTable", frame_columns, trace->frames.count + variants);
    write_table(writer, "stackTable", stack_columns, trace->stacks.count + variants);
    fputs(",\n\"resourceTable\":{\"length\":0,\"lib\":[],\"name\":[],\"host\":[],\"type\":[]}"
          ",\n\"nativeSymbols\":{\"length\":0,\"libIndex\":[],\"address\":[],\"name\":[],"
          "\"functionSize\":[]}"
          ",\n\"sourceLocationTable\":{\"length\":0,\"source\":[],\"line\":[],\"column\":[]}}",
          writer->out);
}

uint32_t firefox_state_name(const struct firefox *writer, size_t state) {
    return writer->trace->strings.count + 1 + (uint32_t)state;
}

/* ---- the whole ---- */

struct firefox_variant firefox_variant_of(const struct firefox *writer,
                                          const struct timeline_run *run) {
    const struct trace *trace = writer->trace;
    const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, run->stack)->frame);
    uint32_t category = writer->categories[frame->function.id];
    return (struct firefox_variant){run->stack.id,
                                    (uint32_t)category_of_sample(category, run->state)};
}

static enum status survey_run(void *context, const struct timeline_run *run) {
    struct firefox *writer = context;
    const struct trace *trace = writer->trace;
    const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, run->stack)->frame);
    struct firefox_variant variant = firefox_variant_of(writer, run);
    if (variant.category != writer->categories[frame->function.id]) {
        table_intern(&writer->variants, &variant);
    }
    uint64_t end_ns = run->start_ns + run->weight_ns;
    writer->end_ns = end_ns > writer->end_ns ? end_ns : writer->end_ns;
    return STATUS_OK;
}

/* What must be known before the first byte is written. */
static enum status survey(struct firefox *writer) {
    const struct trace *trace = writer->trace;
    writer->categories = memory_zeroed((size_t)trace->functions.count + 1, sizeof(uint32_t));
    for (uint32_t id = 1; id <= trace->functions.count; id++) {
        const struct trace_function *function = trace_function(trace, (struct function_id){id});
        writer->categories[id] = (uint32_t)category_of_function(trace, (struct function_id){id});
        if (function->file.id) {
            table_intern(&writer->sources, &function->file);
        }
    }
    enum status status = STATUS_OK;
    for (size_t i = 0; i < writer->tracks.count && !status; i++) {
        const struct track *track = &writer->tracks.rows[i];
        if (track_is_thread(track)) { /* which has all that its tasks have */
            status = tracks_each(&writer->tracks, track, survey_run, writer);
        }
    }
    return status;
}

static enum status write_all(struct firefox *writer) {
    enum status status = survey(writer);
    if (status) {
        return status;
    }
    fputc('{', writer->out);
    firefox_write_meta(writer);
    fputs(",\n\"libs\":[]", writer->out);
    write_shared(writer);
    fputs(",\n", writer->out);
    status = firefox_write_threads(writer);
    fputs("}\n", writer->out);
    return status;
}

static enum status firefox_write(const struct trace *trace, FILE *out, struct error *error) {
    struct firefox writer = {.trace = trace, .out = out};
    json_init();
    table_init(&writer.variants, sizeof(struct firefox_variant), sizeof(struct firefox_variant));
    table_init(&writer.sources, sizeof(struct string_id), sizeof(struct string_id));
    tracks_init(&writer.tracks, trace);
    enum status status = culprits_find(trace, &writer.culprits);
    status = status ? status : write_all(&writer);
    culprits_free(&writer.culprits);
    tracks_deinit(&writer.tracks);
    free(writer.categories);
    table_deinit(&writer.variants);
    table_deinit(&writer.sources);
    if (status && !ferror(out)) {
        return error_set(error, status, "the order of samples cannot be read back");
    }
    return STATUS_OK;
}

static const char *const aliases[] = {"gecko", NULL};
static const char *const extensions[] = {".firefox.json", ".firefox.json.gz", NULL};

const struct exporter exporter_firefox = {
    .name = "firefox",
    .aliases = aliases,
    .extensions = extensions,
    .help = "threads, states and CPU use over time, for profiler.firefox.com",
    .needs_timeline = true,
    .needs_sources = true,
    .gzips = true,
    .write = firefox_write,
};
