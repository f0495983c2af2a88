#include "profiler/outputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "exporters/exporter.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/blame.h"
#include "profiler/output.h"
#include "profiler/recording/reader.h"
#include "profiler/report.h"

struct output_state {
    const struct exporter *exporter;
    struct buffer path;      /* expanded */
    struct writer *writer;   /* while it grows, else NULL */
    bool is_done;            /* it grew, and cannot or need not any more */
    struct outputs *outputs; /* it is one of */
    size_t source_bytes_left;
};

void outputs_init(struct outputs *out, const struct options *options, struct trace *trace) {
    *out = (struct outputs){.options = options, .trace = trace, .sources = {-1, -1, false, 0, 0}};
    out->states = memory_zeroed(options->output_count, sizeof *out->states);
    for (size_t i = 0; i < options->output_count; i++) {
        out->states[i].exporter = options->outputs[i].exporter;
        out->states[i].outputs = out;
    }
}

/* ---- before ---- */

bool outputs_need_timeline(const struct options *options, bool is_live) {
    if (options->fail_above > 0 || options->blames_gil) {
        return true;
    }
    for (size_t i = 0; i < options->output_count; i++) {
        const struct exporter *exporter = options->outputs[i].exporter;
        if (exporter->needs_timeline && !(is_live && exporter->grows)) {
            return true;
        }
    }
    return false;
}

static bool need_sources(const struct outputs *outputs) {
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        if (outputs->states[i].exporter->needs_sources && !outputs->states[i].exporter->grows) {
            return true;
        }
    }
    return false;
}

/* Once, and before hours of sampling. */
static enum status read_base(struct outputs *outputs, struct error *error) {
    struct reading reading = {0};
    if (outputs->options->base_path == NULL || outputs->trace->base != NULL) {
        return STATUS_OK;
    }
    enum status status = trace_init(&outputs->base, true, error);
    if (status == STATUS_OK) {
        status = reader_read_path(outputs->options->base_path, outputs->options->mode,
                                  &outputs->base, &reading, error);
    }
    reading_deinit(&reading);
    outputs->trace->base = &outputs->base;
    return status;
}

enum status outputs_prepare(struct outputs *outputs, int pid, struct error *error) {
    const struct options *options = outputs->options;
    enum status status = read_base(outputs, error);
    if (status == STATUS_OK && options->stats_path != NULL) {
        status = output_check(options->stats_path, error);
    }
    for (size_t i = 0; i < options->output_count && status == STATUS_OK; i++) {
        struct buffer *path = &outputs->states[i].path;
        buffer_clear(path);
        output_expand_path(options->outputs[i].path, pid, clock_wall_ns(), path);
        status = output_check(path->data, error);
    }
    return status;
}

/* ---- what grows ---- */

/* For a writer's thread; each has its own share. */
static bool read_source(void *context, const char *name, struct buffer *out) {
    struct output_state *state = context;
    return sources_read(&state->outputs->sources, name, &state->source_bytes_left, out);
}

void outputs_begin(struct outputs *outputs, const struct process *process) {
    bool has_sources = !outputs->options->no_source;
    if (has_sources) {
        sources_open(&outputs->sources, process);
    }
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        struct output_state *state = &outputs->states[i];
        struct writer_plan plan = {.path = state->path.data,
                                   .trace = outputs->trace,
                                   .source = has_sources ? read_source : NULL,
                                   .source_context = state};
        state->source_bytes_left = SOURCES_BYTES;
        state->writer = state->exporter->grows ? writer_create(&plan) : NULL;
    }
}

static void note_failure(struct outputs *outputs, enum status status, const struct error *error) {
    report_error(error);
    if (outputs->status == STATUS_OK) {
        outputs->status = status;
    }
}

/* The others are still worth the run. */
static void give_up(struct output_state *state, enum status status, const struct error *error) {
    state->is_done = true;
    note_failure(state->outputs, status, error);
}

