#include "profiler/target.h"

#include "profiler/base/clock.h"
#include "profiler/signals.h"
#include "profiler/waiting.h"
#include "target-runtime/join.h"

enum {
    /* Where there is time: so many looks at once, for a call that was not known may still be on. */
    REVIEWS = 4,
    REVIEW_FROM_US = 100, /* between ticks */
};

void target_init(struct target *target, struct run *run, const struct process *process) {
    *target = (struct target){.run = run, .process = process};
}

/* ---- attaching ---- */

/* One stopper outlives the programs that the process executes. */
static enum status open_stopper(struct target *target, struct error *error) {
    return target->stopper.helper != 0
               ? STATUS_OK
               : stopper_open(&target->stopper, target->process, STOPPER_BOUND_NS, error);
}

static enum status block(struct target *target, struct error *error) {
    enum status status = open_stopper(target, error);
    if (status == STATUS_OK) {
        session_block(&target->session, &target->stopper);
    }
    return status;
}

static bool wants_opcodes(const struct run *run) {
    const struct sampler_wishes *wishes = run->plan->wishes;
    return run->plan->lists_opcodes || (wishes != NULL && wishes->opcodes);
}

/* From now on, if that is wanted. */
static void place_by_task(struct target *target) {
    const struct run *run = target->run;
    const struct sampler_wishes *wishes = run->plan->wishes;
    bool is_wanted = run->plan->by_task || (wishes != NULL && wishes->by_task);
    if (is_wanted && target->placing == NULL && target->native == NULL) {
        session_watch_tasks(&target->session, TASKS_RUNNING);
        target->placing = placing_create(&target->session, run->trace);
        target->waiting = run->plan->shows_waiting ? waiting_create(target->run, &target->session,
                                                                    target->placing, target->roster)
                                                   : NULL;
    }
}

static enum status go_native(struct target *target, struct error *error) {
    enum status status = open_stopper(target, error);
    if (status != STATUS_OK) {
        return status;
    }
    target->native = native_create(&target->session, target->run->trace, &target->stopper);
    return target->native != NULL ? STATUS_OK
                                  : error_set(error, STATUS_INTERNAL, "making ready to unwind");
}

/* Once the session is open, or could not be opened. */
static enum status finish_attaching(struct target *target, enum status status,
                                    struct error *error) {
    const struct run *run = target->run;
    if (status != STATUS_OK) {
        return status;
    }
    if (wants_opcodes(run)) {
        resolve_list_opcodes(target->session.resolve);
    }
    if (run->plan->hides_collector) {
        resolve_hide_collector(target->session.resolve);
    }
    target->roster = roster_create(&target->session, run->trace, &run->plan->filter);
    target->activity = activity_create((int)target->process->pid);
    place_by_task(target);
    if (run->plan->is_blocking) {
        status = block(target, error);
    } else if (run->plan->is_native) {
        status = go_native(target, error);
    }
    if (status != STATUS_OK) {
        target_detach(target);
    }
    return status;
}

enum status target_attach(struct target *target, struct error *error) {
    struct run *run = target->run;
    enum status status =
        session_open(&target->session, target->process, run->trace, run->memo, error);
    return finish_attaching(target, status, error);
}

enum status target_attach_fork(struct target *target, const struct target *parent,
                               struct error *error) {
    enum status status = session_open_fork(&target->session, &parent->session, target->process,
                                           target->run->trace, error);
    return finish_attaching(target, status, error);
}

bool target_is_attached(const struct target *target) {
    return target->roster != NULL;
}

void target_detach(struct target *target) {
    target->run->read_calls += target->session.memory.calls;
    target->run->read_bytes += target->session.memory.bytes;
    if (target->run->appeals != NULL) {
        appeals_settle(target->run->appeals, target->session.resolve, clock_monotonic_ns());
    }
    native_destroy(target->native);
    waiting_destroy(target->waiting);
    roster_destroy(target->roster);
    activity_destroy(target->activity);
    placing_destroy(target->placing);
    rollcall_destroy(target->rollcall);
    session_close(&target->session);
    target->roster = NULL;
    target->activity = NULL;
    target->native = NULL;
    target->placing = NULL;
    target->waiting = NULL;
    target->rollcall = NULL;
}

