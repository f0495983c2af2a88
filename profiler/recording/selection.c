#include "profiler/recording/selection.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

void selection_add(struct selection_words *words, const char *word) {
    if (words->count == words->capacity) {
        words->items =
            memory_grow(words->items, sizeof *words->items, words->count + 1, &words->capacity);
    }
    words->items[words->count++] = word;
}

void selection_deinit(struct selection *selection) {
    free(selection->processes.items);
    free(selection->threads.items);
    free(selection->include.items);
    free(selection->exclude.items);
    *selection = (struct selection){0};
}

bool selection_is_all(const struct selection *selection) {
    return !selection->has_from && !selection->has_to && !selection->main_only &&
           selection->processes.count == 0 && selection->threads.count == 0 &&
           selection->include.count == 0 && selection->exclude.count == 0;
}

/* ---- expressions ---- */

static enum status check_words(const struct selection_words *words, const char *option,
                               struct error *error) {
    for (size_t i = 0; i < words->count; i++) {
        regex_t compiled;
        char why[128];
        int code = regcomp(&compiled, words->items[i], REG_EXTENDED | REG_NOSUB);
        if (code != 0) {
            regerror(code, &compiled, why, sizeof why);
            return error_set(error, STATUS_USAGE, "%s %s: %s", option, words->items[i], why);
        }
        regfree(&compiled);
    }
    return STATUS_OK;
}

enum status selection_check(const struct selection *selection, struct error *error) {
    enum status status = check_words(&selection->include, "--include", error);
    return status == STATUS_OK ? check_words(&selection->exclude, "--exclude", error) : status;
}

static bool matches(const regex_t *expression, const struct trace *trace,
                    const struct trace_function *function) {
    return regexec(expression, trace_string(trace, function->name), 0, NULL, 0) == 0 ||
           regexec(expression, trace_string(trace, function->file), 0, NULL, 0) == 0;
}

/* What is known of a stack, or of a function. */
enum trait {
    TRAIT_INCLUDED = 1 << 0,
    TRAIT_EXCLUDED = 1 << 1,
    TRAIT_TRUNCATED = 1 << 2,  /* its root is missing */
    TRAIT_UNVERIFIED = 1 << 3, /* its newest frame stands for others */
};

/* Sets a trait of each function that one of the expressions, which were checked, matches. */
static void match_functions(const struct selection_words *words, const struct trace *trace,
                            enum trait trait, uint8_t *traits) {
    for (size_t i = 0; i < words->count; i++) {
        regex_t compiled;
        if (regcomp(&compiled, words->items[i], REG_EXTENDED | REG_NOSUB) != 0) {
            continue;
        }
        for (uint32_t id = 1; id <= trace->functions.count; id++) {
            if (matches(&compiled, trace, table_row(&trace->functions, id))) {
                traits[id] |= (uint8_t)trait;
            }
        }
        regfree(&compiled);
    }
}

/* The traits of each stack, by id: its own and those of its callers. */
static uint8_t *traits_of_stacks(const struct selection *selection, const struct trace *trace) {
    uint8_t *of_function = memory_zeroed((size_t)trace->functions.count + 1, 1);
    uint8_t *of_stack = memory_zeroed((size_t)trace->stacks.count + 1, 1);
    match_functions(&selection->include, trace, TRAIT_INCLUDED, of_function);
    match_functions(&selection->exclude, trace, TRAIT_EXCLUDED, of_function);
    of_stack[0] = selection->include.count == 0 ? TRAIT_INCLUDED : 0;
    for (uint32_t id = 1; id <= trace->stacks.count; id++) {
        const struct trace_stack *stack = trace_stack(trace, (struct stack_id){id});
        const struct trace_frame *frame = trace_frame(trace, stack->frame);
        unsigned traits = of_stack[stack->parent.id] | of_function[frame->function.id];
        traits &= frame->kind == FRAME_COLLECTOR ? ~0U : ~(unsigned)TRAIT_UNVERIFIED;
        traits |= frame->kind == FRAME_UNVERIFIED ? TRAIT_UNVERIFIED : 0;
        traits |= frame->kind == FRAME_MISSING ? TRAIT_TRUNCATED : 0;
        of_stack[id] = (uint8_t)traits;
    }
    free(of_function);
    return of_stack;
}

