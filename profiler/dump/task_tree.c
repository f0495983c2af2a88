#include "profiler/dump/task_tree.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/roster.h"
#include "profiler/running.h"
#include "profiler/session.h"
#include "profiler/signals.h"

enum {
    LOOKS = 100, /* until two in a row agree; a busy loop may never let them */
};

struct taking {
    struct session session;
    struct trace *trace;
    struct roster *roster;
    const struct raw_look *look;
    bool is_blocking;
    uint64_t now_ns;
};

/* ---- looking ---- */

/* Whether the frames of every task that runs are known to be its own; else asks for what is still
 * in doubt to be looked at more closely. */
static bool prove_running(struct taking *taking) {
    const struct task_look *tasks = taking->session.task_look;
    bool is_proved = true;
    for (size_t i = 0; i < tasks->count; i++) {
        struct raw_thread part;
        if (!tasks->tasks[i].is_running) {
            continue;
        }
        if (!running_part(taking->look, tasks, &tasks->tasks[i], &part)) {
            is_proved = false;
            continue;
        }
        struct resolved resolved =
            resolve_stack(taking->session.resolve, taking->look, &part, taking->now_ns);
        if (resolved.has_doubts) {
            walk_doubt(taking->session.walk, part.slot,
                       resolved.doubt_depth + running_below(taking->look, &part));
        }
        is_proved = is_proved && !resolved.has_doubts &&
                    (resolved.flags & (SAMPLE_UNVERIFIED | SAMPLE_MENDED)) == 0;
    }
    return is_proved;
}

/* With the process stopped one look is enough. */
static enum status look_until_confirmed(struct taking *taking) {
    struct session *session = &taking->session;
    enum status status = STATUS_OK;
    for (int looks = 0; looks < LOOKS && !signals_want_stop(); looks++) {
        taking->now_ns = clock_monotonic_ns();
        status = session_look(session, &taking->trace->pauses, &taking->look);
        if (status == STATUS_OK) {
            status = resolve_check(session->resolve, taking->look, taking->now_ns);
        }
        bool is_same = status == STATUS_OK && tasks_confirm(session->tasks) && looks > 0 &&
                       prove_running(taking);
        bool is_over =
            status == STATUS_OK ? is_same || taking->is_blocking : status != STATUS_NOT_HELD;
        if (is_over) {
            break;
        }
    }
    return status;
}

/* ---- from numbers to names ---- */

static struct thread_ref thread_with_ident(const struct taking *taking, uint64_t ident) {
    for (size_t i = 0; i < taking->look->thread_count && ident != 0; i++) {
        if (taking->look->threads[i].ident == ident) {
            return roster_member(taking->roster, &taking->look->threads[i], true).thread;
        }
    }
    return (struct thread_ref){0};
}

/* The frames of a task, and the thread that runs it if one does. */
static void place_task(struct taking *taking, const struct raw_task *raw, struct dumped_task *out) {
    const struct task_look *tasks = taking->session.task_look;
    struct resolve *resolve = taking->session.resolve;
    struct stack_id none = {0};
    struct raw_thread part;
    struct resolved resolved;
    out->thread = thread_with_ident(taking, raw->loop_ident);
    out->state = raw->is_running ? DUMPED_RUNNING : raw->is_created ? DUMPED_NEW : DUMPED_WAITING;
    out->is_moving = !raw->is_confirmed && !taking->is_blocking;
    if (!raw->is_running) {
        resolved = resolve_awaits(resolve, tasks->frames + raw->first_frame, raw->frame_count, none,
                                  taking->now_ns);
    } else if (running_part(taking->look, tasks, raw, &part)) {
        out->thread = roster_member(taking->roster, &part, true).thread;
        resolved = resolve_stack(resolve, taking->look, &part, taking->now_ns);
    } else {
        out->is_moving = true;
        return;
    }
    out->stack = resolved.stack;
    out->is_moving = out->is_moving || (resolved.flags & SAMPLE_UNVERIFIED) != 0;
}

/* Parents that have ended since are none. */
static void name_parents(const struct task_look *look, const struct raw_task *raw,
                         struct dumped_tasks *all, struct dumped_task *out) {
    out->first_parent = all->parent_count;
    for (size_t i = 0; i < raw->parent_count; i++) {
        const struct raw_task *parent = task_find(look, look->parents[raw->first_parent + i]);
        if (parent != NULL) {
            all->parents[all->parent_count++] = (size_t)(parent - look->tasks);
        }
    }
    out->parent_count = all->parent_count - out->first_parent;
}

static void name_all(struct taking *taking, struct dumped_tasks *out) {
    const struct task_look *look = taking->session.task_look;
    roster_meet(taking->roster, taking->look, taking->now_ns);
    out->items = memory_zeroed(look->count + 1, sizeof *out->items);
    out->parents = memory_zeroed(look->parent_count + 1, sizeof *out->parents);
    for (size_t i = 0; i < look->count; i++) {
        const struct raw_task *raw = &look->tasks[i];
        struct dumped_task *task = &out->items[out->count++];
        task->at = raw->at;
        task->is_greenlet = raw->is_greenlet;
        task->name = trace_text(taking->trace, task_name(look, raw), raw->name_length);
        place_task(taking, raw, task);
        name_parents(look, raw, out, task);
    }
    roster_read_names(taking->roster, taking->now_ns, true);
}

/* ---- the whole ---- */

static enum status take(struct taking *taking, struct dumped_tasks *out) {
    static const struct thread_filter everybody = {0};
    session_watch_tasks(&taking->session, TASKS_AND_GREENLETS);
    enum status status = look_until_confirmed(taking);
    if (status == STATUS_OK) {
        taking->roster = roster_create(&taking->session, taking->trace, &everybody);
        name_all(taking, out);
        roster_destroy(taking->roster);
    }
    return status;
}

enum status task_tree_take(const struct process *process, struct trace *trace, bool is_blocking,
                           struct dumped_tasks *out, struct error *error) {
    struct taking taking = {.trace = trace, .is_blocking = is_blocking};
    struct stopper stopper = {0};
    *out = (struct dumped_tasks){0};
    enum status status = session_wait(&taking.session, process, trace, false, 0, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (is_blocking) {
        status = stopper_open(&stopper, process, STOPPER_BOUND_NS, error);
        session_block(&taking.session, &stopper);
    }
    if (status == STATUS_OK) {
        status = take(&taking, out);
        if (status != STATUS_OK) {
            error_set(error, status, "looking at the tasks of process %d", (int)process->pid);
        }
    }
    stopper_close(&stopper, NULL);
    session_close(&taking.session);
    return status;
}

void task_tree_free(struct dumped_tasks *tasks) {
    free(tasks->items);
    free(tasks->parents);
    *tasks = (struct dumped_tasks){0};
}
