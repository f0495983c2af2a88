/* speedscope's own file format, its kind "sampled": a profile for each thread, with real times.
 *
 * Every profile starts at the start of the run. The viewer shows each from 0 on, whatever its
 * startValue, so that only then the same instant is at the same place in all of them. Where a
 * thread was not seen (not there yet, or ticks that were dropped) a sample with an empty stack
 * keeps the time; so endValue is always startValue plus the sum of the weights.
 *
 * The viewer takes entries of shared.frames for different functions even when they differ in their
 * line alone. So there is one for each function, with its first line. */
#include <inttypes.h>
#include <stdlib.h>

#include "exporters/exporter.h"
#include "exporters/json.h"
#include "exporters/threads.h"
#include "exporters/tracks.h"
#include "profiler/base/arena.h"

#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

/* "python3 (4242): python3 app.py", which becomes the viewer's title. */
static void add_name(cJSON *file, const struct trace *trace) {
    struct buffer name = {0};
    const char *process = trace_string(trace, trace->run.process_name);
    const char *command = trace_string(trace, trace->run.command);
    buffer_printf(&name, "%s (%" PRIu32 ")", *process ? process : "?", trace->run.pid);
    if (*command) {
        buffer_printf(&name, ": %s", command);
    }
    cJSON_AddStringToObject(file, "name", name.data);
    buffer_deinit(&name);
}

static void write_head(const struct trace *trace, FILE *out) {
    cJSON *file = cJSON_CreateObject();
    cJSON_AddStringToObject(file, "$schema", SCHEMA);
    cJSON_AddStringToObject(file, "exporter", trace_string(trace, trace->run.profiler));
    add_name(file, trace);
    json_add_count(file, "activeProfileIndex", 0);
    json_write_open_take(out, file);
}

/* In the order of ids: the index of a function is its id less 1. */
static void write_functions(const struct trace *trace, FILE *out) {
    for (uint32_t id = 1; id <= trace->functions.count; id++) {
        const struct trace_function *function = trace_function(trace, (struct function_id){id});
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", trace_string(trace, function->name));
        if (function->file.id) {
            cJSON_AddStringToObject(row, "file", trace_string(trace, function->file));
        }
        if (function->first_line) {
            json_add_count(row, "line", function->first_line);
        }
        fputs(id > 1 ? ",\n" : "\n", out);
        json_write_take(out, row);
    }
}

/* A pass over the runs of one track. */
struct pass {
    const struct trace *trace;
    const struct tracks *tracks;
    FILE *out;
    uint64_t end_ns;     /* of the newest run */
    bool is_first;       /* nothing was written yet */
    uint32_t *functions; /* of a stack, leaf first */
    size_t capacity;
};

static void write_separator(struct pass *pass) {
    fputs(pass->is_first ? "\n" : ",\n", pass->out);
    pass->is_first = false;
}

static enum status find_end(void *context, const struct timeline_run *run) {
    struct pass *pass = context;
    pass->end_ns = run->start_ns + run->weight_ns;
    return STATUS_OK;
}

static void write_stack(struct pass *pass, struct stack_id at) {
    size_t depth = 0;
    while (at.id) {
        const struct trace_stack *stack = trace_stack(pass->trace, at);
        pass->functions =
            memory_grow(pass->functions, sizeof *pass->functions, depth + 1, &pass->capacity);
        pass->functions[depth++] = trace_frame(pass->trace, stack->frame)->function.id;
        at = stack->parent;
    }
    write_separator(pass);
    fputc('[', pass->out);
    while (depth > 0) {
        uint32_t index = pass->functions[--depth] - 1;
        fprintf(pass->out, depth ? "%" PRIu32 "," : "%" PRIu32, index);
    }
    fputc(']', pass->out);
}

static void write_weight(struct pass *pass, uint64_t weight_ns) {
    write_separator(pass);
    fprintf(pass->out, "%" PRIu64, weight_ns);
}

