#include "target-runtime/predict.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    NEAR_BYTES = 1024, /* a gap this small is read along: a read's cost is in its number */
    SLACK_BYTES = 384, /* a few frames more than the last stack had */
    AGE_TICKS = 64,    /* how long a range lives untouched, at most twice this */
    RANGE_LIMIT = 65536,
    RANGE_BYTES = 1 << 20,
};

void prediction_deinit(struct prediction *prediction) {
    free(prediction->ranges);
    *prediction = (struct prediction){0};
}

void prediction_clear(struct prediction *prediction) {
    prediction->count = 0;
    prediction->cursor = 0;
}

struct snapshot_group prediction_want(const struct prediction *prediction,
                                      struct snapshot *snapshot) {
    struct snapshot_group group = snapshot_group_begin(snapshot);
    for (size_t i = 0; i < prediction->count; i++) {
        const struct predicted *range = &prediction->ranges[i];
        snapshot_want(snapshot, &group, (struct remote){range->start},
                      (uint32_t)(range->end - range->start));
    }
    return group;
}

/* Index of the first range that ends at or after `low` - NEAR_BYTES. */
static size_t first_near(const struct prediction *prediction, uint64_t low) {
    size_t begin = 0;
    size_t end = prediction->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (prediction->ranges[middle].end + NEAR_BYTES < low) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

static void insert(struct prediction *prediction, size_t at, uint64_t low, uint64_t high) {
    if (prediction->count >= RANGE_LIMIT) {
        return;
    }
    if (prediction->count == prediction->capacity) {
        prediction->ranges = memory_grow(prediction->ranges, sizeof *prediction->ranges,
                                         prediction->count + 1, &prediction->capacity);
    }
    struct predicted *place = prediction->ranges + at;
    memmove(place + 1, place, (prediction->count - at) * sizeof *place);
    *place = (struct predicted){low, high, low, high, SLACK_BYTES};
    prediction->count++;
}

/* Grows range `at` over low..high; false when it would run into a neighbour or grow too long. */
static bool extend(struct prediction *prediction, size_t at, uint64_t low, uint64_t high) {
    struct predicted *range = &prediction->ranges[at];
    uint64_t start = low < range->start ? low : range->start;
    uint64_t end = high > range->end ? high : range->end;
    bool is_free = (at == 0 || range[-1].end <= start) &&
                   (at + 1 == prediction->count || end <= range[1].start);
    if (!is_free || end - start > RANGE_BYTES) {
        return false;
    }
    range->start = start;
    range->end = end;
    range->touched_low = low < range->touched_low ? low : range->touched_low;
    range->touched_high = high > range->touched_high ? high : range->touched_high;
    return true;
}

void prediction_touch(struct prediction *prediction, struct remote from, uint32_t bytes) {
    uint64_t low = from.addr;
    uint64_t high = from.addr + bytes;
    if (prediction->cursor < prediction->count) {
        struct predicted *range = &prediction->ranges[prediction->cursor];
        if (low >= range->start && high <= range->end) {
            range->touched_low = low < range->touched_low ? low : range->touched_low;
            range->touched_high = high > range->touched_high ? high : range->touched_high;
            return;
        }
    }
    size_t at = first_near(prediction, low);
    bool is_near = at < prediction->count && prediction->ranges[at].start <= high + NEAR_BYTES;
    if (!is_near || !extend(prediction, at, low, high)) {
        while (at < prediction->count && prediction->ranges[at].start < low) {
            at++;
        }
        insert(prediction, at, low, high);
    }
    prediction->cursor = at;
}

/* A range whose copy failed reaches past what is mapped: it gives up its slack. */
static void drop_slack_at_edges(struct prediction *prediction, const struct snapshot *snapshot,
                                const struct snapshot_group *group) {
    size_t count = group->count < prediction->count ? group->count : prediction->count;
    for (size_t i = 0; i < count; i++) {
        if (snapshot->ranges[group->first + i].status != STATUS_OK) {
            prediction->ranges[i].slack = 0;
            prediction->ticks = AGE_TICKS;
        }
    }
}

void prediction_age(struct prediction *prediction, const struct snapshot *snapshot,
                    const struct snapshot_group *group) {
    /* Inserted ranges shift the others, so edges are looked at only while nothing was inserted. */
    if (group->count == prediction->count) {
        drop_slack_at_edges(prediction, snapshot, group);
    }
    if (++prediction->ticks < AGE_TICKS) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < prediction->count; i++) {
        struct predicted range = prediction->ranges[i];
        if (range.touched_low > range.touched_high) {
            continue;
        }
        range.start = range.touched_low;
        range.end = range.touched_high + range.slack;
        range.touched_low = UINT64_MAX;
        range.touched_high = 0;
        prediction->ranges[kept++] = range;
    }
    for (size_t i = 0; i + 1 < kept; i++) {
        uint64_t next = prediction->ranges[i + 1].start;
        if (prediction->ranges[i].end > next) {
            prediction->ranges[i].end = next;
        }
    }
    prediction->count = kept;
    prediction->cursor = 0;
    prediction->ticks = 0;
}
