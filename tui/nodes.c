#define _GNU_SOURCE
#include "tui/nodes.h"

#include <stdlib.h>

#include "profiler/base/arena.h"

struct sorting {
    const struct node *items;
    enum nodes_order order;
};

static int compare_nodes(const void *left, const void *right, void *context) {
    const struct sorting *sorting = context;
    uint32_t left_id = *(const uint32_t *)left;
    uint32_t right_id = *(const uint32_t *)right;
    const struct node *a = &sorting->items[left_id];
    const struct node *b = &sorting->items[right_id];
    if (a->parent != b->parent) {
        return a->parent < b->parent ? -1 : 1;
    }
    if (sorting->order == NODES_HEAVIEST_FIRST && a->total_ns != b->total_ns) {
        return a->total_ns > b->total_ns ? -1 : 1;
    }
    return a->function.id < b->function.id ? -1 : a->function.id > b->function.id;
}

static bool passes(const struct view *view, struct function_id function) {
    const struct trace_function *row = trace_function(view->trace, function);
    return view_lets_through(view, trace_string(view->trace, row->name),
                             trace_string(view->trace, row->file));
}

static uint64_t path_below(uint64_t path, uint32_t function) {
    return (path ^ function) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void take_nodes(struct nodes *nodes, const struct tree *tree, const struct view *view) {
    for (uint32_t id = 1; id < nodes->count; id++) {
        const struct tree_node *from = tree_node(tree, id);
        struct node *node = &nodes->items[id];
        const struct node *parent = &nodes->items[from->parent];
        node->parent = from->parent;
        node->function = trace_frame(view->trace, (struct frame_id){from->frame})->function;
        node->path = path_below(parent->path, node->function.id);
        node->depth = parent->depth + 1;
        node->passes_filter = parent->passes_filter || passes(view, node->function);
    }
    for (uint32_t i = 1; i <= tree->selves.count; i++) {
        const struct tree_self *self = table_row(&tree->selves, i);
        nodes->items[self->node].self_ns += self->weight_ns;
    }
}

/* Parents have smaller ids than their children. */
static void add_up(struct nodes *nodes) {
    for (uint32_t id = nodes->count; id-- > 0;) {
        struct node *node = &nodes->items[id];
        node->total_ns += node->self_ns;
        if (id > 0) {
            nodes->items[node->parent].total_ns += node->total_ns;
            nodes->items[node->parent].passes_filter |= node->passes_filter;
        }
    }
}

static void link_children(struct nodes *nodes, enum nodes_order order) {
    struct sorting sorting = {nodes->items, order};
    for (uint32_t i = 0; i + 1 < nodes->count; i++) {
        nodes->order[i] = i + 1;
    }
    qsort_r(nodes->order, nodes->count - 1, sizeof *nodes->order, compare_nodes, &sorting);
    for (uint32_t i = nodes->count - 1; i-- > 0;) {
        struct node *parent = &nodes->items[nodes->items[nodes->order[i]].parent];
        parent->first = i;
        parent->children++;
    }
}

void nodes_init(struct nodes *out, const struct view *view, enum nodes_order order) {
    struct tree tree;
    tree_init(&tree, view->trace, GRAIN_FUNCTION);
    out->count = tree.nodes.count + 1;
    out->items = memory_zeroed(out->count, sizeof *out->items);
    out->order = memory_zeroed(out->count, sizeof *out->order);
    take_nodes(out, &tree, view);
    add_up(out);
    link_children(out, order);
    tree_deinit(&tree);
}

void nodes_deinit(struct nodes *nodes) {
    free(nodes->items);
    free(nodes->order);
    *nodes = (struct nodes){0};
}

uint32_t nodes_child(const struct nodes *nodes, uint32_t id, uint32_t index) {
    return nodes->order[nodes->items[id].first + index];
}
