#include <stdlib.h>

#include "profiler/dump/show.h"
#include "profiler/dump/source_line.h"

static void add_text(cJSON *json, const char *name, const struct trace *trace,
                     struct string_id id) {
    cJSON_AddStringToObject(json, name, trace_string(trace, id));
}

static void add_if_known(cJSON *json, const char *name, uint32_t value) {
    if (value != 0) {
        cJSON_AddNumberToObject(json, name, value);
    }
}

static void add_source(cJSON *json, const struct trace *trace, const struct trace_frame *frame) {
    struct source_line line;
    if (source_line_of(trace, frame, &line)) {
        cJSON_AddStringToObject(json, "source", line.text.data);
    }
    source_line_free(&line);
}

static cJSON *frame_json(const struct trace *trace, struct frame_id id) {
    const struct trace_frame *frame = trace_frame(trace, id);
    const struct trace_function *function = trace_function(trace, frame->function);
    cJSON *json = cJSON_CreateObject();
    add_text(json, "function", trace, function->name);
    add_text(json, "file", trace, function->file);
    cJSON_AddNumberToObject(json, "line", frame->line);
    if (frame->kind == FRAME_NATIVE) {
        cJSON_AddBoolToObject(json, "native", true);
    }
    add_if_known(json, "end_line", frame->end_line);
    add_if_known(json, "column", frame->column);
    add_if_known(json, "end_column", frame->end_column);
    add_source(json, trace, frame);
    return json;
}

static const char *state_name(enum inspected_state state) {
    switch (state) {
    case INSPECTED_EXACT: return "exact";
    case INSPECTED_INEXACT: return "inexact";
    case INSPECTED_GONE: return "gone";
    case INSPECTED_UNREADABLE: break;
    }
    return "unreadable";
}

static void add_locals(cJSON *json, const struct inspected_frame *frame) {
    cJSON_AddStringToObject(json, "locals_state", state_name(frame->state));
    cJSON *locals = cJSON_AddArrayToObject(json, "locals");
    for (size_t i = 0; i < frame->locals.count; i++) {
        cJSON *local = cJSON_CreateObject();
        cJSON_AddStringToObject(local, "name", frame->locals.all[i].name.data);
        cJSON_AddStringToObject(local, "value", frame->locals.all[i].value.data);
        cJSON_AddItemToArray(locals, local);
    }
}

/* Leaf first. */
static void add_frames(cJSON *json, const struct trace *trace, const struct dumped_thread *dumped) {
    cJSON *frames = cJSON_AddArrayToObject(json, "frames");
    uint32_t depth;
    struct stack_id *path = trace_path(trace, dumped->stack, &depth);
    for (uint32_t at = depth; at > 0; at--) {
        struct frame_id id = trace_stack(trace, path[at - 1])->frame;
        cJSON *frame = frame_json(trace, id);
        if (at - 1 < dumped->inspected.count && trace_frame(trace, id)->kind == FRAME_PYTHON) {
            add_locals(frame, &dumped->inspected.frames[at - 1]);
        }
        cJSON_AddItemToArray(frames, frame);
    }
    free(path);
}

static void add_doings(cJSON *json, const struct dumped_process *process,
                       const struct dumped_thread *dumped) {
    cJSON *doings = cJSON_AddArrayToObject(json, "doing");
    size_t at = 0;
    for (const char *doing; (doing = show_doing(process, dumped, &at)) != NULL;) {
        cJSON_AddItemToArray(doings, cJSON_CreateString(doing));
    }
}

static cJSON *thread_json(const struct trace *trace, const struct dumped_process *process,
                          const struct dumped_thread *dumped) {
    const struct trace_thread *thread = trace_thread(trace, dumped->thread);
    const char *state = show_state(dumped->kernel_state);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "tid", thread->tid);
    add_text(json, "name", trace, thread->name);
    cJSON_AddBoolToObject(json, "main", thread->is_main != 0);
    if (state != NULL) {
        cJSON_AddStringToObject(json, "state", state);
    }
    add_doings(json, process, dumped);
    cJSON_AddBoolToObject(json, "complete", (dumped->flags & SAMPLE_TRUNCATED) == 0);
    cJSON_AddBoolToObject(json, "verified", (dumped->flags & SAMPLE_UNVERIFIED) == 0);
    add_frames(json, trace, dumped);
    return json;
}

cJSON *show_json(const struct trace *trace, const struct dumped_process *dumped) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "pid", dumped->pid);
    add_text(json, "process", trace, dumped->name);
    add_text(json, "command", trace, dumped->command);
    add_text(json, "python", trace, dumped->python_version);
    cJSON *threads = cJSON_AddArrayToObject(json, "threads");
    for (size_t i = 0; i < dumped->thread_count; i++) {
        cJSON_AddItemToArray(threads, thread_json(trace, dumped, &dumped->threads[i]));
    }
    return json;
}
