/* One process that is profiled: attached, looked at, its samples taken. Whatever the process
 * executes, it stays the same target. */
#ifndef PYROMETER_PROFILER_TARGET_H
#define PYROMETER_PROFILER_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/activity.h"
#include "profiler/appeals.h"
#include "profiler/base/status.h"
#include "profiler/model/trace.h"
#include "profiler/native.h"
#include "profiler/placing.h"
#include "profiler/rollcall.h"
#include "profiler/roster.h"
#include "profiler/sampler.h"
#include "profiler/session.h"
#include "reader/process.h"
#include "reader/stopper.h"

struct waiting;

/* The run that targets are part of: what is the same for all of them. */
struct run {
    const struct sampler_plan *plan;
    struct trace *trace;   /* its health counts what the targets give */
    struct error *error;   /* of whatever ends the run */
    uint64_t start_ns;     /* monotonic */
    uint64_t last_tick_ns; /* when the last look was taken */
    uint64_t elapsed_ns;   /* what a sample of the present look stands for */
    size_t ahead; /* looks that may be taken at once, as no time is left to take them singly */
    size_t looks; /* of the present tick */
    /* What targets have cost so far, as far as they do not say it any more. */
    uint64_t stopper_cpu_ns;
    uint64_t read_calls;
    uint64_t read_bytes;
    uint64_t pushed;           /* samples that count in the mode of the run */
    struct appeals *appeals;   /* samples that are held; NULL: none will be */
    struct dwell *dwell;       /* NULL unless tasks that wait are shown */
    struct symbols_memo *memo; /* of the files that targets have mapped */
};

struct target {
    struct run *run;               /* borrowed */
    const struct process *process; /* borrowed */
    struct session session;        /* zeroed while it is not attached */
    struct roster *roster;         /* NULL while it is not attached */
    struct activity *activity;     /* the same */
    struct placing *placing;       /* NULL unless stacks are by task */
    struct waiting *waiting;       /* NULL unless tasks that wait are shown too */
    struct rollcall *rollcall;     /* NULL unless somebody wants to know all tasks */
    struct stopper stopper;        /* zeroed unless the plan is blocking or native */
    struct native *native;         /* NULL unless it is attached and the plan is native */
    uint64_t look_samples;         /* that the last look gave */
    bool is_puzzled;               /* by a call of which nothing but standing still can speak */
};

/* Counts a sample, and hands it to the sinks of the plan, or holds it (appeals.h). */
enum status target_push(struct run *run, const struct sample *sample) MUST_CHECK;
/* Hands over what need not be held any longer; with `is_last`, all there is. */
enum status target_release(struct run *run, uint64_t now_ns, bool is_last) MUST_CHECK;

/* Not attached yet. It must not move until it is closed. */
void target_init(struct target *target, struct run *run, const struct process *process);
/* Adds what it has cost to the run. */
void target_close(struct target *target);

/* Attaches once, as session_open does. On failure it is not attached. */
enum status target_attach(struct target *target, struct error *error) MUST_CHECK;
/* The same for a fork of another target, as session_open_fork does. */
enum status target_attach_fork(struct target *target, const struct target *parent,
                               struct error *error) MUST_CHECK;
void target_detach(struct target *target);
bool target_is_attached(const struct target *target);

/* Looks that are no samples, so that what stands still when we come is known to do so from the
 * first sample on: up to `looks`, with pauses in between, until nothing is in doubt. */
void target_rehearse(struct target *target, int looks, uint64_t pause_ns);

/* One look, or as many as the run takes ahead, if the process allows for that: run.looks,
 * run.last_tick_ns. Their samples go to the sinks of the plan. NOT_READY and NOT_MAPPED mean that
 * its Python is not where it was; what a look would have given that could not be held is lost, and
 * OK. */
enum status target_look(struct target *target, uint64_t now_ns) MUST_CHECK;

/* What need not happen in every look. NOT_READY when the process runs another program now, GONE
 * when it has ended. */
enum status target_keep_house(struct target *target, uint64_t now_ns) MUST_CHECK;

/* Tells run->dwell, which is there, of the waits that are on. */
void target_tell_waits(const struct target *target);
/* Says that it has no tasks any more, if it said that there are some. */
void target_leave_roll(struct target *target, uint64_t now_ns);

/* Asks once more for the names of the process and of all its threads: they may have changed. */
void target_read_names(struct target *target, uint64_t now_ns);

#endif
