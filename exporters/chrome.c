/* Chrome's trace event format, for Perfetto (ui.perfetto.dev) and the Performance panel of
 * DevTools: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
 *
 * A function that stays on the stack from one sample to the next is one slice: a complete event
 * ("X"), which is half of what begin and end events would be, and needs no order. Its arguments say
 * how many samples it was in, and in how many of them on top, so that counts can be had from slices
 * exactly; only the outermost slice of a recursion stands for all of it. (The format's own
 * "samples" and "stackFrames" are shown by neither viewer.)
 *
 * Viewers sort slices by start, then by length; what is equal in both stays in the order of the
 * file. So a caller is written before the functions that end with it.
 *
 * Times are microseconds since 1 us before the start of the run, for DevTools leaves out what is at
 * 0. They are cut to eighths, which a double holds exactly: else start plus duration of a function
 * could, after rounding, lie past the end of its caller. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/category.h"
#include "exporters/exporter.h"
#include "exporters/json.h"
#include "exporters/states.h"
#include "exporters/threads.h"
#include "exporters/tracks.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

#define GRAIN_NS  (NS_PER_US / 8)
#define ORIGIN_NS NS_PER_US

/* A function on the stack, since when, and in how many samples. */
struct slice {
    uint32_t function;
    uint64_t start_ns;
    uint64_t samples;
    uint64_t self_samples;
};

struct writer {
    const struct trace *trace;
    FILE *out;
    struct culprits culprits;
    char **heads; /* of functions, by id: the members that are the same in all slices */
    uint32_t pid; /* these two: of the thread at hand */
    uint64_t track;
    uint64_t end_ns;      /* of its newest run */
    struct slice *slices; /* root first */
    size_t depth;
    size_t slice_capacity;
    uint32_t *path; /* functions of the stack at hand, leaf first */
    size_t path_capacity;
};

static uint64_t cut(uint64_t time_ns) {
    return time_ns / GRAIN_NS * GRAIN_NS;
}

static void write_us(FILE *out, uint64_t time_ns) {
    fprintf(out, "%" PRIu64, time_ns / NS_PER_US);
    if (time_ns % NS_PER_US) {
        fprintf(out, ".%03" PRIu64, time_ns % NS_PER_US);
    }
}

static void write_begin(const struct writer *writer, uint64_t time_ns) {
    fprintf(writer->out, ",\n{\"pid\":%" PRIu32 ",\"tid\":%" PRIu64 ",\"ts\":", writer->pid,
            writer->track);
    write_us(writer->out, cut(time_ns) + ORIGIN_NS);
}

/* ---- slices ---- */

static char *function_head(const struct trace *trace, struct function_id id) {
    const struct trace_function *function = trace_function(trace, id);
    const char *file = trace_string(trace, function->file);
    cJSON *head = cJSON_CreateObject();
    cJSON_AddStringToObject(head, "name", trace_string(trace, function->name));
    cJSON_AddStringToObject(head, "cat", categories[category_of_function(trace, id)].name);
    cJSON *args = cJSON_AddObjectToObject(head, "args");
    cJSON_AddStringToObject(args, "file", file);
    if (function->first_line) {
        json_add_count(args, "line", function->first_line);
    }
    char *text = json_text_open_take(head);
    text[strlen(text) - 1] = '\0'; /* the arguments stay open too */
    return text;
}

static void write_slice(const struct writer *writer, const struct slice *slice) {
    write_begin(writer, slice->start_ns);
    fputs(",\"ph\":\"X\",\"dur\":", writer->out);
    write_us(writer->out, cut(writer->end_ns) - cut(slice->start_ns));
    fprintf(writer->out, ",%s,\"samples\":%" PRIu64 ",\"self\":%" PRIu64 "}}",
            writer->heads[slice->function] + 1, slice->samples, slice->self_samples);
}

/* Ends what is deeper than `depth`, callers first. */
static void end_slices(struct writer *writer, size_t depth) {
    for (size_t i = depth; i < writer->depth; i++) {
        write_slice(writer, &writer->slices[i]);
    }
    writer->depth = depth;
}

/* Fills `path`; returns its length. */
static size_t find_path(struct writer *writer, struct stack_id at) {
    size_t depth = 0;
    while (at.id) {
        const struct trace_stack *stack = trace_stack(writer->trace, at);
        writer->path =
            memory_grow(writer->path, sizeof *writer->path, depth + 1, &writer->path_capacity);
        writer->path[depth++] = trace_frame(writer->trace, stack->frame)->function.id;
        at = stack->parent;
    }
    return depth;
}

