#include "profiler/activity.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/kernel_wait.h"
#include "profiler/model/sample.h"
#include "reader/task.h"

enum {
    REST_SHARE = 256, /* a sleeper is left alone for this part of the time it has slept, */
    REST_MS = 8,      /* and no longer */
    AWAKE_US = 250,   /* so long whoever was found awake is believed to be, and no question asked */
    MUTE_MS = 100,    /* so long nobody asks where there was no answer */
    LAG_MORE_MS = 1,  /* than a tick of the kernel's scheduler: by so much an account lags behind */
    FILES_OF_A_TASK = 3,
    KEPT_MAX = 4096,
};

/* What is kept of a thread. */
struct doer {
    struct task task; /* zeroed: nobody */
    uint64_t serial;
    bool is_mute;          /* the kernel does not tell */
    uint32_t kernel_state; /* as told last: RUNNING, RUNNABLE or WAITING, and what for */
    uint64_t code;         /* where the newest frame was then */
    uint64_t position;
    size_t frame_count;
    uint64_t asked_ns; /* when it was found awake, else 0 */
    uint64_t asleep_since_ns;
    uint64_t ask_at_ns;
    struct task_times times;
    bool has_times;
    /* Time that it has run by the kernel's account and was not seen running, or (negative) the
     * other way round. */
    int64_t credit_ns;
    int64_t lag_ns; /* by which the account of one who runs may be behind */
};

struct activity {
    int pid;
    struct doer *doers; /* by walk slot */
    size_t count;
    size_t capacity;
    size_t kept; /* threads whose files stay open */
    size_t kept_most;
};

/* Half of the files that we may have open; the other half is for all else. */
struct activity *activity_create(int pid) {
    struct activity *activity = memory_zeroed(1, sizeof *activity);
    struct rlimit files;
    activity->pid = pid;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        activity->kept_most = files.rlim_cur / FILES_OF_A_TASK / 2;
    }
    activity->kept_most = activity->kept_most < KEPT_MAX ? activity->kept_most : KEPT_MAX;
    return activity;
}

static void forget(struct activity *activity, struct doer *doer) {
    activity->kept -= doer->task.is_kept;
    task_close(&doer->task);
    *doer = (struct doer){0};
}

void activity_destroy(struct activity *activity) {
    if (activity == NULL) {
        return;
    }
    for (size_t i = 0; i < activity->count; i++) {
        forget(activity, &activity->doers[i]);
    }
    free(activity->doers);
    free(activity);
}

static struct doer *doer_of(struct activity *activity, const struct raw_thread *thread,
                            uint32_t tid) {
    while (activity->count <= thread->slot) {
        if (activity->count == activity->capacity) {
            activity->doers = memory_grow(activity->doers, sizeof *activity->doers,
                                          thread->slot + 1, &activity->capacity);
        }
        activity->doers[activity->count++] = (struct doer){0};
    }
    struct doer *doer = &activity->doers[thread->slot];
    if (thread->is_new || doer->serial != thread->serial || doer->task.tid != (pid_t)tid) {
        forget(activity, doer);
        doer->serial = thread->serial;
        doer->lag_ns = (int64_t)(clock_tick_ns() + LAG_MORE_MS * NS_PER_MS);
        /* Where many live shortly, what is believed too soon is as much as what is not. */
        doer->credit_ns = -doer->lag_ns / 2;
        doer->task = task_of(activity->pid, (pid_t)tid, activity->kept < activity->kept_most);
        activity->kept += doer->task.is_kept;
    }
    return doer;
}

/* Whether its newest frame is elsewhere than when the kernel was asked last. */
static bool has_moved(struct doer *doer, const struct raw_look *look,
                      const struct raw_thread *thread) {
    const struct raw_frame *newest =
        thread->frame_count > 0 ? &look->frames[thread->first_frame] : NULL;
    uint64_t code = newest != NULL ? newest->code : 0;
    uint64_t position = newest != NULL ? newest->position : 0;
    bool is_same = doer->code == code && doer->position == position &&
                   doer->frame_count == thread->frame_count;
    doer->code = code;
    doer->position = position;
    doer->frame_count = thread->frame_count;
    return !is_same;
}

/* Takes the kernel's account in. True when the thread may have run since the last time. */
static bool take_times(struct doer *doer) {
    struct task_times before = doer->times;
    bool had_times = doer->has_times;
    doer->has_times = task_read_times(&doer->task, &doer->times);
    if (!doer->has_times || !had_times || doer->times.run_ns < before.run_ns) {
        return true;
    }
    doer->credit_ns += (int64_t)(doer->times.run_ns - before.run_ns);
    return doer->times.turns != before.turns || doer->times.run_ns != before.run_ns;
}

/* Whether a thread that is not asleep is on a CPU: yes, as long as the account covers it. */
static bool is_on_cpu(struct doer *doer, uint64_t elapsed_ns) {
    int64_t lag_ns = doer->lag_ns + (int64_t)elapsed_ns;
    doer->credit_ns = doer->credit_ns > lag_ns ? lag_ns : doer->credit_ns;
    bool is_covered = !doer->has_times || doer->credit_ns - (int64_t)elapsed_ns >= -lag_ns;
    doer->credit_ns -= is_covered && doer->has_times ? (int64_t)elapsed_ns : 0;
    return is_covered;
}

