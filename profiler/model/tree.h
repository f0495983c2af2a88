/* The stacks of a trace folded into one call tree, merged as finely as asked. Flame graph,
 * collapsed stacks and the table are all made from it. */
#ifndef PYROMETER_MODEL_TREE_H
#define PYROMETER_MODEL_TREE_H

#include <stdint.h>

#include "profiler/base/table.h"
#include "profiler/model/trace.h"

/* Which frames under the same parent are the same node. */
enum grain {
    GRAIN_FUNCTION, /* same function */
    GRAIN_LINE,     /* same function and line */
    GRAIN_POSITION, /* same function, line and columns */
};

/* A node. Its parent's id is smaller than its own; 0 is the root that stands for everything. */
struct tree_node {
    uint32_t parent;
    uint32_t frame; /* id of a frame_id that stands for all that were merged (the first seen) */
};

/* Weight of one thread in one node itself, not below it. */
struct tree_self {
    uint32_t thread; /* id of a thread_ref */
    uint32_t node;
    uint64_t samples;   /* payload */
    uint64_t weight_ns; /* payload */
};

struct tree {
    struct table nodes;  /* struct tree_node */
    struct table selves; /* struct tree_self, only rows that have samples */
    uint32_t *node_of;   /* of each stack id; 0 for a stack without samples */
};

/* Builds the tree of all samples in `trace`. */
void tree_init(struct tree *tree, const struct trace *trace, enum grain grain);
void tree_deinit(struct tree *tree);

const struct tree_node *tree_node(const struct tree *tree, uint32_t id);

/* Self and total of one function over all threads; recursion counts a sample once. */
struct function_total {
    struct function_id function;
    uint64_t self_samples;
    uint64_t total_samples;
    uint64_t self_ns;
    uint64_t total_ns;
    uint32_t hot_line; /* the line with most self samples (0 when there are none) */
};

/* One row for each function seen, ordered by self time, then total time, both falling, then by id.
 * The caller frees *out with free(). Returns how many rows there are. */
size_t tree_function_totals(const struct trace *trace, struct function_total **out);

#endif
