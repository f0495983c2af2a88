/* The sampling loop: look, name, weigh, push; until told to stop. */
#ifndef PYROMETER_PROFILER_SAMPLER_H
#define PYROMETER_PROFILER_SAMPLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/model/mode.h"
#include "profiler/model/roll.h"
#include "profiler/model/sink.h"
#include "profiler/model/trace.h"
#include "profiler/roster.h"
#include "reader/process.h"

/* What may be asked of a running sampler, from another thread. */
struct sampler_wishes {
    _Atomic uint64_t interval_ns; /* another one from now on; 0: as it is */
    atomic_bool opcodes;          /* these from now on: as the plan's lists_opcodes, */
    atomic_bool tasks;            /* calls_roll, */
    atomic_bool by_task;          /* by_task */
};

struct sampler_plan {
    uint64_t interval_ns; /* > 0 */
    uint64_t duration_ns; /* 0: until the target ends or the user asks */
    const struct mode *mode;
    struct thread_filter filter;
    bool is_blocking;     /* stop the target for every look */
    bool is_native;       /* native frames too; the target is not stopped for every look then */
    bool by_task;         /* stacks by task of asyncio */
    bool shows_waiting;   /* those of tasks that wait, too; with by_task */
    bool calls_roll;      /* tell all tasks now and then */
    bool lists_opcodes;   /* record the bytecode instruction of newest frames */
    bool hides_collector; /* no frame for the garbage collector */
    bool keep_waiting;    /* the process may yet execute or start a Python: wait for it */
    bool follows;         /* profile all that is below the process as well */
    struct sampler_wishes *wishes; /* borrowed; NULL: none will come */
    const struct sink *sinks;
    size_t sink_count;
    /* Called when the user asked for what there is so far (SIGUSR1). */
    void (*write_now)(void *context);
    /* Told the tasks of a process, when somebody wants to know them; `now_ns` is monotonic. */
    void (*tell_tasks)(void *context, uint32_t pid, const struct roll_entry *entries, size_t count,
                       uint64_t now_ns);
    void *context;
};

/* Why sampling ended. */
enum sampler_end {
    END_ASKED,    /* by a signal */
    END_DURATION, /* the time is up */
    END_TARGET,   /* the target ended, or no longer runs Python */
};

/* Profiles `process` into `trace` (its threads and stacks; samples go to the sinks) and keeps
 * trace->health. Fails only when it could not attach, or a sink failed; OK with `*end_out`
 * otherwise, even if there was not one sample. */
enum status sampler_run(const struct process *process, struct trace *trace,
                        const struct sampler_plan *plan, enum sampler_end *end_out,
                        struct error *error) MUST_CHECK;

#endif
