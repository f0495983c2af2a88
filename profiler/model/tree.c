#include "profiler/model/tree.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/arena.h"

/* What makes two frames one at some grain; what the grain leaves out is 0. */
struct frame_class {
    struct trace_frame key;
    uint32_t first_frame; /* payload */
};

/* `frame` without what `grain` does not tell apart. */
static struct trace_frame frame_key(struct trace_frame frame, enum grain grain) {
    struct trace_frame key = {.function = frame.function, .kind = frame.kind};
    switch (grain) {
    case GRAIN_POSITION: return frame;
    case GRAIN_LINE: key.line = frame.line; return key;
    case GRAIN_FUNCTION: return key;
    }
    return frame;
}

/* For each frame id the first frame that is the same at this grain. */
static uint32_t *first_frames(const struct trace *trace, enum grain grain) {
    uint32_t count = trace->frames.count;
    uint32_t *first = memory_zeroed((size_t)count + 1, sizeof *first);
    struct table classes;
    table_init(&classes, sizeof(struct frame_class), sizeof(struct trace_frame));
    for (uint32_t id = 1; id <= count; id++) {
        const struct trace_frame *frame = trace_frame(trace, (struct frame_id){id});
        struct frame_class class = {.key = frame_key(*frame, grain), .first_frame = id};
        const struct frame_class *row = table_row(&classes, table_intern(&classes, &class));
        first[id] = row->first_frame;
    }
    table_deinit(&classes);
    return first;
}

/* For each stack id whether a sample has it or passes through it. */
static bool *sampled_stacks(const struct trace *trace) {
    bool *is_sampled = memory_zeroed((size_t)trace->stacks.count + 1, sizeof *is_sampled);
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        is_sampled[tally->stack.id] = true;
    }
    for (uint32_t id = trace->stacks.count; id >= 1; id--) {
        if (is_sampled[id]) {
            is_sampled[trace_stack(trace, (struct stack_id){id})->parent.id] = true;
        }
    }
    return is_sampled;
}

/* Interns the nodes; returns the node of each stack id (0 for one without samples). */
static uint32_t *add_nodes(struct tree *tree, const struct trace *trace, enum grain grain) {
    uint32_t *node_of = memory_zeroed((size_t)trace->stacks.count + 1, sizeof *node_of);
    uint32_t *first = first_frames(trace, grain);
    bool *is_sampled = sampled_stacks(trace);
    for (uint32_t id = 1; id <= trace->stacks.count; id++) {
        if (!is_sampled[id]) {
            continue;
        }
        const struct trace_stack *stack = trace_stack(trace, (struct stack_id){id});
        struct tree_node node = {.parent = node_of[stack->parent.id],
                                 .frame = first[stack->frame.id]};
        node_of[id] = table_intern(&tree->nodes, &node);
    }
    free(is_sampled);
    free(first);
    return node_of;
}

void tree_init(struct tree *tree, const struct trace *trace, enum grain grain) {
    table_init(&tree->nodes, sizeof(struct tree_node), sizeof(struct tree_node));
    table_init(&tree->selves, sizeof(struct tree_self), offsetof(struct tree_self, samples));
    tree->node_of = add_nodes(tree, trace, grain);
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        struct tree_self self = {.thread = tally->thread.id,
                                 .node = tree->node_of[tally->stack.id]};
        struct tree_self *row = table_row(&tree->selves, table_intern(&tree->selves, &self));
        row->samples += tally->samples;
        row->weight_ns += tally->weight_ns;
    }
}

void tree_deinit(struct tree *tree) {
    free(tree->node_of);
    table_deinit(&tree->selves);
    table_deinit(&tree->nodes);
}

const struct tree_node *tree_node(const struct tree *tree, uint32_t id) {
    return table_row(&tree->nodes, id);
}

/* Weight of a stack: first its own, then with everything above it. */
struct stack_sum {
    uint64_t samples;
    uint64_t weight_ns;
};

/* The call tree of the stacks for a walk from the root: ids, 0 is none. */
struct stack_links {
    uint32_t *first_child; /* of each stack id; of 0: the first root frame */
    uint32_t *next_sibling;
};

static uint32_t function_of_stack(const struct trace *trace, uint32_t id) {
    const struct trace_stack *stack = trace_stack(trace, (struct stack_id){id});
    return trace_frame(trace, stack->frame)->function.id;
}

static struct stack_sum *own_sums(const struct trace *trace) {
    struct stack_sum *sums = memory_zeroed((size_t)trace->stacks.count + 1, sizeof *sums);
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        sums[tally->stack.id].samples += tally->samples;
        sums[tally->stack.id].weight_ns += tally->weight_ns;
    }
    return sums;
}