/* How many slices, from the root on, stay open on the way to a path. */
static size_t shared_depth(const struct writer *writer, size_t path_depth) {
    size_t depth = 0;
    while (depth < writer->depth && depth < path_depth &&
           writer->slices[depth].function == writer->path[path_depth - 1 - depth]) {
        depth++;
    }
    return depth;
}

static void begin_slices(struct writer *writer, size_t path_depth, uint64_t start_ns) {
    writer->slices =
        memory_grow(writer->slices, sizeof *writer->slices, path_depth, &writer->slice_capacity);
    for (; writer->depth < path_depth; writer->depth++) {
        uint32_t function = writer->path[path_depth - 1 - writer->depth];
        writer->slices[writer->depth] = (struct slice){.function = function, .start_ns = start_ns};
    }
}

static enum status add_run(void *context, const struct timeline_run *run) {
    struct writer *writer = context;
    size_t path_depth = find_path(writer, run->stack);
    bool has_gap = run->start_ns > writer->end_ns;
    end_slices(writer, has_gap ? 0 : shared_depth(writer, path_depth));
    begin_slices(writer, path_depth, run->start_ns);
    for (size_t i = 0; i < path_depth; i++) {
        writer->slices[i].samples += run->samples;
    }
    writer->slices[path_depth - 1].self_samples += run->samples;
    writer->end_ns = run->start_ns + run->weight_ns;
    return ferror(writer->out) ? STATUS_NO_OUTPUT : STATUS_OK;
}

/* ---- states ---- */

static void write_culprit(const struct writer *writer, const struct culprit *culprit) {
    struct buffer text = {0};
    culprit_append_holder(writer->trace, culprit, &text);
    fputs(",\"held by\":", writer->out);
    json_write_take(writer->out, cJSON_CreateString(text.data));
    text.length = 0;
    culprit_append_place(writer->trace, culprit, &text);
    fputs(",\"in\":", writer->out);
    json_write_take(writer->out, cJSON_CreateString(text.data));
    buffer_deinit(&text);
}

/* One end of a state: not among the thread's slices, which it could overlap, but on a track of its
 * own, which category, id and name make. */
static void write_state_end(const struct writer *writer, char phase, uint64_t time_ns,
                            const struct state_interval *interval) {
    write_begin(writer, time_ns);
    fprintf(writer->out,
            ",\"ph\":\"%c\",\"cat\":\"state\",\"id\":\"%" PRIu64 ".%zu\""
            ",\"name\":\"%" PRIu64 " %s\",\"args\":{\"samples\":%" PRIu64,
            phase, writer->track, interval->state, writer->track, states[interval->state].name,
            interval->samples);
    if (interval->culprit != NULL) {
        write_culprit(writer, interval->culprit);
    }
    fputs("}}", writer->out);
}

static enum status write_state(void *context, const struct state_interval *interval) {
    const struct writer *writer = context;
    write_state_end(writer, 'b', interval->start_ns, interval);
    write_state_end(writer, 'e', interval->end_ns, interval);
    return ferror(writer->out) ? STATUS_NO_OUTPUT : STATUS_OK;
}

/* ---- tracks ---- */

/* What the viewers call a process or thread, or where they put it. */
static void write_fact(const struct writer *writer, const char *fact, const char *name,
                       cJSON *value) {
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "ph", "M");
    json_add_count(event, "pid", writer->pid);
    json_add_count(event, "tid", writer->track);
    cJSON_AddStringToObject(event, "name", fact);
    cJSON_AddItemToObject(cJSON_AddObjectToObject(event, "args"), name, value);
    json_write_take(writer->out, event);
}

static cJSON *name_json(const struct trace *trace, struct string_id name) {
    const char *text = trace_string(trace, name);
    return cJSON_CreateString(*text ? text : "?");
}

