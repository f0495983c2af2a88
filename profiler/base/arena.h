/* A chain of blocks that is released whole. Memory is zeroed and aligned to 16 bytes. Allocation
 * never fails to the caller: when there is no memory the program ends with the size wanted. */
#ifndef PYROMETER_BASE_ARENA_H
#define PYROMETER_BASE_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_block *newest;
};

/* `bytes` zeroed bytes, borrowed until reset or release. A zeroed arena is an empty one. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* Empties the arena but keeps its newest block for the next use. */
void arena_reset(struct arena *arena);
/* Frees every block. */
void arena_release(struct arena *arena);

/* malloc family that ends the program instead of returning NULL (zero-byte sizes are allowed).
 * memory_grow resizes an array of `item_bytes` so that it holds at least `wanted` items, doubling;
 * `capacity` is in items and is updated; new items are not initialised. */
void *memory_zeroed(size_t count, size_t item_bytes);
void *memory_grow(void *items, size_t item_bytes, size_t wanted, size_t *capacity);

#endif