static void close_stopper(struct target *target) {
    uint64_t cpu_ns;
    stopper_close(&target->stopper, &cpu_ns);
    target->run->stopper_cpu_ns += cpu_ns;
}

void target_close(struct target *target) {
    close_stopper(target);
    target_detach(target);
}

/* ---- before the first look ---- */

static bool rehearse_once(struct target *target, uint64_t now_ns) {
    const struct raw_look *look;
    bool has_doubts = false;
    if (walk_look(target->session.walk, &look) != STATUS_OK ||
        resolve_check(target->session.resolve, look, now_ns) != STATUS_OK) {
        return false;
    }
    for (size_t at = 0; at < look->thread_count; at++) {
        const struct raw_thread *thread = &look->threads[at];
        if (thread->is_carried) {
            continue;
        }
        struct resolved resolved = resolve_stack(target->session.resolve, look, thread, now_ns);
        if (resolved.has_doubts) {
            join_doubt(target->session.walk, look, thread, resolved.doubt_depth);
            has_doubts = true;
        }
    }
    return has_doubts;
}

void target_rehearse(struct target *target, int looks, uint64_t pause_ns) {
    for (int i = 0; i < looks && !signals_want_stop(); i++) {
        uint64_t now_ns = clock_monotonic_ns();
        if (!rehearse_once(target, now_ns)) {
            return;
        }
        if (pause_ns > 0) {
            clock_sleep_until_ns(now_ns + pause_ns);
        }
    }
}

/* ---- one look ---- */

static enum status tell(struct run *run, const struct sample *sample) {
    struct health *health = &run->trace->health;
    enum status status = STATUS_OK;
    bool counts = mode_keeps(run->plan->mode, sample->state);
    if (counts) {
        health->samples++;
        health->unverified += (sample->flags & SAMPLE_UNVERIFIED) != 0;
        health->truncated += (sample->flags & SAMPLE_TRUNCATED) != 0;
    }
    for (size_t i = 0; i < run->plan->sink_count && status == STATUS_OK; i++) {
        const struct sink *sink = &run->plan->sinks[i];
        if (sink->push != NULL && (counts || sink->wants_all)) {
            status = sink->push(sink->context, sample, run->error);
        }
    }
    return status;
}

enum status target_release(struct run *run, uint64_t now_ns, bool is_last) {
    enum status status = STATUS_OK;
    struct sample sample;
    while (status == STATUS_OK && run->appeals != NULL &&
           appeals_take(run->appeals, now_ns, is_last, &sample)) {
        status = tell(run, &sample);
    }
    return status;
}

/* Samples are told in order: the same goes for one that cannot be held. */
static enum status push(struct run *run, const struct sample *sample,
                        const struct evidence *evidence) {
    uint64_t now_ns = run->start_ns + sample->time_ns;
    run->pushed += mode_keeps(run->plan->mode, sample->state);
    if (run->appeals != NULL && appeals_hold(run->appeals, sample, evidence, now_ns)) {
        return STATUS_OK;
    }
    enum status status = target_release(run, now_ns, true);
    return status == STATUS_OK ? tell(run, sample) : status;
}

enum status target_push(struct run *run, const struct sample *sample) {
    const struct evidence none = {0};
    return push(run, sample, &none);
}

/* The stack to show of a thread: all of it, or by task. `part_out` and `evidence` are what it was
 * made of, if it can be judged again. */
