/* JSON lines, for programs: each line is an object, told apart by its "type".
 *
 *   profile   the first line: what was profiled, and how
 *   samples   a thread was seen in one stack, once or for several ticks on end
 *   end       the last line: how good the profile is; a file without it was cut off
 *
 * A line of samples is whole in itself: the thread, the time it stands for, and the stack, root
 * first. Lines come thread by thread, and in a thread in order of time. Times are nanoseconds since
 * the start of the run; "start_wall_ns" in the first line is when that was. What is not known is
 * left out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/exporter.h"
#include "exporters/json.h"
#include "exporters/threads.h"
#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"

/* Raised when what an older reader relies on changes. */
enum { JSONL_VERSION = 1 };

static void write_line(FILE *out, cJSON *line) {
    json_write_take(out, line);
    fputc('\n', out);
}

static void add_text(cJSON *object, const char *name, const struct trace *trace,
                     struct string_id text) {
    if (text.id) {
        cJSON_AddStringToObject(object, name, trace_string(trace, text));
    }
}

static void add_known(cJSON *object, const char *name, uint64_t value) {
    if (value) {
        json_add_count(object, name, value);
    }
}

static void write_profile(const struct trace *trace, FILE *out) {
    const struct trace_run *run = &trace->run;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "type", "profile");
    json_add_count(line, "version", JSONL_VERSION);
    json_add_count(line, "pid", run->pid);
    add_text(line, "process", trace, run->process_name);
    add_text(line, "command", trace, run->command);
    add_text(line, "python", trace, run->python_version);
    add_text(line, "mode", trace, run->mode);
    add_text(line, "profiler", trace, run->profiler);
    add_text(line, "host", trace, run->host);
    json_add_count(line, "start_wall_ns", run->start_wall_ns);
    json_add_count(line, "interval_ns", run->interval_ns);
    write_line(out, line);
}

static void write_end(const struct trace *trace, FILE *out) {
    const struct health *health = &trace->health;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "type", "end");
    json_add_count(line, "ticks", health->ticks);
    json_add_count(line, "samples", health->samples);
    json_add_count(line, "lost", health->lost);
    json_add_count(line, "late", health->late);
    json_add_count(line, "unverified", health->unverified);
    json_add_count(line, "truncated", health->truncated);
    json_add_count(line, "duration_ns", health->duration_ns);
    write_line(out, line);
}

/* ---- frames: each is put into words once ---- */

static const char *const kind_names[] = {
    [FRAME_PYTHON] = NULL, /* what is not said */
    [FRAME_MISSING] = "missing", [FRAME_UNVERIFIED] = "unverified", [FRAME_COLLECTOR] = "collector",
    [FRAME_HOLDER] = "holder",   [FRAME_NATIVE] = "native",         [FRAME_TASK] = "task",
};

static char *frame_text(const struct trace *trace, uint32_t id) {
    const struct trace_frame *frame = trace_frame(trace, (struct frame_id){id});
    const struct trace_function *function = trace_function(trace, frame->function);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "function", trace_string(trace, function->name));
    add_text(object, "file", trace, function->file);
    add_known(object, "line", frame->line);
    add_known(object, "column", frame->column);
    add_known(object, "end_line", frame->end_line);
    add_known(object, "end_column", frame->end_column);
    add_known(object, "first_line", function->first_line);
    if (kind_names[frame->kind]) {
        cJSON_AddStringToObject(object, "kind", kind_names[frame->kind]);
    }
    if (frame->instruction) {
        const struct trace_instruction *at = table_row(&trace->instructions, frame->instruction);
        json_add_count(object, "offset", at->offset);
        add_text(object, "opcode", trace, frame->opcode);
    }
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

/* ---- samples ---- */

static const struct state_name {
    enum sample_state state;
    const char *name;
} state_names[] = {
    {STATE_RUNNING, "running"},     {STATE_RUNNABLE, "runnable"},
    {STATE_WAITING, "waiting"},     {STATE_HAS_GIL, "has_gil"},
    {STATE_WANTS_GIL, "wants_gil"}, {STATE_COLLECTING, "collecting"},
    {STATE_EXCEPTION, "exception"}, {STATE_SLEEPS, "sleeps"},
    {STATE_LOCKED, "locked"},       {STATE_POLLS, "polls"},
    {STATE_NETWORK, "network"},     {STATE_FILE, "file"},
    {STATE_CHILD, "child"},
};

