#include "exporters/by_process.h"

#include <stdlib.h>
#include <string.h>

#include "exporters/threads.h"
#include "profiler/base/arena.h"
#include "profiler/base/table.h"

/* A stack that is in a process. */
struct placed {
    uint32_t pid;
    uint32_t stack;
    uint32_t on_top; /* payload: id of the same on top of the frame of the process */
    uint32_t reserved;
};

struct split {
    const struct trace *from;
    struct trace *into;
    struct table placed;
    struct thread_ref thread; /* whose runs are being copied */
    struct error *error;
};

static bool has_several(const struct trace *trace) {
    uint32_t pid = 0;
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        uint32_t its = trace_thread(trace, tally->thread)->pid;
        if (pid != 0 && its != pid) {
            return true;
        }
        pid = its;
    }
    return false;
}

static struct stack_id root_of(struct split *split, struct thread_ref thread) {
    struct buffer name = {0};
    threads_append_process(&name, split->from, thread);
    struct trace_function function = {.name = trace_text(split->into, name.data, name.length)};
    struct trace_frame frame = {.function = trace_intern_function(split->into, function),
                                .kind = FRAME_PROCESS};
    buffer_deinit(&name);
    return trace_intern_stack(split->into, (struct stack_id){0},
                              trace_intern_frame(split->into, frame));
}

static struct stack_id put_on_top(struct split *split, struct thread_ref thread,
                                  struct stack_id stack) {
    uint32_t depth;
    struct stack_id *path = trace_path(split->from, stack, &depth);
    struct stack_id on_top = root_of(split, thread);
    for (uint32_t i = 0; i < depth; i++) {
        on_top = trace_intern_stack(split->into, on_top, trace_stack(split->from, path[i])->frame);
    }
    free(path);
    return on_top;
}

static struct stack_id place(struct split *split, struct thread_ref thread, struct stack_id stack) {
    struct placed key = {.pid = trace_thread(split->from, thread)->pid, .stack = stack.id};
    struct placed *row = table_row(&split->placed, table_intern(&split->placed, &key));
    if (row->on_top == 0 && stack.id != 0) {
        uint32_t id = put_on_top(split, thread, stack).id;
        row->on_top = id;
    }
    return (struct stack_id){row->on_top};
}

static void copy_tallies(struct split *split) {
    for (uint32_t i = 1; i <= split->from->tallies.count; i++) {
        struct trace_tally tally = *(const struct trace_tally *)table_row(&split->from->tallies, i);
        tally.stack = place(split, tally.thread, tally.stack);
        table_intern(&split->into->tallies, &tally);
    }
}

static enum status copy_run(void *context, const struct timeline_run *run) {
    struct split *split = context;
    struct sample sample = {
        .time_ns = run->start_ns + run->weight_ns,
        .weight_ns = run->told_ns,
        .thread = split->thread,
        .stack = place(split, split->thread, run->stack),
        .state = run->state,
    };
    return timeline_append(split->into->timeline, &sample, run->samples, split->error);
}

static enum status copy_all(struct split *split) {
    enum status status = STATUS_OK;
    trace_copy_tables(split->into, split->from);
    split->into->health = split->from->health;
    split->into->weight_ns_squares = split->from->weight_ns_squares;
    memcpy(split->into->state_ns, split->from->state_ns, sizeof split->into->state_ns);
    copy_tallies(split);
    for (uint32_t id = 1; split->from->timeline && id <= split->from->threads.count && !status;
         id++) {
        split->thread.id = id;
        status = timeline_each(split->from->timeline, split->thread, copy_run, split);
    }
    return status;
}

enum status by_process(const struct trace *trace, by_process_write *write, FILE *out,
                       struct error *error) {
    if (!has_several(trace)) {
        return write(trace, out, error);
    }
    struct trace with_level;
    struct split split = {.from = trace, .into = &with_level, .error = error};
    table_init(&split.placed, sizeof(struct placed), offsetof(struct placed, on_top));
    enum status status = trace_init(&with_level, trace->timeline != NULL, error);
    status = status ? status : copy_all(&split);
    status = status ? status : write(&with_level, out, error);
    trace_deinit(&with_level);
    table_deinit(&split.placed);
    return status;
}
