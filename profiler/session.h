/* The target, attached: a process, its memory, the Python in it, and what reads and names its
 * stacks. One session lasts as long as the process runs one program; when it executes another, the
 * session is opened anew. */
#ifndef PYROMETER_PROFILER_SESSION_H
#define PYROMETER_PROFILER_SESSION_H

#include <stdbool.h>

#include "profiler/base/status.h"
#include "profiler/model/trace.h"
#include "profiler/resolve.h"
#include "reader/memory.h"
#include "reader/process.h"
#include "reader/stopper.h"
#include "target-runtime/runtime.h"
#include "target-runtime/tasks.h"
#include "target-runtime/walk.h"

struct session {
    const struct process *process; /* borrowed */
    struct memory memory;
    struct runtime runtime;
    struct walk *walk;
    struct resolve *resolve;
    uint64_t image_mark;
    uint32_t identity; /* in trace.processes; of the parent, as long as it is not noted itself */
    bool is_noted;
    bool is_fork;            /* of its parent's threads only one has come along */
    struct stopper *stopper; /* borrowed; NULL: the target runs while it is looked at */
    struct tasks *tasks;     /* NULL: nobody asked for them */
    enum tasks_scope tasks_scope;
    const struct task_look *task_look; /* of the last look */
    const struct raw_look *last_look;
    uint64_t meet_ns; /* when session_meet_greenlets may look again */
};

/* Attaches once. Statuses as of memory_open_live and runtime_attach. `out` must not move until it
 * is closed; on failure it needs no closing. `memo` (borrowed for the call, may be NULL) spares
 * looking into files again. */
enum status session_open(struct session *out, const struct process *process, struct trace *trace,
                         struct symbols_memo *memo, struct error *error) MUST_CHECK;

/* Whether the process runs what the parent runs, so that it can be attached to as its fork. */
bool session_may_fork(const struct session *parent, const struct process *process);
/* Attaches to a fork, with all that is known of its parent: no file is looked into. It is not in
 * the trace's table of processes before session_note: it may be about to execute something else. */
enum status session_open_fork(struct session *out, const struct session *parent,
                              const struct process *process, struct trace *trace,
                              struct error *error) MUST_CHECK;
/* Enters the process into the trace, once. */
void session_note(struct session *session, struct trace *trace);
/* Enters it again if it is in there: its name or command line may have changed. */
void session_refresh(struct session *session, struct trace *trace);

/* Accepts a zeroed session. */
void session_close(struct session *session);

/* Attaches, trying again while the Python in the process is not ready; with `keep_waiting` also
 * while there is none yet (a launcher that will execute it), until it ends, the user asks to stop,
 * or the monotonic `deadline_ns` passes (0: none). */
enum status session_wait(struct session *out, const struct process *process, struct trace *trace,
                         bool keep_waiting, uint64_t deadline_ns, struct error *error) MUST_CHECK;

/* From now on the target is stopped by `stopper` (borrowed) for every look. */
void session_block(struct session *session, struct stopper *stopper);

/* Looks whether the process has greenlets, if it is not known that it has, and something spoke for
 * it; once in a while at most. */
void session_meet_greenlets(struct session *session, uint64_t now_ns);

/* From now on every look is also one at the tasks, right behind that at the threads. */
void session_watch_tasks(struct session *session, enum tasks_scope scope);

/* Takes a look, with the target stopped if it is to be: then the pause is added to `pauses`, and
 * the status may also be NOT_HELD (the look is worth nothing, others may be) or INTERNAL. Otherwise
 * as walk_look. */
enum status session_look(struct session *session, struct histogram *pauses,
                         const struct raw_look **out) MUST_CHECK;

/* The same; `visit` is called with a look that came off while the target, if it is stopped for it,
 * still is. */
typedef void session_visit(void *context, const struct raw_look *look);
enum status session_look_with(struct session *session, struct histogram *pauses,
                              session_visit *visit, void *context,
                              const struct raw_look **out) MUST_CHECK;

/* Whether the process runs another program than when the session was opened. */
bool session_is_stale(const struct session *session);

#endif
