#include "tui/totals.h"

#include <stddef.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/model/window.h"

/* Time of a thread in a function itself. */
struct thread_self {
    struct thread_ref thread;
    struct function_id function;
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
    struct frame_id leaf = trace_stack(trace, cell->stack)->frame;
    struct thread_self key = {cell->thread, trace_frame(trace, leaf)->function, 0, 0};
    struct thread_self *self = table_row(selves, table_intern(selves, &key));
    self->self_ns += cell->weight_ns;
    self->held_ns += (cell->state & STATE_HAS_GIL) != 0 ? cell->weight_ns : 0;
}

static void choose_functions(const struct table *selves, struct thread_total *totals,
                             uint32_t thread_count) {
    uint64_t(*most)[2] = memory_zeroed((size_t)thread_count + 1, sizeof *most);
    for (uint32_t i = 1; i <= selves->count; i++) {
        const struct thread_self *self = table_row(selves, i);
        uint32_t thread = self->thread.id;
        if (self->self_ns > most[thread][0]) {
            most[thread][0] = self->self_ns;
            totals[thread].function = self->function;
        }
        if (self->held_ns > most[thread][1]) {
            most[thread][1] = self->held_ns;
            totals[thread].holding = self->function;
        }
    }
    free(most);
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
    choose_functions(&selves, totals, thread_count);
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

char *totals_describe(const struct view *view, struct function_id function) {
    struct buffer text = {0};
    uint32_t line = function.id != 0 ? trace_function(view->trace, function)->first_line : 0;
    view_append_function(view, function, line, &text);
    return text.data;
}

double totals_share(const struct view *view, const struct thread_total *total, uint64_t part_ns) {
    uint64_t whole_ns = view->trace->health.duration_ns;
    return !total->is_known || whole_ns == 0 ? -1 : (double)part_ns / (double)whole_ns;
}
