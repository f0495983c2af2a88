/* A flame graph in cells: callers above, as wide as their share of time. */
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "tui/nodes.h"
#include "tui/panel.h"

enum { GAP_FROM = 3 }; /* boxes so wide have a name, and leave a cell free of the next one's */

struct box {
    int row;
    int start;
    int end; /* one past */
};

static int column_of(uint64_t at_ns, uint64_t whole_ns, int columns) {
    return whole_ns > 0 ? (int)((double)at_ns / (double)whole_ns * columns + 0.5) : 0;
}

/* A name has the same colour wherever it is. */
static enum style style_of(const char *name) {
    enum { COLOURS = STYLE_FLAME_LAST - STYLE_FLAME + 1 };
    return STYLE_FLAME + hash_bytes(name, strlen(name)) % COLOURS;
}

static void draw_box(struct grid *grid, const struct view *view, const struct node *node,
                     struct box box) {
    const struct trace_function *function = trace_function(view->trace, node->function);
    const char *name = trace_string(view->trace, function->name);
    enum style style = node->passes_filter ? style_of(name) : STYLE_DIM;
    int width = box.end - box.start - (box.end - box.start >= GAP_FROM);
    grid_fill(grid, box.row, box.start, width, style);
    if (box.end - box.start >= GAP_FROM) {
        grid_print(grid, box.row, box.start, width, style, name);
    }
}

static void draw_root(struct grid *grid, const struct nodes *nodes, int row) {
    grid_fill(grid, row, 0, grid->columns, STYLE_TITLE);
    grid_print(grid, row, 0, grid->columns, STYLE_TITLE,
               nodes->count > 1 ? "all" : "nothing was sampled yet");
}

/* Where each box begins: after those of the same parent that come before it. Ids of children are
 * larger than those of their parents, so parents are done first. */
static uint64_t *place_boxes(const struct nodes *nodes) {
    uint64_t *starts_ns = memory_zeroed(nodes->count, sizeof *starts_ns);
    for (uint32_t id = 0; id < nodes->count; id++) {
        uint64_t at_ns = starts_ns[id];
        for (uint32_t i = 0; i < nodes->items[id].children; i++) {
            uint32_t child = nodes_child(nodes, id, i);
            starts_ns[child] = at_ns;
            at_ns += nodes->items[child].total_ns;
        }
    }
    return starts_ns;
}

static int deepest(const struct nodes *nodes) {
    int depth = 0;
    for (uint32_t id = 1; id < nodes->count; id++) {
        depth = nodes->items[id].depth > depth ? nodes->items[id].depth : depth;
    }
    return depth;
}

/* Scrolls by the cursor, as far as there is something to show. */
static int scroll(struct list *list, int rows, const struct grid *grid) {
    int most = rows > grid->rows ? rows - grid->rows : 0;
    list_fit(list, most + 1, 1);
    return list->cursor;
}

static void draw(struct view *view, struct grid *grid) {
    struct nodes nodes;
    nodes_init(&nodes, view, NODES_BY_FUNCTION);
    uint64_t *starts_ns = place_boxes(&nodes);
    uint64_t whole_ns = nodes.items[0].total_ns;
    int top = scroll(view_list(view), deepest(&nodes) + 1, grid);
    draw_root(grid, &nodes, -top);
    for (uint32_t id = 1; id < nodes.count; id++) {
        const struct node *node = &nodes.items[id];
        struct box box = {
            .row = node->depth - top,
            .start = column_of(starts_ns[id], whole_ns, grid->columns),
            .end = column_of(starts_ns[id] + node->total_ns, whole_ns, grid->columns),
        };
        draw_box(grid, view, node, box);
    }
    free(starts_ns);
    nodes_deinit(&nodes);
}

const struct panel panel_flame = {
    .name = "Flame",
    .key = 'g',
    .help = "the call tree as boxes, as wide as their share of time",
    .draw = draw,
};
