/* Where everything meets: knows the target, the outputs and the screen, as only top.c does too. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/dump/dump.h"
#include "profiler/help.h"
#include "profiler/identity.h"
#include "profiler/launch.h"
#include "profiler/model/live.h"
#include "profiler/options.h"
#include "profiler/outputs.h"
#include "profiler/replay.h"
#include "profiler/report.h"
#include "profiler/sampler.h"
#include "profiler/signals.h"
#include "profiler/top.h"
#include "tui/progress.h"

struct profile {
    struct options *options;
    struct trace trace;
    struct live live;
    struct outputs outputs;
};

/* ---- profiling ---- */

static enum status push_to_trace(void *context, const struct sample *sample, struct error *error) {
    return trace_add(context, sample, error);
}

static void offer_counts(void *context, const struct health *health) {
    live_offer(context, health);
}

static enum status sample(struct profile *profile, const struct process *process,
                          struct error *error) {
    const struct options *options = profile->options;
    const struct sink sinks[] = {
        {&profile->trace, push_to_trace, NULL, false},
        {&profile->outputs, outputs_push, outputs_tick, true},
        {&profile->live, NULL, offer_counts, false},
    };
    struct sampler_plan plan = {
        .interval_ns = options->interval_ns,
        .duration_ns = options->duration_ns,
        .mode = options->mode,
        .filter = options->filter,
        .is_blocking = options->is_blocking,
        .is_native = options->is_native,
        .lists_opcodes = options->lists_opcodes,
        .hides_collector = options->hides_collector,
        .by_task = options->is_async_aware,
        .shows_waiting = options->shows_waiting,
        .keep_waiting = options->verb == VERB_RUN,
        .follows = options->follows,
        .sinks = sinks,
        .sink_count = sizeof sinks / sizeof sinks[0],
        .write_now = outputs_write_now,
        .context = &profile->outputs,
    };
    enum sampler_end end;
    live_init(&profile->live);
    struct progress *progress = options->is_quiet ? NULL : progress_start(&profile->live);
    enum status status = sampler_run(process, &profile->trace, &plan, &end, error);
    progress_stop(progress);
    live_deinit(&profile->live);
    return status;
}

/* What is left to say and write once sampling has ended. Returns the exit status. */
static int conclude(struct profile *profile, enum status sampled, const struct error *error) {
    const struct health *health = &profile->trace.health;
    struct error none = {0};
    if (sampled != STATUS_OK) {
        return report_failure(error);
    }
    if (health->samples == 0) {
        error_set(&none, STATUS_NO_SAMPLE,
                  "process %u, %" PRIu64 " looks, of which %" PRIu64
                  " at threads without Python code and %" PRIu64 " failed",
                  profile->trace.run.pid, health->ticks, health->empty, health->lost);
        none.os_errno = 0;
        outputs_write_all(&profile->outputs);
        return report_failure(&none);
    }
    outputs_write_all(&profile->outputs);
    if (!profile->options->is_quiet) {
        report_quality(&profile->trace);
    }
    return (int)status_exit(profile->outputs.status);
}

/* Profiles a process that was opened, and writes everything. Returns the exit status. */
static int profile_process(struct profile *profile, const struct process *process) {
    struct error error = {0};
    profile->trace.run.pid = (uint32_t)process->pid;
    if (outputs_prepare(&profile->outputs, (int)process->pid, &error) != STATUS_OK) {
        return report_failure(&error);
    }
    identity_begin_run(&profile->trace, process, profile->options->mode,
                       profile->options->interval_ns);
    outputs_begin(&profile->outputs, process);
    enum status status = sample(profile, process, &error);
    return conclude(profile, status, &error);
}

/* ---- the verbs ---- */

static int attach(struct profile *profile) {
    struct process process;
    struct error error = {0};
    if (process_open(&process, profile->options->pid, &error) != STATUS_OK) {
        return report_failure(&error);
    }
    int result = profile_process(profile, &process);
    process_close(&process);
    return result;
}

/* The command is not started if its profile could not be written. Its exit status counts, unless it
 * did well and we did not. */
static int run(struct profile *profile) {
    struct process process;
    struct error error = {0};
    pid_t pid;
    if (outputs_prepare(&profile->outputs, (int)getpid(), &error) != STATUS_OK ||
        launch_start(profile->options->command, &pid, &error) != STATUS_OK) {
        return report_failure(&error);
    }
    int result;
    if (process_open(&process, pid, &error) == STATUS_OK) {
        result = profile_process(profile, &process);
        process_close(&process);
    } else {
        result = report_failure(&error);
    }
    int command_result = launch_wait(pid);
    return command_result != 0 ? command_result : result;
}

static int with_profile(struct options *options, int (*verb)(struct profile *)) {
    struct profile profile = {.options = options};
    struct error error = {0};
    enum status status = trace_init(&profile.trace, outputs_need_timeline(options, true), &error);
    outputs_init(&profile.outputs, options, &profile.trace);
    int result = status == STATUS_OK ? verb(&profile) : report_failure(&error);
    outputs_deinit(&profile.outputs);
    trace_deinit(&profile.trace);
    return result;
}

int main(int argc, char **argv) {
    struct options options;
    struct error error = {0};
    setlocale(LC_CTYPE, "");
    signals_install();
    if (options_parse(&options, argc, argv, &error) != STATUS_OK) {
        error.os_errno = 0;
        options_free(&options);
        return report_failure(&error);
    }
    int result = EXIT_DONE;
    switch (options.verb) {
    case VERB_ATTACH: result = with_profile(&options, attach); break;
    case VERB_RUN: result = with_profile(&options, run); break;
    case VERB_DUMP: result = dump(&options); break;
    case VERB_TOP: result = top(&options); break;
    case VERB_REPLAY:
    case VERB_DIFF: result = replay(&options); break;
    case VERB_HELP: help_print(options.help_verb, stdout); break;
    case VERB_VERSION: puts("pyrometer " PYROMETER_VERSION); break;
    }
    options_free(&options);
    return result;
}
