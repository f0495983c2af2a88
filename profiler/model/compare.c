#include "profiler/model/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    BLOCKS = 40,  /* short enough to have many, long enough to hold what goes together */
    DRAWS = 1000, /* of the bootstrap: the ends of a 95 % interval are then its 25th from outside */
    OUTSIDE = DRAWS / 40,
};

/* ---- functions of both profiles ---- */

/* Texts of two traces meet in one table of strings. */
struct pair {
    uint32_t name;
    uint32_t file;
    struct function_id ids[2]; /* payload: the first of that name and file */
};

/* Interns the functions of a trace; returns the pair of each function id. */
static uint32_t *pairs_add(struct table *pairs, struct strings *strings, const struct trace *trace,
                           size_t side) {
    uint32_t *pair_of = memory_zeroed((size_t)trace->functions.count + 1, sizeof *pair_of);
    for (uint32_t id = 1; id <= trace->functions.count; id++) {
        const struct trace_function *function = trace_function(trace, (struct function_id){id});
        const char *name = trace_string(trace, function->name);
        const char *file = trace_string(trace, function->file);
        struct pair key = {.name = strings_intern(strings, name, strlen(name)),
                           .file = strings_intern(strings, file, strlen(file))};
        pair_of[id] = table_intern(pairs, &key);
        struct pair *row = table_row(pairs, pair_of[id]);
        if (!row->ids[side].id) {
            row->ids[side].id = id;
        }
    }
    return pair_of;
}

/* ---- loads, block by block ---- */

/* Of one profile: how long each pair ran in each block, as a share of the block's length. */
struct loads {
    const struct trace *trace;
    const uint32_t *pair_of;
    double block_ns;
    float *self;          /* [pair * BLOCKS + block] */
    float *total;         /* the same */
    uint32_t *counted_in; /* by pair: number of the run that was counted last */
    uint32_t run;
};

static void add_to_stack(struct loads *loads, struct stack_id at, size_t block, double share) {
    loads->run++;
    for (bool is_leaf = true; at.id; is_leaf = false) {
        const struct trace_stack *stack = trace_stack(loads->trace, at);
        uint32_t pair = loads->pair_of[trace_frame(loads->trace, stack->frame)->function.id];
        if (is_leaf) {
            loads->self[(size_t)pair * BLOCKS + block] += (float)share;
        }
        if (loads->counted_in[pair] != loads->run) {
            loads->counted_in[pair] = loads->run;
            loads->total[(size_t)pair * BLOCKS + block] += (float)share;
        }
        at = stack->parent;
    }
}

/* A run may reach over several blocks. */
static enum status add_run(void *context, const struct timeline_run *run) {
    struct loads *loads = context;
    double start_ns = (double)run->start_ns;
    double end_ns = start_ns + (double)run->weight_ns;
    for (size_t block = (size_t)(start_ns / loads->block_ns); block < BLOCKS; block++) {
        double low_ns = fmax(start_ns, (double)block * loads->block_ns);
        double high_ns = fmin(end_ns, (double)(block + 1) * loads->block_ns);
        if (low_ns >= high_ns) {
            break;
        }
        add_to_stack(loads, run->stack, block, (high_ns - low_ns) / loads->block_ns);
    }
    return STATUS_OK;
}

static enum status loads_init(struct loads *loads, const struct trace *trace,
                              const uint32_t *pair_of, size_t pair_count) {
    size_t cells = (pair_count + 1) * BLOCKS;
    uint64_t duration_ns = trace->health.duration_ns > 0 ? trace->health.duration_ns : 1;
    *loads = (struct loads){.trace = trace,
                            .pair_of = pair_of,
                            .block_ns = (double)duration_ns / BLOCKS,
                            .self = memory_zeroed(cells, sizeof(float)),
                            .total = memory_zeroed(cells, sizeof(float)),
                            .counted_in = memory_zeroed(pair_count + 1, sizeof(uint32_t))};
    enum status status = STATUS_OK;
    for (uint32_t id = 1; id <= trace->threads.count && !status; id++) {
        status = timeline_each(trace->timeline, (struct thread_ref){id}, add_run, loads);
    }
    return status;
}

static void loads_deinit(struct loads *loads) {
    free(loads->self);
    free(loads->total);
    free(loads->counted_in);
}

/* ---- the bootstrap ---- */

/* How often each block was drawn, for each draw; the same for all functions, so that what they have
 * in common stays in common. */
