/* The hottest lines. */
#include <stddef.h>

#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/rows.h"

static const struct column columns[] = {
    {COLUMN_SELF, "SELF", 6, 0},   {COLUMN_TIME, "TIME", 8, 100},     {COLUMN_TOTAL, "TOTAL", 6, 0},
    {COLUMN_PLACE, "LINE", 14, 0}, {COLUMN_NAME, "FUNCTION", 12, 40},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

struct line_total {
    struct function_id function;
    uint32_t line;
    uint64_t self_ns; /* payload, as are all below */
    uint64_t total_ns;
    uint32_t counted; /* for which tally last: recursion counts once */
    uint32_t reserved;
};

/* Counts one tally to all the lines on its stack. */
static void add_stack(struct table *lines, const struct trace *trace, uint32_t tally_id) {
    const struct trace_tally *tally = table_row(&trace->tallies, tally_id);
    for (struct stack_id at = tally->stack; at.id != 0; at = trace_stack(trace, at)->parent) {
        const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, at)->frame);
        struct line_total key = {.function = frame->function, .line = frame->line};
        struct line_total *line = table_row(lines, table_intern(lines, &key));
        if (at.id == tally->stack.id) {
            line->self_ns += tally->weight_ns;
        }
        if (line->counted != tally_id) {
            line->counted = tally_id;
            line->total_ns += tally->weight_ns;
        }
    }
}

static void add_line(struct rows *rows, const struct view *view, const struct line_total *line) {
    const struct trace_function *function = trace_function(view->trace, line->function);
    const char *name = trace_string(view->trace, function->name);
    if (!view_lets_through(view, name, trace_string(view->trace, function->file))) {
        return;
    }
    struct row *row = rows_add(rows);
    struct buffer place = {0};
    view_append_place(view, line->function, line->line, &place);
    *row = (struct row){
        .id = (uint64_t)line->function.id << 32 | line->line,
        .function = line->function,
        .self_ns = line->self_ns,
        .total_ns = line->total_ns,
        .name = name,
        .place = place.data,
    };
}

static void draw(struct view *view, struct grid *grid) {
    struct table lines;
    struct rows rows = {.whole_ns = view_total_ns(view), .none = view_why_nothing(view)};
    table_init(&lines, sizeof(struct line_total), offsetof(struct line_total, self_ns));
    for (uint32_t i = 1; i <= view->trace->tallies.count; i++) {
        add_stack(&lines, view->trace, i);
    }
    for (uint32_t i = 1; i <= lines.count; i++) {
        add_line(&rows, view, table_row(&lines, i));
    }
    rows_draw(&rows, columns, COLUMNS, view, grid);
    rows_deinit(&rows);
    table_deinit(&lines);
}

/* Enter looks at the source. */
static bool key_pressed(struct view *view, int key) {
    if (key == PRESS_ENTER) {
        view_show(view, 'v');
    }
    return key == PRESS_ENTER;
}

const struct panel panel_lines = {
    .name = "Lines",
    .key = 'l',
    .help = "the lines the time is spent on; Enter shows the source",
    .sort_columns = COLUMNS,
    .draw = draw,
    .key_pressed = key_pressed,
};
