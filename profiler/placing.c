#include "profiler/placing.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/running.h"

enum {
    WAITERS_LIMIT = 256, /* tasks that wait for one another, from one to the last */
};

/* What a function of the standard library means for who looks for the loop. */
enum role {
    ROLE_UNKNOWN,
    ROLE_NONE,
    ROLE_TURN,   /* turns asyncio's loop, once or until its end */
    ROLE_HANDLE, /* calls a callback, or goes on with a task */
    ROLE_SELECT, /* waits for the next event */
    ROLE_RUNNER, /* runs a loop; the newest of these where that loop is made in C */
    ROLE_TASK,   /* of Lib/asyncio/tasks.py: goes on with a task made in Python */
};

/* Lib/asyncio/base_events.py, events.py, runners.py, tasks.py and Lib/selectors.py, 3.8 to 3.15.
 */
static const struct {
    const char *file; /* how it ends */
    const char *name; /* without that of the class */
    enum role role;
} roles[] = {
    {"/asyncio/base_events.py", "_run_once", ROLE_TURN},
    {"/asyncio/base_events.py", "run_forever", ROLE_TURN},
    {"/asyncio/base_events.py", "run_until_complete", ROLE_TURN},
    {"/asyncio/events.py", "_run", ROLE_HANDLE},
    {"/selectors.py", "select", ROLE_SELECT},
    {"/asyncio/runners.py", "run", ROLE_RUNNER},
    {"/asyncio/tasks.py", "__step", ROLE_TASK},
    {"/asyncio/tasks.py", "__wakeup", ROLE_TASK},
    {"/asyncio/tasks.py", "__step_run_and_handle_result", ROLE_TASK},
};

struct placing {
    struct session *session;
    struct trace *trace;
    const struct task_look *look; /* of the task that is placed */
    uint8_t *roles;               /* by function id: enum role */
    size_t role_count;
    size_t role_capacity;
};

/* ---- roles ---- */

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static enum role role_of_function(const struct trace *trace, struct function_id id) {
    const struct trace_function *function = trace_function(trace, id);
    const char *name = trace_string(trace, function->name);
    const char *dot = strrchr(name, '.');
    name = dot != NULL ? dot + 1 : name;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(name, roles[i].name) == 0 &&
            ends_with(trace_string(trace, function->file), roles[i].file)) {
            return roles[i].role;
        }
    }
    return ROLE_NONE;
}

static enum role role_of(struct placing *placing, const struct raw_frame *frame, uint64_t now_ns) {
    struct function_id function = resolve_function(placing->session->resolve, frame->code, now_ns);
    if (function.id >= placing->role_capacity) {
        placing->roles = memory_grow(placing->roles, 1, function.id + 1, &placing->role_capacity);
    }
    for (; placing->role_count <= function.id; placing->role_count++) {
        placing->roles[placing->role_count] = ROLE_UNKNOWN;
    }
    uint8_t *role = &placing->roles[function.id];
    if (*role == ROLE_UNKNOWN) {
        *role = function.id == 0 ? ROLE_NONE : (uint8_t)role_of_function(placing->trace, function);
    }
    return (enum role) * role;
}

/* ---- what things stand on ---- */

static struct stack_id put_marker(struct placing *placing, struct stack_id base, const char *name,
                                  size_t length) {
    struct trace *trace = placing->trace;
    struct trace_function function = {.name = trace_text(trace, name, length)};
    struct trace_frame frame = {.function = trace_intern_function(trace, function),
                                .kind = FRAME_TASK};
    return trace_intern_stack(trace, base, trace_intern_frame(trace, frame));
}

static struct stack_id put_text(struct placing *placing, struct stack_id base, const char *name) {
    return put_marker(placing, base, name, strlen(name));
}

/* "Task-17": a name that nobody chose, another one for every task. */
static bool is_numbered(const char *name, size_t length) {
    static const char prefix[] = "Task-";
    size_t at = sizeof prefix - 1;
    if (length <= at || memcmp(name, prefix, at) != 0) {
        return false;
    }
    while (at < length && name[at] >= '0' && name[at] <= '9') {
        at++;
    }
    return at == length;
}

