#include "reader/snapshot.h"

#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/arena.h"

enum {
    BLOCK_BYTES = 1 << 20,
    /* How much to read around an unforeseen address: a thread's frames lie close together, and a
     * page costs no more than a word. Callers lie below their callees. */
    STRETCH_BELOW = 3072,
    STRETCH_ABOVE = 1024,
};

struct snapshot_block {
    struct snapshot_block *next;
    size_t bytes;
    uint8_t data[];
};

void snapshot_init(struct snapshot *snapshot, struct memory *memory) {
    *snapshot = (struct snapshot){.memory = memory};
}

void snapshot_deinit(struct snapshot *snapshot) {
    for (struct snapshot_block *block = snapshot->blocks; block != NULL;) {
        struct snapshot_block *next = block->next;
        free(block);
        block = next;
    }
    free(snapshot->ranges);
    *snapshot = (struct snapshot){0};
}

void snapshot_reset(struct snapshot *snapshot) {
    snapshot->count = 0;
    snapshot->block = snapshot->blocks;
    snapshot->block_used = 0;
}

static struct snapshot_block *block_new(size_t bytes) {
    struct snapshot_block *block = memory_zeroed(1, sizeof *block + bytes);
    block->bytes = bytes;
    return block;
}

/* The block after the one in use that has room for `bytes`; made when there is none. */
static struct snapshot_block *block_next(struct snapshot *snapshot, size_t bytes) {
    struct snapshot_block **link =
        snapshot->block == NULL ? &snapshot->blocks : &snapshot->block->next;
    while (*link != NULL && (*link)->bytes < bytes) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        *link = block_new(bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
    }
    return *link;
}

static uint8_t *room_for(struct snapshot *snapshot, uint32_t bytes) {
    struct snapshot_block *block = snapshot->block;
    if (block == NULL || block->bytes - snapshot->block_used < bytes) {
        block = block_next(snapshot, bytes);
        snapshot->block = block;
        snapshot->block_used = 0;
    }
    uint8_t *room = block->data + snapshot->block_used;
    snapshot->block_used += (bytes + 15U) & ~(size_t)15;
    if (snapshot->block_used > block->bytes) {
        snapshot->block_used = block->bytes;
    }
    return room;
}

struct snapshot_group snapshot_group_begin(const struct snapshot *snapshot) {
    return (struct snapshot_group){.first = snapshot->count};
}

static struct range *range_new(struct snapshot *snapshot, struct remote from, uint32_t bytes) {
    if (snapshot->count == snapshot->capacity) {
        snapshot->ranges = memory_grow(snapshot->ranges, sizeof *snapshot->ranges,
                                       snapshot->count + 1, &snapshot->capacity);
    }
    struct range *range = &snapshot->ranges[snapshot->count++];
    *range = (struct range){from, room_for(snapshot, bytes), bytes, STATUS_NOT_MAPPED};
    return range;
}

void snapshot_want(struct snapshot *snapshot, struct snapshot_group *group, struct remote from,
                   uint32_t bytes) {
    range_new(snapshot, from, bytes);
    group->count++;
}

enum status snapshot_fetch(struct snapshot *snapshot) {
    return memory_read(snapshot->memory, snapshot->ranges, snapshot->count);
}

static const uint8_t *view_in(const struct range *range, struct remote from, uint32_t bytes) {
    uint64_t skip = from.addr - range->from.addr;
    bool inside = from.addr >= range->from.addr && skip <= range->bytes &&
                  bytes <= range->bytes - skip && range->status == STATUS_OK;
    return inside ? (const uint8_t *)range->to + skip : NULL;
}

/* Mostly it is the same range again, or the next one. */
const uint8_t *snapshot_view(const struct snapshot *snapshot, struct snapshot_group *group,
                             struct remote from, uint32_t bytes) {
    const struct range *ranges = snapshot->ranges + group->first;
    for (size_t i = 0; i < group->count; i++) {
        size_t at =
            group->cursor + i < group->count ? group->cursor + i : group->cursor + i - group->count;
        const uint8_t *view = view_in(&ranges[at], from, bytes);
        if (view != NULL) {
            group->cursor = at;
            return view;
        }
    }
    return NULL;
}

static const uint8_t *read_now(struct snapshot *snapshot, struct remote from, uint32_t bytes,
                               enum status *status_out) {
    struct range *range = range_new(snapshot, from, bytes);
    enum status status = memory_read(snapshot->memory, range, 1);
    if (status != STATUS_OK) {
        *status_out = status;
        return NULL;
    }
    return range->status == STATUS_OK ? range->to : NULL;
}

const uint8_t *snapshot_view_or_read(struct snapshot *snapshot, struct snapshot_group *group,
                                     struct remote from, uint32_t bytes, enum status *status_out) {
    const uint8_t *view = snapshot_view(snapshot, group, from, bytes);
    if (view == NULL && snapshot->count > group->first + group->count) {
        /* The newest stretch read on the spot may hold it already. */
        view = view_in(&snapshot->ranges[snapshot->count - 1], from, bytes);
    }
    if (view != NULL || from.addr == 0) {
        return view;
    }
    snapshot->unforeseen++;
    if (from.addr > STRETCH_BELOW && bytes <= STRETCH_ABOVE) {
        struct remote stretch = {from.addr - STRETCH_BELOW};
        view = read_now(snapshot, stretch, STRETCH_BELOW + STRETCH_ABOVE, status_out);
        if (view != NULL) {
            return view + STRETCH_BELOW;
        }
    }
    return *status_out == STATUS_OK ? read_now(snapshot, from, bytes, status_out) : NULL;
}
