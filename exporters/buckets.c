#include "exporters/buckets.h"

#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

#define MAX_BUCKETS ((uint64_t)1 << 16)
/* Cells and spans together: about 5 MB in a page. */
#define MAX_CELLS      ((uint64_t)1 << 19)
#define LEAST_WIDTH_NS (100 * NS_PER_US)
/* The first fold is a node of this part of the run; the last, a pixel of a wide screen. */
#define FIRST_FOLD ((uint64_t)65536)
#define LAST_FOLD  ((uint64_t)2048)

/* ---- one pass over a thread ---- */

struct pass {
    const struct buckets *buckets;
    bucket_visit *visit;
    void *context;
    uint32_t bucket; /* that the cells are of */
    struct bucket_cell *cells;
    size_t cell_count;
    size_t capacity;
    uint32_t *cell_of; /* of a node: where its cell is, if cells[] there says so */
};

static enum status flush(struct pass *pass) {
    if (!pass->cell_count) {
        return STATUS_OK;
    }
    struct bucket_span span = {
        .first = pass->bucket, .length = 1, .cell_count = pass->cell_count, .cells = pass->cells};
    pass->cell_count = 0;
    return pass->visit(pass->context, &span);
}

static void add(struct pass *pass, const struct bucket_cell *part) {
    size_t at = pass->cell_of[part->node];
    if (at >= pass->cell_count || pass->cells[at].node != part->node) {
        at = pass->cell_count++;
        pass->cells = memory_grow(pass->cells, sizeof *pass->cells, at + 1, &pass->capacity);
        pass->cells[at] = (struct bucket_cell){.node = part->node};
        pass->cell_of[part->node] = (uint32_t)at;
    }
    pass->cells[at].samples += part->samples;
    pass->cells[at].weight_ns += part->weight_ns;
}

/* How many of a run's samples came in its first `ns`: they are as far apart as can be. */
static uint64_t samples_within(const struct timeline_run *run, uint64_t ns) {
    return run->weight_ns ? (uint64_t)((unsigned __int128)run->samples * ns / run->weight_ns)
                          : run->samples;
}

static struct bucket_cell part_of(const struct pass *pass, const struct timeline_run *run,
                                  uint64_t from_ns, uint64_t to_ns) {
    return (struct bucket_cell){.node = pass->buckets->node_of[run->stack.id],
                                .samples = samples_within(run, to_ns) -
                                           (from_ns ? samples_within(run, from_ns) : 0),
                                .weight_ns = to_ns - from_ns};
}

/* The part of a run that lies in one bucket is added to it; a part that fills several is a span of
 * its own. Both give the length of what is done. */
static enum status pass_part(struct pass *pass, const struct timeline_run *run, uint64_t done_ns,
                             uint64_t *out_ns) {
    uint64_t width = pass->buckets->width_ns;
    uint64_t bucket = (run->start_ns + done_ns) / width;
    uint64_t inside = (run->start_ns + done_ns) % width;
    uint64_t left = run->weight_ns - done_ns;
    enum status status = STATUS_OK;
    if (bucket != pass->bucket) {
        status = flush(pass);
        pass->bucket = (uint32_t)bucket;
    }
    bool is_span = inside == 0 && left >= 2 * width && !pass->cell_count;
    *out_ns = is_span ? left / width * width : left < width - inside ? left : width - inside;
    struct bucket_cell part = part_of(pass, run, done_ns, done_ns + *out_ns);
    if (!is_span || status) {
        add(pass, &part);
        return status;
    }
    struct bucket_span span = {.first = (uint32_t)bucket,
                               .length = (uint32_t)(*out_ns / width),
                               .cell_count = 1,
                               .cells = &part};
    return pass->visit(pass->context, &span);
}

static enum status pass_run(void *context, const struct timeline_run *run) {
    uint64_t done_ns = 0;
    enum status status;
    do {
        uint64_t part_ns = 0;
        status = pass_part(context, run, done_ns, &part_ns);
        done_ns += part_ns;
    } while (!status && done_ns < run->weight_ns);
    return status;
}

enum status buckets_each(const struct buckets *buckets, struct thread_ref thread,
                         bucket_visit *visit, void *context) {
    struct pass pass = {.buckets = buckets, .visit = visit, .context = context};
    pass.cell_of =
        memory_zeroed((size_t)buckets->node_count + buckets->small_count + 1, sizeof *pass.cell_of);
    enum status status = timeline_each(buckets->trace->timeline, thread, pass_run, &pass);
    if (!status) {
        status = flush(&pass);
    }
    free(pass.cells);
    free(pass.cell_of);
    return status;
}

/* ---- how wide, how much folded ---- */

/* Time of each node with what is below it, [0] that of everything. The caller frees it. */
static uint64_t *node_totals(const struct tree *tree) {
    uint64_t *totals = memory_zeroed((size_t)tree->nodes.count + 1, sizeof *totals);
    for (uint32_t i = 1; i <= tree->selves.count; i++) {
        const struct tree_self *self = table_row(&tree->selves, i);
        totals[self->node] += self->weight_ns;
    }
    for (uint32_t id = tree->nodes.count; id >= 1; id--) {
        totals[tree_node(tree, id)->parent] += totals[id];
    }
    return totals;
}

