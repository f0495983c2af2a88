/* Holding a process still: every thread of it, by ptrace(2). It is seized (PTRACE_SEIZE), which
 * neither stops it nor sends it a signal; a stop is no signal either, so its parent hears nothing
 * of it and job control works on. Its own signals are passed on as they come.
 *
 * All functions of one tracer must be called from the thread that made it, with SIGCHLD blocked;
 * that thread's process may have no children. When it ends, however it does, the kernel lets the
 * process go on as if it had never been traced. */
#ifndef PYROMETER_READER_TRACER_H
#define PYROMETER_READER_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/status.h"
#include "reader/registers.h"

struct tracee {
    pid_t tid;
    bool is_stopped;
    bool is_foreign; /* no thread of the process: let go of it at its first stop */
    bool is_dead;    /* a first thread that ended before the others: it never stops again */
    int request;     /* what lets it go on: PTRACE_CONT, PTRACE_LISTEN or PTRACE_DETACH */
    int signal;      /* that it was about to get, 0: none */
};

struct tracer {
    pid_t pid;
    bool has_ended; /* the process has */
    uint64_t
        since_ns; /* monotonic: when the first thread stopped in the last tracer_stop; 0: none */
    struct tracee *tracees;
    size_t count;
    size_t capacity;
};

/* Seizes every thread that `pid` has and, from then on, every one that it starts. TRACED when
 * somebody else traces it, NOT_PERMITTED, GONE. The caller must call tracer_deinit in any case. */
enum status tracer_init(struct tracer *out, pid_t pid, struct error *error) MUST_CHECK;
/* Frees memory; what is traced stays so until the calling process ends. */
void tracer_deinit(struct tracer *tracer);

/* Stops all threads, those that are being started included. OK when nothing of the process runs any
 * more; NOT_HELD when that was not so `bound_ns` after the first had stopped, or none has within
 * `patience_ns`, as when all wait for a core; GONE. In every case tracer_continue must follow. */
enum status tracer_stop(struct tracer *tracer, uint64_t patience_ns, uint64_t bound_ns) MUST_CHECK;
/* The same for one thread, while the others run on. NOT_HELD also when there is no such thread. */
enum status tracer_stop_thread(struct tracer *tracer, pid_t tid, uint64_t patience_ns,
                               uint64_t bound_ns) MUST_CHECK;
/* The registers of a thread that is stopped; it is off its CPU from then on until it is let go.
 * NOT_HELD when it is not stopped. */
enum status tracer_registers(struct tracer *tracer, pid_t tid, struct registers *out) MUST_CHECK;
/* Lets all threads go on that are stopped by us: one that was stopped anyway, as by Ctrl-Z, stays
 * so. */
void tracer_continue(struct tracer *tracer);

/* While the process runs: passes on signals, takes in new threads, and so on. Call it whenever
 * SIGCHLD comes: until then, who has to be passed something waits. */
void tracer_attend(struct tracer *tracer);

#endif
