#include "profiler/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/origin.h"
#include "profiler/target.h"
#include "target-runtime/task_census.h"

enum {
    TIME_SHARE = 4,   /* looking at tasks takes one part in so many of the time, */
    CENSUS_SHARE = 3, /* and finding them one of those */
    CREDIT_MS = 5,    /* of time that was not used no more is saved up */
    BATCH = 32,       /* tasks that are looked at together */
    FIRST_COST_NS = 20000,
    COST_PARTS = 8,   /* so many looks back what one costs is remembered */
    NOTES_KEPT = 96,  /* of one task: what took more to read is read anew each time */
    SWEEP = 512,      /* readings in a tick */
    ROUNDS_FIRST = 2, /* the first one ends where it begins */
    FIRST_MS = 2000,  /* a census that will not end in that time is not waited for */
};

/* What was made of a task when it was read last, and how to tell that it is still so. */
struct reading {
    uint32_t serial; /* of the member of the census; 0: none */
    uint32_t note_count;
    struct memory_note *notes; /* NULL: it is to be read anew */
    uint64_t digest;
    struct waiter waiter; /* its stack is 0 if it does not wait */
    struct dwell_wait wait;
};

/* The samples of a thread's tasks are a track of their own, beside that of the thread. */
struct track {
    uint64_t ident;
    struct thread_ref thread; /* 0: it is not wanted */
};

struct waiting {
    struct run *run;
    struct session *session;
    struct placing *placing;
    struct roster *roster;
    struct task_census *census;
    struct reading *readings; /* by slot of the census */
    size_t reading_count;
    size_t reading_capacity;
    size_t sweep;           /* the reading that is asked next whether its task is still there */
    struct waiter *waiters; /* of this tick */
    size_t waiter_count;
    size_t waiter_capacity;
    struct track *tracks; /* of this tick */
    size_t track_count;
    size_t track_capacity;
    struct range *ranges;
    size_t range_capacity;
    uint8_t *bytes;
    size_t byte_capacity;
    int64_t credit_ns; /* that looking may take */
    uint64_t cost_ns;  /* of looking at one task, on average */
    uint64_t last_ns;  /* the tick that the samples of this one go back to */
    uint32_t rounds;   /* of the census, up to ROUNDS_FIRST */
};

/* ---- what is known of a task ---- */

static void forget(struct waiting *waiting, struct reading *reading, uint64_t now_ns) {
    waiting_leave(waiting, &reading->wait, now_ns);
    free(reading->notes);
    *reading = (struct reading){.serial = 0};
}

static struct reading *reading_of(struct waiting *waiting,
                                  const struct task_census_member *member) {
    size_t known = waiting->reading_count;
    if (member->slot >= known) {
        waiting->readings = memory_grow(waiting->readings, sizeof *waiting->readings,
                                        (size_t)member->slot + 1, &waiting->reading_capacity);
        waiting->reading_count = waiting->reading_capacity;
        memset(waiting->readings + known, 0,
               (waiting->reading_count - known) * sizeof *waiting->readings);
    }
    struct reading *reading = &waiting->readings[member->slot];
    if (reading->serial != member->serial) {
        forget(waiting, reading, member->since_ns);
        reading->serial = member->serial;
        reading->wait = (struct dwell_wait){.seen_ns = member->since_ns, .is_new = true};
    }
    return reading;
}

/* Who has gone does not wait any more. */
static void sweep(struct waiting *waiting, uint64_t now_ns) {
    size_t count = waiting->reading_count < SWEEP ? waiting->reading_count : SWEEP;
    for (size_t i = 0; i < count; i++) {
        waiting->sweep = waiting->sweep < waiting->reading_count ? waiting->sweep : 0;
        struct reading *reading = &waiting->readings[waiting->sweep];
        if (!task_census_has(waiting->census, (uint32_t)waiting->sweep, reading->serial)) {
            forget(waiting, reading, now_ns);
        }
        waiting->sweep++;
    }
}