/* Fills in node_of and the small nodes for buckets->fold_ns. */
static void fold(struct buckets *buckets, const struct tree *tree, const uint64_t *totals) {
    uint32_t count = tree->nodes.count;
    uint32_t *target = memory_zeroed((size_t)count + 1, sizeof *target);
    uint32_t *small_of = memory_zeroed((size_t)count + 1, sizeof *small_of);
    buckets->small_count = 0;
    for (uint32_t id = 1; id <= count; id++) {
        uint32_t parent = tree_node(tree, id)->parent;
        if (totals[id] >= buckets->fold_ns) {
            target[id] = id;
        } else if (target[parent] != parent) {
            target[id] = target[parent];
        } else {
            if (!small_of[parent]) {
                buckets->small_parents[buckets->small_count++] = parent;
                small_of[parent] = count + buckets->small_count;
            }
            target[id] = small_of[parent];
        }
    }
    for (uint32_t id = 1; id <= buckets->trace->stacks.count; id++) {
        buckets->node_of[id] = target[tree->node_of[id]];
    }
    free(small_of);
    free(target);
}

/* The next of 1, 2, 5, 10, 20, 50 ... */
static uint64_t next_width(uint64_t width_ns) {
    uint64_t digit = width_ns;
    while (digit >= 10) {
        digit /= 10;
    }
    return digit == 2 ? width_ns / 2 * 5 : width_ns * 2;
}

static enum status find_end(void *context, const struct timeline_run *run) {
    uint64_t *end_ns = context;
    uint64_t run_end_ns = run->start_ns + run->weight_ns;
    *end_ns = run_end_ns > *end_ns ? run_end_ns : *end_ns;
    return STATUS_OK;
}

static enum status count_cells(void *context, const struct bucket_span *span) {
    uint64_t *count = context;
    *count += span->cell_count + 1;
    return *count > MAX_CELLS ? STATUS_INTERNAL : STATUS_OK;
}

/* Whether everything fits; stops counting when it does not. */
static enum status measure(const struct buckets *buckets, bool *fits_out) {
    uint64_t count = 0;
    enum status status = STATUS_OK;
    for (uint32_t id = 1; id <= buckets->trace->threads.count && !status; id++) {
        status = buckets_each(buckets, (struct thread_ref){id}, count_cells, &count);
    }
    *fits_out = count <= MAX_CELLS;
    return *fits_out ? status : STATUS_OK;
}

/* Wider buckets and a larger fold take turns, so that neither time nor stacks suffer alone. */
static void coarsen(struct buckets *buckets, uint64_t total_ns, bool is_folds_turn) {
    if (is_folds_turn && buckets->fold_ns < total_ns / LAST_FOLD) {
        buckets->fold_ns = buckets->fold_ns ? buckets->fold_ns * 2 : total_ns / FIRST_FOLD + 1;
    } else {
        buckets->width_ns = next_width(buckets->width_ns);
    }
}

static enum status choose(struct buckets *buckets, const struct tree *tree, uint64_t end_ns) {
    uint64_t *totals = node_totals(tree);
    enum status status = STATUS_OK;
    bool fits = false;
    for (uint32_t round = 0; !fits && !status; round++) {
        if (round) {
            coarsen(buckets, totals[0], round % 2 == 0);
        }
        buckets->count = (uint32_t)(end_ns / buckets->width_ns + 1);
        fold(buckets, tree, totals);
        status = measure(buckets, &fits);
        fits = fits || buckets->count == 1;
    }
    free(totals);
    return status;
}

enum status buckets_init(struct buckets *buckets, const struct trace *trace,
                         const struct tree *tree) {
    *buckets = (struct buckets){.trace = trace, .width_ns = LEAST_WIDTH_NS};
    buckets->node_count = tree->nodes.count;
    buckets->small_parents = memory_zeroed((size_t)tree->nodes.count + 1, sizeof(uint32_t));
    buckets->node_of = memory_zeroed((size_t)trace->stacks.count + 1, sizeof(uint32_t));
    uint64_t end_ns = 0;
    for (uint32_t id = 1; id <= trace->threads.count; id++) {
        enum status status =
            timeline_each(trace->timeline, (struct thread_ref){id}, find_end, &end_ns);
        if (status) {
            return status;
        }
    }
    while ((buckets->width_ns < trace->run.interval_ns && buckets->width_ns < end_ns) ||
           end_ns / buckets->width_ns >= MAX_BUCKETS) {
        buckets->width_ns = next_width(buckets->width_ns);
    }
    return trace->tallies.count ? choose(buckets, tree, end_ns) : STATUS_OK;
}

void buckets_deinit(struct buckets *buckets) {
    free(buckets->small_parents);
    free(buckets->node_of);
    *buckets = (struct buckets){0};
}
