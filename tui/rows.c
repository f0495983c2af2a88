#define _GNU_SOURCE
#include "tui/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/base/text.h"

#define TREND_SEEN 0.02 /* a smaller change of a share is not pointed at */
#define SHARE_HOT  0.30
#define SHARE_WARM 0.05

struct row *rows_add(struct rows *rows) {
    if (rows->count == rows->capacity) {
        rows->items =
            memory_grow(rows->items, sizeof *rows->items, rows->count + 1, &rows->capacity);
    }
    struct row *row = &rows->items[rows->count++];
    *row = (struct row){0};
    return row;
}

void rows_deinit(struct rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->items[i].place);
        free(rows->items[i].note);
    }
    free(rows->items);
    *rows = (struct rows){0};
}

/* ---- the order ---- */

struct sorting {
    enum column_kind kind;
    int sign;
};

static int falling(double a, double b) {
    return a > b ? -1 : a < b;
}

static const char *text_or_none(const char *text) {
    return text != NULL ? text : "";
}

static int compare_by(enum column_kind kind, const struct row *a, const struct row *b) {
    switch (kind) {
    case COLUMN_PART:
    case COLUMN_PART_MIDDLE:
    case COLUMN_PART_LAST:
        return falling(a->parts[kind - COLUMN_PART], b->parts[kind - COLUMN_PART]);
    case COLUMN_SELF:
    case COLUMN_TIME:
    case COLUMN_DWELL: return falling((double)a->self_ns, (double)b->self_ns);
    case COLUMN_TOTAL: return falling((double)a->total_ns, (double)b->total_ns);
    case COLUMN_TREND: return falling(a->trend, b->trend);
    case COLUMN_NUMBER: return falling(b->number, a->number);
    case COLUMN_COUNT: return falling(a->count, b->count);
    case COLUMN_PROCESS: return falling(b->pid, a->pid);
    case COLUMN_WORD: return strcmp(text_or_none(a->word), text_or_none(b->word));
    case COLUMN_NAME: return strcmp(a->name, b->name);
    case COLUMN_PLACE: return strverscmp(text_or_none(a->place), text_or_none(b->place));
    case COLUMN_NOTE: return strverscmp(text_or_none(a->note), text_or_none(b->note));
    }
    return 0;
}

static int compare_rows(const void *left, const void *right, void *context) {
    const struct sorting *order = context;
    const struct row *a = left;
    const struct row *b = right;
    int result = order->sign * compare_by(order->kind, a, b);
    result = result != 0 ? result : falling((double)a->self_ns, (double)b->self_ns);
    result = result != 0 ? result : falling((double)a->total_ns, (double)b->total_ns);
    return result != 0 ? result : a->id < b->id ? -1 : 1;
}

static void sort_rows(struct rows *rows, const struct column *columns, const struct list *list) {
    struct sorting order = {columns[list->sort].kind, list->is_reversed ? -1 : 1};
    if (rows->count > 1) {
        qsort_r(rows->items, rows->count, sizeof *rows->items, compare_rows, &order);
    }
}

/* ---- drawing ---- */

static bool is_text(enum column_kind kind) {
    return kind >= COLUMN_WORD;
}

static bool grows(enum column_kind kind) {
    return kind >= COLUMN_NAME;
}

static bool is_shown(const struct column *column, const struct view *view,
                     const struct grid *grid) {
    return grid->columns >= column->min_columns &&
           (column->kind != COLUMN_PROCESS || view->trace->processes.count > 1);
}

/* The widths of columns on this grid, 0 for those not shown. What is left over is shared: a name
 * gets as much as two others, and a little more. */
