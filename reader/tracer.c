#define _GNU_SOURCE
#include "reader/tracer.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "reader/process.h"

enum {
    OPTIONS = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC,
    PASSES = 100,      /* over the list of threads, until none is new */
    ATTEND_EVERY = 64, /* threads seized; those that start others wait for us meanwhile */
    QUIET_MS = 1,      /* no thread stopped for so long: is the one that is waited for alive? */
};

static long request(int what, pid_t tid, uint64_t data) {
    /* glibc's prototype of ptrace has an enum first. */
    return ptrace((enum __ptrace_request)what, tid, NULL, data);
}

/* ---- the list ---- */

static struct tracee *find(struct tracer *tracer, pid_t tid) {
    for (size_t i = 0; i < tracer->count; i++) {
        if (tracer->tracees[i].tid == tid) {
            return &tracer->tracees[i];
        }
    }
    return NULL;
}

static struct tracee *add(struct tracer *tracer, pid_t tid) {
    if (tracer->count == tracer->capacity) {
        tracer->tracees = memory_grow(tracer->tracees, sizeof *tracer->tracees, tracer->count + 1,
                                      &tracer->capacity);
    }
    tracer->tracees[tracer->count] = (struct tracee){.tid = tid, .request = PTRACE_CONT};
    return &tracer->tracees[tracer->count++];
}

static void drop(struct tracer *tracer, struct tracee *tracee) {
    *tracee = tracer->tracees[--tracer->count];
}

/* A thread, or a process, that one of those that we trace has made. What clone(2) makes without
 * CLONE_THREAD is another process, and none of our business. */
static struct tracee *adopt(struct tracer *tracer, pid_t tid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)tracer->pid, (int)tid);
    struct tracee *tracee = add(tracer, tid);
    tracee->is_foreign = access(path, F_OK) != 0;
    return tracee;
}

/* ---- what befalls a thread ---- */

static bool is_job_control(int number) {
    return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/* A new thread stops by itself before its first instruction, so it can be waited for. */
static void adopt_child(struct tracer *tracer, pid_t parent) {
    unsigned long tid = 0;
    if (ptrace(PTRACE_GETEVENTMSG, parent, NULL, &tid) == 0 && tid != 0 &&
        find(tracer, (pid_t)tid) == NULL) {
        adopt(tracer, (pid_t)tid);
    }
}

/* The thread that executed a program is the only one left, and is the first one now. */
static void keep_only(struct tracer *tracer, const struct tracee *tracee) {
    tracer->tracees[0] = *tracee;
    tracer->count = 1;
}

static void note_end(struct tracer *tracer, struct tracee *tracee) {
    tracer->has_ended = tracer->has_ended || tracee->tid == tracer->pid;
    drop(tracer, tracee);
}

static void note_stop(struct tracer *tracer, struct tracee *tracee, int status) {
    int event = status >> 16;
    int number = WSTOPSIG(status);
    tracee->is_stopped = true;
    tracee->signal = event == 0 ? number : 0;
    tracee->request = event == PTRACE_EVENT_STOP && is_job_control(number) ? PTRACE_LISTEN
                      : tracee->is_foreign                                 ? PTRACE_DETACH
                                                                           : PTRACE_CONT;
    if (event == PTRACE_EVENT_EXEC) {
        keep_only(tracer, tracee);
    } else if (event == PTRACE_EVENT_CLONE) {
        adopt_child(tracer, tracee->tid); /* may move the list */
    }
}

/* Takes in what waitpid said of a thread. */
static void note(struct tracer *tracer, pid_t tid, int status) {
    struct tracee *tracee = find(tracer, tid);
    if (WIFSTOPPED(status)) {
        /* A thread can be heard of before the one that started it is. */
        note_stop(tracer, tracee != NULL ? tracee : adopt(tracer, tid), status);
    } else if (tracee != NULL) {
        note_end(tracer, tracee);
    }
}

/* False when it is no longer traced. */
static bool let_go_on(struct tracee *tracee) {
    tracee->is_stopped = false;
    /* This fails when it was killed while it stood, which its end will tell. */
    request(tracee->request, tracee->tid, (uint64_t)tracee->signal);
    return tracee->request != PTRACE_DETACH;
}

void tracer_continue(struct tracer *tracer) {
    for (size_t i = tracer->count; i-- > 0;) {
        struct tracee *tracee = &tracer->tracees[i];
        if (tracee->is_stopped && !let_go_on(tracee)) {
            drop(tracer, tracee);
        }
    }
}

void tracer_attend(struct tracer *tracer) {
    int status;
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
        note(tracer, tid, status);
        struct tracee *tracee = find(tracer, tid);
        if (tracee != NULL && tracee->is_stopped && !let_go_on(tracee)) {
            drop(tracer, tracee);
        }
    }
}

