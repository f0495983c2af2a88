#define _GNU_SOURCE
#include "profiler/sampler.h"

#include <sys/prctl.h>

#include "profiler/base/clock.h"
#include "profiler/base/footprint.h"
#include "profiler/family.h"
#include "profiler/model/dwell.h"
#include "profiler/nap.h"
#include "profiler/schedule.h"
#include "profiler/signals.h"

enum {
    WAKE_MS = 100,
    SEEK_MS = 5, /* a child may live for no more than 50 ms */
    HOUSEKEEPING_MS = 50,
    OVER_MS = 5,
    /* How long a sample is held that may be verified yet: seconds, unless somebody looks on. At
     * high rates what is new is soon known. */
    HOLD_MS = 2000,
    HOLD_LIVE_MS = 250,
    HOLD_FROM_US = 50,     /* between ticks */
    AHEAD_WITHIN_US = 200, /* looks taken at once are told to be spread over no more than that */
};

struct sampler {
    struct run run;
    struct family family;
    struct schedule schedule;
    struct nap nap;
    uint64_t housekeeping_ns;
    uint64_t over_ns; /* when to see whether all is over */
    uint64_t cpu_before_ns;
};

/* ---- one tick ---- */

/* Waits for a deadline; up now and then, to see whether the user has had enough, the target has
 * ended, or there are new ones. Returns the time. */
static uint64_t wait_until(struct sampler *sampler, uint64_t now_ns, uint64_t deadline_ns) {
    bool is_seeking = family_is_seeking(&sampler->family);
    uint64_t wake_ns = (is_seeking ? SEEK_MS : WAKE_MS) * NS_PER_MS;
    while (now_ns < deadline_ns && !signals_want_stop()) {
        bool is_far = deadline_ns - now_ns > wake_ns;
        uint64_t until_ns =
            is_far ? now_ns + wake_ns : nap_until_ns(&sampler->nap, now_ns, deadline_ns);
        if (until_ns > now_ns) {
            clock_sleep_until_ns(until_ns);
            now_ns = clock_monotonic_ns();
            nap_learn(&sampler->nap, until_ns, now_ns);
        } else {
            clock_pause();
            now_ns = clock_monotonic_ns();
        }
        if (is_far && family_is_over(&sampler->family, now_ns)) {
            break;
        }
        if (is_far) {
            family_meet(&sampler->family, now_ns);
        }
    }
    return now_ns;
}

static void finish_tick(struct sampler *sampler, uint64_t now_ns) {
    struct run *run = &sampler->run;
    struct health *health = &run->trace->health;
    health->ticks += run->looks;
    health->late = sampler->schedule.missed;
    health->duration_ns = now_ns - run->start_ns;
    for (size_t i = 0; i < run->plan->sink_count; i++) {
        const struct sink *sink = &run->plan->sinks[i];
        if (sink->tick != NULL) {
            sink->tick(sink->context, health);
        }
    }
}

static enum status tick(struct sampler *sampler, uint64_t now_ns) {
    struct run *run = &sampler->run;
    run->looks = 1;
    run->elapsed_ns = now_ns - run->last_tick_ns;
    bool is_long = run->elapsed_ns > AHEAD_WITHIN_US * NS_PER_US;
    run->ahead = sampler->family.attached_count == 1 && !is_long ? sampler->schedule.ahead : 1;
    run->last_tick_ns = now_ns;
    enum status status = family_look(&sampler->family, now_ns);
    if (status == STATUS_OK) {
        status = target_release(run, now_ns, false);
    }
    if (status == STATUS_OK) {
        finish_tick(sampler, now_ns);
        schedule_note(&sampler->schedule, run->looks, clock_monotonic_ns() - now_ns);
        family_meet(&sampler->family, now_ns);
    }
    return status;
}

static void note_cost(struct sampler *sampler) {
    const struct run *run = &sampler->run;
    struct health *health = &run->trace->health;
    health->cpu_ns = clock_cpu_ns() - sampler->cpu_before_ns + run->stopper_cpu_ns;
    health->rss_bytes = footprint_peak_bytes();
    family_count_reads(&sampler->family, &health->read_calls, &health->read_bytes);
}

