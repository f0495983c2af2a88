#define _GNU_SOURCE
#include "profiler/sampler.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "profiler/base/clock.h"
#include "profiler/nap.h"
#include "profiler/schedule.h"
#include "profiler/session.h"
#include "profiler/signals.h"

enum {
    WAKE_MS = 100,
    HOUSEKEEPING_MS = 50,
    REHEARSALS = 100, /* a deep stack that stands still is learned call by call */
    REHEARSAL_NS = 100000,
    ATTACH_AGAIN_MS = 2000, /* after exec: how long to look for a Python in the new program */
};

struct sampler {
    const struct process *process;
    struct trace *trace;
    const struct sampler_plan *plan;
    struct session session;
    struct roster *roster;
    struct schedule schedule;
    struct nap nap;
    struct error *error;
    uint64_t start_ns;
    uint64_t last_tick_ns;
    uint64_t housekeeping_ns;
    uint64_t cpu_before_ns;
    uint64_t tick_samples;  /* that the last tick gave */
    struct stopper stopper; /* zeroed unless the plan is blocking */
    uint64_t stopper_cpu_ns;
    struct memory counted; /* calls and bytes of earlier sessions */
};

/* ---- attaching ---- */

/* One stopper outlives the programs that the process executes. */
static enum status block(struct sampler *sampler) {
    enum status status = STATUS_OK;
    if (sampler->stopper.helper == 0) {
        status =
            stopper_open(&sampler->stopper, sampler->process, STOPPER_BOUND_NS, sampler->error);
    }
    if (status == STATUS_OK) {
        session_block(&sampler->session, &sampler->stopper);
    }
    return status;
}

static enum status attach(struct sampler *sampler, bool keep_waiting, uint64_t deadline_ns) {
    enum status status = session_wait(&sampler->session, sampler->process, sampler->trace,
                                      keep_waiting, deadline_ns, sampler->error);
    if (status == STATUS_OK) {
        if (sampler->plan->lists_opcodes) {
            resolve_list_opcodes(sampler->session.resolve);
        }
        sampler->roster = roster_create(&sampler->session, sampler->trace, &sampler->plan->filter);
    }
    return status == STATUS_OK && sampler->plan->is_blocking ? block(sampler) : status;
}

static void detach(struct sampler *sampler) {
    sampler->counted.calls += sampler->session.memory.calls;
    sampler->counted.bytes += sampler->session.memory.bytes;
    roster_destroy(sampler->roster);
    session_close(&sampler->session);
    sampler->roster = NULL;
}

/* The target's memory is not what it was: has it executed another program? */
static enum status attach_again(struct sampler *sampler) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t wait_ns = ATTACH_AGAIN_MS * NS_PER_MS;
    detach(sampler);
    return attach(sampler, true, sampler->plan->keep_waiting ? 0 : now_ns + wait_ns);
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

static void count_sample(struct health *health, const struct sample *sample) {
    health->samples++;
    health->unverified += (sample->flags & SAMPLE_UNVERIFIED) != 0;
    health->truncated += (sample->flags & SAMPLE_TRUNCATED) != 0;
}

static enum status push_sample(struct sampler *sampler, const struct sample *sample) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sampler->plan->sink_count && status == STATUS_OK; i++) {
        const struct sink *sink = &sampler->plan->sinks[i];
        status = sink->push != NULL ? sink->push(sink->context, sample, sampler->error) : status;
    }
    return status;
}

