#define _GNU_SOURCE
#include "profiler/sampler.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "profiler/base/clock.h"
#include "profiler/nap.h"
#include "profiler/schedule.h"
#include "profiler/signals.h"
#include "profiler/target.h"

enum {
    WAKE_MS = 100,
    HOUSEKEEPING_MS = 50,
    ATTACH_AGAIN_MS = 2000, /* after exec: how long to look for a Python in the new program */
};

struct sampler {
    const struct process *process;
    struct run run;
    struct target target;
    struct schedule schedule;
    struct nap nap;
    uint64_t housekeeping_ns;
    uint64_t cpu_before_ns;
};

/* The target's memory is not what it was: has it executed another program? */
static enum status attach_again(struct sampler *sampler) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t wait_ns = ATTACH_AGAIN_MS * NS_PER_MS;
    target_detach(&sampler->target);
    return target_attach(&sampler->target, true,
                         sampler->run.plan->keep_waiting ? 0 : now_ns + wait_ns);
}

/* ---- one tick ---- */

/* Waits for a deadline; up now and then, to see whether the user has had enough or the target has
 * ended. Returns the time. */
static uint64_t wait_until(struct sampler *sampler, uint64_t now_ns, uint64_t deadline_ns) {
    while (now_ns < deadline_ns && !signals_want_stop()) {
        bool is_far = deadline_ns - now_ns > WAKE_MS * NS_PER_MS;
        uint64_t until_ns = is_far ? now_ns + WAKE_MS * NS_PER_MS
                                   : nap_until_ns(&sampler->nap, now_ns, deadline_ns);
        if (until_ns > now_ns) {
            clock_sleep_until_ns(until_ns);
            now_ns = clock_monotonic_ns();
            nap_learn(&sampler->nap, until_ns, now_ns);
        } else {
            clock_pause();
            now_ns = clock_monotonic_ns();
        }
        if (is_far && !process_is_alive(sampler->process)) {
            break;
        }
    }
    return now_ns;
}

static void finish_tick(struct sampler *sampler, uint64_t now_ns) {
    struct run *run = &sampler->run;
    struct health *health = &run->trace->health;
    health->ticks++;
    health->late = sampler->schedule.missed;
    health->duration_ns = now_ns - run->start_ns;
    run->last_tick_ns = now_ns;
    for (size_t i = 0; i < run->plan->sink_count; i++) {
        const struct sink *sink = &run->plan->sinks[i];
        if (sink->tick != NULL) {
            sink->tick(sink->context, health);
        }
    }
}

static enum status tick(struct sampler *sampler, uint64_t now_ns) {
    enum status status = target_look(&sampler->target, now_ns);
    if (status == STATUS_OK) {
        finish_tick(sampler, now_ns);
    }
    return status;
}

static void note_cost(struct sampler *sampler) {
    struct rusage usage;
    const struct run *run = &sampler->run;
    const struct memory *memory = &sampler->target.session.memory;
    struct health *health = &run->trace->health;
    getrusage(RUSAGE_SELF, &usage);
    health->cpu_ns = clock_cpu_ns() - sampler->cpu_before_ns + run->stopper_cpu_ns;
    health->rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    health->read_calls = run->read_calls + memory->calls;
    health->read_bytes = run->read_bytes + memory->bytes;
}

/* What need not happen in every tick. Statuses as of target_keep_house. */
static enum status keep_house(struct sampler *sampler, uint64_t now_ns) {
    const struct sampler_plan *plan = sampler->run.plan;
    if (signals_take_write() && plan->write_now != NULL) {
        plan->write_now(plan->context);
    }
    if (now_ns < sampler->housekeeping_ns) {
        return STATUS_OK;
    }
    sampler->housekeeping_ns = now_ns + HOUSEKEEPING_MS * NS_PER_MS;
    note_cost(sampler);
    return target_keep_house(&sampler->target, now_ns);
}

/* ---- the loop ---- */

/* A target that is gone, or that no longer runs Python, is the end and no failure. */
static bool is_end_of_target(const struct sampler *sampler, enum status status) {
    return status == STATUS_GONE || status == STATUS_NO_PROCESS || status == STATUS_NOT_PYTHON ||
           status == STATUS_NOT_READY || status == STATUS_NOT_MAPPED ||
           status == STATUS_BAD_LAYOUT || !process_is_alive(sampler->process);
}

static enum status sample_until_end(struct sampler *sampler, enum sampler_end *end_out) {
    uint64_t duration_ns = sampler->run.plan->duration_ns;
    uint64_t deadline_ns = duration_ns != 0 ? sampler->run.start_ns + duration_ns : UINT64_MAX;
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t next_ns = schedule_next_ns(&sampler->schedule, now_ns);
        now_ns = wait_until(sampler, now_ns, next_ns < deadline_ns ? next_ns : deadline_ns);
        *end_out = signals_want_stop() ? END_ASKED : END_DURATION;
        if (signals_want_stop() || now_ns >= deadline_ns) {
            return STATUS_OK;
        }
        enum status status = tick(sampler, now_ns);
        if (status == STATUS_OK) {
            status = keep_house(sampler, now_ns);
        }
        if (status == STATUS_NOT_READY || status == STATUS_NOT_MAPPED) {
            status = attach_again(sampler);
        }
        if (status != STATUS_OK) {
            *end_out = END_TARGET;
            return is_end_of_target(sampler, status) ? STATUS_OK : status;
        }
    }
}

static void begin(struct sampler *sampler) {
    struct run *run = &sampler->run;
    run->start_ns = clock_monotonic_ns();
    run->last_tick_ns = run->start_ns;
    run->trace->run.start_wall_ns = clock_wall_ns();
    schedule_init(&sampler->schedule, run->start_ns, run->plan->interval_ns,
                  run->start_ns ^ (uint64_t)sampler->process->pid << 32);
    nap_init(&sampler->nap, run->plan->interval_ns);
}

enum status sampler_run(const struct process *process, struct trace *trace,
                        const struct sampler_plan *plan, enum sampler_end *end_out,
                        struct error *error) {
    struct sampler sampler = {
        .process = process,
        .run = {.plan = plan, .trace = trace, .error = error},
        .cpu_before_ns = clock_cpu_ns(),
    };
    *end_out = END_TARGET;
    target_init(&sampler.target, &sampler.run, process);
    enum status status = target_attach(&sampler.target, plan->keep_waiting, 0);
    if (status == STATUS_OK) {
        /* By default the kernel may wake us 50 us late, to save power. */
        prctl(PR_SET_TIMERSLACK, 1UL);
        /* A program that we start ourselves has nothing that stands still yet. */
        if (!plan->keep_waiting) {
            target_rehearse(&sampler.target);
        }
        begin(&sampler);
        status = sample_until_end(&sampler, end_out);
        if (sampler.target.roster != NULL && *end_out != END_TARGET) {
            roster_read_names(sampler.target.roster, clock_monotonic_ns(), true);
        }
    }
    target_close(&sampler.target);
    note_cost(&sampler);
    return status;
}