/* ---- stopping ---- */

static void interrupt_all(struct tracer *tracer) {
    for (size_t i = 0; i < tracer->count; i++) {
        const struct tracee *tracee = &tracer->tracees[i];
        if (!tracee->is_stopped && !tracee->is_dead) {
            request(PTRACE_INTERRUPT, tracee->tid, 0);
        }
    }
}

/* Sleeps until something has befallen a thread. False when nothing did for a while. */
static bool wait_for_news(uint64_t left_ns) {
    uint64_t quiet_ns = QUIET_MS * NS_PER_MS;
    uint64_t wait_ns = left_ns < quiet_ns ? left_ns : quiet_ns;
    struct timespec wait = {.tv_nsec = (long)wait_ns};
    sigset_t news;
    sigemptyset(&news);
    sigaddset(&news, SIGCHLD);
    return sigtimedwait(&news, NULL, &wait) == SIGCHLD || errno == EINTR;
}

static bool has_died(const struct tracer *tracer, pid_t tid) {
    struct thread_state state;
    return !process_thread_state(tracer->pid, tid, &state) || state.letter == 'Z' ||
           state.letter == 'X';
}

/* Looks once whether a thread has stopped by now, or sleeps a moment. Whatever is heard of first,
 * of this thread or of another, is that somebody has stopped. */
static void await(struct tracer *tracer, struct tracee *tracee, uint64_t left_ns) {
    int status;
    pid_t tid = tracee->tid;
    pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
    bool is_news = got != 0 || wait_for_news(left_ns);
    if (is_news && tracer->since_ns == 0) {
        tracer->since_ns = clock_monotonic_ns();
    }
    if (got == tid) {
        note(tracer, tid, status);
    } else if (got < 0) {
        note_end(tracer, tracee);
    } else if (!is_news) {
        tracee->is_dead = has_died(tracer, tid);
    }
}

/* Each thread is waited for by its id: that is constant work, where waiting for any is not. The
 * list grows at its end by the threads that those stopped have just started, and when it has been
 * gone through nobody is left who could start another. */
enum status tracer_stop(struct tracer *tracer, uint64_t patience_ns, uint64_t bound_ns) {
    uint64_t start_ns = clock_monotonic_ns();
    tracer->since_ns = 0;
    interrupt_all(tracer);
    for (size_t i = 0; i < tracer->count;) {
        struct tracee *tracee = &tracer->tracees[i];
        if (tracee->is_stopped || tracee->is_dead) {
            i++;
            continue;
        }
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t end_ns =
            tracer->since_ns == 0 ? start_ns + patience_ns : tracer->since_ns + bound_ns;
        if (now_ns >= end_ns) {
            return STATUS_NOT_HELD;
        }
        await(tracer, tracee, end_ns - now_ns);
    }
    return tracer->has_ended || tracer->count == 0 ? STATUS_GONE : STATUS_OK;
}

