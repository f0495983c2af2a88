#include "tui/view.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/tree.h"
#include "tui/keys.h"
#include "tui/panel.h"

#define TREND_S 3.0 /* after so long, two thirds of a change are no longer new */

/* The share of a function as it was, with newer ones mixed in as time passes. */
struct trend {
    struct function_id function;
    uint32_t reserved;
    double share; /* payload, as are all below */
    uint64_t time_ns;
};

void view_init(struct view *out, const struct trace *trace, const struct glyphs *glyphs) {
    *out = (struct view){.trace = trace, .glyphs = glyphs, .span_ns = 5 * NS_PER_S};
    table_init(&out->trends, sizeof(struct trend), offsetof(struct trend, share));
    table_init(&out->unfolded, 2 * sizeof(uint64_t), sizeof(uint64_t));
}

void view_deinit(struct view *view) {
    table_deinit(&view->trends);
    table_deinit(&view->unfolded);
    view_set_filter(view, "");
    *view = (struct view){0};
}

/* ---- lists ---- */

struct list *view_list(struct view *view) {
    return &view->lists[view->panel];
}

void list_fit(struct list *list, int count, int page) {
    list->count = count;
    list->page = page > 0 ? page : 1;
    list->cursor = list->cursor < count ? list->cursor : count - 1;
    list->cursor = list->cursor > 0 ? list->cursor : 0;
    if (list->top > list->cursor) {
        list->top = list->cursor;
    }
    if (list->top <= list->cursor - list->page) {
        list->top = list->cursor - list->page + 1;
    }
}

void list_go(struct list *list, int row) {
    list->cursor = row;
    list->is_moved = true;
    list_fit(list, list->count, list->page);
    list->stays_on = list->cursor > 0 ? list->stays_on : 0;
}

bool list_key(struct list *list, int key) {
    switch (key) {
    case PRESS_UP:
    case 'k': list_go(list, list->cursor - 1); return true;
    case PRESS_DOWN:
    case 'j': list_go(list, list->cursor + 1); return true;
    case PRESS_PAGE_UP: list_go(list, list->cursor - list->page); return true;
    case PRESS_PAGE_DOWN: list_go(list, list->cursor + list->page); return true;
    case PRESS_HOME: list_go(list, 0); return true;
    case PRESS_END: list_go(list, list->count); return true;
    default: return false;
    }
}

/* ---- what is chosen ---- */

void view_add_hit(struct view *view, int row, int column, int columns, int key, int sort) {
    if (view->hit_count < VIEW_HITS) {
        view->hits[view->hit_count++] = (struct hit){row, column, columns, key, sort};
    }
}

void view_show(struct view *view, int key) {
    for (int i = 0; panels[i] != NULL; i++) {
        view->panel = panels[i]->key == key ? i : view->panel;
    }
}

void view_toggle_thread(struct view *view, struct thread_ref thread) {
    view->thread = view->thread.id != 0 ? (struct thread_ref){0} : thread;
}

void view_toggle_process(struct view *view, uint32_t pid) {
    view->pid = view->pid != 0 ? 0 : pid;
}

void view_toggle_task(struct view *view, const struct roll_entry *task) {
    bool is_alone = view->task.marker.id != 0;
    view->task = is_alone ? (struct task_key){{0}, {0}} : task->key;
    view->task_name = task->name;
}

static void follow_thread(struct view *view, uint32_t before) {
    uint32_t name = trace_thread(view->trace, view->thread)->name.id;
    for (uint32_t id = view->trace->threads.count; id > before; id--) {
        if (trace_thread(view->trace, (struct thread_ref){id})->name.id == name) {
            view->thread.id = id;
            return;
        }
    }
}

static void follow_process(struct view *view, uint32_t before) {
    const struct table *processes = &view->trace->processes;
    uint32_t command = 0;
    for (uint32_t id = 1; id <= processes->count; id++) {
        const struct trace_process *process = table_row(processes, id);
        bool is_it = process->pid == view->pid;
        if (is_it && id > before) {
            return;
        }
        command = is_it ? process->command.id : command;
    }
    for (uint32_t id = before + 1; id <= processes->count && command != 0; id++) {
        const struct trace_process *process = table_row(processes, id);
        if (process->command.id == command) {
            view->pid = process->pid;
            return;
        }
    }
}

void view_follow_restart(struct view *view, uint32_t threads_before, uint32_t processes_before) {
    if (view->thread.id != 0 && view->thread.id <= threads_before) {
        follow_thread(view, threads_before);
    }
    if (view->pid != 0) {
        follow_process(view, processes_before);
    }
}

/* ---- the filter ---- */

