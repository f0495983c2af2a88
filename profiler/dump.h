/* One look at every thread, as text or JSON. */
#ifndef PYROMETER_PROFILER_DUMP_H
#define PYROMETER_PROFILER_DUMP_H

#include <stdbool.h>
#include <stdio.h>

#include "profiler/base/status.h"
#include "profiler/model/trace.h"
#include "profiler/roster.h"
#include "reader/process.h"

/* A thread and its stack at one instant. */
struct dumped_thread {
    struct thread_ref thread;
    struct stack_id stack; /* 0: it runs no Python code */
    uint32_t flags;        /* enum sample_flag */
    bool has_doubts;       /* another look may tell more */
};

/* Looks once (some times more, for threads whose stack moved meanwhile), with `is_blocking` while
 * the process is stopped; the caller frees *out with free(). Statuses as of session_open and
 * stopper_open. */
enum status dump_take(const struct process *process, struct trace *trace,
                      const struct thread_filter *filter, bool is_blocking,
                      struct dumped_thread **out, size_t *count_out,
                      struct error *error) MUST_CHECK;

/* Like a traceback: for each thread, the most recent call last. */
void dump_print_text(const struct trace *trace, const struct dumped_thread *threads, size_t count,
                     FILE *out);
/* {"pid":N,"process":"...","command":"...","python":"3.11.2","threads":[{"tid":N,"name":"...",
 * "main":bool,"complete":bool,"frames":[{"function":"...","file":"...","line":N,"column":N}]}]},
 * frames leaf first, column only where it is known. */
void dump_print_json(const struct trace *trace, const struct dumped_thread *threads, size_t count,
                     FILE *out);

#endif