/* The list may move while it is waited, so the thread is looked up each time. */
enum status tracer_stop_thread(struct tracer *tracer, pid_t tid, uint64_t patience_ns,
                               uint64_t bound_ns) {
    uint64_t start_ns = clock_monotonic_ns();
    tracer->since_ns = 0;
    if (find(tracer, tid) != NULL) {
        request(PTRACE_INTERRUPT, tid, 0);
    }
    for (;;) {
        struct tracee *tracee = find(tracer, tid);
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t end_ns =
            tracer->since_ns == 0 ? start_ns + patience_ns : tracer->since_ns + bound_ns;
        if (tracee == NULL || tracee->is_dead || now_ns >= end_ns) {
            return tracer->has_ended ? STATUS_GONE : STATUS_NOT_HELD;
        }
        if (tracee->is_stopped) {
            return STATUS_OK;
        }
        await(tracer, tracee, end_ns - now_ns);
    }
}

enum status tracer_registers(struct tracer *tracer, pid_t tid, struct registers *out) {
    const struct tracee *tracee = find(tracer, tid);
    struct user_regs_struct user;
    if (tracee == NULL || !tracee->is_stopped || ptrace(PTRACE_GETREGS, tid, NULL, &user) != 0) {
        return STATUS_NOT_HELD;
    }
    *out = (struct registers){
        .value = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi, user.rbp, user.rsp,
                  user.r8, user.r9, user.r10, user.r11, user.r12, user.r13, user.r14, user.r15,
                  user.rip},
        .known = (1U << REGISTER_COUNT) - 1,
    };
    return STATUS_OK;
}

/* ---- seizing ---- */

static enum status refuse(const struct tracer *tracer, pid_t tid, pid_t other,
                          struct error *error) {
    if (other == 0) {
        errno = EPERM;
        return error_set(error, STATUS_NOT_PERMITTED, "tracing thread %d of process %d", (int)tid,
                         (int)tracer->pid);
    }
    errno = 0;
    return error_set(error, STATUS_TRACED, "process %d is traced by process %d", (int)tracer->pid,
                     (int)other);
}

static enum status seize(struct tracer *tracer, pid_t tid, struct error *error) {
    struct thread_state state;
    if (request(PTRACE_SEIZE, tid, OPTIONS) == 0) {
        add(tracer, tid);
        return STATUS_OK;
    }
    bool is_gone = errno == ESRCH || !process_thread_state(tracer->pid, tid, &state);
    if (is_gone || state.letter == 'Z' || state.letter == 'X') {
        return STATUS_OK;
    }
    if (state.tracer == getpid()) { /* started by a thread that was seized before */
        add(tracer, tid);
        return STATUS_OK;
    }
    return refuse(tracer, tid, state.tracer, error);
}

/* Seizes the threads there are now that are not seized yet. */
static enum status seize_pass(struct tracer *tracer, size_t *added_out, struct error *error) {
    char path[64];
    enum status status = STATUS_OK;
    *added_out = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)tracer->pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        return error_set(error, STATUS_GONE, "reading %s", path);
    }
    for (struct dirent *entry; status == STATUS_OK && (entry = readdir(tasks)) != NULL;) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0 || find(tracer, tid) != NULL) {
            continue;
        }
        size_t before = tracer->count;
        status = seize(tracer, tid, error);
        *added_out += tracer->count > before;
        if (*added_out % ATTEND_EVERY == 0) {
            tracer_attend(tracer);
        }
    }
    closedir(tasks);
    return status;
}

/* A pass that finds no new thread is the last: all that could start one are seized. */
enum status tracer_init(struct tracer *out, pid_t pid, struct error *error) {
    *out = (struct tracer){.pid = pid};
    enum status status = STATUS_OK;
    size_t added = 1;
    for (int pass = 0; pass < PASSES && added > 0 && status == STATUS_OK; pass++) {
        status = seize_pass(out, &added, error);
        tracer_attend(out);
    }
    if (status == STATUS_OK && out->count == 0) {
        return error_set(error, STATUS_GONE, "process %d ended while it was seized", (int)pid);
    }
    if (status == STATUS_OK && added > 0) {
        return error_set(error, STATUS_NOT_HELD, "process %d starts threads too quickly", (int)pid);
    }
    return status;
}

void tracer_deinit(struct tracer *tracer) {
    free(tracer->tracees);
    *tracer = (struct tracer){0};
}
