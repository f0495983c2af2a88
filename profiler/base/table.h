/* Typed interning: give it a row, get its small id.
 *
 * Ids start at 1 and count up without gaps; 0 means none. A row is never moved or removed, so the
 * pointer to it is good for the table's life. The first `key_bytes` of a row are its identity
 * (compared as bytes: rows must be fully initialised, padding included); the rest is payload that
 * the caller may change through table_row(). Allocation failure ends the program. */
#ifndef PYROMETER_BASE_TABLE_H
#define PYROMETER_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table {
    uint32_t row_bytes;
    uint32_t key_bytes;
    uint32_t count;
    uint32_t slot_count; /* power of two, or 0 before the first row */
    uint32_t *slots;     /* ids, open addressing */
    uint32_t *hashes;    /* hash of row id-1, so that growing does not touch the rows */
    uint32_t hash_capacity;
    uint8_t **chunks;
    uint32_t chunk_count;
};

/* An empty table. `key_bytes` <= `row_bytes`, both in bytes. */
void table_init(struct table *table, size_t row_bytes, size_t key_bytes);
/* Frees everything. Accepts a zeroed table. */
void table_deinit(struct table *table);

/* The id of the row with this key; a new row is copied in whole when there is none. */
uint32_t table_intern(struct table *table, const void *row);
/* The id of the row with this key, or 0. */
uint32_t table_find(const struct table *table, const void *key);
/* Row `id`, 1 <= id <= count (asserted). */
void *table_row(const struct table *table, uint32_t id);

/* Hash of `bytes` bytes, for tables of other shapes. */
uint32_t hash_bytes(const void *data, size_t bytes);

#endif