static enum status take_thread(struct sampler *sampler, const struct raw_look *look,
                               const struct raw_thread *thread, uint64_t now_ns) {
    struct health *health = &sampler->trace->health;
    if (thread->frame_count == 0 && thread->is_complete) {
        health->empty++;
        return STATUS_OK;
    }
    struct member member = roster_member(sampler->roster, thread, thread->frame_count > 0);
    if (!member.is_wanted) {
        if (member.is_settled) {
            walk_skip(sampler->session.walk, thread->slot);
        }
        return STATUS_OK;
    }
    if (thread->frame_count == 0) {
        health->lost++;
        return STATUS_OK;
    }
    struct resolved resolved = resolve_stack(sampler->session.resolve, look, thread, now_ns);
    if (resolved.stack.id == 0) {
        health->lost++;
        return STATUS_OK;
    }
    if (resolved.has_doubts) {
        walk_doubt(sampler->session.walk, thread->slot, resolved.doubt_depth);
    }
    struct sample sample = {
        .time_ns = now_ns - sampler->start_ns,
        .weight_ns = sampler->plan->mode->weigh(now_ns - sampler->last_tick_ns),
        .thread = member.thread,
        .stack = resolved.stack,
        .flags = resolved.flags,
    };
    count_sample(health, &sample);
    return push_sample(sampler, &sample);
}

static enum status take_look(struct sampler *sampler, const struct raw_look *look,
                             uint64_t now_ns) {
    enum status status = resolve_check(sampler->session.resolve, look, now_ns);
    roster_meet(sampler->roster, look, now_ns);
    for (size_t i = 0; i < look->thread_count && status == STATUS_OK; i++) {
        status = take_thread(sampler, look, &look->threads[i], now_ns);
    }
    return status;
}

static void finish_tick(struct sampler *sampler, uint64_t now_ns) {
    struct health *health = &sampler->trace->health;
    health->ticks++;
    health->late = sampler->schedule.missed;
    health->duration_ns = now_ns - sampler->start_ns;
    sampler->last_tick_ns = now_ns;
    for (size_t i = 0; i < sampler->plan->sink_count; i++) {
        const struct sink *sink = &sampler->plan->sinks[i];
        if (sink->tick != NULL) {
            sink->tick(sink->context, health);
        }
    }
}

static void close_stopper(struct sampler *sampler) {
    uint64_t cpu_ns;
    stopper_close(&sampler->stopper, &cpu_ns);
    sampler->stopper_cpu_ns += cpu_ns;
}

/* The target was not held while it was looked at: what it would have given is lost. */
static enum status lose_tick(struct sampler *sampler, enum status why, uint64_t now_ns) {
    sampler->trace->health.lost += sampler->tick_samples > 0 ? sampler->tick_samples : 1;
    finish_tick(sampler, now_ns);
    if (why == STATUS_NOT_HELD) {
        return STATUS_OK;
    }
    close_stopper(sampler); /* somebody has killed it, perhaps for want of memory */
    return block(sampler);
}

/* NOT_READY and NOT_MAPPED mean that the target's Python is not where it was. */
static enum status tick(struct sampler *sampler, uint64_t now_ns) {
    const struct raw_look *look;
    uint64_t samples_before = sampler->trace->health.samples;
    enum status status = session_look(&sampler->session, &sampler->trace->pauses, &look);
    if (status == STATUS_NOT_HELD || status == STATUS_INTERNAL) {
        return lose_tick(sampler, status, now_ns);
    }
    if (status == STATUS_OK) {
        status = take_look(sampler, look, now_ns);
        sampler->tick_samples = sampler->trace->health.samples - samples_before;
    }
    if (status == STATUS_OK) {
        finish_tick(sampler, now_ns);
    }
    return status;
}

static void note_cost(struct sampler *sampler) {
    struct rusage usage;
    struct health *health = &sampler->trace->health;
    getrusage(RUSAGE_SELF, &usage);
    health->cpu_ns = clock_cpu_ns() - sampler->cpu_before_ns + sampler->stopper_cpu_ns;
    health->rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    health->read_calls = sampler->counted.calls + sampler->session.memory.calls;
    health->read_bytes = sampler->counted.bytes + sampler->session.memory.bytes;
}