enum status outputs_push(void *context, const struct sample *sample, struct error *error) {
    struct outputs *outputs = context;
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        struct output_state *state = &outputs->states[i];
        if (state->writer == NULL || state->is_done) {
            continue;
        }
        enum status status = writer_push(state->writer, sample, error);
        if (status != STATUS_OK && outputs->options->output_count == 1) {
            state->is_done = true; /* who called tells of it */
            return status;
        }
        if (status != STATUS_OK) {
            give_up(state, status, error);
        }
    }
    return STATUS_OK;
}

void outputs_tick(void *context, const struct health *health) {
    struct outputs *outputs = context;
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        if (outputs->states[i].writer != NULL) {
            writer_tick(outputs->states[i].writer, health);
        }
    }
}

/* ---- what is written whole ---- */

struct export_job {
    const struct exporter *exporter;
    const char *path;
    const struct trace *trace;
};

static enum status write_export(const void *context, FILE *out, struct error *error) {
    const struct export_job *job = context;
    return exporter_write(job->exporter, job->path, job->trace, out, error);
}

static double seconds(uint64_t duration_ns) {
    return (double)duration_ns / (double)NS_PER_S;
}

/* How long the target was stopped: figures of all pauses, and those buckets that hold any. */
static cJSON *pauses_json(const struct histogram *pauses) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "count", (double)pauses->count);
    cJSON_AddNumberToObject(json, "total_s", seconds(pauses->sum_ns));
    cJSON_AddNumberToObject(json, "median_s", seconds(histogram_quantile_ns(pauses, 0.5)));
    cJSON_AddNumberToObject(json, "p99_s", seconds(histogram_quantile_ns(pauses, 0.99)));
    cJSON_AddNumberToObject(json, "max_s", seconds(pauses->max_ns));
    cJSON *buckets = cJSON_AddArrayToObject(json, "buckets");
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (pauses->buckets[i] > 0) {
            cJSON *bucket = cJSON_CreateObject();
            cJSON_AddNumberToObject(bucket, "from_s", seconds(histogram_bucket_start_ns(i)));
            cJSON_AddNumberToObject(bucket, "to_s", seconds(histogram_bucket_start_ns(i + 1)));
            cJSON_AddNumberToObject(bucket, "count", (double)pauses->buckets[i]);
            cJSON_AddItemToArray(buckets, bucket);
        }
    }
    return json;
}

/* How long tasks waited at each place. */
static cJSON *dwells_json(const struct trace *trace) {
    cJSON *json = cJSON_CreateArray();
    for (uint32_t id = 1; id <= trace->dwells.count; id++) {
        const struct trace_dwell *dwell = table_row(&trace->dwells, id);
        const struct trace_frame *frame = trace_frame(trace, dwell->place);
        const struct trace_function *function = trace_function(trace, frame->function);
        double waits = dwell->waits > 0 ? (double)dwell->waits : 1;
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "function", trace_string(trace, function->name));
        cJSON_AddStringToObject(row, "file", trace_string(trace, function->file));
        cJSON_AddNumberToObject(row, "line", frame->line);
        cJSON_AddNumberToObject(row, "waits", (double)dwell->waits);
        cJSON_AddNumberToObject(row, "going_on", (double)dwell->going_on);
        cJSON_AddNumberToObject(row, "mean_s", seconds(dwell->sum_ns) / waits);
        cJSON_AddNumberToObject(row, "p95_s", seconds(dwell->long_ns));
        cJSON_AddNumberToObject(row, "longest_s", seconds(dwell->longest_ns));
        cJSON_AddNumberToObject(row, "most", dwell->most);
        cJSON_AddItemToArray(json, row);
    }
    return json;
}

