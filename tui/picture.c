#include "tui/picture.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "tui/action.h"
#include "tui/panel.h"

enum { HEADER_ROWS = 5, FOOTER_ROWS = 1, BODY_ROWS_MIN = 4, SHORT_TAB = 4 };
enum { METER_TEXT = 10, METER_MIN = METER_TEXT + 2 };
#define UNVERIFIED_MANY 0.05 /* from this share on it is pointed at */

/* ---- the header ---- */

static void append_clock(struct buffer *out, uint64_t seconds) {
    if (seconds >= 86400) {
        buffer_printf(out, "%" PRIu64 "d ", seconds / 86400);
    }
    buffer_printf(out, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600 % 24,
                  seconds / 60 % 60, seconds % 60);
}

/* PID and command, with the version and uptime at the right. */
static void draw_target(const struct view *view, struct grid *grid) {
    const struct trace *trace = view->trace;
    struct buffer right = {0};
    const char *version = trace_string(trace, trace->run.python_version);
    buffer_printf(&right, "%s%s", *version != '\0' ? "Python " : "attaching...", version);
    if (view->uptime_s > 0) {
        buffer_printf(&right, "  up ");
        append_clock(&right, view->uptime_s);
    }
    int right_at = grid->columns - (int)text_columns(right.data);
    int at = grid_printf(grid, 0, 0, STYLE_BOLD, "PID %u ", trace->run.pid);
    grid_print_shortened(grid, 0, at, right_at - at - 2, STYLE_PLAIN,
                         trace_string(trace, trace->run.command));
    grid_print(grid, 0, right_at > at ? right_at : at, grid->columns, STYLE_PLAIN, right.data);
    buffer_deinit(&right);
}