static void keep_notes(struct reading *reading, const struct task_reading *read) {
    free(reading->notes);
    reading->notes = NULL;
    reading->note_count = 0;
    if (read->is_whole && !read->is_moving && read->note_count <= NOTES_KEPT) {
        reading->notes = memory_zeroed(read->note_count, sizeof *reading->notes);
        reading->note_count = (uint32_t)read->note_count;
        reading->digest = read->digest;
        memcpy(reading->notes, read->notes, read->note_count * sizeof *reading->notes);
    }
}

/* Where a task waits: in its newest coroutine that is the program's own, else in its newest. It
 * waits there for the coroutine after that, or for what the last one awaits. One that comes after
 * the last was freed has its address, as a rule: what only passes on a future (asyncio.sleep,
 * Event.wait, Queue.get) is told apart by that, which is freed after the next one was made. */
static void find_place(const struct trace *trace, const struct task_look *look,
                       struct waiter *waiter) {
    const struct raw_task *task = &look->tasks[0];
    const struct raw_frame *frames = look->frames + task->first_frame;
    size_t after = task->frame_count;
    for (struct stack_id at = waiter->stack; at.id != 0 && after > 0; after--) {
        const struct trace_stack *stack = trace_stack(trace, at);
        const struct trace_frame *frame = trace_frame(trace, stack->frame);
        const char *file = trace_string(trace, trace_function(trace, frame->function)->file);
        bool is_own = !origin_is_library(file) && !origin_is_standard(file);
        if (frame->kind != FRAME_PYTHON) {
            break;
        }
        if (is_own || waiter->place.id == 0) {
            waiter->place = stack->frame;
            waiter->what = after + 1 < task->frame_count ? frames[after].at : task->awaited;
        }
        if (is_own) {
            break;
        }
        at = stack->parent;
    }
}

/* A task that is on a thread's stack is in the sample of that. How long a greenlet waits is not
 * known: one that has gone on for a moment and waits at the same place again, with all its objects
 * at the same addresses, looks as if it had never moved. */
static struct waiter waiter_of(struct waiting *waiting, const struct task_look *look,
                               uint64_t now_ns) {
    const struct raw_task *task = &look->tasks[0];
    struct waiter waiter = {.ident = task->loop_ident,
                            .state = task->has_exception ? STATE_EXCEPTION : 0};
    if (!task->is_running) {
        waiter.stack = placing_waiting(waiting->placing, look, task, now_ns);
        if (!task->is_greenlet) {
            find_place(waiting->run->trace, look, &waiter);
        }
    }
    return waiter;
}

static enum status read_anew(struct waiting *waiting, const struct task_census_member *member,
                             uint64_t now_ns) {
    struct reading *reading = reading_of(waiting, member);
    struct task_reading read;
    enum status status = tasks_read_one(waiting->session->tasks, member->task, &read);
    if (status != STATUS_OK) {
        return status;
    }
    reading->waiter = (struct waiter){0};
    if (read.look->count > 0) {
        reading->waiter = waiter_of(waiting, read.look, now_ns);
        keep_notes(reading, &read);
        waiting_note(waiting, &reading->waiter, &reading->wait, now_ns);
    } else if (!read.is_moving) {
        forget(waiting, reading, now_ns);
        task_census_drop(waiting->census, member->slot);
    }
    return STATUS_OK;
}

/* ---- looking at several ---- */

struct batch {
    struct task_census_member members[BATCH];
    size_t first[BATCH + 1]; /* into the ranges */
    size_t count;
};

static void draw(struct waiting *waiting, struct batch *batch, size_t count) {
    batch->count = 0;
    while (batch->count < count &&
           task_census_next(waiting->census, &batch->members[batch->count])) {
        batch->count++;
    }
}