/* Another rate, if one was wished for. */
static void change_rate(struct sampler *sampler, uint64_t now_ns) {
    struct sampler_wishes *wishes = sampler->run.plan->wishes;
    uint64_t interval_ns = wishes != NULL ? atomic_exchange(&wishes->interval_ns, 0) : 0;
    if (interval_ns != 0) {
        uint64_t missed = sampler->schedule.missed;
        sampler->run.trace->run.interval_ns = interval_ns;
        schedule_init(&sampler->schedule, now_ns, interval_ns, sampler->schedule.random);
        sampler->schedule.missed = missed;
        nap_init(&sampler->nap, interval_ns);
    }
}

/* What need not happen in every tick. */
static enum status keep_house(struct sampler *sampler, uint64_t now_ns) {
    const struct sampler_plan *plan = sampler->run.plan;
    enum status status = STATUS_OK;
    if (signals_take_write() && plan->write_now != NULL) {
        family_tell_waits(&sampler->family);
        status = target_release(&sampler->run, now_ns, true);
        plan->write_now(plan->context);
    }
    if (now_ns >= sampler->housekeeping_ns) {
        sampler->housekeeping_ns = now_ns + HOUSEKEEPING_MS * NS_PER_MS;
        note_cost(sampler);
        change_rate(sampler, now_ns);
        family_keep_house(&sampler->family, now_ns);
    }
    return status;
}

/* Asked now and then: a look at a target that has ended fails by itself. */
static bool is_over(struct sampler *sampler, uint64_t now_ns) {
    if (now_ns < sampler->over_ns) {
        return false;
    }
    sampler->over_ns = now_ns + OVER_MS * NS_PER_MS;
    return family_is_over(&sampler->family, now_ns);
}

/* ---- the loop ---- */

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
        *end_out = END_TARGET;
        enum status status = tick(sampler, now_ns);
        if (status == STATUS_OK) {
            status = keep_house(sampler, now_ns);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (is_over(sampler, now_ns)) {
            return STATUS_OK;
        }
    }
}

static struct appeals *hear_appeals(const struct sampler_plan *plan) {
    uint64_t hold_ms = plan->wishes != NULL ? HOLD_LIVE_MS : HOLD_MS;
    bool is_slow = plan->interval_ns >= HOLD_FROM_US * NS_PER_US;
    return is_slow && !plan->is_blocking ? appeals_create(hold_ms * NS_PER_MS) : NULL;
}

static void begin(struct sampler *sampler) {
    struct run *run = &sampler->run;
    run->appeals = hear_appeals(run->plan);
    run->start_ns = clock_monotonic_ns();
    run->last_tick_ns = run->start_ns;
    run->trace->run.start_wall_ns = clock_wall_ns();
    schedule_init(&sampler->schedule, run->start_ns, run->plan->interval_ns,
                  run->start_ns ^ (uint64_t)run->trace->run.pid << 32);
    nap_init(&sampler->nap, run->plan->interval_ns);
}

enum status sampler_run(const struct process *process, struct trace *trace,
                        const struct sampler_plan *plan, enum sampler_end *end_out,
                        struct error *error) {
    struct sampler sampler = {
        .run = {.plan = plan, .trace = trace, .error = error},
        .cpu_before_ns = clock_cpu_ns(),
    };
    *end_out = END_TARGET;
    sampler.run.dwell = plan->shows_waiting ? dwell_create() : NULL;
    family_open(&sampler.family, &sampler.run, process);
    enum status status = family_wait(&sampler.family, error);
    if (status == STATUS_OK) {
        /* By default the kernel may wake us 50 us late, to save power. */
        prctl(PR_SET_TIMERSLACK, 1UL);
        /* A program that we start ourselves has nothing that stands still yet. */
        if (!plan->keep_waiting) {
            family_rehearse(&sampler.family);
        }
        begin(&sampler);
        status = sample_until_end(&sampler, end_out);
        enum status told = target_release(&sampler.run, clock_monotonic_ns(), true);
        status = status == STATUS_OK ? told : status;
        if (*end_out != END_TARGET) {
            family_read_names(&sampler.family, clock_monotonic_ns());
        }
    }
    family_tell_waits(&sampler.family);
    family_close(&sampler.family);
    appeals_destroy(sampler.run.appeals);
    dwell_destroy(sampler.run.dwell);
    note_cost(&sampler);
    return status;
}