static struct resolved resolve_thread(struct target *target, const struct raw_look *look,
                                      const struct raw_thread *thread, struct member member,
                                      uint64_t now_ns, struct placed *placed,
                                      struct evidence *evidence) {
    struct resolve *resolve = target->session.resolve;
    *evidence = (struct evidence){.resolve = resolve, .look = look, .taken_ns = now_ns};
    if (target->native != NULL) {
        uint32_t tid = trace_thread(target->run->trace, member.thread)->tid;
        struct resolved native = native_stack(target->native, look,
                                              (size_t)(thread - look->threads), (pid_t)tid, now_ns);
        if (target->placing != NULL) {
            placing_place(target->placing, look, thread, member.thread, now_ns, placed);
            native.stack = placing_put(target->placing, native.stack, placed);
        }
        return native;
    }
    if (target->placing == NULL) {
        evidence->thread = thread;
        return resolve_stack(resolve, look, thread, now_ns);
    }
    placing_place(target->placing, look, thread, member.thread, now_ns, placed);
    if (placed->part.frame_count == 0) {
        return (struct resolved){.stack = placed->base};
    }
    evidence->thread = &placed->part;
    evidence->base = placed->base;
    struct resolved resolved = resolve_stack_on(resolve, look, &placed->part, placed->base, now_ns);
    resolved.doubt_depth += placed->below;
    return resolved;
}

static enum status take_thread(struct target *target, const struct raw_look *look,
                               const struct raw_thread *thread, uint64_t now_ns) {
    struct run *run = target->run;
    struct health *health = &run->trace->health;
    if (thread->is_carried) {
        return STATUS_OK; /* its frames are below those of another */
    }
    if (thread->frame_count == 0 && thread->is_complete) {
        health->empty++;
        return STATUS_OK;
    }
    const struct raw_thread *bottom = join_bottom(look, thread);
    struct member member = roster_member(target->roster, bottom, thread->frame_count > 0);
    if (!member.is_wanted) {
        if (member.is_settled && look->interpreter_count == 1) {
            walk_skip(target->session.walk, thread->slot);
        }
        return STATUS_OK;
    }
    if (thread->frame_count == 0) {
        health->lost++;
        return STATUS_OK;
    }
    uint32_t state =
        activity_state(target->activity, look, thread, member.tid, now_ns, run->elapsed_ns);
    struct placed placed;
    struct evidence evidence;
    struct resolved resolved =
        resolve_thread(target, look, thread, member, now_ns, &placed, &evidence);
    if (resolved.stack.id == 0) {
        health->lost++;
        return STATUS_OK;
    }
    if (resolved.has_doubts) {
        join_doubt(target->session.walk, look, thread, resolved.doubt_depth);
        target->is_puzzled |= (resolved.flags & SAMPLE_UNVERIFIED) != 0;
    }
    struct sample sample = {
        .time_ns = now_ns - run->start_ns,
        .weight_ns = run->elapsed_ns,
        .thread = member.thread,
        .stack = resolved.stack,
        .flags = resolved.flags,
        .state = state,
    };
    session_note(&target->session, run->trace);
    return push(run, &sample, &evidence);
}

static enum status take_look(struct target *target, const struct raw_look *look, uint64_t now_ns) {
    uint64_t pushed_before = target->run->pushed;
    enum status status = resolve_check(target->session.resolve, look, now_ns);
    roster_meet(target->roster, look, now_ns);
    for (size_t i = 0; i < look->thread_count && status == STATUS_OK; i++) {
        status = take_thread(target, look, &look->threads[i], now_ns);
    }
    if (status == STATUS_OK && target->waiting != NULL) {
        status = waiting_look(target->waiting, look, now_ns);
    }
    target->look_samples = target->run->pushed - pushed_before;
    return status;
}

/* The process was not held while it was looked at: what it would have given is lost. */
static enum status lose_look(struct target *target, enum status why) {
    target->run->trace->health.lost += target->look_samples > 0 ? target->look_samples : 1;
    if (why == STATUS_NOT_HELD) {
        return STATUS_OK;
    }
    close_stopper(target); /* somebody has killed it, perhaps for want of memory */
    return block(target, target->run->error);
}