/* ---- processes and threads ---- */

static bool is_number(const char *word, uint32_t number) {
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    return strcmp(word, text) == 0;
}

static bool is_thread_called(const struct trace *trace, const struct trace_thread *thread,
                             const char *word) {
    return is_number(word, thread->tid) || strcmp(word, trace_string(trace, thread->name)) == 0;
}

static bool is_process_called(const struct trace *trace, const struct trace_thread *thread,
                              const char *word) {
    bool is_called = is_number(word, thread->pid);
    for (uint32_t id = 1; id <= trace->processes.count && !is_called; id++) {
        const struct trace_process *process = table_row(&trace->processes, id);
        is_called =
            process->pid == thread->pid && strcmp(word, trace_string(trace, process->name)) == 0;
    }
    return is_called;
}

typedef bool is_called(const struct trace *trace, const struct trace_thread *thread,
                       const char *word);

/* Whether one of the words calls it, or there are none. */
static bool is_listed(const struct selection_words *words, is_called *is, const struct trace *trace,
                      const struct trace_thread *thread) {
    for (size_t i = 0; i < words->count; i++) {
        if (is(trace, thread, words->items[i])) {
            return true;
        }
    }
    return words->count == 0;
}

static bool is_wanted(const struct selection *selection, const struct trace *trace,
                      const struct trace_thread *thread) {
    return is_listed(&selection->processes, is_process_called, trace, thread) &&
           is_listed(&selection->threads, is_thread_called, trace, thread) &&
           (thread->is_main || !selection->main_only);
}

/* ---- time ---- */

/* From the start; an end before the start is the start. */
static uint64_t absolute_ns(int64_t asked_ns, uint64_t end_ns) {
    if (asked_ns >= 0) {
        return (uint64_t)asked_ns;
    }
    uint64_t back_ns = 0 - (uint64_t)asked_ns;
    return back_ns < end_ns ? end_ns - back_ns : 0;
}

/* After `from_ns`, up to and with `to_ns`. */
struct range {
    uint64_t from_ns;
    uint64_t to_ns;
};

static struct range range_of(const struct selection *selection, uint64_t end_ns) {
    return (struct range){
        selection->has_from ? absolute_ns(selection->from_ns, end_ns) : 0,
        selection->has_to ? absolute_ns(selection->to_ns, end_ns) : UINT64_MAX,
    };
}

/* part/whole of a number, down; 128 bits because both may be times. */
static uint64_t share_of(uint64_t number, uint64_t part, uint64_t whole) {
    return (uint64_t)((unsigned __int128)number * part / whole);
}

/* How many samples of a run were taken by then. */
static uint32_t samples_by(const struct timeline_run *run, uint64_t time_ns) {
    if (time_ns >= run->start_ns + run->weight_ns) {
        return run->samples;
    }
    return time_ns <= run->start_ns
               ? 0
               : (uint32_t)share_of(run->samples, time_ns - run->start_ns, run->weight_ns);
}

/* ---- samples ---- */

struct copying {
    const struct range *range;
    const uint8_t *traits; /* by stack */
    struct trace *out;
    struct thread_ref thread;
    struct error *error;
};

