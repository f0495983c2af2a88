#include "profiler/base/table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

#define CHUNK_ROWS       1024u
#define FIRST_SLOT_COUNT 64u
#define COUNT_MAX        (UINT32_C(1) << 30) /* so that slot_count stays a uint32_t */

/* Constants of xxHash's primes: odd, with well spread bits. */
#define MULTIPLIER UINT64_C(0x9e3779b185ebca87)
#define FINALIZER  UINT64_C(0xc2b2ae3d27d4eb4f)

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * MULTIPLIER;
    return hash ^ (hash >> 32);
}

uint32_t hash_bytes(const void *data, size_t bytes) {
    const unsigned char *next = data;
    uint64_t hash = bytes * FINALIZER;
    for (; bytes >= 8; bytes -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        hash = mix(hash, word);
    }
    if (bytes > 0) {
        uint64_t word = 0;
        memcpy(&word, next, bytes);
        hash = mix(hash, word);
    }
    hash *= FINALIZER;
    return (uint32_t)(hash >> 32);
}

void table_init(struct table *table, size_t row_bytes, size_t key_bytes) {
    assert(key_bytes > 0 && key_bytes <= row_bytes && row_bytes <= UINT32_MAX / CHUNK_ROWS);
    *table = (struct table){.row_bytes = (uint32_t)row_bytes, .key_bytes = (uint32_t)key_bytes};
}

void table_deinit(struct table *table) {
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        free(table->chunks[i]);
    }
    free(table->chunks);
    free(table->slots);
    free(table->hashes);
    *table = (struct table){0};
}

void *table_row(const struct table *table, uint32_t id) {
    assert(id >= 1 && id <= table->count);
    uint32_t index = id - 1;
    return table->chunks[index / CHUNK_ROWS] + (size_t)(index % CHUNK_ROWS) * table->row_bytes;
}

/* The slot that holds the key, or the empty one where it belongs. There is always an empty one. */
static uint32_t slot_of(const struct table *table, const void *key, uint32_t hash) {
    uint32_t mask = table->slot_count - 1;
    uint32_t slot = hash & mask;
    while (table->slots[slot]) {
        uint32_t id = table->slots[slot];
        if (table->hashes[id - 1] == hash &&
            memcmp(table_row(table, id), key, table->key_bytes) == 0) {
            return slot;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

static void slots_grow(struct table *table) {
    uint32_t count = table->slot_count ? table->slot_count * 2 : FIRST_SLOT_COUNT;
    free(table->slots);
    table->slots = memory_zeroed(count, sizeof *table->slots);
    table->slot_count = count;
    for (uint32_t id = 1; id <= table->count; id++) {
        uint32_t slot = table->hashes[id - 1] & (count - 1);
        while (table->slots[slot]) {
            slot = (slot + 1) & (count - 1);
        }
        table->slots[slot] = id;
    }
}

static void chunk_add(struct table *table) {
    size_t capacity = table->chunk_count;
    bool is_full = (capacity & (capacity - 1)) == 0; /* the array's sizes are powers of two */
    if (is_full) {
        table->chunks = memory_grow(table->chunks, sizeof *table->chunks, capacity + 1, &capacity);
    }
    table->chunks[table->chunk_count++] = memory_zeroed(CHUNK_ROWS, table->row_bytes);
}

static uint32_t row_add(struct table *table, const void *row, uint32_t hash) {
    assert(table->count < COUNT_MAX);
    if (table->count % CHUNK_ROWS == 0) {
        chunk_add(table);
    }
    size_t capacity = table->hash_capacity;
    table->hashes =
        memory_grow(table->hashes, sizeof *table->hashes, (size_t)table->count + 1, &capacity);
    table->hash_capacity = (uint32_t)capacity;
    table->hashes[table->count] = hash;
    uint32_t id = ++table->count;
    memcpy(table_row(table, id), row, table->row_bytes);
    return id;
}

uint32_t table_intern(struct table *table, const void *row) {
    /* At most half of the slots are used: short probes, and one is always empty. */
    if (table->count >= table->slot_count / 2) {
        slots_grow(table);
    }
    uint32_t hash = hash_bytes(row, table->key_bytes);
    uint32_t slot = slot_of(table, row, hash);
    if (!table->slots[slot]) {
        uint32_t id = row_add(table, row, hash);
        table->slots[slot] = id;
    }
    return table->slots[slot];
}

uint32_t table_find(const struct table *table, const void *key) {
    if (!table->slot_count) {
        return 0;
    }
    return table->slots[slot_of(table, key, hash_bytes(key, table->key_bytes))];
}