/* Whether several looks may be copied at once: none of them asks for more than the stacks. */
static bool may_go_ahead(const struct target *target) {
    return target->session.stopper == NULL && target->placing == NULL && target->native == NULL;
}

/* Takes the looks that were copied along with the first one. They stand for the time since the last
 * tick to equal parts, one after the other, and are told to be of the end of theirs. */
static enum status take_looks(struct target *target, const struct raw_look *look, uint64_t now_ns) {
    struct run *run = target->run;
    size_t count = walk_left(target->session.walk) + 1;
    uint64_t from_ns = now_ns - run->elapsed_ns;
    run->elapsed_ns = (clock_monotonic_ns() - from_ns) / count;
    enum status status = take_look(target, look, from_ns + run->elapsed_ns);
    for (size_t i = 2; i <= count && status == STATUS_OK; i++) {
        status = session_look(&target->session, &run->trace->pauses, &look);
        if (status == STATUS_OK) {
            status = take_look(target, look, from_ns + i * run->elapsed_ns);
        }
    }
    run->looks = count;
    run->last_tick_ns = from_ns + count * run->elapsed_ns;
    return status;
}

enum status target_look(struct target *target, uint64_t now_ns) {
    struct run *run = target->run;
    const struct raw_look *look;
    walk_ahead(target->session.walk, may_go_ahead(target) ? run->ahead : 1);
    enum status status = session_look(&target->session, &run->trace->pauses, &look);
    if (status == STATUS_NOT_HELD || status == STATUS_INTERNAL) {
        return lose_look(target, status);
    }
    if (status == STATUS_OK && walk_left(target->session.walk) > 0) {
        return take_looks(target, look, now_ns);
    }
    target->is_puzzled = false;
    status = status == STATUS_OK ? take_look(target, look, now_ns) : status;
    if (status == STATUS_OK && target->is_puzzled &&
        run->plan->interval_ns >= REVIEW_FROM_US * NS_PER_US) {
        target_rehearse(target, REVIEWS, 0);
    }
    return status;
}

/* ---- all tasks ---- */

static void call_roll(struct target *target) {
    const struct run *run = target->run;
    const struct sampler_wishes *wishes = run->plan->wishes;
    const struct roll_entry *entries;
    size_t count;
    uint64_t now_ns = clock_monotonic_ns();
    if (!run->plan->calls_roll && (wishes == NULL || !wishes->tasks)) {
        return;
    }
    if (target->rollcall == NULL) {
        target->rollcall = rollcall_create(&target->session, run->trace);
    }
    if (target->session.last_look != NULL && rollcall_is_due(target->rollcall, now_ns) &&
        rollcall_take(target->rollcall, target->session.last_look, now_ns, &entries, &count) ==
            STATUS_OK) {
        run->plan->tell_tasks(run->plan->context, (uint32_t)target->process->pid, entries, count,
                              now_ns);
    }
}

void target_leave_roll(struct target *target, uint64_t now_ns) {
    const struct sampler_plan *plan = target->run->plan;
    if (target->rollcall != NULL) {
        plan->tell_tasks(plan->context, (uint32_t)target->process->pid, NULL, 0, now_ns);
    }
}

enum status target_keep_house(struct target *target, uint64_t now_ns) {
    roster_read_names(target->roster, now_ns, false);
    if (wants_opcodes(target->run)) {
        resolve_list_opcodes(target->session.resolve);
    }
    session_meet_greenlets(&target->session, now_ns);
    place_by_task(target);
    call_roll(target);
    if (!process_is_alive(target->process)) {
        return STATUS_GONE;
    }
    return session_is_stale(&target->session) ? STATUS_NOT_READY : STATUS_OK;
}

void target_tell_waits(const struct target *target) {
    if (target->waiting != NULL) {
        waiting_tell(target->waiting);
    }
}

void target_read_names(struct target *target, uint64_t now_ns) {
    roster_read_names(target->roster, now_ns, true);
    session_refresh(&target->session, target->run->trace);
}
