/* The call tree. It folds; the heaviest path is open unless told otherwise. */
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tui/keys.h"
#include "tui/nodes.h"
#include "tui/panel.h"

enum { TOTAL_AT = 0, SELF_AT = 7, NAME_AT = 15, SHARE_WIDTH = 6, NAME_MIN = 24 };

/* Whether a node is open, by the user's hand: a row of view.unfolded. */
struct unfolding {
    uint64_t path;
    uint64_t is_open; /* payload */
};

/* A node that is shown. */
struct line {
    uint32_t id;
    bool is_heaviest; /* on the path that is open by itself */
    bool is_open;
};

struct lines {
    struct line *items;
    size_t count;
    size_t capacity;
};

static void push(struct lines *lines, struct line line) {
    if (lines->count == lines->capacity) {
        lines->items =
            memory_grow(lines->items, sizeof *lines->items, lines->count + 1, &lines->capacity);
    }
    lines->items[lines->count++] = line;
}

static bool is_open(const struct view *view, const struct node *node, bool is_heaviest) {
    struct unfolding key = {.path = node->path};
    uint32_t id = table_find(&view->unfolded, &key);
    return id != 0 ? ((const struct unfolding *)table_row(&view->unfolded, id))->is_open != 0
                   : is_heaviest;
}

/* Children are put on the pile last first, so that the first is taken next. */
static void pile_children(struct lines *pile, const struct view *view, const struct nodes *nodes,
                          const struct line *parent) {
    for (uint32_t i = nodes->items[parent->id].children; i-- > 0;) {
        struct line line = {.id = nodes_child(nodes, parent->id, i)};
        const struct node *node = &nodes->items[line.id];
        line.is_heaviest = parent->is_heaviest && i == 0;
        line.is_open = is_open(view, node, line.is_heaviest);
        if (node->passes_filter) {
            push(pile, line);
        }
    }
}

static void unfold(struct lines *lines, const struct view *view, const struct nodes *nodes) {
    struct lines pile = {0};
    struct line root = {.is_heaviest = true};
    pile_children(&pile, view, nodes, &root);
    while (pile.count > 0) {
        struct line line = pile.items[--pile.count];
        push(lines, line);
        if (line.is_open) {
            pile_children(&pile, view, nodes, &line);
        }
    }
    free(pile.items);
}

static void draw_share(struct grid *grid, int row, int at, uint64_t part_ns, uint64_t whole_ns) {
    char text[16];
    view_format_share(whole_ns > 0 ? (double)part_ns / (double)whole_ns : 0, text);
    grid_printf(grid, row, at, STYLE_PLAIN, "%*s", SHARE_WIDTH, text);
}

static void draw_line(const struct view *view, const struct nodes *nodes, const struct line *line,
                      struct grid *grid, int row) {
    const struct node *node = &nodes->items[line->id];
    const struct trace_function *function = trace_function(view->trace, node->function);
    struct buffer place = {0};
    int indent = 2 * (node->depth - 1);
    int room = grid->columns - NAME_AT - NAME_MIN;
    int at = NAME_AT + (indent < room ? indent : room > 0 ? room : 0);
    const char *mark = node->children == 0 ? " "
                       : line->is_open     ? view->glyphs->open
                                           : view->glyphs->closed;
    draw_share(grid, row, TOTAL_AT, node->total_ns, nodes->items[0].total_ns);
    draw_share(grid, row, SELF_AT, node->self_ns, nodes->items[0].total_ns);
    grid_print(grid, row, at, 1, STYLE_DIM, mark);
    at = grid_print_shortened(grid, row, at + 2, grid->columns - at - 2, STYLE_NAME,
                              trace_string(view->trace, function->name));
    view_append_place(view, node->function, function->first_line, &place);
    grid_print(grid, row, at + 1, grid->columns - at - 1, STYLE_PLACE, place.data);
    buffer_deinit(&place);
}

/* Puts the cursor where its node has gone. */
static void follow(struct list *list, const struct lines *lines, const struct nodes *nodes) {
    for (size_t i = 0; i < lines->count && list->stays_on != 0 && !list->is_moved; i++) {
        list->cursor =
            nodes->items[lines->items[i].id].path == list->stays_on ? (int)i : list->cursor;
    }
    list->is_moved = false;
}

static void draw(struct view *view, struct grid *grid) {
    struct nodes nodes;
    struct lines lines = {0};
    struct list *list = view_list(view);
    nodes_init(&nodes, view, NODES_HEAVIEST_FIRST);
    unfold(&lines, view, &nodes);
    follow(list, &lines, &nodes);
    list_fit(list, (int)lines.count, grid->rows - 1);
    grid_fill(grid, 0, 0, grid->columns, STYLE_TITLE);
    grid_print(grid, 0, 0, grid->columns, STYLE_TITLE, " TOTAL   SELF  FUNCTION");
    for (int row = 1; row < grid->rows && list->top + row - 1 < list->count; row++) {
        draw_line(view, &nodes, &lines.items[list->top + row - 1], grid, row);
    }
    list->chosen = 0;
    list->first = 1;
    if (lines.count > 0) {
        const struct line *chosen = &lines.items[list->cursor];
        list->chosen = nodes.items[chosen->id].path;
        list->stays_on = list->cursor > 0 ? list->chosen : list->stays_on;
        list->is_open = chosen->is_open;
        view->function = nodes.items[chosen->id].function;
        grid_paint(grid, 1 + list->cursor - list->top, 0, grid->columns, STYLE_CURSOR);
    }
    free(lines.items);
    nodes_deinit(&nodes);
}

static bool key_pressed(struct view *view, int key) {
    const struct list *list = view_list(view);
    bool opens = key == PRESS_RIGHT || key == '+' || (key == PRESS_ENTER && !list->is_open);
    bool closes = key == PRESS_LEFT || key == '-' || (key == PRESS_ENTER && list->is_open);
    if (!opens && !closes) {
        return false;
    }
    struct unfolding row = {.path = list->chosen};
    struct unfolding *kept = table_row(&view->unfolded, table_intern(&view->unfolded, &row));
    kept->is_open = opens;
    return true;
}

const struct panel panel_tree = {
    .name = "Tree",
    .key = 'c',
    .help = "who calls whom; Enter + - fold, the heaviest path is open",
    .draw = draw,
    .key_pressed = key_pressed,
};