/* Both passes must find the same gaps, so that samples and weights stay in step. */
static bool has_gap(const struct pass *pass, const struct timeline_run *run) {
    return run->start_ns > pass->end_ns;
}

/* A visit that cannot write any more ends the pass; the caller finds out why by ferror(). */
static enum status status_of(const struct pass *pass) {
    return ferror(pass->out) ? STATUS_NO_OUTPUT : STATUS_OK;
}

static enum status write_sample(void *context, const struct timeline_run *run) {
    struct pass *pass = context;
    if (has_gap(pass, run)) {
        write_stack(pass, (struct stack_id){0});
    }
    write_stack(pass, run->stack);
    pass->end_ns = run->start_ns + run->weight_ns;
    return status_of(pass);
}

static enum status write_run_weight(void *context, const struct timeline_run *run) {
    struct pass *pass = context;
    if (has_gap(pass, run)) {
        write_weight(pass, run->start_ns - pass->end_ns);
    }
    write_weight(pass, run->weight_ns);
    pass->end_ns = run->start_ns + run->weight_ns;
    return status_of(pass);
}

static void write_profile_head(const struct pass *pass, const struct track *track) {
    struct buffer name = {0};
    threads_append_process(&name, pass->trace, track->thread);
    buffer_append(&name, " ", 1);
    threads_append_thread(&name, pass->trace, track->thread);
    if (!track_is_thread(track)) {
        buffer_append(&name, " ", 1);
        tracks_append_task(pass->tracks, track, &name);
    }
    cJSON *profile = cJSON_CreateObject();
    cJSON_AddStringToObject(profile, "type", "sampled");
    cJSON_AddStringToObject(profile, "name", name.data);
    cJSON_AddStringToObject(profile, "unit", "nanoseconds");
    json_add_count(profile, "startValue", 0);
    json_add_count(profile, "endValue", pass->end_ns);
    json_write_open_take(pass->out, profile);
    buffer_deinit(&name);
}

static enum status each_run(struct pass *pass, const struct track *track, timeline_visit *visit) {
    pass->end_ns = 0;
    pass->is_first = true;
    return tracks_each(pass->tracks, track, visit, pass);
}

static enum status write_profile(struct pass *pass, const struct track *track) {
    enum status status = each_run(pass, track, find_end);
    if (status) {
        return status;
    }
    write_profile_head(pass, track);
    fputs(",\"samples\":[", pass->out);
    status = each_run(pass, track, write_sample);
    if (status) {
        return status;
    }
    fputs("],\"weights\":[", pass->out);
    status = each_run(pass, track, write_run_weight);
    fputs("]}", pass->out);
    return status;
}

static enum status write_profiles(const struct trace *trace, FILE *out) {
    struct tracks tracks;
    struct pass pass = {.trace = trace, .tracks = &tracks, .out = out};
    tracks_init(&tracks, trace);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < tracks.count && !status; i++) {
        fputs(i > 0 ? ",\n" : "\n", out);
        status = write_profile(&pass, &tracks.rows[i]);
    }
    tracks_deinit(&tracks);
    free(pass.functions);
    return status;
}

static enum status speedscope_write(const struct trace *trace, FILE *out, struct error *error) {
    json_init();
    write_head(trace, out);
    fputs(",\"shared\":{\"frames\":[", out);
    write_functions(trace, out);
    fputs("]},\"profiles\":[", out);
    enum status status = write_profiles(trace, out);
    fputs("]}\n", out);
    if (status && !ferror(out)) {
        return error_set(error, status, "the order of samples cannot be read back");
    }
    return STATUS_OK;
}

static const char *const extensions[] = {".speedscope.json", NULL};

const struct exporter exporter_speedscope = {
    .name = "speedscope",
    .extensions = extensions,
    .help = "one profile a thread with real times, for speedscope",
    .needs_timeline = true,
    .write = speedscope_write,
};
