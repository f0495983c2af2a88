#define _GNU_SOURCE
#include "profiler/dump/take.h"

#include <stdlib.h>

#include "profiler/activity.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/native.h"
#include "profiler/session.h"
#include "profiler/signals.h"
#include "profiler/sources.h"
#include "target-runtime/join.h"

enum {
    LOOKS = 100, /* until every stack is whole and stood still; a busy thread may never do so */
};

/* What looks are taken with. */
struct looker {
    struct session session;
    struct stopper stopper; /* zeroed unless the plan is blocking or native */
    struct native *native;  /* NULL unless the plan is native */
    struct roster *roster;
    struct activity *activity;
    struct inspection *inspection; /* NULL: no values are asked for */
    struct trace *trace;           /* borrowed, as are the rest */
    const struct take_plan *plan;
    struct dumped_process *out;
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

static void forget_threads(struct dumped_process *dumped) {
    for (size_t i = 0; i < dumped->thread_count; i++) {
        inspect_free(&dumped->threads[i].inspected);
    }
    free(dumped->threads);
    dumped->threads = NULL;
    dumped->thread_count = 0;
}

static struct resolved resolve_thread(struct looker *looker, const struct raw_look *look,
                                      size_t index, struct member member, uint64_t now_ns) {
    const struct raw_thread *thread = &look->threads[index];
    if (thread->frame_count == 0 && thread->is_complete) {
        return (struct resolved){0};
    }
    if (looker->native != NULL) {
        uint32_t tid = trace_thread(looker->trace, member.thread)->tid;
        return native_stack(looker->native, look, index, (pid_t)tid, now_ns);
    }
    struct resolved resolved = resolve_stack(looker->session.resolve, look, thread, now_ns);
    join_doubt(looker->session.walk, look, thread, resolved.doubt_depth);
    return resolved;
}

/* Resolves the threads of a look that are wanted; replaces what an earlier one gave. */
static void note_threads(struct looker *looker, const struct raw_look *look, uint64_t now_ns) {
    struct dumped_process *out = looker->out;
    forget_threads(out);
    out->threads = memory_zeroed(look->thread_count + 1, sizeof *out->threads);
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        struct member member = roster_member(looker->roster, join_bottom(look, thread), true);
        /* A thread state that runs nothing in another interpreter says nothing of its thread. */
        bool is_idle_elsewhere =
            thread->interpreter_id != 0 && thread->frame_count == 0 && thread->is_complete;
        if (!member.is_wanted || thread->is_carried || is_idle_elsewhere) {
            continue;
        }
        uint32_t state = activity_state(looker->activity, look, thread, member.tid, now_ns, 0);
        struct resolved resolved = resolve_thread(looker, look, i, member, now_ns);
        out->threads[out->thread_count++] =
            (struct dumped_thread){.thread = member.thread,
                                   .stack = resolved.stack,
                                   .flags = resolved.flags,
                                   .state = state,
                                   .has_doubts = resolved.has_doubts,
                                   .place = i};
    }
}

static void read_values(void *context, const struct raw_look *look) {
    const struct looker *looker = context;
    for (size_t i = 0; i < look->thread_count && looker->inspection != NULL; i++) {
        inspect_read(looker->inspection, look, &look->threads[i]);
    }
}

static struct thread_state kernel_state_of(const struct looker *looker,
                                           const struct dumped_thread *dumped) {
    struct thread_state state = {0};
    uint32_t tid = trace_thread(looker->trace, dumped->thread)->tid;
    if (!process_thread_state(looker->session.process->pid, (pid_t)tid, &state)) {
        state.letter = 'R'; /* who knows */
    }
    return state;
}

/* Whether a thread has surely not run in between. */
static bool has_slept(const struct thread_state *before, const struct thread_state *after) {
    return before->letter != 'R' && after->letter != 'R' && before->switches == after->switches;
}

/* The values of the threads of this look: read while the target stood still, or else now. */
static void take_values(struct looker *looker, const struct raw_look *look, uint64_t now_ns) {
    for (size_t i = 0; i < looker->out->thread_count; i++) {
        struct dumped_thread *dumped = &looker->out->threads[i];
        /* Those that run in its calls, in other interpreters, are not inspected. */
        const struct raw_thread *thread = join_bottom(look, &look->threads[dumped->place]);
        if (!looker->plan->is_blocking) {
            dumped->before = kernel_state_of(looker, dumped);
            inspect_read(looker->inspection, look, thread);
        }
        inspect_take(looker->inspection, looker->trace, look, thread, dumped->stack, now_ns,
                     &dumped->inspected);
    }
}

/* One more look, at what became of the frames that were inspected. */
static enum status check_values(struct looker *looker) {
    const struct raw_look *look;
    enum status status = session_look(&looker->session, &looker->trace->pauses, &look);
    for (size_t i = 0; i < looker->out->thread_count && status == STATUS_OK; i++) {
        struct dumped_thread *dumped = &looker->out->threads[i];
        struct thread_state now = kernel_state_of(looker, dumped);
        bool is_shown_as_it_was = (dumped->flags & SAMPLE_MENDED) == 0;
        inspect_check(&dumped->inspected, look,
                      has_slept(&dumped->before, &now) && is_shown_as_it_was);
    }
    return status;
}