/* Tasks that have no name of their own are one: what tells them apart is their coroutine. */
static struct stack_id put_task(struct placing *placing, struct stack_id base,
                                const struct raw_task *task) {
    const struct task_look *look = placing->look;
    const char *name = task_name(look, task);
    if (task->is_greenlet) {
        return put_text(placing, base, "<greenlet>");
    }
    if (is_numbered(name, task->name_length)) {
        return put_text(placing, base, "<task>");
    }
    struct buffer text = {0};
    buffer_printf(&text, "<task ");
    buffer_append(&text, name, task->name_length);
    buffer_printf(&text, ">");
    struct stack_id stack = put_marker(placing, base, text.data, text.length);
    buffer_deinit(&text);
    return stack;
}

/* Of several tasks that wait for it the one that has waited longest, as far as their order tells;
 * NULL if there is none. */
static const struct raw_task *first_waiter(const struct task_look *look,
                                           const struct raw_task *task) {
    const struct raw_task *found = NULL;
    for (size_t i = 0; i < task->parent_count && found == NULL; i++) {
        found = task_find(look, look->parents[task->first_parent + i]);
    }
    return found;
}

/* The stack of those that wait for the task, from the first that nobody waits for. */
static struct stack_id put_waiters(struct placing *placing, const struct raw_task *task,
                                   uint64_t now_ns) {
    const struct task_look *look = placing->look;
    const struct raw_task *path[WAITERS_LIMIT];
    size_t count = 0;
    struct stack_id stack = {0};
    for (const struct raw_task *at = first_waiter(look, task);
         at != NULL && at != task && count < WAITERS_LIMIT; at = first_waiter(look, at)) {
        path[count++] = at;
    }
    /* A circle further up fills the path: then nobody of it is the first. */
    count = count == WAITERS_LIMIT ? 1 : count;
    for (size_t i = count; i > 0; i--) {
        const struct raw_task *waiter = path[i - 1];
        stack = put_task(placing, stack, waiter);
        stack = resolve_awaits(placing->session->resolve, look->frames + waiter->first_frame,
                               waiter->frame_count, stack, now_ns)
                    .stack;
    }
    return stack;
}

/* ---- what a loop does without a task ---- */

/* The newest frames of a thread down to the loop that it runs; counted from the leaf. */
struct loop_frames {
    size_t turn;   /* the loop's own frame; frame_count if it runs none */
    size_t handle; /* the frame that what is called back was called from; `turn` if nothing was */
    bool is_selecting;
    bool is_foreign; /* the loop is made in C: `turn` is what started it */
};

static struct loop_frames find_loop(struct placing *placing, const struct raw_look *look,
                                    const struct raw_thread *raw, uint64_t now_ns) {
    const struct raw_frame *frames = look->frames + raw->first_frame;
    struct loop_frames found = {raw->frame_count, raw->frame_count, false, false};
    size_t handle = raw->frame_count;
    for (size_t i = 0; i < raw->frame_count; i++) {
        enum role role = role_of(placing, &frames[i], now_ns);
        found.is_selecting = found.is_selecting || (role == ROLE_SELECT && i == 0);
        handle = role == ROLE_HANDLE && handle == raw->frame_count ? i : handle;
        if (role == ROLE_TURN || role == ROLE_RUNNER) {
            found.turn = i;
            found.is_foreign = role == ROLE_RUNNER;
            found.handle = found.is_foreign || handle > i ? i : handle;
            break;
        }
    }
    return found;
}

/* Index of the coroutine of a task that could not be told, the oldest one that was called from the
 * loop; `limit` if it is no task that was called. */
static size_t find_unknown_task(struct placing *placing, const struct raw_look *look,
                                const struct raw_thread *raw, size_t limit, uint64_t now_ns) {
    const struct raw_frame *frames = look->frames + raw->first_frame;
    for (size_t i = limit; i > 0; i--) {
        if (frames[i - 1].is_generator) {
            return i - 1;
        }
        if (role_of(placing, &frames[i - 1], now_ns) != ROLE_TASK) {
            break;
        }
    }
    return limit;
}

/* Whether the thread waits in the kernel. */
static bool is_asleep(const struct placing *placing, struct thread_ref thread) {
    const struct trace_thread *row = thread.id != 0 ? trace_thread(placing->trace, thread) : NULL;
    struct thread_state state;
    return row != NULL && process_thread_state((pid_t)row->pid, (pid_t)row->tid, &state) &&
           state.letter == 'S';
}