static void fit_columns(const struct column *columns, int count, const struct view *view,
                        const struct grid *grid, int *widths) {
    enum { NAME_PARTS = 3, OTHER_PARTS = 2, NAME_EXTRA_MAX = 40 };
    int left = grid->columns + 1;
    int parts = 0;
    for (int i = 0; i < count; i++) {
        widths[i] = is_shown(&columns[i], view, grid) ? columns[i].width : 0;
        left -= widths[i] > 0 ? widths[i] + 1 : 0;
        parts += widths[i] == 0 || !grows(columns[i].kind) ? 0
                 : columns[i].kind == COLUMN_NAME          ? NAME_PARTS
                                                           : OTHER_PARTS;
    }
    for (int i = 0; i < count && left > 0; i++) {
        if (widths[i] > 0 && grows(columns[i].kind)) {
            int part = columns[i].kind == COLUMN_NAME ? NAME_PARTS : OTHER_PARTS;
            int extra = left * part / parts;
            if (columns[i].kind == COLUMN_NAME && part < parts) { /* what is beside it stays near */
                extra = extra < NAME_EXTRA_MAX ? extra : NAME_EXTRA_MAX;
            }
            widths[i] += extra;
            left -= extra;
            parts -= part;
        }
    }
}

static void draw_titles(struct view *view, const struct list *list, const struct column *columns,
                        int count, const int *widths, struct grid *grid) {
    int at = 0;
    grid_fill(grid, 0, 0, grid->columns, STYLE_TITLE);
    for (int i = 0; i < count; i++) {
        char title[48];
        bool is_rising = is_text(columns[i].kind) != list->is_reversed;
        const char *mark = i != list->sort ? "" : is_rising ? view->glyphs->up : view->glyphs->down;
        snprintf(title, sizeof title, "%s%s", columns[i].title, mark);
        int indent = is_text(columns[i].kind) ? 0 : widths[i] - (int)text_columns(title);
        if (widths[i] > 0) {
            grid_print(grid, 0, at + (indent > 0 ? indent : 0), widths[i], STYLE_TITLE, title);
            view_add_hit(view, view->origin, at, widths[i], 0, i);
            at += widths[i] + 1;
        }
    }
}

static enum style style_of_share(double share) {
    return share >= SHARE_HOT ? STYLE_HOT : share >= SHARE_WARM ? STYLE_WARM : STYLE_PLAIN;
}

static void draw_right(struct grid *grid, int row, int at, int width, enum style style,
                       const char *text) {
    int indent = width - (int)text_columns(text);
    grid_print(grid, row, at + (indent > 0 ? indent : 0), width, style, text);
}

static void draw_share(struct grid *grid, int line, int at, int width, uint64_t part_ns,
                       uint64_t whole_ns) {
    char text[16];
    double share = whole_ns > 0 ? (double)part_ns / (double)whole_ns : 0;
    view_format_share(share, text);
    draw_right(grid, line, at, width, style_of_share(share), text);
}

static void draw_part(struct grid *grid, int line, int at, int width, double share) {
    char text[16] = "-";
    if (share > 0) {
        view_format_share(share, text);
    }
    draw_right(grid, line, at, width, share > 0 ? style_of_share(share) : STYLE_DIM, text);
}

static void draw_number(struct grid *grid, int line, int at, int width, uint32_t number) {
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    draw_right(grid, line, at, width, STYLE_PLAIN, text);
}

static void draw_text(struct grid *grid, int line, int at, int width, enum style style,
                      const char *text) {
    if (text != NULL) {
        grid_print_shortened(grid, line, at, width, style, text);
    }
}

static void draw_time(struct grid *grid, int line, int at, int width, uint64_t time_ns) {
    struct buffer text = {0};
    text_append_time(&text, time_ns);
    draw_right(grid, line, at, width, STYLE_PLAIN, text.data);
    buffer_deinit(&text);
}

static void draw_dwell(struct grid *grid, int line, int at, int width, uint64_t time_ns) {
    char text[16];
    uint64_t seconds = time_ns / NS_PER_S;
    if (seconds >= 3600) {
        snprintf(text, sizeof text, "%" PRIu64 " h", seconds / 3600);
    } else if (seconds >= 120) {
        snprintf(text, sizeof text, "%" PRIu64 " min", seconds / 60);
    } else {
        snprintf(text, sizeof text, "%" PRIu64 " s", seconds);
    }
    draw_right(grid, line, at, width, STYLE_PLAIN, time_ns > 0 ? text : "");
}

static void draw_trend(const struct view *view, struct grid *grid, int line, int at, double trend) {
    if (trend >= TREND_SEEN) {
        grid_print(grid, line, at, 1, STYLE_BAD, view->glyphs->rising);
    } else if (trend <= -TREND_SEEN) {
        grid_print(grid, line, at, 1, STYLE_GOOD, view->glyphs->falling);
    }
}

