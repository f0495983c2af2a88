#include "target-runtime/predict.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    NEAR_BYTES = 4096,  /* a gap this small is read along: a read's cost is in its number */
    PIECE_BYTES = 4096, /* the first of a range; each further one is twice as long */
    WHOLE_BYTES = 1 << 16,
    OVERLAP_BYTES = 256,
    SLACK_BYTES = 384, /* a few frames more than the last stacks had */
    PAGE_BYTES = 4096,
    SORTED_LIMIT = 64, /* more ranges than this are copied by falling address */
    RANGE_LIMIT = 65536,
    RANGE_BYTES = 1 << 20,
};

void prediction_deinit(struct prediction *prediction) {
    free(prediction->ranges);
    free(prediction->order);
    *prediction = (struct prediction){0};
}

void prediction_clear(struct prediction *prediction) {
    prediction->count = 0;
    prediction->cursor = 0;
    prediction->is_listed = false;
}

/* Index of the last range that starts at or below `addr`; `count` if there is none. */
static size_t last_at_or_below(const struct prediction *prediction, uint64_t addr) {
    size_t begin = 0;
    size_t end = prediction->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (prediction->ranges[middle].start <= addr) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin > 0 ? begin - 1 : prediction->count;
}

/* Stacks grow upwards and change at the top, and a copy takes its time: lines that the target has
 * just written come over from its core one by one. So what is highest is copied first, in pieces;
 * they overlap by as much as is looked at together, so that nothing lies across an edge. The lower,
 * the less changes, and the longer a piece may be: each costs as much as copying a few kilobytes.
 */
static void want_range(const struct predicted *range, uint64_t piece_bytes,
                       struct snapshot *snapshot, struct snapshot_group *group) {
    uint64_t end = range->end;
    uint64_t bytes = piece_bytes;
    while (end - range->start > bytes + OVERLAP_BYTES) {
        uint64_t from = end - bytes - OVERLAP_BYTES;
        snapshot_want(snapshot, group, (struct remote){from}, (uint32_t)(end - from));
        end -= bytes;
        bytes *= 2;
    }
    snapshot_want(snapshot, group, (struct remote){range->start}, (uint32_t)(end - range->start));
}

/* Which of two ranges is needed sooner: a chain is followed as it was the last time. */
static bool is_sooner(const struct predicted *a, const struct predicted *b) {
    return a->tick != b->tick ? a->tick > b->tick : a->rank < b->rank;
}

/* All of them, by falling address. */
static void list_ranges(struct prediction *prediction) {
    size_t count = prediction->count;
    if (count > prediction->order_capacity) {
        prediction->order = memory_grow(prediction->order, sizeof *prediction->order, count,
                                        &prediction->order_capacity);
    }
    for (size_t i = 0; i < count; i++) {
        prediction->order[i] = count - 1 - i;
    }
    prediction->is_listed = true;
}

/* Those that are needed first come first: the less time between the pointer to the newest frame and
 * the copy of it, and between the copies of a frame and of its caller, the better. The order hardly
 * changes from tick to tick. */
static void put_in_order(struct prediction *prediction) {
    const struct predicted *ranges = prediction->ranges;
    if (!prediction->is_listed) {
        list_ranges(prediction);
    }
    for (size_t i = 1; i < prediction->count && prediction->count <= SORTED_LIMIT; i++) {
        size_t moved = prediction->order[i];
        size_t at = i;
        for (; at > 0 && is_sooner(&ranges[moved], &ranges[prediction->order[at - 1]]); at--) {
            prediction->order[at] = prediction->order[at - 1];
        }
        prediction->order[at] = moved;
    }
}

struct snapshot_group prediction_want(struct prediction *prediction, enum prediction_kind kind,
                                      struct snapshot *snapshot) {
    uint64_t piece_bytes = kind == PREDICTION_OF_STACKS ? PIECE_BYTES : WHOLE_BYTES;
    struct snapshot_group group = snapshot_group_begin(snapshot);
    put_in_order(prediction);
    for (size_t i = 0; i < prediction->count; i++) {
        want_range(&prediction->ranges[prediction->order[i]], piece_bytes, snapshot, &group);
    }
    return group;
}

