/* The call tree of what is selected, with times and children in order: for panels that draw it. */
#ifndef PYROMETER_TUI_NODES_H
#define PYROMETER_TUI_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/tree.h"
#include "tui/view.h"

/* A node by its id; 0 is the root that stands for everything. */
struct node {
    uint32_t parent;
    struct function_id function;
    uint64_t self_ns;
    uint64_t total_ns;
    uint64_t path;      /* the same for the same functions from the root to here, whenever drawn */
    uint32_t first;     /* child, in nodes.order */
    uint32_t children;  /* how many */
    int depth;          /* 0 for the root */
    bool passes_filter; /* it, one it is called by, or one below */
};

struct nodes {
    struct node *items;
    uint32_t *order; /* ids, children of one parent side by side */
    uint32_t count;  /* the root included */
};

enum nodes_order { NODES_HEAVIEST_FIRST, NODES_BY_FUNCTION };

void nodes_init(struct nodes *out, const struct view *view, enum nodes_order order);
void nodes_deinit(struct nodes *nodes);

/* Child number `index` of a node. */
uint32_t nodes_child(const struct nodes *nodes, uint32_t id, uint32_t index);

#endif
