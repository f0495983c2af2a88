/* The order of samples in time buckets, so coarse that a run of any length stays small.
 *
 * Time is cut into buckets of equal width. What a thread did in one is a list of cells: a node of
 * the call tree, with samples and weight, in the order in which they first came up. Sums are exact;
 * what gets lost is the order inside a bucket, and, when a run is long and varied, the difference
 * between rare stacks: nodes with less than `fold_ns` in the whole run are then counted in a node
 * "small" below their nearest ancestor that has more. */
#ifndef PYROMETER_EXPORTERS_BUCKETS_H
#define PYROMETER_EXPORTERS_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/model/trace.h"
#include "profiler/model/tree.h"

struct buckets {
    const struct trace *trace; /* borrowed */
    uint64_t width_ns;         /* 1, 2 or 5 times a power of ten */
    uint32_t count;            /* buckets from time 0 to the end of the newest run; 0: no samples */
    uint64_t fold_ns;          /* 0: nothing is folded */
    uint32_t node_count;       /* of the tree */
    uint32_t small_count;      /* small nodes; their ids follow those of the tree's */
    uint32_t *small_parents;   /* small_parents[i] is the parent of node_count + 1 + i */
    uint32_t *node_of;         /* of each stack id: the node it is counted in */
};

struct bucket_cell {
    uint32_t node;
    uint64_t samples; /* may be 0: of one sample only a part of the weight lies in the bucket */
    uint64_t weight_ns;
};

/* What a thread did in `length` buckets from `first` on. When that is more than one, there is a
 * single cell, evenly spread over them. */
struct bucket_span {
    uint32_t first;
    uint32_t length;
    size_t cell_count;
    const struct bucket_cell *cells;
};

/* Chooses width and fold for `trace`, which must have a timeline; `tree` is made of its stacks,
 * with the same ids. The caller calls buckets_deinit() whatever is returned. NO_OUTPUT when the
 * timeline cannot be read back. */
enum status buckets_init(struct buckets *buckets, const struct trace *trace,
                         const struct tree *tree) MUST_CHECK;
void buckets_deinit(struct buckets *buckets);

/* Calls `visit` for each span of a thread, in order of time, until it returns something other than
 * STATUS_OK, which is then returned. Buckets in which the thread was not seen have none. */
typedef enum status bucket_visit(void *context, const struct bucket_span *span);
enum status buckets_each(const struct buckets *buckets, struct thread_ref thread,
                         bucket_visit *visit, void *context) MUST_CHECK;

#endif