/* Reads again what the tasks were made of. */
static enum status read_batch(struct waiting *waiting, struct batch *batch) {
    size_t ranges = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct reading *reading = reading_of(waiting, &batch->members[i]);
        for (size_t n = 0; n < reading->note_count; n++) {
            bytes += reading->notes[n].bytes;
        }
        ranges += reading->note_count;
    }
    waiting->ranges =
        memory_grow(waiting->ranges, sizeof *waiting->ranges, ranges + 1, &waiting->range_capacity);
    waiting->bytes = memory_grow(waiting->bytes, 1, bytes + 1, &waiting->byte_capacity);
    ranges = 0;
    bytes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct reading *reading = reading_of(waiting, &batch->members[i]);
        batch->first[i] = ranges;
        for (size_t n = 0; n < reading->note_count; n++) {
            waiting->ranges[ranges++] =
                memory_note_range(reading->notes[n], waiting->bytes + bytes);
            bytes += reading->notes[n].bytes;
        }
    }
    batch->first[batch->count] = ranges;
    return memory_read(&waiting->session->memory, waiting->ranges, ranges);
}

static bool is_as_it_was(const struct waiting *waiting, const struct reading *reading,
                         const struct batch *batch, size_t at) {
    uint64_t digest;
    return reading->notes != NULL &&
           memory_notes_digest(waiting->ranges + batch->first[at], reading->note_count, &digest) &&
           digest == reading->digest;
}

static enum status look_at_batch(struct waiting *waiting, struct batch *batch, uint64_t now_ns) {
    enum status status = read_batch(waiting, batch);
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++) {
        struct reading *reading = reading_of(waiting, &batch->members[i]);
        if (is_as_it_was(waiting, reading, batch, i)) {
            waiting_note(waiting, &reading->waiter, &reading->wait, now_ns);
        } else {
            status = read_anew(waiting, &batch->members[i], now_ns);
        }
    }
    return status;
}

/* ---- within the time there is ---- */

static void learn_cost(struct waiting *waiting, uint64_t begin_ns, size_t count) {
    uint64_t cost_ns = (clock_monotonic_ns() - begin_ns) / count;
    waiting->cost_ns += cost_ns / COST_PARTS;
    waiting->cost_ns -= waiting->cost_ns / COST_PARTS;
}

/* How many tasks can be looked at until `deadline_ns`. */
static size_t affordable(const struct waiting *waiting, uint64_t deadline_ns, size_t left) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t count = now_ns < deadline_ns ? (deadline_ns - now_ns) / (waiting->cost_ns + 1) : 0;
    count = count < BATCH ? count : BATCH;
    return count < left ? count : left;
}

/* Looks at each task once, or at as many as there is time for, but one. */
static enum status look_in_turn(struct waiting *waiting, uint64_t deadline_ns, uint64_t now_ns,
                                size_t *drawn_out) {
    size_t all = task_census_count(waiting->census);
    enum status status = STATUS_OK;
    size_t count = all > 0 ? 1 : 0;
    *drawn_out = 0;
    while (count > 0 && status == STATUS_OK) {
        struct batch batch;
        uint64_t begin_ns = clock_monotonic_ns();
        draw(waiting, &batch, count);
        status = batch.count > 0 ? look_at_batch(waiting, &batch, now_ns) : STATUS_OK;
        learn_cost(waiting, begin_ns, count);
        *drawn_out += count;
        count = affordable(waiting, deadline_ns, all - *drawn_out);
    }
    return status;
}

/* Before everybody has been found nobody is drawn: the first who are found are no fair sample. */
static bool is_first(const struct waiting *waiting, uint64_t now_ns) {
    return waiting->rounds < ROUNDS_FIRST && now_ns - waiting->run->start_ns < FIRST_MS * NS_PER_MS;
}

/* One round at most, but for the first. Who is found later came since the last tick. */
static enum status count_heads(struct waiting *waiting, const struct raw_look *look,
                               uint64_t deadline_ns, uint64_t now_ns) {
    bool is_at_first = is_first(waiting, now_ns);
    uint64_t last_ns = waiting->last_ns;
    enum status status = task_census_catch_up(
        waiting->census, is_at_first ? last_ns : last_ns + (now_ns - last_ns) / 2);
    bool is_over = false;
    while (status == STATUS_OK && (!is_over || is_first(waiting, now_ns)) &&
           clock_monotonic_ns() < deadline_ns) {
        status = task_census_step(waiting->census, look, &is_over);
        waiting->rounds += is_over && waiting->rounds < ROUNDS_FIRST;
    }
    return status;
}