static void keep_newest(struct placed *placed, size_t count) {
    placed->below = placed->part.frame_count - count;
    placed->part.frame_count = count;
    placed->part.is_complete = true;
    placed->part.below = 0;
    placed->part.is_collecting =
        placed->part.is_collecting && placed->part.collected_above <= count;
}

static void place_loop(struct placing *placing, const struct raw_look *look,
                       const struct loop_frames *loop, struct thread_ref thread, uint64_t now_ns,
                       struct placed *out) {
    struct stack_id none = {0};
    size_t task = find_unknown_task(placing, look, &out->part, loop->handle, now_ns);
    bool is_waiting = loop->is_selecting || (loop->is_foreign && loop->turn == 0);
    if (task < loop->handle) {
        out->base = put_text(placing, none, "<task>");
        keep_newest(out, task + 1);
        return;
    }
    out->base = put_text(placing, none, "<loop>");
    bool is_called = loop->handle < loop->turn || loop->is_foreign;
    if (is_called && loop->handle > 0) {
        out->base = put_text(placing, out->base, "<callback>");
        keep_newest(out, loop->handle);
    } else if (is_waiting && is_asleep(placing, thread)) {
        out->base = put_text(placing, out->base, "<idle>");
        keep_newest(out, 0);
    } else {
        keep_newest(out, loop->is_foreign ? loop->turn : loop->turn + 1);
    }
}

/* ---- the whole ---- */

void placing_place(struct placing *placing, const struct raw_look *look,
                   const struct raw_thread *raw, struct thread_ref thread, uint64_t now_ns,
                   struct placed *out) {
    size_t frames;
    *out = (struct placed){.part = *raw};
    placing->look = placing->session->task_look;
    const struct raw_task *task = running_newest(look, placing->session->task_look, raw, &frames);
    if (task != NULL) {
        out->base = put_task(placing, put_waiters(placing, task, now_ns), task);
        keep_newest(out, frames);
        return;
    }
    struct loop_frames loop = find_loop(placing, look, raw, now_ns);
    if (loop.turn < raw->frame_count) {
        place_loop(placing, look, &loop, thread, now_ns, out);
    }
}

/* Index, from the root, of the first frame to show; machine code above the last frame of Python's
 * that is below is shown where nothing of Python's is. */
static uint32_t first_shown(const struct trace *trace, const struct stack_id *path, uint32_t count,
                            const struct placed *placed) {
    size_t wanted = placed->below + (placed->part.frame_count > 0);
    size_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        seen += trace_frame(trace, trace_stack(trace, path[i])->frame)->kind == FRAME_PYTHON;
        if (seen == wanted) {
            return placed->part.frame_count > 0 ? i : i + 1;
        }
    }
    return count;
}

struct stack_id placing_put(struct placing *placing, struct stack_id stack,
                            const struct placed *placed) {
    struct trace *trace = placing->trace;
    if (placed->base.id == 0 || stack.id == 0 || trace_stack_is_truncated(trace, stack)) {
        return stack;
    }
    uint32_t count;
    struct stack_id *path = trace_path(trace, stack, &count);
    struct stack_id put = placed->base;
    for (uint32_t i = first_shown(trace, path, count, placed); i < count; i++) {
        put = trace_intern_stack(trace, put, trace_stack(trace, path[i])->frame);
    }
    free(path);
    return put;
}

struct stack_id placing_task(struct placing *placing, const struct task_look *look,
                             const struct raw_task *task, uint64_t now_ns) {
    placing->look = look;
    return put_task(placing, put_waiters(placing, task, now_ns), task);
}

struct stack_id placing_waiting(struct placing *placing, const struct task_look *look,
                                const struct raw_task *task, uint64_t now_ns) {
    struct stack_id base = placing_task(placing, look, task, now_ns);
    return resolve_newest_awaits(placing->session->resolve, look->frames + task->first_frame,
                                 task->frame_count, base, now_ns)
        .stack;
}

struct placing *placing_create(struct session *session, struct trace *trace) {
    struct placing *placing = memory_zeroed(1, sizeof *placing);
    placing->session = session;
    placing->trace = trace;
    return placing;
}

void placing_destroy(struct placing *placing) {
    if (placing != NULL) {
        free(placing->roles);
        free(placing);
    }
}
