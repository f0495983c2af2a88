/* Processes: the one that was asked for, and those below it that are followed. */
#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/rows.h"
#include "tui/totals.h"

enum { PART_CPU };

static const struct column columns[] = {
    {COLUMN_PART + PART_CPU, "CPU", 6, 0}, {COLUMN_SELF, "SHARE", 6, 0},
    {COLUMN_NUMBER, "PID", 7, 0},          {COLUMN_COUNT, "THREADS", 8, 50},
    {COLUMN_WORD, "PYTHON", 8, 60},        {COLUMN_NAME, "COMMAND", 12, 0},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* The row of the newest process with a pid; -1: none. */
static long find_row(const struct rows *rows, uint32_t pid) {
    for (size_t i = rows->count; i-- > 0;) {
        if (rows->items[i].number == pid) {
            return (long)i;
        }
    }
    return -1;
}

static void add_processes(struct rows *rows, const struct view *view) {
    const struct trace *trace = view->trace;
    for (uint32_t id = 1; id <= trace->processes.count; id++) {
        const struct trace_process *process = table_row(&trace->processes, id);
        const char *command = trace_string(trace, process->command);
        const char *name = *command != '\0' ? command : trace_string(trace, process->name);
        long known = find_row(rows, process->pid);
        char number[16];
        snprintf(number, sizeof number, "%u", process->pid);
        if (view_lets_through(view, name, number)) {
            struct row *row = known >= 0 ? &rows->items[known] : rows_add(rows);
            *row = (struct row){.id = process->pid,
                                .number = process->pid,
                                .parts = {[PART_CPU] = -1},
                                .word = trace_string(trace, process->python_version),
                                .name = name};
        }
    }
}

/* Of a process: its threads, added up. Threads of one follow each other, mostly. */
static void add_threads(struct rows *rows, const struct view *view) {
    struct thread_total *totals = totals_of_threads(view);
    for (uint32_t id = 1; id <= view->trace->threads.count; id++) {
        const struct trace_thread *thread = trace_thread(view->trace, (struct thread_ref){id});
        long at = totals[id].weight_ns > 0 ? find_row(rows, thread->pid) : -1;
        rows->whole_ns += totals[id].weight_ns;
        if (at >= 0) {
            struct row *row = &rows->items[at];
            double cpu = totals_share(view, &totals[id], totals[id].running_ns);
            row->self_ns += totals[id].weight_ns;
            row->count++;
            row->parts[PART_CPU] =
                cpu < 0 ? row->parts[PART_CPU]
                        : cpu + (row->parts[PART_CPU] > 0 ? row->parts[PART_CPU] : 0);
        }
    }
    free(totals);
}

static void draw(struct view *view, struct grid *grid) {
    struct rows rows = {.none = view_why_nothing(view)};
    add_processes(&rows, view);
    add_threads(&rows, view);
    rows_draw(&rows, columns, COLUMNS, view, grid);
    rows_deinit(&rows);
}

static bool key_pressed(struct view *view, int key) {
    if (key == PRESS_ENTER) {
        view_toggle_process(view, (uint32_t)view_list(view)->chosen);
    }
    return key == PRESS_ENTER;
}

const struct panel panel_processes = {
    .name = "Processes",
    .key = 'P',
    .brief = "Procs",
    .help = "all that are followed; Enter: one alone, or all again",
    .sort_columns = COLUMNS,
    .draw = draw,
    .key_pressed = key_pressed,
};