/* ---- samples ---- */

void waiting_leave(struct waiting *waiting, struct dwell_wait *wait, uint64_t now_ns) {
    dwell_leave(waiting->run->dwell, wait, now_ns);
}

void waiting_note(struct waiting *waiting, const struct waiter *waiter, struct dwell_wait *wait,
                  uint64_t now_ns) {
    if (waiter->place.id != 0) {
        dwell_see(waiting->run->dwell, wait, waiter->place, waiter->what, now_ns);
    } else {
        waiting_leave(waiting, wait, now_ns);
    }
    if (waiter->stack.id == 0) {
        return;
    }
    waiting->waiters = memory_grow(waiting->waiters, sizeof *waiting->waiters,
                                   waiting->waiter_count + 1, &waiting->waiter_capacity);
    waiting->waiters[waiting->waiter_count++] = *waiter;
}

/* The thread with this ident; else the first there was, which is the last of them. */
static const struct raw_thread *thread_of(const struct raw_look *look, uint64_t ident) {
    const struct raw_thread *found = NULL;
    for (size_t i = 0; i < look->thread_count; i++) {
        found = &look->threads[i];
        if (found->ident == ident && ident != 0) {
            break;
        }
    }
    return found;
}

static struct thread_ref beside(struct trace *trace, struct thread_ref thread) {
    static const uint64_t bit = UINT64_C(1) << 63;
    struct trace_thread row = *trace_thread(trace, thread);
    struct buffer name = {0};
    buffer_printf(&name, "%s, waiting", trace_string(trace, row.name));
    row.serial ^= bit;
    row.name = trace_text(trace, name.data, name.length);
    row.is_main = false;
    buffer_deinit(&name);
    return trace_intern_thread(trace, row);
}

static struct thread_ref track_of(struct waiting *waiting, const struct raw_look *look,
                                  uint64_t ident) {
    for (size_t i = 0; i < waiting->track_count; i++) {
        if (waiting->tracks[i].ident == ident) {
            return waiting->tracks[i].thread;
        }
    }
    struct track track = {.ident = ident};
    const struct raw_thread *thread = thread_of(look, ident);
    if (thread != NULL) {
        struct member member = roster_member(waiting->roster, thread, true);
        if (member.is_wanted && member.thread.id != 0) {
            track.thread = beside(waiting->run->trace, member.thread);
        }
    }
    waiting->tracks = memory_grow(waiting->tracks, sizeof *waiting->tracks,
                                  waiting->track_count + 1, &waiting->track_capacity);
    waiting->tracks[waiting->track_count++] = track;
    return track.thread;
}

/* What waits at the same time shares the time of the tick in a track, which has room for one. */
static enum status give_samples(struct waiting *waiting, const struct raw_look *look,
                                uint64_t now_ns, double weight_ns) {
    struct run *run = waiting->run;
    uint64_t elapsed_ns = now_ns - waiting->last_ns;
    enum status status = STATUS_OK;
    waiting->track_count = 0;
    for (size_t i = 0; i < waiting->waiter_count && status == STATUS_OK; i++) {
        uint64_t part_ns = elapsed_ns * (i + 1) / waiting->waiter_count;
        struct sample sample = {
            .time_ns = waiting->last_ns + part_ns - run->start_ns,
            .weight_ns = (uint64_t)weight_ns,
            .thread = track_of(waiting, look, waiting->waiters[i].ident),
            .stack = waiting->waiters[i].stack,
            .flags = trace_stack_is_unverified(run->trace, waiting->waiters[i].stack)
                         ? SAMPLE_UNVERIFIED
                         : 0,
            .state = STATE_WAITING | waiting->waiters[i].state,
        };
        if (sample.thread.id != 0) {
            status = target_push(run, &sample);
        }
    }
    return status;
}

