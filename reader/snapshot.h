/* The target as it was in one tick: local copies of what was asked for.
 *
 * The reader of a tick first queues everything it expects to need, in groups (one or a few for each
 * thread), and fetches it all in one system call. It then looks
 * at the copies. What was not foreseen is fetched on the spot and counted, so that the caller can
 * foresee it in the next tick. Emptied, not freed, between ticks; allocates nothing in the steady
 * state. */
#ifndef PYROMETER_READER_SNAPSHOT_H
#define PYROMETER_READER_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/memory.h"

struct snapshot {
    struct memory *memory;
    struct range *ranges;
    size_t count;
    size_t capacity;
    struct snapshot_block *blocks; /* oldest first */
    struct snapshot_block *block;  /* the one in use */
    size_t block_used;
    uint64_t unforeseen; /* reads made on the spot since init */
};

/* A run of queued ranges, and where the last look in it was. They are best looked at in the order
 * in which they were queued. */
struct snapshot_group {
    size_t first;
    size_t count;
    size_t cursor;
};

/* `memory` is borrowed. */
void snapshot_init(struct snapshot *snapshot, struct memory *memory);
void snapshot_deinit(struct snapshot *snapshot);
/* Forgets the last tick. */
void snapshot_reset(struct snapshot *snapshot);

/* A new group; ranges wanted from now on belong to it. */
struct snapshot_group snapshot_group_begin(const struct snapshot *snapshot);
/* Queues `bytes` bytes at `from` (behind all earlier ones of the group). */
void snapshot_want(struct snapshot *snapshot, struct snapshot_group *group, struct remote from,
                   uint32_t bytes);
/* Reads everything queued, in the order queued. Ranges that are not mapped are simply not there
 * afterwards; GONE and NOT_PERMITTED are returned. */
enum status snapshot_fetch(struct snapshot *snapshot) MUST_CHECK;

/* The copy of `bytes` bytes at `from`, valid until the reset; NULL if it was not fetched. */
const uint8_t *snapshot_view(const struct snapshot *snapshot, struct snapshot_group *group,
                             struct remote from, uint32_t bytes);
/* As snapshot_view, but reads on the spot what was not fetched: first a stretch around it (stacks
 * lie together), then, when that is not all mapped, exactly what was asked for. NULL when it is not
 * mapped. `status_out` becomes GONE or NOT_PERMITTED when that is why. */
const uint8_t *snapshot_view_or_read(struct snapshot *snapshot, struct snapshot_group *group,
                                     struct remote from, uint32_t bytes, enum status *status_out);

#endif
