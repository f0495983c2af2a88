/* Threads, and what they are in. */
#include <stdlib.h>

#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/rows.h"
#include "tui/totals.h"

enum { PART_CPU, PART_HELD, PART_WANTED };

static const struct column columns[] = {
    {COLUMN_PART + PART_CPU, "CPU", 6, 0},
    {COLUMN_PART + PART_HELD, "GIL", 6, 50},
    {COLUMN_PART + PART_WANTED, "WANTS", 6, 50},
    {COLUMN_SELF, "SHARE", 6, 100},
    {COLUMN_WORD, "STATE", 9, 60},
    {COLUMN_PROCESS, "PID", 7, 60},
    {COLUMN_NUMBER, "TID", 7, 0},
    {COLUMN_NAME, "THREAD", 10, 0},
    {COLUMN_PLACE, "MOSTLY IN", 16, 40},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void add_thread(struct rows *rows, const struct view *view, uint32_t id,
                       const struct thread_total *total) {
    const struct trace_thread *thread = trace_thread(view->trace, (struct thread_ref){id});
    const char *name = trace_string(view->trace, thread->name);
    char *place = totals_describe(view, total->most);
    if (total->weight_ns == 0 || !view_lets_through(view, name, place != NULL ? place : "")) {
        free(place);
        return;
    }
    *rows_add(rows) = (struct row){
        .id = id,
        .self_ns = total->weight_ns,
        .total_ns = total->running_ns,
        .name = name,
        .place = place,
        .word = totals_word(total),
        .parts = {[PART_CPU] = totals_share(view, total, total->running_ns),
                  [PART_HELD] = totals_share(view, total, total->held_ns),
                  [PART_WANTED] = totals_share(view, total, total->wanted_ns)},
        .number = thread->tid,
        .pid = thread->pid,
    };
}

static void draw(struct view *view, struct grid *grid) {
    struct thread_total *totals = totals_of_threads(view);
    struct rows rows = {.none = view_why_nothing(view)};
    for (uint32_t id = 1; id <= view->trace->threads.count; id++) {
        rows.whole_ns += totals[id].weight_ns;
        add_thread(&rows, view, id, &totals[id]);
    }
    rows_draw(&rows, columns, COLUMNS, view, grid);
    free(totals);
    rows_deinit(&rows);
}

static bool key_pressed(struct view *view, int key) {
    if (key == PRESS_ENTER) {
        view_toggle_thread(view, (struct thread_ref){(uint32_t)view_list(view)->chosen});
    }
    return key == PRESS_ENTER;
}

const struct panel panel_threads = {
    .name = "Threads",
    .key = 'H',
    .help = "what they are in; Enter looks at one alone, or at all again",
    .sort_columns = COLUMNS,
    .draw = draw,
    .key_pressed = key_pressed,
};