static void draw_cell(const struct view *view, const struct rows *rows, const struct row *row,
                      enum column_kind kind, int width, struct grid *grid, int line, int at) {
    switch (kind) {
    case COLUMN_SELF: draw_share(grid, line, at, width, row->self_ns, rows->whole_ns); break;
    case COLUMN_TOTAL: draw_share(grid, line, at, width, row->total_ns, rows->whole_ns); break;
    case COLUMN_DWELL: draw_dwell(grid, line, at, width, row->self_ns); break;
    case COLUMN_TIME: draw_time(grid, line, at, width, row->self_ns); break;
    case COLUMN_TREND: draw_trend(view, grid, line, at, row->trend); break;
    case COLUMN_PART:
    case COLUMN_PART_MIDDLE:
    case COLUMN_PART_LAST: draw_part(grid, line, at, width, row->parts[kind - COLUMN_PART]); break;
    case COLUMN_NUMBER: draw_number(grid, line, at, width, row->number); break;
    case COLUMN_COUNT: draw_number(grid, line, at, width, row->count); break;
    case COLUMN_PROCESS: draw_number(grid, line, at, width, row->pid); break;
    case COLUMN_WORD: draw_text(grid, line, at, width, STYLE_PLAIN, row->word); break;
    case COLUMN_NAME: draw_text(grid, line, at, width, STYLE_NAME, row->name); break;
    case COLUMN_PLACE: draw_text(grid, line, at, width, STYLE_PLACE, row->place); break;
    case COLUMN_NOTE: draw_text(grid, line, at, width, STYLE_PLAIN, row->note); break;
    }
}

/* Puts the cursor where its row has gone. */
static void follow(struct list *list, const struct rows *rows) {
    for (size_t i = 0; i < rows->count && list->stays_on != 0 && !list->is_moved; i++) {
        list->cursor = rows->items[i].id == list->stays_on ? (int)i : list->cursor;
    }
}

static void choose(struct view *view, const struct rows *rows) {
    struct list *list = view_list(view);
    list->chosen = 0;
    list->is_moved = false;
    if (rows->count > 0) {
        const struct row *row = &rows->items[list->cursor];
        list->chosen = row->id;
        list->stays_on = list->cursor > 0 ? row->id : list->stays_on;
        view->function = row->function.id != 0 ? row->function : view->function;
    }
}

static uint32_t bits_of(const int *widths, int count) {
    uint32_t bits = 0;
    for (int i = 0; i < count; i++) {
        bits |= widths[i] > 0 ? UINT32_C(1) << i : 0;
    }
    return bits;
}

static void say_there_are_none(const struct rows *rows, const struct view *view,
                               struct grid *grid) {
    grid_print(grid, 2, 1, grid->columns, STYLE_DIM,
               view->has_filter ? "Nothing passes the filter; Esc lets all through." : rows->none);
}

void rows_draw(struct rows *rows, const struct column *columns, int column_count, struct view *view,
               struct grid *grid) {
    struct list *list = view_list(view);
    int widths[COLUMN_NOTE + 1];
    fit_columns(columns, column_count, view, grid, widths);
    list->columns = bits_of(widths, column_count);
    sort_rows(rows, columns, list);
    follow(list, rows);
    list_fit(list, (int)rows->count, grid->rows - 1);
    list->first = 1;
    choose(view, rows);
    draw_titles(view, list, columns, column_count, widths, grid);
    for (int line = 1; line < grid->rows && list->top + line - 1 < list->count; line++) {
        const struct row *row = &rows->items[list->top + line - 1];
        int at = 0;
        for (int i = 0; i < column_count; i++) {
            if (widths[i] > 0) {
                draw_cell(view, rows, row, columns[i].kind, widths[i], grid, line, at);
                at += widths[i] + 1;
            }
        }
        if (list->top + line - 1 == list->cursor) {
            grid_paint(grid, line, 0, grid->columns, STYLE_CURSOR);
        }
    }
    if (rows->count == 0) {
        say_there_are_none(rows, view, grid);
    }
}