/* One look; if it is the last, or there is nothing more to learn, with the values. */
static enum status look_once(struct looker *looker, bool is_last, bool *is_over) {
    const struct raw_look *look;
    uint64_t now_ns = clock_monotonic_ns();
    enum status status =
        session_look_with(&looker->session, &looker->trace->pauses,
                          looker->plan->is_blocking ? read_values : NULL, looker, &look);
    if (status == STATUS_OK) {
        status = resolve_check(looker->session.resolve, look, now_ns);
    }
    *is_over = status != STATUS_OK && status != STATUS_NOT_HELD;
    if (status != STATUS_OK) {
        return status;
    }
    roster_meet(looker->roster, look, now_ns);
    note_threads(looker, look, now_ns);
    *is_over = is_last || is_all_verified(looker->out->threads, looker->out->thread_count);
    if (!*is_over || looker->inspection == NULL) {
        return STATUS_OK;
    }
    take_values(looker, look, now_ns);
    return looker->plan->is_blocking ? STATUS_OK : check_values(looker);
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
static enum status look_until_verified(struct looker *looker) {
    struct session *session = &looker->session;
    looker->roster = roster_create(session, looker->trace, looker->plan->filter);
    looker->activity = activity_create((int)session->process->pid);
    looker->inspection = looker->plan->has_locals ? inspect_begin(session) : NULL;
    enum status status = STATUS_OK;
    bool is_over = false;
    for (int looks = 1; looks <= LOOKS && !is_over; looks++) {
        status = look_once(looker, looks == LOOKS || signals_want_stop(), &is_over);
    }
    roster_read_names(looker->roster, clock_monotonic_ns(), true);
    roster_destroy(looker->roster);
    activity_destroy(looker->activity);
    inspect_end(looker->inspection);
    return status;
}

/* ---- what the kernel says ---- */

struct kernel_state {
    uint32_t tid;
    char letter;
};

struct kernel_states {
    struct kernel_state *all;
    size_t count;
};

static void read_kernel_states(const struct process *process, struct kernel_states *out) {
    struct thread_ids *ids = NULL;
    out->count = process_threads(process, &ids);
    out->all = memory_zeroed(out->count + 1, sizeof *out->all);
    for (size_t i = 0; i < out->count; i++) {
        struct thread_state state = {0};
        bool is_known = process_thread_state(process->pid, ids[i].outer, &state);
        out->all[i] = (struct kernel_state){(uint32_t)ids[i].outer, is_known ? state.letter : 0};
    }
    free(ids);
}

static void note_kernel_states(const struct kernel_states *states, const struct trace *trace,
                               struct dumped_process *dumped) {
    for (size_t i = 0; i < dumped->thread_count; i++) {
        struct dumped_thread *thread = &dumped->threads[i];
        uint32_t tid = trace_thread(trace, thread->thread)->tid;
        for (size_t k = 0; k < states->count; k++) {
            thread->kernel_state =
                states->all[k].tid == tid ? states->all[k].letter : thread->kernel_state;
        }
    }
}

/* ---- a process ---- */

/* The states are those of before a stop, which would change them, or else of after the last look.
 */
static enum status look_at_threads(struct looker *looker) {
    const struct take_plan *plan = looker->plan;
    struct dumped_process *out = looker->out;
    const struct process *process = looker->session.process;
    struct kernel_states states = {0};
    bool is_stopping = plan->is_blocking || plan->is_native;
    if (is_stopping) {
        read_kernel_states(process, &states);
    }
    enum status status = look_until_verified(looker);
    if (!is_stopping) {
        read_kernel_states(process, &states);
    }
    note_kernel_states(&states, looker->trace, out);
    free(states.all);
    qsort_r(out->threads, out->thread_count, sizeof *out->threads, compare_threads, looker->trace);
    return status;
}

static void capture_sources(const struct process *process, struct trace *trace) {
    struct sources sources;
    sources_open(&sources, process);
    sources_capture(&sources, trace);
    sources_close(&sources);
}

/* With what stops the process, or its threads. */
static enum status prepare(struct looker *looker, const struct process *process,
                           struct error *error) {
    const struct take_plan *plan = looker->plan;
    if (!plan->is_blocking && !plan->is_native) {
        return STATUS_OK;
    }
    enum status status = stopper_open(&looker->stopper, process, STOPPER_BOUND_NS, error);
    if (status == STATUS_OK && plan->is_blocking) {
        session_block(&looker->session, &looker->stopper);
    }
    if (status == STATUS_OK && plan->is_native) {
        looker->native = native_create(&looker->session, looker->trace, &looker->stopper);
    }
    return status;
}

enum status take_process(const struct process *process, struct trace *trace,
                         const struct take_plan *plan, struct dumped_process *out,
                         struct error *error) {
    struct looker looker = {.trace = trace, .plan = plan, .out = out};
    *out = (struct dumped_process){.pid = (uint32_t)process->pid,
                                   .name = trace->run.process_name,
                                   .command = trace->run.command};
    enum status status = session_wait(&looker.session, process, trace, false, 0, error);
    if (status != STATUS_OK) {
        return status;
    }
    out->python_version = trace->run.python_version;
    out->has_gil = !looker.session.runtime.layout->is_free_threaded;
    status = prepare(&looker, process, error);
    if (status == STATUS_OK) {
        status = look_at_threads(&looker);
        if (status != STATUS_OK) {
            error_set(error, status, "looking at the threads of process %d", (int)process->pid);
        }
    }
    native_destroy(looker.native);
    stopper_close(&looker.stopper, NULL);
    session_close(&looker.session);
    capture_sources(process, trace);
    return status;
}

void take_free(struct dumped_process *dumped) {
    forget_threads(dumped);
    *dumped = (struct dumped_process){0};
}
