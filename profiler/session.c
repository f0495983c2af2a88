#include "profiler/session.h"

#include <errno.h>

#include "profiler/base/clock.h"
#include "profiler/identity.h"
#include "profiler/signals.h"
#include "target-runtime/greenlet_search.h"

enum {
    READY_WAIT_S = 5,    /* how long a Python that is there may take to have an interpreter */
    RETRY_FIRST_US = 50, /* the first bytecode comes some milliseconds after exec */
    RETRY_LAST_US = 2000,
    MEET_MS = 1000,
};

/* The end of every opening, whatever became of it. */
static enum status finish_opening(struct session *session, struct trace *trace, enum status status,
                                  struct error *error) {
    const struct process *process = session->process;
    if (status == STATUS_GONE && process_is_alive(process)) {
        errno = 0;
        status = error_set(error, STATUS_NOT_PYTHON,
                           "process %d has no memory of its own (a thread of the kernel?)",
                           (int)process->pid);
    }
    if (status != STATUS_OK) {
        memory_close(&session->memory);
        return status;
    }
    session->walk = walk_create(&session->runtime);
    if (status == STATUS_OK && greenlet_search_is_loaded(process)) {
        walk_expect_greenlets(session->walk);
    }
    session->resolve = resolve_create(&session->runtime, trace);
    return status;
}

enum status session_open(struct session *out, const struct process *process, struct trace *trace,
                         struct symbols_memo *memo, struct error *error) {
    *out = (struct session){.process = process, .image_mark = process_image_mark(process)};
    enum status status = memory_open_live(&out->memory, process->pid, error);
    if (status == STATUS_OK) {
        status = runtime_attach(&out->runtime, process, &out->memory, memo, error);
    }
    status = finish_opening(out, trace, status, error);
    if (status == STATUS_OK) {
        out->identity = identity_note(trace, process, &out->runtime);
        out->is_noted = true;
    }
    return status;
}

bool session_may_fork(const struct session *parent, const struct process *process) {
    return parent->walk != NULL && process_image_mark(process) == parent->image_mark &&
           process_program_inode(process) == process_program_inode(parent->process);
}

enum status session_open_fork(struct session *out, const struct session *parent,
                              const struct process *process, struct trace *trace,
                              struct error *error) {
    *out = (struct session){.process = process,
                            .image_mark = parent->image_mark,
                            .identity = parent->identity,
                            .is_fork = true};
    enum status status = memory_open_live(&out->memory, process->pid, error);
    if (status == STATUS_OK) {
        status = runtime_attach_fork(&out->runtime, &parent->runtime, &out->memory, error);
    }
    return finish_opening(out, trace, status, error);
}

void session_note(struct session *session, struct trace *trace) {
    if (!session->is_noted) {
        session->identity = identity_note_fork(trace, session->process, session->identity);
        session->is_noted = true;
    }
}

void session_refresh(struct session *session, struct trace *trace) {
    if (session->is_noted && process_is_alive(session->process)) {
        identity_note_fork(trace, session->process, session->identity);
    }
}

void session_close(struct session *session) {
    tasks_destroy(session->tasks);
    resolve_destroy(session->resolve);
    walk_destroy(session->walk);
    memory_close(&session->memory);
    *session = (struct session){0};
}

static bool is_worth_waiting(enum status status, bool keep_waiting) {
    return status == STATUS_NOT_READY ||
           (keep_waiting && (status == STATUS_NOT_PYTHON || status == STATUS_NOT_MAPPED ||
                             status == STATUS_BAD_LAYOUT));
}

enum status session_wait(struct session *out, const struct process *process, struct trace *trace,
                         bool keep_waiting, uint64_t deadline_ns, struct error *error) {
    uint64_t pause_ns = RETRY_FIRST_US * NS_PER_US;
    uint64_t ready_by_ns = clock_monotonic_ns() + READY_WAIT_S * NS_PER_S;
    for (;;) {
        enum status status = session_open(out, process, trace, NULL, error);
        uint64_t now_ns = clock_monotonic_ns();
        bool is_over = signals_want_stop() || (deadline_ns != 0 && now_ns >= deadline_ns) ||
                       (!keep_waiting && now_ns >= ready_by_ns);
        if (status == STATUS_OK || !is_worth_waiting(status, keep_waiting) || is_over) {
            return status;
        }
        if (!process_is_alive(process)) {
            return error_set(error, STATUS_GONE, "process %d ended before its Python was up",
                             (int)process->pid);
        }
        clock_sleep_until_ns(now_ns + pause_ns);
        pause_ns =
            pause_ns * 2 < RETRY_LAST_US * NS_PER_US ? pause_ns * 2 : RETRY_LAST_US * NS_PER_US;
    }
}

void session_block(struct session *session, struct stopper *stopper) {
    session->stopper = stopper;
    resolve_trust(session->resolve, true);
}

static void add_pause(struct histogram *pauses, uint64_t pause_ns) {
    if (pause_ns > 0) {
        histogram_add(pauses, pause_ns);
    }
}

void session_meet_greenlets(struct session *session, uint64_t now_ns) {
    if (walk_wonders(session->walk) && now_ns >= session->meet_ns) {
        session->meet_ns = now_ns + MEET_MS * NS_PER_MS;
        if (greenlet_search_is_loaded(session->process)) {
            walk_expect_greenlets(session->walk);
        }
    }
}

void session_watch_tasks(struct session *session, enum tasks_scope scope) {
    session->tasks = tasks_create(&session->runtime, session->process);
    session->tasks_scope = scope;
}

static enum status look_at_all(struct session *session, const struct raw_look **out) {
    enum status status = STATUS_OK;
    if (session->tasks != NULL && session->tasks_scope == TASKS_RUNNING) {
        status = tasks_note(session->tasks, session->last_look);
    }
    if (status == STATUS_OK) {
        status = walk_look(session->walk, out);
        session->last_look = *out;
    }
    if (status == STATUS_OK && session->tasks != NULL) {
        status = tasks_look(session->tasks, *out, session->tasks_scope, &session->task_look);
    }
    return status;
}

static enum status look_and_visit(struct session *session, session_visit *visit, void *context,
                                  const struct raw_look **out) {
    enum status status = look_at_all(session, out);
    if (status == STATUS_OK && visit != NULL) {
        visit(context, *out);
    }
    return status;
}

enum status session_look(struct session *session, struct histogram *pauses,
                         const struct raw_look **out) {
    return session_look_with(session, pauses, NULL, NULL, out);
}

enum status session_look_with(struct session *session, struct histogram *pauses,
                              session_visit *visit, void *context, const struct raw_look **out) {
    uint64_t pause_ns;
    if (session->stopper == NULL) {
        return look_and_visit(session, visit, context, out);
    }
    enum status status = stopper_stop(session->stopper, &pause_ns);
    if (status != STATUS_OK) {
        add_pause(pauses, pause_ns);
        return status;
    }
    status = look_and_visit(session, visit, context, out);
    enum status held = stopper_continue(session->stopper, &pause_ns);
    add_pause(pauses, pause_ns);
    return held != STATUS_OK ? held : status;
}

bool session_is_stale(const struct session *session) {
    return process_image_mark(session->process) != session->image_mark;
}