/* What need not happen in every tick. NOT_READY when the target runs another program now. */
static enum status keep_house(struct sampler *sampler, uint64_t now_ns) {
    if (signals_take_write() && sampler->plan->write_now != NULL) {
        sampler->plan->write_now(sampler->plan->context);
    }
    if (now_ns < sampler->housekeeping_ns) {
        return STATUS_OK;
    }
    sampler->housekeeping_ns = now_ns + HOUSEKEEPING_MS * NS_PER_MS;
    note_cost(sampler);
    roster_read_names(sampler->roster, now_ns, false);
    if (!process_is_alive(sampler->process)) {
        return STATUS_GONE;
    }
    return session_is_stale(&sampler->session) ? STATUS_NOT_READY : STATUS_OK;
}

/* ---- before the first tick ---- */

/* Looks that are no samples, so that what stands still when we come is known to do so from the
 * first sample on. A program that we start ourselves has nothing that stands still yet. */
static void rehearse(struct sampler *sampler) {
    const struct raw_look *look;
    bool has_doubts = !sampler->plan->keep_waiting;
    for (int i = 0; i < REHEARSALS && has_doubts && !signals_want_stop(); i++) {
        uint64_t now_ns = clock_monotonic_ns();
        if (walk_look(sampler->session.walk, &look) != STATUS_OK ||
            resolve_check(sampler->session.resolve, look, now_ns) != STATUS_OK) {
            return;
        }
        has_doubts = false;
        for (size_t at = 0; at < look->thread_count; at++) {
            const struct raw_thread *thread = &look->threads[at];
            struct resolved resolved =
                resolve_stack(sampler->session.resolve, look, thread, now_ns);
            if (resolved.has_doubts) {
                walk_doubt(sampler->session.walk, thread->slot, resolved.doubt_depth);
                has_doubts = true;
            }
        }
        clock_sleep_until_ns(now_ns + REHEARSAL_NS);
    }
}

/* ---- the loop ---- */

/* A target that is gone, or that no longer runs Python, is the end and no failure. */
static bool is_end_of_target(const struct sampler *sampler, enum status status) {
    return status == STATUS_GONE || status == STATUS_NO_PROCESS || status == STATUS_NOT_PYTHON ||
           status == STATUS_NOT_READY || status == STATUS_NOT_MAPPED ||
           status == STATUS_BAD_LAYOUT || !process_is_alive(sampler->process);
}

static enum status sample_until_end(struct sampler *sampler, enum sampler_end *end_out) {
    uint64_t duration_ns = sampler->plan->duration_ns;
    uint64_t deadline_ns = duration_ns != 0 ? sampler->start_ns + duration_ns : UINT64_MAX;
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

enum status sampler_run(const struct process *process, struct trace *trace,
                        const struct sampler_plan *plan, enum sampler_end *end_out,
                        struct error *error) {
    struct sampler sampler = {
        .process = process,
        .trace = trace,
        .plan = plan,
        .error = error,
        .cpu_before_ns = clock_cpu_ns(),
    };
    *end_out = END_TARGET;
    enum status status = attach(&sampler, plan->keep_waiting, 0);
    if (status != STATUS_OK) {
        detach(&sampler);
        return status;
    }
    /* By default the kernel may wake us 50 us late, to save power. */
    prctl(PR_SET_TIMERSLACK, 1UL);
    rehearse(&sampler);
    sampler.start_ns = clock_monotonic_ns();
    sampler.last_tick_ns = sampler.start_ns;
    trace->run.start_wall_ns = clock_wall_ns();
    schedule_init(&sampler.schedule, sampler.start_ns, plan->interval_ns,
                  sampler.start_ns ^ (uint64_t)process->pid << 32);
    nap_init(&sampler.nap, plan->interval_ns);
    status = sample_until_end(&sampler, end_out);
    close_stopper(&sampler);
    if (sampler.roster != NULL && *end_out != END_TARGET) {
        roster_read_names(sampler.roster, clock_monotonic_ns(), true);
    }
    note_cost(&sampler);
    detach(&sampler);
    return status;
}
