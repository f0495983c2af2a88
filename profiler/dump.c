#define _GNU_SOURCE
#include "profiler/dump.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/session.h"
#include "profiler/signals.h"

enum {
    LOOKS = 100, /* until every stack is whole and stood still; a busy thread may never do so */
};

/* ---- taking ---- */

static bool is_all_verified(const struct dumped_thread *threads, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if ((threads[i].flags & (SAMPLE_UNVERIFIED | SAMPLE_MENDED)) != 0 ||
            threads[i].has_doubts) {
            return false;
        }
    }
    return true;
}

/* One look; replaces what an earlier one gave. */
static enum status look_once(struct session *session, struct roster *roster,
                             struct histogram *pauses, struct dumped_thread **out,
                             size_t *count_out) {
    const struct raw_look *look;
    uint64_t now_ns = clock_monotonic_ns();
    enum status status = session_look(session, pauses, &look);
    if (status == STATUS_OK) {
        status = resolve_check(session->resolve, look, now_ns);
    }
    if (status != STATUS_OK) {
        return status;
    }
    roster_meet(roster, look, now_ns);
    free(*out);
    *out = memory_zeroed(look->thread_count + 1, sizeof **out);
    *count_out = 0;
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        struct member member = roster_member(roster, thread, true);
        if (!member.is_wanted) {
            continue;
        }
        struct resolved resolved = {0};
        if (thread->frame_count > 0 || !thread->is_complete) {
            resolved = resolve_stack(session->resolve, look, thread, now_ns);
            walk_doubt(session->walk, thread->slot, resolved.doubt_depth);
        }
        (*out)[(*count_out)++] = (struct dumped_thread){member.thread, resolved.stack,
                                                        resolved.flags, resolved.has_doubts};
    }
    return STATUS_OK;
}

/* The main thread first, then by thread id. */
static int compare_threads(const void *a, const void *b, void *context) {
    const struct trace_thread *one =
        trace_thread(context, ((const struct dumped_thread *)a)->thread);
    const struct trace_thread *other =
        trace_thread(context, ((const struct dumped_thread *)b)->thread);
    if (one->is_main != other->is_main) {
        return one->is_main ? -1 : 1;
    }
    return one->tid < other->tid ? -1 : one->tid > other->tid;
}

/* A look that was not held is taken again; one that was is final. */
static enum status look_until_verified(struct session *session, struct trace *trace,
                                       const struct thread_filter *filter,
                                       struct dumped_thread **out, size_t *count_out) {
    struct roster *roster = roster_create(session, trace, filter);
    enum status status = STATUS_OK;
    for (int looks = 0; looks < LOOKS && !signals_want_stop(); looks++) {
        status = look_once(session, roster, &trace->pauses, out, count_out);
        bool is_over =
            status == STATUS_OK ? is_all_verified(*out, *count_out) : status != STATUS_NOT_HELD;
        if (is_over) {
            break;
        }
    }
    roster_read_names(roster, clock_monotonic_ns(), true);
    roster_destroy(roster);
    return status;
}

