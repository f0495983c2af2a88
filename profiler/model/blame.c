#include "profiler/model/blame.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"
#include "profiler/model/timeline.h"

/* ---- all threads side by side ---- */

struct lane {
    struct thread_ref thread;
    uint32_t pid;
    struct timeline_cursor cursor;
    struct timeline_run run; /* the one that is on, or comes next */
};

struct sweep {
    struct lane *lanes; /* of threads that are not at their end */
    size_t count;
};

static uint64_t end_of(const struct timeline_run *run) {
    return run->start_ns + run->weight_ns;
}

/* Goes on to the first run that ends after `time_ns`; at the end of the thread its lane goes. */
static enum status advance(struct sweep *sweep, size_t at, uint64_t time_ns, bool *is_gone_out) {
    struct lane *lane = &sweep->lanes[at];
    bool has_run = true;
    enum status status = STATUS_OK;
    *is_gone_out = false;
    while (has_run && status == STATUS_OK && end_of(&lane->run) <= time_ns) {
        status = timeline_next(&lane->cursor, &lane->run, &has_run);
    }
    if (!has_run) {
        timeline_cursor_close(&lane->cursor);
        *lane = sweep->lanes[--sweep->count];
        *is_gone_out = true;
    }
    return status;
}

static enum status advance_all(struct sweep *sweep, uint64_t time_ns) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sweep->count && status == STATUS_OK;) {
        bool is_gone;
        status = advance(sweep, i, time_ns, &is_gone);
        i += !is_gone;
    }
    return status;
}

static bool is_in(const struct lane *lane, uint64_t time_ns, uint32_t state) {
    return lane->run.start_ns <= time_ns && (lane->run.state & state) != 0;
}

/* When the first of the runs begins or ends. */
static uint64_t next_change(const struct sweep *sweep, uint64_t time_ns) {
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < sweep->count; i++) {
        const struct timeline_run *run = &sweep->lanes[i].run;
        uint64_t change_ns = run->start_ns > time_ns ? run->start_ns : end_of(run);
        next_ns = change_ns < next_ns ? change_ns : next_ns;
    }
    return next_ns;
}

static const struct lane *holder_for(const struct sweep *sweep, uint64_t time_ns, uint32_t pid) {
    for (size_t i = 0; i < sweep->count; i++) {
        const struct lane *lane = &sweep->lanes[i];
        if (lane->pid == pid && is_in(lane, time_ns, STATE_HAS_GIL)) {
            return lane;
        }
    }
    return NULL;
}

static enum status visit_waiters(const struct sweep *sweep, uint64_t from_ns, uint64_t to_ns,
                                 blame_visit *visit, void *context) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sweep->count && status == STATUS_OK; i++) {
        const struct lane *lane = &sweep->lanes[i];
        if (!is_in(lane, from_ns, STATE_WANTS_GIL)) {
            continue;
        }
        const struct lane *holder = holder_for(sweep, from_ns, lane->pid);
        struct blame blame = {.start_ns = from_ns,
                              .end_ns = to_ns,
                              .waiter = lane->thread,
                              .waiter_stack = lane->run.stack};
        if (holder != NULL) {
            blame.holder = holder->thread;
            blame.holder_stack = holder->run.stack;
        }
        status = visit(context, &blame);
    }
    return status;
}

enum status blame_each(const struct trace *trace, blame_visit *visit, void *context) {
    struct sweep sweep = {memory_zeroed((size_t)trace->threads.count + 1, sizeof *sweep.lanes), 0};
    for (uint32_t id = 1; id <= trace->threads.count; id++) {
        struct thread_ref thread = {id};
        sweep.lanes[sweep.count++] =
            (struct lane){.thread = thread,
                          .pid = trace_thread(trace, thread)->pid,
                          .cursor = timeline_cursor_open(trace->timeline, thread)};
    }
    uint64_t time_ns = 0;
    enum status status = advance_all(&sweep, 0);
    while (status == STATUS_OK && sweep.count > 0) {
        uint64_t next_ns = next_change(&sweep, time_ns);
        status = visit_waiters(&sweep, time_ns, next_ns, visit, context);
        if (status == STATUS_OK) {
            status = advance_all(&sweep, next_ns);
        }
        time_ns = next_ns;
    }
    for (size_t i = 0; i < sweep.count; i++) {
        timeline_cursor_close(&sweep.lanes[i].cursor);
    }
    free(sweep.lanes);
    return status;
}

/* ---- as a profile ---- */

struct retelling {
    const struct trace *all;
    struct trace *out;
    struct stack_id *path; /* of a holder's stack, leaf first */
    size_t path_capacity;
    struct error *error;
};

static struct stack_id root_of(struct trace *out, struct thread_ref holder) {
    struct buffer name = {0};
    if (holder.id != 0) {
        const struct trace_thread *thread = trace_thread(out, holder);
        buffer_printf(&name, "GIL held by %s (%u)", trace_string(out, thread->name), thread->tid);
    } else {
        buffer_printf(&name, "GIL held by nobody seen");
    }
    struct trace_function function = {trace_text(out, name.data, name.length), {0}, 0, false};
    struct trace_frame frame = {.function = trace_intern_function(out, function),
                                .kind = FRAME_HOLDER};
    buffer_deinit(&name);
    return trace_intern_stack(out, (struct stack_id){0}, trace_intern_frame(out, frame));
}

static enum status retell(void *context, const struct blame *blame) {
    struct retelling *retelling = context;
    struct trace *out = retelling->out;
    struct stack_id stack = root_of(out, blame->holder);
    size_t depth = 0;
    for (struct stack_id at = blame->holder_stack; at.id != 0;
         at = trace_stack(retelling->all, at)->parent) {
        retelling->path = memory_grow(retelling->path, sizeof *retelling->path, depth + 1,
                                      &retelling->path_capacity);
        retelling->path[depth++] = at;
    }
    while (depth > 0) {
        stack = trace_intern_stack(out, stack,
                                   trace_stack(retelling->all, retelling->path[--depth])->frame);
    }
    uint64_t weight_ns = blame->end_ns - blame->start_ns;
    uint64_t interval_ns = out->run.interval_ns > 0 ? out->run.interval_ns : 1;
    uint64_t count = (weight_ns + interval_ns / 2) / interval_ns;
    count = count < 1 ? 1 : count < UINT32_MAX ? count : UINT32_MAX;
    struct sample sample = {.time_ns = blame->end_ns,
                            .weight_ns = weight_ns,
                            .thread = blame->waiter,
                            .stack = stack,
                            .state = STATE_WANTS_GIL};
    out->health.samples += count;
    return trace_add_many(out, &sample, (uint32_t)count, retelling->error);
}

enum status blame_apply(const struct trace *all, struct trace *out, struct error *error) {
    static const char mode[] = "gil-blame";
    struct retelling retelling = {.all = all, .out = out, .error = error};
    trace_copy_tables(out, all);
    out->run.mode = trace_text(out, mode, sizeof mode - 1);
    out->health = all->health;
    out->health.samples = 0;
    out->health.unverified = 0;
    out->health.truncated = 0;
    error_set(error, STATUS_NO_OUTPUT, "reading the order of samples back");
    enum status status = blame_each(all, retell, &retelling);
    free(retelling.path);
    return status;
}
