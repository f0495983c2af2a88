#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/dump/show.h"
#include "profiler/dump/source_line.h"

static const struct {
    char letter;
    const char *name;
} states[] = {
    /* Linux fs/proc/array.c, task_state_array. */
    {'R', "running"}, {'S', "sleeping"}, {'D', "waiting for a device"},
    {'I', "idle"},    {'T', "stopped"},  {'t', "held by its tracer"},
    {'Z', "ended"},   {'X', "ended"},
};

const char *show_state(char kernel_state) {
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (states[i].letter == kernel_state) {
            return states[i].name;
        }
    }
    return NULL;
}

static const struct {
    uint32_t bit;
    const char *name;
    const char *without_gil; /* NULL: the same */
} doings[] = {
    {STATE_HAS_GIL, "holds the GIL", "attached"},
    {STATE_WANTS_GIL, "waits for the GIL", NULL},
    {STATE_COLLECTING, "collects garbage", NULL},
    {STATE_EXCEPTION, "handles an exception", NULL},
    {STATE_SLEEPS, "sleeps", NULL},
    {STATE_LOCKED, "waits for a lock", NULL},
    {STATE_POLLS, "polls", NULL},
    {STATE_NETWORK, "waits for the network", NULL},
    {STATE_FILE, "waits for a file", NULL},
    {STATE_CHILD, "waits for a child", NULL},
};

const char *show_doing(const struct dumped_process *process, const struct dumped_thread *dumped,
                       size_t *at) {
    while (*at < sizeof doings / sizeof doings[0]) {
        size_t i = (*at)++;
        if ((dumped->state & doings[i].bit) != 0) {
            bool has_other = !process->has_gil && doings[i].without_gil != NULL;
            return has_other ? doings[i].without_gil : doings[i].name;
        }
    }
    return NULL;
}

/* Text of the target, on one line and without power over the terminal. */
static void append_text(const struct trace *trace, struct string_id id, struct buffer *out) {
    text_append_escaped(out, trace_string(trace, id), "");
}

/* ---- frames ---- */

/* Marks the columns of what runs, as Python's own tracebacks do, unless it is the whole line. */
static void append_carets(const struct source_line *line, struct buffer *out) {
    if (line->mark_columns == 0 || line->mark_columns == text_columns(line->text.data)) {
        return;
    }
    buffer_printf(out, "    %*s", (int)line->mark_at, "");
    for (size_t i = 0; i < line->mark_columns; i++) {
        buffer_append(out, "^", 1);
    }
    buffer_append(out, "\n", 1);
}

static void append_python_frame(const struct trace *trace, const struct trace_frame *frame,
                                struct buffer *out) {
    const struct trace_function *function = trace_function(trace, frame->function);
    struct source_line line;
    bool has_source = source_line_of(trace, frame, &line);
    buffer_printf(out, "  File \"");
    append_text(trace, function->file, out);
    buffer_printf(out, "\", line %u", frame->line);
    if (!has_source && frame->column != 0) {
        buffer_printf(out, ", column %u", frame->column);
    }
    buffer_printf(out, ", in ");
    append_text(trace, function->name, out);
    buffer_printf(out, "\n");
    if (has_source) {
        buffer_printf(out, "    %s\n", line.text.data);
        append_carets(&line, out);
    }
    source_line_free(&line);
}

static void append_frame(const struct trace *trace, struct frame_id id, struct buffer *out) {
    const struct trace_frame *frame = trace_frame(trace, id);
    if (frame->kind == FRAME_PYTHON) {
        append_python_frame(trace, frame, out);
        return;
    }
    buffer_printf(out, "  ");
    append_text(trace, trace_function(trace, frame->function)->name, out);
    buffer_printf(out, "\n");
}

/* ---- values ---- */

static void append_locals(const struct frame_locals *locals, struct buffer *out) {
    for (size_t i = 0; i < locals->count; i++) {
        buffer_printf(out, "      ");
        text_append_escaped(out, locals->all[i].name.data, "");
        buffer_printf(out, " = ");
        text_append_escaped(out, locals->all[i].value.data, "");
        buffer_printf(out, "\n");
    }
    if (locals->is_cut) {
        buffer_printf(out, "      ...\n");
    }
}

static void append_inspected(const struct inspected *inspected, uint32_t at, struct buffer *out) {
    if (at >= inspected->count) {
        return;
    }
    const struct inspected_frame *frame = &inspected->frames[at];
    switch (frame->state) {
    case INSPECTED_EXACT: break;
    case INSPECTED_INEXACT: buffer_printf(out, "      (read while it ran)\n"); break;
    case INSPECTED_UNREADABLE: buffer_printf(out, "      " REPR_UNREADABLE "\n"); break;
    case INSPECTED_GONE: buffer_printf(out, "      <gone>\n"); break;
    }
    append_locals(&frame->locals, out);
}

/* ---- threads ---- */

void show_stack(const struct trace *trace, const struct dumped_thread *dumped, struct buffer *out) {
    uint32_t depth;
    struct stack_id *path = trace_path(trace, dumped->stack, &depth);
    for (uint32_t at = 0; at < depth; at++) {
        struct frame_id id = trace_stack(trace, path[at])->frame;
        append_frame(trace, id, out);
        if (trace_frame(trace, id)->kind == FRAME_PYTHON) {
            append_inspected(&dumped->inspected, at, out);
        }
    }
    free(path);
}

static void append_thread(const struct trace *trace, const struct dumped_process *process,
                          const struct dumped_thread *dumped, struct buffer *out) {
    const struct trace_thread *thread = trace_thread(trace, dumped->thread);
    const char *state = show_state(dumped->kernel_state);
    size_t at = 0;
    buffer_printf(out, "\nThread %u \"", thread->tid);
    append_text(trace, thread->name, out);
    buffer_printf(out, "\"%s%s%s", thread->is_main ? " (main)" : "", state != NULL ? " " : "",
                  state != NULL ? state : "");
    for (const char *doing; (doing = show_doing(process, dumped, &at)) != NULL;) {
        buffer_printf(out, ", %s", doing);
    }
    buffer_printf(out, "%s%s\n", dumped->stack.id == 0 ? " (no Python code)" : "",
                  (dumped->flags & SAMPLE_UNVERIFIED) != 0 ? " (moved while it was read)" : "");
    show_stack(trace, dumped, out);
}

void show_text(const struct trace *trace, const struct dumped_process *dumped, struct buffer *out) {
    buffer_printf(out, "Process %u (", dumped->pid);
    append_text(trace, dumped->command, out);
    buffer_printf(out, "), Python %s\n", trace_string(trace, dumped->python_version));
    for (size_t i = 0; i < dumped->thread_count; i++) {
        append_thread(trace, dumped, &dumped->threads[i], out);
    }
}