static void write_state(FILE *out, uint32_t state) {
    const char *separator = ",\"state\":[";
    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++) {
        if (state & state_names[i].state) {
            fprintf(out, "%s\"%s\"", separator, state_names[i].name);
            separator = ",";
        }
    }
    fputs(state ? "]" : "", out);
}

struct writer {
    const struct trace *trace;
    FILE *out;
    char **frames;  /* text of each frame id, NULL until it is needed */
    char *thread;   /* the members that all lines of this thread have */
    uint32_t *path; /* frame ids, leaf first */
    size_t path_capacity;
};

static void write_stack(struct writer *writer, struct stack_id at) {
    size_t depth = 0;
    while (at.id) {
        const struct trace_stack *stack = trace_stack(writer->trace, at);
        writer->path =
            memory_grow(writer->path, sizeof *writer->path, depth + 1, &writer->path_capacity);
        writer->path[depth++] = stack->frame.id;
        at = stack->parent;
    }
    fputs(",\"stack\":[", writer->out);
    while (depth > 0) {
        uint32_t frame = writer->path[--depth];
        if (!writer->frames[frame]) {
            writer->frames[frame] = frame_text(writer->trace, frame);
        }
        fputs(writer->frames[frame], writer->out);
        fputs(depth ? "," : "", writer->out);
    }
    fputs("]", writer->out);
}

static enum status write_samples(void *context, const struct timeline_run *run) {
    struct writer *writer = context;
    fprintf(writer->out,
            "{\"type\":\"samples\",%s,\"start_ns\":%" PRIu64 ",\"duration_ns\":%" PRIu64
            ",\"samples\":%" PRIu32,
            writer->thread, run->start_ns, run->weight_ns, run->samples);
    write_state(writer->out, run->state);
    write_stack(writer, run->stack);
    fputs("}\n", writer->out);
    return ferror(writer->out) ? STATUS_NO_OUTPUT : STATUS_OK;
}

/* "pid":1,"tid":2,"thread":"MainThread" */
static char *thread_text(const struct trace *trace, struct thread_ref id) {
    const struct trace_thread *thread = trace_thread(trace, id);
    cJSON *object = cJSON_CreateObject();
    json_add_count(object, "pid", thread->pid);
    json_add_count(object, "tid", thread->tid);
    add_text(object, "thread", trace, thread->name);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    size_t bytes = strlen(text) - 2; /* without its braces */
    memmove(text, text + 1, bytes);
    text[bytes] = '\0';
    return text;
}

static enum status write_threads(struct writer *writer) {
    struct thread_ref *threads;
    size_t count = threads_sorted(writer->trace, &threads);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        writer->thread = thread_text(writer->trace, threads[i]);
        status = timeline_each(writer->trace->timeline, threads[i], write_samples, writer);
        cJSON_free(writer->thread);
    }
    free(threads);
    return status;
}

static enum status jsonl_write(const struct trace *trace, FILE *out, struct error *error) {
    json_init();
    size_t frame_count = (size_t)trace->frames.count + 1;
    struct writer writer = {
        .trace = trace, .out = out, .frames = memory_zeroed(frame_count, sizeof(char *))};
    write_profile(trace, out);
    enum status status = write_threads(&writer);
    write_end(trace, out);
    for (size_t id = 1; id < frame_count; id++) {
        cJSON_free(writer.frames[id]);
    }
    free(writer.frames);
    free(writer.path);
    if (status && !ferror(out)) {
        return error_set(error, status, "the order of samples cannot be read back");
    }
    return STATUS_OK;
}

static const char *const extensions[] = {".jsonl", NULL};

const struct exporter exporter_jsonl = {
    .name = "jsonl",
    .extensions = extensions,
    .help = "one JSON object a line with whole stacks, for programs",
    .needs_timeline = true,
    .write = jsonl_write,
};