static void write_names(const struct writer *writer, const struct tracks *tracks, size_t place) {
    const struct trace *trace = writer->trace;
    const struct track *track = &tracks->rows[place];
    struct buffer name = {0};
    tracks_append_name(tracks, track, &name);
    fputs(",\n", writer->out);
    write_fact(writer, "process_name", "name",
               name_json(trace, threads_process_name(trace, track->thread)));
    fputs(",\n", writer->out);
    write_fact(writer, "thread_name", "name", cJSON_CreateString(name.data));
    fputs(",\n", writer->out);
    write_fact(writer, "thread_sort_index", "sort_index", cJSON_CreateNumber((double)place));
    buffer_deinit(&name);
}

/* The states of a task are among those of its thread. */
static enum status write_track(struct writer *writer, const struct tracks *tracks,
                               const struct track *track) {
    writer->end_ns = 0;
    enum status status = tracks_each(tracks, track, add_run, writer);
    end_slices(writer, 0);
    if (status || !track_is_thread(track)) {
        return status;
    }
    return states_each(writer->trace, &writer->culprits, track->thread, write_state, writer);
}

static enum status write_tracks(struct writer *writer) {
    enum status status = STATUS_OK;
    struct tracks tracks;
    tracks_init(&tracks, writer->trace);
    for (size_t i = 0; i < tracks.count && !status; i++) {
        writer->pid = trace_thread(writer->trace, tracks.rows[i].thread)->pid;
        writer->track = tracks.rows[i].id;
        write_names(writer, &tracks, i);
        status = write_track(writer, &tracks, &tracks.rows[i]);
    }
    tracks_deinit(&tracks);
    return status;
}

/* ---- the whole ---- */

/* Perfetto shows it, under "Info and stats". */
static void write_metadata(const struct trace *trace, FILE *out) {
    const struct trace_run *run = &trace->run;
    const struct health *health = &trace->health;
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"pid", run->pid},
                  {"start_wall_ns", run->start_wall_ns},
                  {"interval_ns", run->interval_ns},
                  {"samples", health->samples},
                  {"lost", health->lost},
                  {"late", health->late},
                  {"unverified", health->unverified},
                  {"truncated", health->truncated}};
    cJSON *metadata = cJSON_CreateObject();
    cJSON_AddStringToObject(metadata, "profiler", trace_string(trace, run->profiler));
    cJSON_AddStringToObject(metadata, "command", trace_string(trace, run->command));
    cJSON_AddStringToObject(metadata, "python", trace_string(trace, run->python_version));
    cJSON_AddStringToObject(metadata, "mode", trace_string(trace, run->mode));
    cJSON_AddStringToObject(metadata, "machine", trace_string(trace, run->host));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        json_add_count(metadata, counts[i].name, counts[i].count);
    }
    json_write_take(out, metadata);
}

static void writer_init(struct writer *writer, const struct trace *trace, FILE *out) {
    uint32_t functions = trace->functions.count;
    *writer = (struct writer){.trace = trace, .out = out, .pid = trace->run.pid};
    writer->track = trace->run.pid;
    writer->heads = memory_zeroed((size_t)functions + 1, sizeof *writer->heads);
    for (uint32_t id = 1; id <= functions; id++) {
        writer->heads[id] = function_head(trace, (struct function_id){id});
    }
}

static void writer_deinit(struct writer *writer) {
    for (uint32_t id = 1; id <= writer->trace->functions.count; id++) {
        free(writer->heads[id]);
    }
    free(writer->heads);
    culprits_free(&writer->culprits);
    free(writer->slices);
    free(writer->path);
}

static enum status chrome_write(const struct trace *trace, FILE *out, struct error *error) {
    struct writer writer;
    json_init();
    writer_init(&writer, trace, out);
    fputs("{\"traceEvents\":[\n", out);
    write_fact(&writer, "process_name", "name", name_json(trace, trace->run.process_name));
    enum status status = culprits_find(trace, &writer.culprits);
    status = status ? status : write_tracks(&writer);
    fputs("],\n\"displayTimeUnit\":\"ms\",\"metadata\":", out);
    write_metadata(trace, out);
    fputs("}\n", out);
    writer_deinit(&writer);
    if (status && !ferror(out)) {
        return error_set(error, status, "the order of samples cannot be read back");
    }
    return STATUS_OK;
}

static const char *const extensions[] = {".trace.json", ".trace.json.gz", NULL};

const struct exporter exporter_chrome = {
    .name = "chrome",
    .extensions = extensions,
    .help = "a slice for each call seen, for Perfetto and Chrome's DevTools",
    .needs_timeline = true,
    .gzips = true,
    .write = chrome_write,
};