/* ---- a tick ---- */

/* Each process that is followed has its share of the time. */
static void earn(struct waiting *waiting) {
    uint32_t processes = waiting->run->trace->processes.count;
    uint64_t elapsed_ns = waiting->run->elapsed_ns;
    waiting->credit_ns += (int64_t)(elapsed_ns / TIME_SHARE / (processes > 0 ? processes : 1));
    if (waiting->credit_ns > (int64_t)(CREDIT_MS * NS_PER_MS)) {
        waiting->credit_ns = (int64_t)(CREDIT_MS * NS_PER_MS);
    }
}

enum status waiting_look(struct waiting *waiting, const struct raw_look *look, uint64_t now_ns) {
    struct health *health = &waiting->run->trace->health;
    uint64_t begin_ns = clock_monotonic_ns();
    size_t drawn = 0;
    earn(waiting);
    if (waiting->credit_ns <= 0) {
        return STATUS_OK; /* this time is for the samples of a later tick to stand for */
    }
    uint64_t credit_ns = (uint64_t)waiting->credit_ns;
    waiting->last_ns = waiting->last_ns != 0 ? waiting->last_ns : now_ns - waiting->run->elapsed_ns;
    tasks_forget(waiting->session->tasks);
    bool is_at_first = is_first(waiting, now_ns);
    uint64_t census_ns = is_at_first ? credit_ns : credit_ns / CENSUS_SHARE;
    enum status status = count_heads(waiting, look, begin_ns + census_ns, now_ns);
    if (status == STATUS_OK && is_first(waiting, now_ns)) {
        waiting->credit_ns -= (int64_t)(clock_monotonic_ns() - begin_ns);
        return STATUS_OK;
    }
    sweep(waiting, now_ns);
    if (status == STATUS_OK) {
        status = look_in_turn(waiting, begin_ns + credit_ns, now_ns, &drawn);
    }
    if (status == STATUS_OK && waiting->waiter_count > 0) {
        double stands_for = (double)task_census_count(waiting->census) / (double)drawn;
        stands_for = stands_for > 1 ? stands_for : 1;
        status =
            give_samples(waiting, look, now_ns, (double)(now_ns - waiting->last_ns) * stands_for);
    }
    health->tasks_there += task_census_count(waiting->census);
    health->tasks_seen += drawn;
    waiting->last_ns = now_ns;
    waiting->waiter_count = 0;
    waiting->credit_ns -= (int64_t)(clock_monotonic_ns() - begin_ns);
    return status;
}

void waiting_tell(const struct waiting *waiting) {
    for (size_t i = 0; i < waiting->reading_count; i++) {
        dwell_tell_wait(waiting->run->dwell, &waiting->readings[i].wait, waiting->last_ns);
    }
}

/* ---- life ---- */

static enum status each_place(void *context, const struct raw_look *threads, place_visit *visit,
                              void *visit_context) {
    return tasks_each_place(context, threads, visit, visit_context);
}

struct waiting *waiting_create(struct run *run, struct session *session, struct placing *placing,
                               struct roster *roster) {
    struct waiting *waiting = memory_zeroed(1, sizeof *waiting);
    waiting->run = run;
    waiting->session = session;
    waiting->placing = placing;
    waiting->roster = roster;
    waiting->census = task_census_create(&session->runtime, each_place, session->tasks);
    waiting->cost_ns = FIRST_COST_NS;
    return waiting;
}

void waiting_destroy(struct waiting *waiting) {
    if (waiting == NULL) {
        return;
    }
    for (size_t i = 0; i < waiting->reading_count; i++) {
        forget(waiting, &waiting->readings[i], waiting->last_ns);
    }
    task_census_destroy(waiting->census);
    free(waiting->readings);
    free(waiting->waiters);
    free(waiting->tracks);
    free(waiting->ranges);
    free(waiting->bytes);
    free(waiting);
}
