/* Where a thread's frames will be in the next tick: where they were in the last ones.
 *
 * Frames of one thread lie together (in its data stack from 3.11 on, in a few pools before), so a
 * handful of address ranges covers them. Touching an address that a range nearly covers makes the
 * range longer; ranges that are no longer touched shrink and go. */
#ifndef PYROMETER_TARGET_RUNTIME_PREDICT_H
#define PYROMETER_TARGET_RUNTIME_PREDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/snapshot.h"

struct predicted {
    uint64_t start;
    uint64_t end;
    uint64_t touched_low; /* what was touched since the last ageing; low > high: nothing */
    uint64_t touched_high;
    uint64_t tick; /* in which it was touched last */
    size_t rank;   /* how many others were touched before it in that tick */
};

struct prediction {
    struct predicted *ranges; /* sorted by start, not overlapping */
    size_t count;
    size_t capacity;
    size_t cursor;
    uint32_t ticks; /* since the last ageing */
    uint64_t tick;  /* the present one */
    size_t rank;    /* of what is touched next in it */
    size_t *order;  /* the ranges, those first that were touched first in the last tick, */
    bool is_listed; /* if it has all of them */
    size_t order_capacity;
};

/* A zeroed prediction foresees nothing. */
void prediction_deinit(struct prediction *prediction);
void prediction_clear(struct prediction *prediction);

/* What lies in the ranges: stacks that grow upwards, whose upper end is to be copied first; or
 * single words, any of which may be the one that is needed. */
enum prediction_kind { PREDICTION_OF_STACKS, PREDICTION_OF_WORDS };

/* Queues everything foreseen, as one group. */
struct snapshot_group prediction_want(struct prediction *prediction, enum prediction_kind kind,
                                      struct snapshot *snapshot);
/* Notes that `bytes` bytes at `from` were needed. */
void prediction_touch(struct prediction *prediction, struct remote from, uint32_t bytes);
/* The end of a tick; `group` is what prediction_want gave for it. Forgets what was not touched for
 * `age_ticks` ticks, at most twice as many. */
void prediction_age(struct prediction *prediction, const struct snapshot *snapshot,
                    const struct snapshot_group *group, uint32_t age_ticks);

#endif