static struct stack_links links_create(const struct trace *trace) {
    size_t count = (size_t)trace->stacks.count + 1;
    struct stack_links links = {.first_child = memory_zeroed(count, sizeof(uint32_t)),
                                .next_sibling = memory_zeroed(count, sizeof(uint32_t))};
    for (uint32_t id = trace->stacks.count; id >= 1; id--) {
        uint32_t parent = trace_stack(trace, (struct stack_id){id})->parent.id;
        links.next_sibling[id] = links.first_child[parent];
        links.first_child[parent] = id;
    }
    return links;
}

static void links_destroy(struct stack_links *links) {
    free(links->first_child);
    free(links->next_sibling);
}

/* Samples of each line of each function. */
struct line_self {
    uint32_t function;
    uint32_t line;
    uint64_t samples; /* payload */
};

static void add_selves(const struct trace *trace, const struct stack_sum *sums,
                       struct function_total *totals) {
    struct table lines;
    table_init(&lines, sizeof(struct line_self), offsetof(struct line_self, samples));
    for (uint32_t id = 1; id <= trace->stacks.count; id++) {
        if (!sums[id].samples) {
            continue;
        }
        const struct trace_stack *stack = trace_stack(trace, (struct stack_id){id});
        const struct trace_frame *frame = trace_frame(trace, stack->frame);
        totals[frame->function.id].self_samples += sums[id].samples;
        totals[frame->function.id].self_ns += sums[id].weight_ns;
        struct line_self self = {.function = frame->function.id, .line = frame->line};
        struct line_self *row = table_row(&lines, table_intern(&lines, &self));
        row->samples += sums[id].samples;
    }
    uint64_t *most = memory_zeroed((size_t)trace->functions.count + 1, sizeof *most);
    for (uint32_t i = 1; i <= lines.count; i++) {
        const struct line_self *row = table_row(&lines, i);
        struct function_total *total = &totals[row->function];
        bool is_lower = row->samples == most[row->function] && row->line < total->hot_line;
        if (row->samples > most[row->function] || is_lower) {
            most[row->function] = row->samples;
            total->hot_line = row->line;
        }
    }
    free(most);
    table_deinit(&lines);
}

/* A stack's weight with everything above it goes to its function, unless the function is further
 * down in the same stack already: a recursive call counts once. */
static void add_totals(const struct trace *trace, const struct stack_sum *sums,
                       struct function_total *totals) {
    uint32_t *active = memory_zeroed((size_t)trace->functions.count + 1, sizeof *active);
    struct stack_links links = links_create(trace);
    uint32_t at = links.first_child[0];
    while (at) {
        uint32_t function = function_of_stack(trace, at);
        if (active[function]++ == 0) {
            totals[function].total_samples += sums[at].samples;
            totals[function].total_ns += sums[at].weight_ns;
        }
        uint32_t next = links.first_child[at];
        while (at && !next) {
            active[function_of_stack(trace, at)]--;
            next = links.next_sibling[at];
            at = trace_stack(trace, (struct stack_id){at})->parent.id;
        }
        at = next;
    }
    links_destroy(&links);
    free(active);
}

static int compare_totals(const void *left, const void *right) {
    const struct function_total *a = left;
    const struct function_total *b = right;
    if (a->self_ns != b->self_ns) {
        return a->self_ns > b->self_ns ? -1 : 1;
    }
    if (a->total_ns != b->total_ns) {
        return a->total_ns > b->total_ns ? -1 : 1;
    }
    return a->function.id < b->function.id ? -1 : 1;
}

size_t tree_function_totals(const struct trace *trace, struct function_total **out) {
    struct function_total *totals =
        memory_zeroed((size_t)trace->functions.count + 1, sizeof *totals);
    struct stack_sum *sums = own_sums(trace);
    add_selves(trace, sums, totals);
    for (uint32_t id = trace->stacks.count; id >= 1; id--) {
        uint32_t parent = trace_stack(trace, (struct stack_id){id})->parent.id;
        sums[parent].samples += sums[id].samples;
        sums[parent].weight_ns += sums[id].weight_ns;
    }
    add_totals(trace, sums, totals);
    free(sums);
    size_t seen = 0;
    for (uint32_t id = 1; id <= trace->functions.count; id++) {
        if (totals[id].total_samples) {
            totals[seen] = totals[id];
            totals[seen++].function.id = id;
        }
    }
    qsort(totals, seen, sizeof *totals, compare_totals);
    *out = totals;
    return seen;
}