enum status dump_take(const struct process *process, struct trace *trace,
                      const struct thread_filter *filter, bool is_blocking,
                      struct dumped_thread **out, size_t *count_out, struct error *error) {
    struct session session;
    struct stopper stopper = {0};
    *out = NULL;
    *count_out = 0;
    enum status status = session_wait(&session, process, trace, false, 0, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (is_blocking) {
        status = stopper_open(&stopper, process, STOPPER_BOUND_NS, error);
        session_block(&session, &stopper);
    }
    if (status == STATUS_OK) {
        status = look_until_verified(&session, trace, filter, out, count_out);
        if (status != STATUS_OK) {
            error_set(error, status, "looking at the threads of process %d", (int)process->pid);
        }
    }
    stopper_close(&stopper, NULL);
    session_close(&session);
    qsort_r(*out, *count_out, sizeof **out, compare_threads, trace);
    return status;
}

/* ---- showing ---- */

/* Text of the target, on one line and without power over the terminal. */
static void append_text(const struct trace *trace, struct string_id id, struct buffer *out) {
    text_append_escaped(out, trace_string(trace, id), "");
}

static void append_frame(const struct trace *trace, struct frame_id id, struct buffer *out) {
    const struct trace_frame *frame = trace_frame(trace, id);
    const struct trace_function *function = trace_function(trace, frame->function);
    if (frame->kind == FRAME_PYTHON) {
        buffer_printf(out, "  File \"");
        append_text(trace, function->file, out);
        buffer_printf(out, "\", line %u, in ", frame->line);
    } else {
        buffer_printf(out, "  ");
    }
    append_text(trace, function->name, out);
    buffer_printf(out, "\n");
}

/* The stacks from the root to the leaf; the caller frees. */
static struct stack_id *path_of(const struct trace *trace, struct stack_id leaf,
                                uint32_t *depth_out) {
    *depth_out = leaf.id != 0 ? trace_stack(trace, leaf)->depth : 0;
    struct stack_id *path = memory_zeroed(*depth_out + 1, sizeof *path);
    for (uint32_t i = *depth_out; i > 0; i--) {
        path[i - 1] = leaf;
        leaf = trace_stack(trace, leaf)->parent;
    }
    return path;
}

static void append_thread(const struct trace *trace, const struct dumped_thread *dumped,
                          struct buffer *out) {
    const struct trace_thread *thread = trace_thread(trace, dumped->thread);
    uint32_t depth;
    buffer_printf(out, "\nThread %u \"", thread->tid);
    append_text(trace, thread->name, out);
    buffer_printf(out, "\"%s%s%s\n", thread->is_main ? " (main)" : "",
                  dumped->stack.id == 0 ? " (no Python code)" : "",
                  (dumped->flags & SAMPLE_UNVERIFIED) != 0 ? " (moved while it was read)" : "");
    struct stack_id *path = path_of(trace, dumped->stack, &depth);
    for (uint32_t at = 0; at < depth; at++) {
        append_frame(trace, trace_stack(trace, path[at])->frame, out);
    }
    free(path);
}

void dump_print_text(const struct trace *trace, const struct dumped_thread *threads, size_t count,
                     FILE *out) {
    struct buffer text = {0};
    buffer_printf(&text, "Process %u (", trace->run.pid);
    append_text(trace, trace->run.command, &text);
    buffer_printf(&text, "), Python %s\n", trace_string(trace, trace->run.python_version));
    for (size_t i = 0; i < count; i++) {
        append_thread(trace, &threads[i], &text);
    }
    fwrite(text.data, 1, text.length, out);
    buffer_deinit(&text);
}

static cJSON *frame_json(const struct trace *trace, struct frame_id id) {
    const struct trace_frame *frame = trace_frame(trace, id);
    const struct trace_function *function = trace_function(trace, frame->function);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "function", trace_string(trace, function->name));
    cJSON_AddStringToObject(json, "file", trace_string(trace, function->file));
    cJSON_AddNumberToObject(json, "line", frame->line);
    if (frame->column != 0) {
        cJSON_AddNumberToObject(json, "column", frame->column);
    }
    return json;
}

static cJSON *thread_json(const struct trace *trace, const struct dumped_thread *dumped) {
    const struct trace_thread *thread = trace_thread(trace, dumped->thread);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "tid", thread->tid);
    cJSON_AddStringToObject(json, "name", trace_string(trace, thread->name));
    cJSON_AddBoolToObject(json, "main", thread->is_main != 0);
    cJSON_AddBoolToObject(json, "complete", (dumped->flags & SAMPLE_TRUNCATED) == 0);
    cJSON_AddBoolToObject(json, "verified", (dumped->flags & SAMPLE_UNVERIFIED) == 0);
    cJSON *frames = cJSON_AddArrayToObject(json, "frames");
    for (struct stack_id at = dumped->stack; at.id != 0; at = trace_stack(trace, at)->parent) {
        cJSON_AddItemToArray(frames, frame_json(trace, trace_stack(trace, at)->frame));
    }
    return json;
}

void dump_print_json(const struct trace *trace, const struct dumped_thread *threads, size_t count,
                     FILE *out) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "pid", trace->run.pid);
    cJSON_AddStringToObject(json, "process", trace_string(trace, trace->run.process_name));
    cJSON_AddStringToObject(json, "command", trace_string(trace, trace->run.command));
    cJSON_AddStringToObject(json, "python", trace_string(trace, trace->run.python_version));
    cJSON *list = cJSON_AddArrayToObject(json, "threads");
    for (size_t i = 0; i < count; i++) {
        cJSON_AddItemToArray(list, thread_json(trace, &threads[i]));
    }
    char *text = cJSON_PrintUnformatted(json);
    fprintf(out, "%s\n", text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(json);
}
