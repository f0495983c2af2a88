#include "tui/picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "tui/action.h"
#include "tui/panel.h"

enum { HEADER_ROWS = 4, FOOTER_ROWS = 1, CPU_TEXT = 12, SPARK_MAX = 60 };
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
    int at = grid_printf(grid, 1, 0, STYLE_PLAIN, "Threads %u  Rate %.0f/%.0f Hz",
                         view->thread_count, rate_hz, asked_hz);
    at = grid_printf(grid, 1, at + 2, health->lost > 0 ? STYLE_BAD : STYLE_PLAIN, "Lost %" PRIu64,
                     health->lost);
    at = grid_printf(grid, 1, at + 2, unverified > UNVERIFIED_MANY ? STYLE_BAD : STYLE_PLAIN,
                     "Verified %.1f%%", health->samples > 0 ? 100 * (1 - unverified) : 0);
    grid_printf(grid, 1, at + 2, STYLE_PLAIN, "Our CPU %.1f%%",
                100 * share_of(health->cpu_ns, health->duration_ns));
}

/* A bar for each step of the history, the newest at the right. The highest bar is one CPU, or as
 * many as were used. */
static void draw_spark(const struct view *view, struct grid *grid, int at, int width) {
    double highest = 1;
    int count = view->history_count < width ? view->history_count : width;
    for (int i = 0; i < count; i++) {
        double value = view->history[i].target_cpus;
        highest = value > highest ? value : highest;
    }
    for (int i = 0; i < count; i++) {
        double value = view->history[i].target_cpus / highest;
        int level = (int)(value * (GLYPH_LEVELS - 1) + 0.5);
        level = level < 0 ? 0 : level < GLYPH_LEVELS ? level : GLYPH_LEVELS - 1;
        grid_print(grid, 2, at + count - 1 - i, 1, STYLE_GOOD, view->glyphs->levels[level]);
    }
}

static void append_window(const struct view *view, struct buffer *out) {
    if (view->span_ns > 0) {
        buffer_printf(out, "last %" PRIu64 " s", view->span_ns / NS_PER_S);
    } else {
        buffer_printf(out, "since start");
    }
    if (view->back_ns > 0 && view->span_ns > 0) {
        buffer_printf(out, ", %" PRIu64 " s ago", view->back_ns / NS_PER_S);
    }
    if (view->thread.id != 0) {
        const struct trace_thread *thread = trace_thread(view->trace, view->thread);
        buffer_printf(out, ", %s (%u) alone", trace_string(view->trace, thread->name), thread->tid);
    }
    if (view->has_filter) {
        buffer_printf(out, ", filter %s", view->filter_text);
    }
    if (view->has_ended) {
        buffer_printf(out, "  ENDED");
    } else if (view->is_paused) {
        buffer_printf(out, "  PAUSED");
    }
}

/* The target's CPU over time, and what of it is selected. */
static void draw_window(const struct view *view, struct grid *grid) {
    struct buffer text = {0};
    double cpus = view->history_count > 0 ? view->history[0].target_cpus : 0;
    int width = grid->columns / 2 - CPU_TEXT;
    width = width < SPARK_MAX ? width : SPARK_MAX;
    append_window(view, &text);
    grid_printf(grid, 2, 0, STYLE_PLAIN, "CPU %4.0f%%", 100 * cpus);
    draw_spark(view, grid, CPU_TEXT - 2, width);
    int at = CPU_TEXT + (width > 0 ? width : 0);
    grid_print_shortened(grid, 2, at, grid->columns - at,
                         view->has_ended || view->is_paused ? STYLE_BAD : STYLE_PLAIN, text.data);
    buffer_deinit(&text);
}

static void draw_tabs(const struct view *view, struct grid *grid) {
    int at = 0;
    for (int i = 0; panels[i] != NULL; i++) {
        char tab[48];
        snprintf(tab, sizeof tab, " %d %s ", i + 1, panels[i]->name);
        at = grid_print(grid, 3, at, grid->columns - at,
                        i == view->panel ? STYLE_CURSOR : STYLE_DIM, tab);
    }
}

/* ---- the last row ---- */

static void draw_keys(struct grid *grid, int row) {
    int at = 0;
    for (const struct action *action = actions; action->help != NULL; action++) {
        const char *word = action->bar != NULL ? strchr(action->bar, ' ') : NULL;
        char key[8];
        if (word == NULL || at + (int)strlen(action->bar) > grid->columns) {
            continue;
        }
        snprintf(key, sizeof key, "%.*s", (int)(word - action->bar), action->bar);
        at = grid_print(grid, row, at, grid->columns - at, STYLE_KEY, key);
        at = grid_print(grid, row, at, grid->columns - at, STYLE_ACTION, word + 1);
        grid_print(grid, row, at, 1, STYLE_PLAIN, " ");
        at++;
    }
}

static void draw_last_row(const struct view *view, const char *prompt, struct grid *grid) {
    int row = grid->rows - FOOTER_ROWS;
    if (prompt != NULL) {
        int at = grid_print(grid, row, 0, grid->columns - 1, STYLE_BOLD, prompt);
        grid_fill(grid, row, at, 1, STYLE_CURSOR);
    } else if (view->message[0] != '\0') {
        grid_print(grid, row, 0, grid->columns, view->is_message_bad ? STYLE_BAD : STYLE_GOOD,
                   view->message);
    } else {
        draw_keys(grid, row);
    }
}

void picture_draw(struct view *view, const char *prompt, struct grid *grid) {
    int rows = grid->rows - HEADER_ROWS - FOOTER_ROWS;
    draw_target(view, grid);
    draw_health(view, grid);
    draw_window(view, grid);
    draw_tabs(view, grid);
    if (rows > 0) {
        struct grid body;
        grid_init(&body, rows, grid->columns);
        panels[view->panel]->draw(view, &body);
        grid_put(grid, HEADER_ROWS, &body);
        grid_deinit(&body);
    }
    draw_last_row(view, prompt, grid);
}
