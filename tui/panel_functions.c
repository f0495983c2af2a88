/* The hottest functions. */
#include <stdlib.h>

#include "profiler/model/tree.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/rows.h"

static const struct column columns[] = {
    {COLUMN_SELF, "SELF", 6, 0},      {COLUMN_TREND, "", 1, 0},
    {COLUMN_TIME, "TIME", 8, 100},    {COLUMN_TOTAL, "TOTAL", 6, 0},
    {COLUMN_NAME, "FUNCTION", 12, 0}, {COLUMN_PLACE, "LOCATION", 12, 40},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void add_function(struct rows *rows, const struct view *view,
                         const struct function_total *total) {
    const struct trace_function *function = trace_function(view->trace, total->function);
    const char *name = trace_string(view->trace, function->name);
    if (!view_lets_through(view, name, trace_string(view->trace, function->file))) {
        return;
    }
    struct row *row = rows_add(rows);
    struct buffer place = {0};
    double whole_ns = (double)(rows->whole_ns > 0 ? rows->whole_ns : 1);
    view_append_place(view, total->function,
                      total->hot_line > 0 ? total->hot_line : function->first_line, &place);
    *row = (struct row){
        .id = total->function.id,
        .function = total->function,
        .self_ns = total->self_ns,
        .total_ns = total->total_ns,
        .trend = view_trend(view, total->function, (double)total->self_ns / whole_ns),
        .name = name,
        .place = place.data,
    };
}

static void draw(struct view *view, struct grid *grid) {
    struct function_total *totals;
    struct rows rows = {.whole_ns = view_total_ns(view), .none = view_why_nothing(view)};
    size_t count = tree_function_totals(view->trace, &totals);
    for (size_t i = 0; i < count; i++) {
        add_function(&rows, view, &totals[i]);
    }
    free(totals);
    rows_draw(&rows, columns, COLUMNS, view, grid);
    rows_deinit(&rows);
}

/* Enter looks at the source. */
static bool key_pressed(struct view *view, int key) {
    if (key == PRESS_ENTER) {
        view_show(view, 'v');
    }
    return key == PRESS_ENTER;
}

const struct panel panel_functions = {
    .name = "Functions",
    .brief = "Funcs",
    .key = 'f',
    .help = "where the time is spent; Enter shows the source",
    .sort_columns = COLUMNS,
    .draw = draw,
    .key_pressed = key_pressed,
};