/* On what it sleeps; or where that is not told, by what it says itself. */
static bool waits_for_gil(const struct task_state *state, const struct raw_thread *thread) {
    if (state->wait[0] != '\0') {
        return thread->wants_gil;
    }
    return thread->gil_lock.addr != 0 && state->futex >= thread->gil_lock.addr &&
           state->futex - thread->gil_lock.addr < GIL_LOCK_BYTES;
}

static uint64_t rest_ns(const struct doer *doer, uint64_t now_ns) {
    uint64_t rest_ns = (now_ns - doer->asleep_since_ns) / REST_SHARE;
    return rest_ns < REST_MS * NS_PER_MS ? rest_ns : REST_MS * NS_PER_MS;
}

/* Who waits for the GIL gets up every 5 ms to ask for it, and is not asleep when it does
 * (take_gil(), Python/ceval_gil.c): as long as it has not moved, it still waits. */
static uint32_t awake_state(const struct doer *doer, const struct raw_thread *thread,
                            bool is_on_cpu, bool is_where_it_was) {
    uint32_t wanted = doer->kernel_state & STATE_WANTS_GIL;
    return (is_on_cpu ? STATE_RUNNING : STATE_RUNNABLE) |
           (is_where_it_was && !thread->has_gil ? wanted : 0);
}

/* After a stop the kernel goes on with a call as restart_syscall(): what it was is as before. */
static uint32_t waits_for(const struct doer *doer, const struct task_state *state,
                          const struct raw_thread *thread) {
    const uint32_t before = doer->kernel_state & ~(uint32_t)(STATE_RUNNING | STATE_RUNNABLE);
    if (state->syscall == SYS_restart_syscall) {
        return before;
    }
    return waits_for_gil(state, thread) ? STATE_WANTS_GIL : kernel_wait_state(state);
}

static uint32_t ask(struct doer *doer, const struct raw_thread *thread, bool is_where_it_was,
                    uint64_t now_ns, uint64_t elapsed_ns) {
    struct task_state state;
    doer->is_mute = !task_read_state(&doer->task, &state);
    if (doer->is_mute) {
        doer->ask_at_ns = now_ns + MUTE_MS * NS_PER_MS;
        return 0;
    }
    take_times(doer);
    uint64_t since_ns = doer->asked_ns != 0 ? now_ns - doer->asked_ns : elapsed_ns;
    doer->asked_ns = state.is_asleep ? 0 : now_ns;
    if (!state.is_asleep) {
        return awake_state(doer, thread, is_on_cpu(doer, since_ns), is_where_it_was);
    }
    bool slept_on = !doer->has_times && (doer->kernel_state & STATE_WAITING) != 0;
    doer->asleep_since_ns = slept_on ? doer->asleep_since_ns : now_ns;
    doer->ask_at_ns = now_ns + rest_ns(doer, now_ns);
    return STATE_WAITING | waits_for(doer, &state, thread);
}

static uint32_t kernel_state(struct doer *doer, const struct raw_look *look,
                             const struct raw_thread *thread, uint64_t now_ns,
                             uint64_t elapsed_ns) {
    bool is_where_it_was = !has_moved(doer, look, thread);
    bool may_run = !is_where_it_was || thread->has_gil || (doer->kernel_state & STATE_WAITING) == 0;
    bool is_believed = (!may_run || doer->is_mute) && now_ns < doer->ask_at_ns;
    bool is_awake = doer->asked_ns != 0 && now_ns - doer->asked_ns < AWAKE_US * NS_PER_US;
    if (is_believed || is_awake) {
        return doer->kernel_state;
    }
    if (may_run || take_times(doer)) {
        return ask(doer, thread, is_where_it_was, now_ns, elapsed_ns);
    }
    doer->ask_at_ns = now_ns + rest_ns(doer, now_ns);
    return doer->kernel_state;
}

static uint32_t memory_state(const struct raw_thread *thread) {
    return (thread->has_gil ? STATE_HAS_GIL : 0) | (thread->wants_gil ? STATE_WANTS_GIL : 0) |
           (thread->is_collecting ? STATE_COLLECTING : 0) |
           (thread->has_exception ? STATE_EXCEPTION : 0);
}

uint32_t activity_state(struct activity *activity, const struct raw_look *look,
                        const struct raw_thread *thread, uint32_t tid, uint64_t now_ns,
                        uint64_t elapsed_ns) {
    uint32_t state = memory_state(thread);
    if (tid == 0) {
        return state;
    }
    struct doer *doer = doer_of(activity, thread, tid);
    doer->kernel_state = kernel_state(doer, look, thread, now_ns, elapsed_ns);
    state |= doer->kernel_state;
    /* It was asked a moment after the look: whoever had the GIL then did not wait for it. */
    return thread->has_gil ? state & ~(uint32_t)STATE_WANTS_GIL : state;
}