struct draws {
    uint8_t times[DRAWS][BLOCKS];
};

/* xorshift64*: the draws need to be even, not secret. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static struct draws *draws_create(uint64_t seed) {
    struct draws *draws = memory_zeroed(1, sizeof *draws);
    for (size_t draw = 0; draw < DRAWS; draw++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            draws->times[draw][(next_random(&seed) >> 32) % BLOCKS]++;
        }
    }
    return draws;
}

static double mean(const float *blocks) {
    double sum = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        sum += (double)blocks[i];
    }
    return sum / BLOCKS;
}

static double drawn_mean(const float *blocks, const uint8_t *times) {
    double sum = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        sum += (double)blocks[i] * times[i];
    }
    return sum / BLOCKS;
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static struct change change_of(const float *base, const float *fresh,
                               const struct draws *draws[2]) {
    struct change change = {.base = mean(base), .fresh = mean(fresh)};
    if (change.base == 0 && change.fresh == 0) {
        return change;
    }
    double grown[DRAWS];
    for (size_t draw = 0; draw < DRAWS; draw++) {
        grown[draw] =
            drawn_mean(fresh, draws[1]->times[draw]) - drawn_mean(base, draws[0]->times[draw]);
    }
    qsort(grown, DRAWS, sizeof grown[0], compare_doubles);
    change.low = grown[OUTSIDE];
    change.high = grown[DRAWS - 1 - OUTSIDE];
    return change;
}

double change_growth(const struct change *change) {
    return change->fresh - change->base;
}

bool change_is_distinct(const struct change *change) {
    return change->low > 0 || change->high < 0;
}

/* ---- all functions ---- */

static int compare_rows(const void *left, const void *right) {
    const struct comparison *a = left;
    const struct comparison *b = right;
    int distinct = change_is_distinct(&b->self) - change_is_distinct(&a->self);
    double growth_a = fabs(change_growth(&a->self));
    double growth_b = fabs(change_growth(&b->self));
    if (distinct || growth_a != growth_b) {
        return distinct ? distinct : growth_a > growth_b ? -1 : 1;
    }
    double total_a = fabs(change_growth(&a->total));
    double total_b = fabs(change_growth(&b->total));
    if (total_a != total_b) {
        return total_a > total_b ? -1 : 1;
    }
    return (a->fresh.id > b->fresh.id) - (a->fresh.id < b->fresh.id);
}

static size_t rows_make(const struct table *pairs, const struct loads *loads,
                        struct comparison *rows) {
    struct draws *made[2] = {draws_create(1), draws_create(2)};
    const struct draws *draws[2] = {made[0], made[1]};
    size_t count = 0;
    for (uint32_t id = 1; id <= pairs->count; id++) {
        const struct pair *pair = table_row(pairs, id);
        size_t at = (size_t)id * BLOCKS;
        struct comparison row = {
            .base = pair->ids[0],
            .fresh = pair->ids[1],
            .self = change_of(loads[0].self + at, loads[1].self + at, draws),
            .total = change_of(loads[0].total + at, loads[1].total + at, draws),
        };
        if (row.total.base > 0 || row.total.fresh > 0) {
            rows[count++] = row;
        }
    }
    free(made[0]);
    free(made[1]);
    return count;
}

size_t compare_functions(const struct trace *base, const struct trace *fresh,
                         struct comparison **out, enum status *status_out) {
    const struct trace *traces[2] = {base, fresh};
    uint32_t *pair_of[2];
    struct loads loads[2];
    struct strings strings;
    struct table pairs;
    strings_init(&strings);
    table_init(&pairs, sizeof(struct pair), offsetof(struct pair, ids));
    for (size_t side = 0; side < 2; side++) {
        pair_of[side] = pairs_add(&pairs, &strings, traces[side], side);
    }
    *status_out = STATUS_OK;
    for (size_t side = 0; side < 2; side++) {
        enum status status = loads_init(&loads[side], traces[side], pair_of[side], pairs.count);
        *status_out = *status_out ? *status_out : status;
    }
    struct comparison *rows = memory_zeroed((size_t)pairs.count + 1, sizeof *rows);
    size_t count = rows_make(&pairs, loads, rows);
    qsort(rows, count, sizeof *rows, compare_rows);
    for (size_t side = 0; side < 2; side++) {
        loads_deinit(&loads[side]);
        free(pair_of[side]);
    }
    table_deinit(&pairs);
    strings_deinit(&strings);
    *out = rows;
    return count;
}