bool view_set_filter(struct view *view, const char *text) {
    regex_t filter;
    if (*text != '\0' && regcomp(&filter, text, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    if (view->has_filter) {
        regfree(&view->filter);
    }
    view->has_filter = *text != '\0';
    if (view->has_filter) {
        view->filter = filter;
    }
    snprintf(view->filter_text, sizeof view->filter_text, "%s", text);
    return true;
}

bool view_lets_through(const struct view *view, const char *name, const char *file) {
    return !view->has_filter || regexec(&view->filter, name, 0, NULL, 0) == 0 ||
           regexec(&view->filter, file, 0, NULL, 0) == 0;
}

/* ---- shares ---- */

uint64_t view_total_ns(const struct view *view) {
    uint64_t total_ns = 0;
    for (uint32_t i = 1; i <= view->trace->tallies.count; i++) {
        total_ns += ((const struct trace_tally *)table_row(&view->trace->tallies, i))->weight_ns;
    }
    return total_ns;
}

bool view_knows_states(const struct view *view) {
    bool is_known = false;
    for (uint32_t i = 1; view->cells != NULL && i <= view->cells->count && !is_known; i++) {
        is_known = ((const struct window_cell *)table_row(view->cells, i))->state != 0;
    }
    return is_known;
}

void view_note_threads(struct view *view) {
    const struct trace *trace = view->trace;
    if (view->thread.id != 0 || view->pid != 0 || view->cells == NULL) {
        return;
    }
    bool *is_seen = memory_zeroed((size_t)trace->threads.count + 1, sizeof *is_seen);
    view->thread_count = 0;
    for (uint32_t i = 1; i <= view->cells->count; i++) {
        const struct window_cell *cell = table_row(view->cells, i);
        view->thread_count += !is_seen[cell->thread.id];
        is_seen[cell->thread.id] = true;
    }
    free(is_seen);
}

/* Lets a trend move towards `share`; how far depends on the time since it was looked at. A window
 * that has just begun to fill says nothing about trends. */
static void note_share(struct view *view, struct function_id function, double share,
                       bool is_early) {
    struct trend key = {.function = function, .share = share, .time_ns = view->now_ns};
    uint32_t known = view->trends.count;
    struct trend *trend = table_row(&view->trends, table_intern(&view->trends, &key));
    if (view->trends.count > known) {
        trend->share = 0; /* one that was not there before */
    }
    if (is_early) {
        trend->share = share;
    }
    double passed_s = (double)(view->now_ns - trend->time_ns) / (double)NS_PER_S;
    trend->share += (share - trend->share) * (1 - exp(-passed_s / TREND_S));
    trend->time_ns = view->now_ns;
}

void view_note_shares(struct view *view) {
    struct function_total *totals;
    size_t count = tree_function_totals(view->trace, &totals);
    uint64_t whole_ns = view_total_ns(view);
    bool is_early = (double)view->trace->health.duration_ns < TREND_S * (double)NS_PER_S;
    for (size_t i = 0; i < count && whole_ns > 0; i++) {
        note_share(view, totals[i].function, (double)totals[i].self_ns / (double)whole_ns,
                   is_early);
    }
    free(totals);
    for (uint32_t id = 1; id <= view->trends.count; id++) {
        const struct trend *trend = table_row(&view->trends, id);
        if (trend->time_ns != view->now_ns) {
            note_share(view, trend->function, 0, is_early);
        }
    }
}

double view_trend(const struct view *view, struct function_id function, double share) {
    struct trend key = {.function = function};
    uint32_t id = table_find(&view->trends, &key);
    return id != 0 ? share - ((const struct trend *)table_row(&view->trends, id))->share : 0;
}

/* ---- texts ---- */

const char *view_why_nothing(const struct view *view) {
    return view->trace->health.ticks == 0 ? "Waiting for the first samples."
                                          : "Nothing was sampled in this time and mode.";
}

void view_format_share(double share, char out[16]) {
    snprintf(out, 16, share >= 0.9995 ? "%.0f%%" : "%.1f%%", 100 * share);
}

void view_append_place(const struct view *view, struct function_id function, uint32_t line,
                       struct buffer *out) {
    const struct trace_function *row = trace_function(view->trace, function);
    const char *file = trace_string(view->trace, row->file);
    const char *slash = strrchr(file, '/');
    buffer_printf(out, "%s", slash != NULL ? slash + 1 : file);
    if (line > 0) {
        buffer_printf(out, ":%u", line);
    }
}

void view_append_function(const struct view *view, struct function_id function, uint32_t line,
                          struct buffer *out) {
    if (function.id == 0) {
        return;
    }
    const struct trace_function *row = trace_function(view->trace, function);
    buffer_printf(out, "%s", trace_string(view->trace, row->name));
    if (row->file.id != 0 && *trace_string(view->trace, row->file) != '\0') {
        buffer_printf(out, " (");
        view_append_place(view, function, line, out);
        buffer_append(out, ")", 1);
    }
}
