#include "tui/totals.h"

#include <stddef.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/model/window.h"

/* Time of a thread in a function itself, and on each of its lines. */
struct thread_self {
    struct thread_ref thread;
    struct whereabouts at;
    uint32_t is_line; /* 0: all lines */
    uint64_t self_ns; /* payload, as is the next */
    uint64_t held_ns;
};

static void add_states(struct thread_total *total, const struct window_cell *cell) {
    const struct {
        uint32_t bit;
        uint64_t *time_ns;
    } parts[] = {
        {STATE_RUNNING, &total->running_ns},       {STATE_RUNNABLE, &total->runnable_ns},
        {STATE_HAS_GIL, &total->held_ns},          {STATE_WANTS_GIL, &total->wanted_ns},
        {STATE_COLLECTING, &total->collecting_ns},
    };
    total->weight_ns += cell->weight_ns;
    total->is_known = total->is_known || cell->state != 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].time_ns += (cell->state & parts[i].bit) != 0 ? cell->weight_ns : 0;
    }
}

static void add_self(struct table *selves, const struct trace *trace,
                     const struct window_cell *cell) {
    if (cell->stack.id == 0) {
        return;
    }
    const struct trace_frame *leaf = trace_frame(trace, trace_stack(trace, cell->stack)->frame);
    struct thread_self keys[] = {
        {.thread = cell->thread, .at = {leaf->function, 0}, .is_line = 0},
        {.thread = cell->thread, .at = {leaf->function, leaf->line}, .is_line = 1},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct thread_self *self = table_row(selves, table_intern(selves, &keys[i]));
        self->self_ns += cell->weight_ns;
        self->held_ns += (cell->state & STATE_HAS_GIL) != 0 ? cell->weight_ns : 0;
    }
}

/* Takes a row for the best so far when it is. Lines only count within the function chosen before.
 */
static void choose(struct whereabouts *best, uint64_t *most_ns, const struct thread_self *self,
                   uint64_t time_ns) {
    bool may_be = self->is_line == 0 || self->at.function.id == best->function.id;
    if (may_be && time_ns > *most_ns) {
        *most_ns = time_ns;
        *best = self->at;
    }
}

/* Functions first, then their lines. */
static void choose_whereabouts(const struct table *selves, struct thread_total *totals,
                               uint32_t thread_count) {
    for (uint32_t is_line = 0; is_line <= 1; is_line++) {
        uint64_t(*most_ns)[2] = memory_zeroed((size_t)thread_count + 1, sizeof *most_ns);
        for (uint32_t i = 1; i <= selves->count; i++) {
            const struct thread_self *self = table_row(selves, i);
            uint32_t thread = self->thread.id;
            if (self->is_line == is_line) {
                choose(&totals[thread].most, &most_ns[thread][0], self, self->self_ns);
                choose(&totals[thread].holding, &most_ns[thread][1], self, self->held_ns);
            }
        }
        free(most_ns);
    }
}

struct thread_total *totals_of_threads(const struct view *view) {
    uint32_t thread_count = view->trace->threads.count;
    struct thread_total *totals = memory_zeroed((size_t)thread_count + 1, sizeof *totals);
    struct table selves;
    table_init(&selves, sizeof(struct thread_self), offsetof(struct thread_self, self_ns));
    for (uint32_t i = 1; view->cells != NULL && i <= view->cells->count; i++) {
        const struct window_cell *cell = table_row(view->cells, i);
        add_states(&totals[cell->thread.id], cell);
        add_self(&selves, view->trace, cell);
    }
    choose_whereabouts(&selves, totals, thread_count);
    table_deinit(&selves);
    return totals;
}

const char *totals_word(const struct thread_total *total) {
    uint64_t half_ns = total->weight_ns / 2;
    return !total->is_known                                                      ? ""
           : total->collecting_ns > half_ns                                      ? "collects"
           : total->wanted_ns > half_ns                                          ? "wants GIL"
           : total->running_ns > half_ns                                         ? "runs"
           : total->runnable_ns > half_ns                                        ? "no CPU"
           : total->running_ns + total->runnable_ns + total->wanted_ns > half_ns ? "mixed"
                                                                                 : "waits";
}

char *totals_describe(const struct view *view, struct whereabouts at) {
    struct buffer text = {0};
    view_append_function(view, at.function, at.line, &text);
    return text.data;
}

double totals_share(const struct view *view, const struct thread_total *total, uint64_t part_ns) {
    uint64_t whole_ns = view->trace->health.duration_ns;
    return !total->is_known || whole_ns == 0 ? -1 : (double)part_ns / (double)whole_ns;
}