static enum status write_stats(const void *context, FILE *out, struct error *error) {
    const struct trace *trace = context;
    const struct health *health = &trace->health;
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"ticks", (double)health->ticks},
        {"samples", (double)health->samples},
        {"rate_hz", health_rate_hz(health)},
        {"requested_hz", 1e9 / (double)trace->run.interval_ns},
        {"lost", (double)health->lost},
        {"late", (double)health->late},
        {"unverified", (double)health->unverified},
        {"truncated", (double)health->truncated},
        {"empty", (double)health->empty},
        {"threads", trace->threads.count},
        {"processes", trace->processes.count},
        {"not_python", (double)health->not_python},
        {"tasks_there", (double)health->tasks_there},
        {"tasks_seen", (double)health->tasks_seen},
        {"duration_s", (double)health->duration_ns / 1e9},
        {"cpu_s", (double)health->cpu_ns / 1e9},
        {"rss_bytes", (double)health->rss_bytes},
        {"read_calls", (double)health->read_calls},
        {"read_bytes", (double)health->read_bytes},
        {"pid", trace->run.pid},
    };
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cJSON_AddNumberToObject(json, rows[i].name, rows[i].value);
    }
    cJSON_AddStringToObject(json, "version", trace_string(trace, trace->run.python_version));
    if (trace->pauses.count > 0) {
        cJSON_AddItemToObject(json, "pauses", pauses_json(&trace->pauses));
    }
    if (trace->dwells.count > 0) {
        cJSON_AddItemToObject(json, "dwells", dwells_json(trace));
    }
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text == NULL) {
        return error_set(error, STATUS_INTERNAL, "printing the statistics");
    }
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    return STATUS_OK;
}

/* Writes one file; a failure is told at once and remembered, and the others are still written. */
static void write_one(struct outputs *outputs, const char *path, output_content *content,
                      const void *context) {
    struct error error = {0};
    enum status status = output_write(path, content, context, &error);
    if (status != STATUS_OK) {
        note_failure(outputs, status, &error);
    }
}

static void write_exports(struct outputs *outputs, const struct trace *trace) {
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        struct output_state *state = &outputs->states[i];
        struct export_job job = {state->exporter, state->path.data, trace};
        if (state->writer == NULL && !state->is_done) {
            write_one(outputs, state->path.data, write_export, &job);
        }
    }
}

/* The waiting for the GIL in the place of all else. */
static void write_blame(struct outputs *outputs) {
    struct trace blamed;
    struct error error = {0};
    enum status status = trace_init(&blamed, true, &error);
    if (status == STATUS_OK) {
        status = blame_apply(outputs->trace, &blamed, &error);
    }
    if (status == STATUS_OK) {
        blamed.base = outputs->trace->base;
        write_exports(outputs, &blamed);
    } else {
        note_failure(outputs, status, &error);
    }
    trace_deinit(&blamed);
}

static void write_whole(struct outputs *outputs) {
    if (need_sources(outputs)) {
        sources_capture(&outputs->sources, outputs->trace);
    }
    if (outputs->options->blames_gil) {
        write_blame(outputs);
    } else {
        write_exports(outputs, outputs->trace);
    }
    if (outputs->options->stats_path != NULL) {
        write_one(outputs, outputs->options->stats_path, write_stats, outputs->trace);
    }
}

void outputs_write_now(void *context) {
    struct outputs *outputs = context;
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        if (outputs->states[i].writer != NULL) {
            writer_flush(outputs->states[i].writer);
        }
    }
    write_whole(outputs);
}

/* Ends what grows. It is done then: write_whole leaves it alone. */
static void end_growth(struct outputs *outputs) {
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        struct output_state *state = &outputs->states[i];
        struct error error = {0};
        if (state->writer == NULL) {
            continue;
        }
        enum status status = writer_close(state->writer, &error);
        if (status != STATUS_OK && !state->is_done) {
            note_failure(outputs, status, &error);
        }
        state->writer = NULL;
        state->is_done = true;
    }
}

void outputs_write_all(struct outputs *outputs) {
    end_growth(outputs);
    write_whole(outputs);
}

void outputs_deinit(struct outputs *outputs) {
    end_growth(outputs);
    for (size_t i = 0; i < outputs->options->output_count; i++) {
        buffer_deinit(&outputs->states[i].path);
    }
    free(outputs->states);
    trace_deinit(&outputs->base);
    sources_close(&outputs->sources);
}
