/* Threads, and what they are in. */
#include <stddef.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/rows.h"

static const struct column columns[] = {
    {COLUMN_SELF, "SHARE", 6, 0},        {COLUMN_TIME, "TIME", 8, 60},
    {COLUMN_NUMBER, "TID", 8, 0},        {COLUMN_NAME, "THREAD", 12, 0},
    {COLUMN_PLACE, "MOSTLY IN", 20, 40},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* Of one thread: all of its time, and the function that has most of it to itself. */
struct thread_total {
    uint64_t weight_ns;
    uint64_t most_ns;
    struct function_id function;
};

struct thread_self {
    struct thread_ref thread;
    struct function_id function;
    uint64_t self_ns; /* payload */
};

static void sum_up(const struct trace *trace, struct thread_total *totals) {
    struct table selves;
    table_init(&selves, sizeof(struct thread_self), offsetof(struct thread_self, self_ns));
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        struct thread_total *total = &totals[tally->thread.id];
        total->weight_ns += tally->weight_ns;
        if (tally->stack.id == 0) {
            continue;
        }
        struct frame_id leaf = trace_stack(trace, tally->stack)->frame;
        struct thread_self key = {tally->thread, trace_frame(trace, leaf)->function, 0};
        struct thread_self *self = table_row(&selves, table_intern(&selves, &key));
        self->self_ns += tally->weight_ns;
        if (self->self_ns > total->most_ns) {
            total->most_ns = self->self_ns;
            total->function = self->function;
        }
    }
    table_deinit(&selves);
}

static char *describe(const struct view *view, struct function_id function) {
    struct buffer text = {0};
    if (function.id != 0) {
        const struct trace_function *row = trace_function(view->trace, function);
        buffer_printf(&text, "%s (", trace_string(view->trace, row->name));
        view_append_place(view, function, row->first_line, &text);
    }
    buffer_append(&text, ")", text.length > 0 ? 1 : 0);
    return text.data;
}

static void draw(struct view *view, struct grid *grid) {
    const struct trace *trace = view->trace;
    struct rows rows = {.whole_ns = view_total_ns(view)};
    struct thread_total *totals = memory_zeroed((size_t)trace->threads.count + 1, sizeof *totals);
    sum_up(trace, totals);
    for (uint32_t id = 1; id <= trace->threads.count; id++) {
        const struct trace_thread *thread = trace_thread(trace, (struct thread_ref){id});
        const char *name = trace_string(trace, thread->name);
        if (totals[id].weight_ns == 0 || !view_lets_through(view, name, "")) {
            continue;
        }
        struct row *row = rows_add(&rows);
        row->id = id;
        row->self_ns = totals[id].weight_ns;
        row->name = name;
        row->place = describe(view, totals[id].function);
        row->number = thread->tid;
    }
    rows_draw(&rows, columns, COLUMNS, view, grid);
    free(totals);
    rows_deinit(&rows);
}

/* Enter looks at one thread alone, and at all again. */
static bool key_pressed(struct view *view, int key) {
    if (key != PRESS_ENTER) {
        return false;
    }
    struct thread_ref chosen = {(uint32_t)view_list(view)->chosen};
    view->thread = view->thread.id != 0 ? (struct thread_ref){0} : chosen;
    return true;
}

const struct panel panel_threads = {
    .name = "Threads",
    .key = 'H',
    .help = "what they are in; Enter looks at one alone, or at all again",
    .sort_columns = COLUMNS,
    .draw = draw,
    .key_pressed = key_pressed,
};