static double share_of(uint64_t part, uint64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* How the sampling goes, in the window that is shown. */
static void draw_health(const struct view *view, struct grid *grid) {
    const struct health *health = &view->trace->health;
    double asked_hz = view->trace->run.interval_ns > 0
                          ? (double)NS_PER_S / (double)view->trace->run.interval_ns
                          : 0;
    double unverified = share_of(health->unverified, health->samples);
    double seconds = (double)health->duration_ns / (double)NS_PER_S;
    double rate_hz = seconds > 0 ? (double)health->ticks / seconds : 0;
    int at = grid_printf(grid, 1, 0, STYLE_PLAIN, "Threads %u  ", view->thread_count);
    if (view->roll != NULL && view->roll->time_ns != 0) {
        at = grid_printf(grid, 1, at, STYLE_PLAIN, "Tasks %zu  ", view->roll->count);
    }
    at = grid_printf(grid, 1, at, STYLE_PLAIN, "Rate %.0f/%.0f Hz", rate_hz, asked_hz);
    at = grid_printf(grid, 1, at + 2, health->lost > 0 ? STYLE_BAD : STYLE_PLAIN, "Lost %" PRIu64,
                     health->lost);
    at = grid_printf(grid, 1, at + 2, unverified > UNVERIFIED_MANY ? STYLE_BAD : STYLE_PLAIN,
                     "Verified %.1f%%", health->samples > 0 ? 100 * (1 - unverified) : 0);
    grid_printf(grid, 1, at + 2, STYLE_PLAIN, "Our CPU %.1f%%",
                100 * share_of(health->cpu_ns, health->duration_ns));
}

/* What is shown over time. */
struct meter {
    const char *name;
    enum style style;
    size_t value; /* offset of a double in struct pulse */
    bool needs_states;
};

static const struct meter meters[] = {
    {"CPU", STYLE_GOOD, offsetof(struct pulse, target_cpus), false},
    {"GIL", STYLE_WARM, offsetof(struct pulse, held), true},
    {"GC", STYLE_PLACE, offsetof(struct pulse, collecting), true},
};
enum { METERS = sizeof meters / sizeof meters[0] };

static double pulse_value(const struct view *view, const struct meter *meter, int ago) {
    return *(const double *)((const char *)&view->history[ago] + meter->value);
}

/* A bar for each step of the history, the newest at the right. The highest bar is the whole of one,
 * or as much as there was. */
static void draw_spark(const struct view *view, const struct meter *meter, struct grid *grid,
                       int at, int width) {
    double highest = 1;
    int count = view->history_count < width ? view->history_count : width;
    for (int i = 0; i < count; i++) {
        double value = pulse_value(view, meter, i);
        highest = value > highest ? value : highest;
    }
    for (int i = 0; i < count; i++) {
        double value = pulse_value(view, meter, i) / highest;
        int level = (int)(value * (GLYPH_LEVELS - 1) + 0.5);
        level = level < 0 ? 0 : level < GLYPH_LEVELS ? level : GLYPH_LEVELS - 1;
        grid_print(grid, 2, at + count - 1 - i, 1, meter->style, view->glyphs->levels[level]);
    }
}

static void draw_meters(const struct view *view, struct grid *grid) {
    bool knows_states = view_knows_states(view);
    int count = grid->columns / METER_MIN;
    count = count < 1 ? 1 : count < METERS ? count : METERS;
    int width = grid->columns / count;
    for (int i = 0; i < count; i++) {
        const struct meter *meter = &meters[i];
        int at = i * width;
        grid_print(grid, 2, at, width, STYLE_BOLD, meter->name);
        if (meter->needs_states && !knows_states) {
            grid_printf(grid, 2, at + 4, STYLE_DIM, "    -");
            continue;
        }
        double value = view->history_count > 0 ? pulse_value(view, meter, 0) : 0;
        grid_printf(grid, 2, at + 4, STYLE_PLAIN, "%4.0f%%", 100 * value);
        draw_spark(view, meter, grid, at + METER_TEXT, width - METER_TEXT - 2);
    }
}

static void append_span(const struct view *view, struct buffer *out) {
    if (view->span_ns > 0) {
        buffer_printf(out, "last %" PRIu64 " s", view->span_ns / NS_PER_S);
    } else {
        buffer_printf(out, "since start");
    }
    if (view->back_ns > 0) {
        buffer_printf(out, ", %" PRIu64 " s ago", view->back_ns / NS_PER_S);
    }
}

/* What is selected, in words. */
static void append_selection(const struct view *view, struct buffer *out) {
    const char *between = view->glyphs->between;
    append_span(view, out);
    buffer_printf(out, "%s%s time", between, modes[view->mode].name);
    if (view->pid != 0) {
        buffer_printf(out, "%sprocess %u alone", between, view->pid);
    }
    if (view->thread.id != 0) {
        const struct trace_thread *thread = trace_thread(view->trace, view->thread);
        buffer_printf(out, "%s%s (%u) alone", between, trace_string(view->trace, thread->name),
                      thread->tid);
    }
    if (view->task.marker.id != 0) {
        buffer_printf(out, "%stask %s alone", between, trace_string(view->trace, view->task_name));
    }
    if (view->has_filter) {
        buffer_printf(out, "%sfilter %s", between, view->filter_text);
    }
    if (view->restarts > 0) {
        buffer_printf(out, "%srestarted %u x", between, view->restarts);
    }
}

static void draw_selection(const struct view *view, struct grid *grid, int row) {
    struct buffer text = {0};
    const char *mark = view->phase == WINDOW_ENDED   ? "ENDED"
                       : view->phase == WINDOW_WAITS ? "ENDED, waiting for the next one"
                       : view->is_paused             ? "PAUSED"
                                                     : "";
    int gap = *mark != '\0' ? 2 : 0;
    int room = grid->columns - (int)text_columns(mark) - gap;
    append_selection(view, &text);
    int at = grid_print_shortened(grid, row, 0, room, STYLE_PLAIN, text.data);
    grid_print(grid, row, at + gap, grid->columns, STYLE_BAD, mark);
    buffer_deinit(&text);
}

/* How a tab is written: as long as there is room for all of them. */
enum tab_form { TAB_WIDE, TAB_CLOSE, TAB_BRIEF, TAB_SHORT };

static int format_tab(int panel, enum tab_form form, char out[48]) {
    int key = panel < 10 ? '0' + (int)(panel + 1) % 10 : (int)panels[panel]->key;
    char number[2] = {(char)key, 0};
    const char *name = panels[panel]->name;
    const char *brief = panels[panel]->brief != NULL ? panels[panel]->brief : name;
    switch (form) {
    case TAB_WIDE: return snprintf(out, 48, " %s %s ", number, name);
    case TAB_CLOSE: return snprintf(out, 48, "%s%s ", number, name);
    case TAB_BRIEF: return snprintf(out, 48, "%s%s ", number, brief);
    case TAB_SHORT: return snprintf(out, 48, "%s%.*s ", number, SHORT_TAB, brief);
    }
    return 0;
}

static enum tab_form fitting_form(int columns) {
    for (enum tab_form form = TAB_WIDE; form < TAB_SHORT; form++) {
        char tab[48];
        int width = 0;
        for (int i = 0; panels[i] != NULL; i++) {
            width += format_tab(i, form, tab);
        }
        if (width - 1 <= columns) {
            return form;
        }
    }
    return TAB_SHORT;
}

static void draw_tabs(struct view *view, struct grid *grid) {
    enum tab_form form = fitting_form(grid->columns);
    int at = 0;
    for (int i = 0; panels[i] != NULL; i++) {
        char tab[48];
        int width = format_tab(i, form, tab);
        grid_print(grid, 4, at, grid->columns - at, STYLE_DIM, tab);
        if (i == view->panel) {
            grid_paint(grid, 4, at, form == TAB_WIDE ? width : width - 1, STYLE_CURSOR);
        }
        view_add_hit(view, 4, at, width, panels[i]->key, 0);
        at += width;
    }
}

/* ---- the last row ---- */

static void draw_keys(struct view *view, struct grid *grid, int row) {
    int at = 0;
    for (const struct action *action = actions; action->help != NULL; action++) {
        const char *word = action->bar != NULL ? strchr(action->bar, ' ') : NULL;
        char key[8];
        if (word == NULL || at + (int)strlen(action->bar) > grid->columns) {
            continue;
        }
        snprintf(key, sizeof key, "%.*s", (int)(word - action->bar), action->bar);
        view_add_hit(view, row, at, (int)strlen(action->bar) - 1, action->keys[0], 0);
        at = grid_print(grid, row, at, grid->columns - at, STYLE_KEY, key);
        at = grid_print(grid, row, at, grid->columns - at, STYLE_ACTION, word + 1);
        grid_print(grid, row, at, 1, STYLE_PLAIN, " ");
        at++;
    }
}

static void draw_last_row(struct view *view, const char *prompt, struct grid *grid) {
    int row = grid->rows - FOOTER_ROWS;
    grid_fill(grid, row, 0, grid->columns, STYLE_PLAIN);
    if (prompt != NULL) {
        int at = grid_print(grid, row, 0, grid->columns - 1, STYLE_BOLD, prompt);
        grid_fill(grid, row, at, 1, STYLE_CURSOR);
    } else if (view->message[0] != '\0') {
        grid_print(grid, row, 0, grid->columns, view->is_message_bad ? STYLE_BAD : STYLE_GOOD,
                   view->message);
    } else {
        draw_keys(view, grid, row);
    }
}

/* All of it, or where the panel would have no room just what is selected. Rows drawn. */
static int draw_header(struct view *view, struct grid *grid) {
    if (grid->rows < HEADER_ROWS + BODY_ROWS_MIN + FOOTER_ROWS) {
        draw_selection(view, grid, 0);
        return 1;
    }
    draw_target(view, grid);
    draw_health(view, grid);
    draw_meters(view, grid);
    draw_selection(view, grid, 3);
    draw_tabs(view, grid);
    return HEADER_ROWS;
}

void picture_draw(struct view *view, const char *prompt, struct grid *grid) {
    view->hit_count = 0;
    view_list(view)->first = 0;
    view->origin = draw_header(view, grid);
    int rows = grid->rows - view->origin - FOOTER_ROWS;
    if (rows > 0) {
        struct grid body;
        grid_init(&body, rows, grid->columns);
        panels[view->panel]->draw(view, &body);
        grid_put(grid, view->origin, &body);
        grid_deinit(&body);
    }
    draw_last_row(view, prompt, grid);
}
