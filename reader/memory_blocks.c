#include "reader/memory_blocks.h"

#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/arena.h"

enum {
    BLOCK_BYTES = 512, /* divides a page, so that a block is mapped whole or not at all */
    BLOCK_LIMIT = 1 << 16,
    LARGE_BYTES = 8 * BLOCK_BYTES,
};

struct block {
    uint64_t number; /* address / BLOCK_BYTES */
    enum status status;
    bool is_used; /* in this look */
    uint8_t bytes[BLOCK_BYTES];
};

struct blocks {
    struct memory *under;
    struct block **all;
    size_t count; /* in use; those behind are spare */
    size_t made;
    size_t capacity;
    uint32_t *index; /* block + 1 by number, open addressing; 0: free */
    size_t index_count;
    struct range *ranges; /* of a renewal */
    size_t range_capacity;
};

/* ---- the index ---- */

static size_t place_of(const struct blocks *blocks, uint64_t number) {
    size_t at = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (blocks->index_count - 1);
    while (blocks->index[at] != 0 && blocks->all[blocks->index[at] - 1]->number != number) {
        at = (at + 1) & (blocks->index_count - 1);
    }
    return at;
}

static void index_first(struct blocks *blocks, size_t count) {
    memset(blocks->index, 0, blocks->index_count * sizeof *blocks->index);
    for (blocks->count = 0; blocks->count < count;) {
        size_t at = place_of(blocks, blocks->all[blocks->count]->number);
        blocks->index[at] = (uint32_t)++blocks->count;
    }
}

static void make_room(struct blocks *blocks) {
    if (blocks->count == BLOCK_LIMIT) {
        index_first(blocks, 0);
    }
    if (blocks->count * 2 >= blocks->index_count) {
        free(blocks->index);
        blocks->index_count *= 2;
        blocks->index = memory_zeroed(blocks->index_count, sizeof *blocks->index);
        index_first(blocks, blocks->count);
    }
    if (blocks->count == blocks->made) {
        if (blocks->made == blocks->capacity) {
            blocks->all =
                memory_grow(blocks->all, sizeof *blocks->all, blocks->made + 1, &blocks->capacity);
        }
        blocks->all[blocks->made++] = memory_zeroed(1, sizeof **blocks->all);
    }
}

static struct block *add_block(struct blocks *blocks, uint64_t number) {
    make_room(blocks);
    struct block *block = blocks->all[blocks->count];
    size_t at = place_of(blocks, number);
    block->number = number;
    block->status = STATUS_NOT_MAPPED;
    blocks->index[at] = (uint32_t)++blocks->count;
    return block;
}

/* ---- reading ---- */

static struct range range_of(struct block *block) {
    return (struct range){
        {block->number * BLOCK_BYTES}, block->bytes, BLOCK_BYTES, STATUS_NOT_MAPPED};
}

/* The block with that number, read if it is not known. */
static struct block *find_block(struct blocks *blocks, uint64_t number, enum status *status_out) {
    uint32_t known = blocks->index[place_of(blocks, number)];
    struct block *block = known != 0 ? blocks->all[known - 1] : add_block(blocks, number);
    if (known == 0) {
        struct range range = range_of(block);
        *status_out = memory_read(blocks->under, &range, 1);
        block->status = range.status;
    }
    block->is_used = true;
    return block;
}

/* Copies a range out of its blocks. */
static enum status read_range(struct blocks *blocks, struct range *range) {
    uint64_t at = range->from.addr;
    uint8_t *to = range->to;
    uint32_t left = range->bytes;
    enum status status = STATUS_OK;
    range->status = at + left >= at ? STATUS_OK : STATUS_NOT_MAPPED;
    while (left > 0 && range->status == STATUS_OK && status == STATUS_OK) {
        const struct block *block = find_block(blocks, at / BLOCK_BYTES, &status);
        uint32_t skip = (uint32_t)(at % BLOCK_BYTES);
        uint32_t bytes = left < BLOCK_BYTES - skip ? left : BLOCK_BYTES - skip;
        range->status = block->status;
        memcpy(to, block->bytes + skip, bytes);
        to += bytes;
        at += bytes;
        left -= bytes;
    }
    return status;
}

static enum status read_blocks(struct memory *memory, struct range *ranges, size_t count) {
    struct blocks *blocks = memory->state;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = ranges[i].bytes > LARGE_BYTES ? memory_read(blocks->under, &ranges[i], 1)
                                               : read_range(blocks, &ranges[i]);
    }
    return status;
}

static void close_blocks(struct memory *memory) {
    struct blocks *blocks = memory->state;
    for (size_t i = 0; i < blocks->made; i++) {
        free(blocks->all[i]);
    }
    free(blocks->all);
    free(blocks->index);
    free(blocks->ranges);
    free(blocks);
}

static const struct memory_ops blocks_ops = {"blocks", read_blocks, close_blocks};

void memory_open_blocks(struct memory *out, struct memory *under) {
    struct blocks *blocks = memory_zeroed(1, sizeof *blocks);
    blocks->under = under;
    blocks->index_count = 64;
    blocks->index = memory_zeroed(blocks->index_count, sizeof *blocks->index);
    *out = (struct memory){.ops = &blocks_ops, .state = blocks};
}

/* ---- a new look ---- */

/* Leaves the blocks that were used at the front, and the others behind them. */
static size_t keep_used(struct blocks *blocks) {
    size_t kept = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        struct block *block = blocks->all[i];
        if (block->is_used && block->status == STATUS_OK) {
            blocks->all[i] = blocks->all[kept];
            blocks->all[kept++] = block;
        }
        block->is_used = false;
    }
    return kept;
}

enum status memory_blocks_renew(struct memory *memory) {
    struct blocks *blocks = memory->state;
    size_t kept = keep_used(blocks);
    index_first(blocks, kept);
    if (kept > blocks->range_capacity) {
        blocks->ranges =
            memory_grow(blocks->ranges, sizeof *blocks->ranges, kept, &blocks->range_capacity);
    }
    for (size_t i = 0; i < kept; i++) {
        blocks->ranges[i] = range_of(blocks->all[i]);
    }
    enum status status = kept > 0 ? memory_read(blocks->under, blocks->ranges, kept) : STATUS_OK;
    for (size_t i = 0; i < kept; i++) {
        blocks->all[i]->status = blocks->ranges[i].status;
    }
    return status;
}

void memory_blocks_forget(struct memory *memory) {
    index_first(memory->state, 0);
}