static size_t insert(struct prediction *prediction, size_t at, uint64_t low, uint64_t high) {
    if (prediction->count >= RANGE_LIMIT) {
        return 0;
    }
    if (prediction->count == prediction->capacity) {
        prediction->ranges = memory_grow(prediction->ranges, sizeof *prediction->ranges,
                                         prediction->count + 1, &prediction->capacity);
    }
    struct predicted *place = prediction->ranges + at;
    memmove(place + 1, place, (prediction->count - at) * sizeof *place);
    *place =
        (struct predicted){.start = low, .end = high, .touched_low = low, .touched_high = high};
    prediction->count++;
    prediction->is_listed = false;
    return at;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static bool is_near(const struct predicted *range, uint64_t low, uint64_t high) {
    uint64_t start = smaller(low, range->start);
    return range->start <= high + NEAR_BYTES && low <= range->end + NEAR_BYTES &&
           larger(high, range->end) - start <= RANGE_BYTES;
}

/* Grows a range over low..high. What it then runs into stays as it is: a look-up takes the last
 * range that starts at or below an address, so an overlap costs bytes and hides nothing. */
static void touch(struct predicted *range, uint64_t low, uint64_t high) {
    range->start = smaller(low, range->start);
    range->end = larger(high, range->end);
    range->touched_low = smaller(low, range->touched_low);
    range->touched_high = larger(high, range->touched_high);
}

static bool holds(const struct predicted *range, uint64_t low, uint64_t high) {
    return low >= range->start && high <= range->end;
}

/* The range to grow, or a new one. A range grows downwards only over free space, so that starts
 * stay sorted; one that ends inside low..high is no match for a look-up at `low` and grows too. */
static size_t place_for(struct prediction *prediction, uint64_t low, uint64_t high) {
    size_t at = last_at_or_below(prediction, low);
    size_t next = at == prediction->count ? 0 : at + 1;
    if (at < prediction->count && is_near(&prediction->ranges[at], low, high)) {
        return at;
    }
    if (next < prediction->count && is_near(&prediction->ranges[next], low, high)) {
        return next;
    }
    return insert(prediction, next, low, high);
}

static void note_rank(struct prediction *prediction, struct predicted *range) {
    if (range->tick != prediction->tick + 1) {
        range->tick = prediction->tick + 1;
        range->rank = prediction->rank++;
    }
}

void prediction_touch(struct prediction *prediction, struct remote from, uint32_t bytes) {
    uint64_t low = from.addr;
    uint64_t high = from.addr + bytes;
    size_t at = prediction->cursor;
    bool is_next_beyond = at + 1 >= prediction->count || prediction->ranges[at + 1].start > low;
    if (at >= prediction->count || !holds(&prediction->ranges[at], low, high) || !is_next_beyond) {
        at = place_for(prediction, low, high);
    }
    if (at < prediction->count) {
        touch(&prediction->ranges[at], low, high);
        note_rank(prediction, &prediction->ranges[at]);
        prediction->cursor = at;
    }
}

static bool has_failed(const struct snapshot *snapshot, const struct snapshot_group *group) {
    for (size_t i = 0; i < group->count; i++) {
        if (snapshot->ranges[group->first + i].status != STATUS_OK) {
            return true;
        }
    }
    return false;
}

/* A few frames more than was touched, but not into the next page, which may not be mapped, nor into
 * the next range. */
static uint64_t end_with_slack(uint64_t touched_high, uint64_t next_start) {
    uint64_t page_end = (touched_high + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    uint64_t end = smaller(smaller(touched_high + SLACK_BYTES, page_end), next_start);
    return larger(touched_high, end);
}

void prediction_age(struct prediction *prediction, const struct snapshot *snapshot,
                    const struct snapshot_group *group, uint32_t age_ticks) {
    prediction->tick++;
    prediction->rank = 0;
    /* What is not mapped any more was not touched either, and should go at once. */
    if (++prediction->ticks < age_ticks && !has_failed(snapshot, group)) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < prediction->count; i++) {
        struct predicted range = prediction->ranges[i];
        if (range.touched_low <= range.touched_high) {
            prediction->ranges[kept++] = range;
        }
    }
    prediction->is_listed = prediction->is_listed && kept == prediction->count;
    prediction->count = kept;
    for (size_t i = 0; i < kept; i++) {
        struct predicted *range = &prediction->ranges[i];
        uint64_t next_start = i + 1 < kept ? range[1].touched_low : UINT64_MAX;
        range->start = range->touched_low;
        range->end = end_with_slack(range->touched_high, next_start);
        range->touched_low = UINT64_MAX;
        range->touched_high = 0;
    }
    prediction->cursor = 0;
    prediction->ticks = 0;
}