static enum status copy_run(void *context, const struct timeline_run *run) {
    struct copying *copying = context;
    struct health *health = &copying->out->health;
    uint8_t traits = copying->traits[run->stack.id];
    uint32_t first = copying->range->from_ns > 0 ? samples_by(run, copying->range->from_ns) : 0;
    uint32_t last = samples_by(run, copying->range->to_ns);
    if (last <= first || (traits & TRAIT_INCLUDED) == 0 || (traits & TRAIT_EXCLUDED) != 0) {
        return STATUS_OK;
    }
    uint32_t count = last - first;
    uint64_t end_ns = share_of(run->weight_ns, last, run->samples);
    struct sample sample = {.time_ns = run->start_ns + end_ns,
                            .weight_ns = share_of(run->told_ns, last, run->samples) -
                                         share_of(run->told_ns, first, run->samples),
                            .thread = copying->thread,
                            .stack = run->stack,
                            .state = run->state};
    health->samples += count;
    health->truncated += (traits & TRAIT_TRUNCATED) != 0 ? count : 0;
    health->unverified += (traits & TRAIT_UNVERIFIED) != 0 ? count : 0;
    return trace_add_many(copying->out, &sample, count, copying->error);
}

static enum status copy_samples(const struct selection *selection, const struct trace *all,
                                const struct range *range, struct trace *out, struct error *error) {
    uint8_t *traits = traits_of_stacks(selection, all);
    struct copying copying = {.range = range, .traits = traits, .out = out, .error = error};
    enum status status = STATUS_OK;
    error_set(error, STATUS_NO_OUTPUT, "reading the order of samples back");
    for (uint32_t id = 1; id <= all->threads.count && status == STATUS_OK; id++) {
        copying.thread.id = id;
        if (is_wanted(selection, all, trace_thread(all, copying.thread))) {
            status = timeline_each(all->timeline, copying.thread, copy_run, &copying);
        }
    }
    free(traits);
    return status;
}

/* ---- the rest ---- */

/* A count at a time between two marks. */
static uint64_t between(uint64_t before, uint64_t after, uint64_t part, uint64_t whole) {
    return after > before ? before + share_of(after - before, part, whole) : before;
}

/* The counts at some time, as if they had grown evenly between two marks. */
static struct health health_at(const struct reading *reading, uint64_t time_ns) {
    struct reader_mark before = {0};
    for (size_t i = 0; i < reading->mark_count; i++) {
        const struct reader_mark *after = &reading->marks[i];
        if (after->time_ns > time_ns) {
            uint64_t part = time_ns - before.time_ns;
            uint64_t whole = after->time_ns - before.time_ns;
            const struct health *a = &before.health;
            const struct health *b = &after->health;
            return (struct health){.ticks = between(a->ticks, b->ticks, part, whole),
                                   .lost = between(a->lost, b->lost, part, whole),
                                   .late = between(a->late, b->late, part, whole),
                                   .empty = between(a->empty, b->empty, part, whole),
                                   .cpu_ns = between(a->cpu_ns, b->cpu_ns, part, whole)};
        }
        before = *after;
    }
    return before.health;
}

static struct health health_of_range(const struct trace *all, const struct reading *reading,
                                     const struct range *range) {
    uint64_t to_ns = range->to_ns < reading->end_ns ? range->to_ns : reading->end_ns;
    struct health first =
        range->from_ns > 0 ? health_at(reading, range->from_ns) : (struct health){0};
    struct health last = range->to_ns < reading->end_ns ? health_at(reading, to_ns) : all->health;
    struct health health = all->health;
    health.ticks = last.ticks - first.ticks;
    health.lost = last.lost - first.lost;
    health.late = last.late - first.late;
    health.empty = last.empty - first.empty;
    health.cpu_ns = last.cpu_ns - first.cpu_ns;
    health.duration_ns = to_ns > range->from_ns ? to_ns - range->from_ns : 0;
    health.samples = 0;
    health.unverified = 0;
    health.truncated = 0;
    return health;
}

enum status selection_apply(const struct selection *selection, const struct trace *all,
                            const struct reading *reading, struct trace *out, struct error *error) {
    struct range range = range_of(selection, reading->end_ns);
    trace_copy_tables(out, all);
    out->health = health_of_range(all, reading, &range);
    return copy_samples(selection, all, &range, out, error);
}
