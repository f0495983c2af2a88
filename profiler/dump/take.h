/* One look at every thread of a process, or as many as it takes until all is known of their stacks.
 */
#ifndef PYROMETER_PROFILER_DUMP_TAKE_H
#define PYROMETER_PROFILER_DUMP_TAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/status.h"
#include "profiler/dump/inspect.h"
#include "profiler/model/trace.h"
#include "profiler/roster.h"
#include "reader/process.h"

/* A thread and its stack at one instant. */
struct dumped_thread {
    struct thread_ref thread;
    struct stack_id stack;      /* 0: it runs no Python code */
    uint32_t flags;             /* enum sample_flag */
    uint32_t state;             /* enum sample_state */
    bool has_doubts;            /* another look may tell more */
    char kernel_state;          /* R, S, D, ... of proc(5); 0: not known */
    size_t place;               /* in the look that it comes from */
    struct thread_state before; /* as it was when its values were read */
    struct inspected inspected; /* empty unless values were asked for */
};

/* A process and its threads: the main one first, then by id. */
struct dumped_process {
    uint32_t pid;
    struct string_id name;    /* the kernel's (comm) */
    struct string_id command; /* arguments joined with spaces */
    struct string_id python_version;
    bool has_gil; /* its Python has one; else threads are attached or not */
    struct dumped_thread *threads;
    size_t thread_count;
};

struct take_plan {
    const struct thread_filter *filter;
    bool is_blocking; /* look while the process is stopped */
    bool is_native;   /* native frames too; not with is_blocking */
    bool has_locals;  /* with the values of local variables; not with is_native */
};

/* Looks at an opened process; names and sources go into `trace`. `out` is to be given to take_free
 * even when that fails. Statuses as of session_open and stopper_open. */
enum status take_process(const struct process *process, struct trace *trace,
                         const struct take_plan *plan, struct dumped_process *out,
                         struct error *error) MUST_CHECK;
/* Accepts a zeroed one. */
void take_free(struct dumped_process *dumped);

#endif
