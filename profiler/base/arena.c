#include "profiler/base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/status.h"

#define BLOCK_BYTES ((size_t)64 * 1024)
#define ALIGNMENT   ((size_t)16)

struct arena_block {
    struct arena_block *older;
    size_t used;
    size_t capacity;
    _Alignas(16) unsigned char bytes[];
};

_Noreturn static void out_of_memory(size_t bytes) {
    fprintf(stderr, "pyrometer: out of memory: %zu bytes wanted\n", bytes);
    exit(EXIT_INTERNAL);
}

static size_t multiply(size_t count, size_t item_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes)) {
        out_of_memory(SIZE_MAX);
    }
    return bytes;
}

static struct arena_block *block_create(size_t capacity) {
    if (capacity > SIZE_MAX - sizeof(struct arena_block)) {
        out_of_memory(capacity);
    }
    struct arena_block *block = malloc(sizeof *block + capacity);
    if (!block) {
        out_of_memory(capacity);
    }
    block->older = NULL;
    block->used = 0;
    block->capacity = capacity;
    return block;
}

/* A block with room for `bytes`. A large piece gets a block of its own behind the newest one, whose
 * room is not wasted by it. */
static struct arena_block *block_for(struct arena *arena, size_t bytes) {
    struct arena_block *newest = arena->newest;
    if (newest && newest->capacity - newest->used >= bytes) {
        return newest;
    }
    bool is_large = bytes > BLOCK_BYTES / 4;
    struct arena_block *block = block_create(is_large ? bytes : BLOCK_BYTES);
    if (is_large && newest) {
        block->older = newest->older;
        newest->older = block;
    } else {
        block->older = newest;
        arena->newest = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX - ALIGNMENT) {
        out_of_memory(bytes);
    }
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    struct arena_block *block = block_for(arena, rounded);
    void *memory = block->bytes + block->used;
    block->used += rounded;
    return memset(memory, 0, rounded);
}

static void blocks_free(struct arena_block *block) {
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_reset(struct arena *arena) {
    if (arena->newest) {
        blocks_free(arena->newest->older);
        arena->newest->older = NULL;
        arena->newest->used = 0;
    }
}

void arena_release(struct arena *arena) {
    blocks_free(arena->newest);
    arena->newest = NULL;
}

void *memory_zeroed(size_t count, size_t item_bytes) {
    size_t bytes = multiply(count, item_bytes);
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory) {
        out_of_memory(bytes);
    }
    return memory;
}

void *memory_grow(void *items, size_t item_bytes, size_t wanted, size_t *capacity) {
    if (items && wanted <= *capacity) {
        return items;
    }
    size_t doubled = *capacity <= SIZE_MAX / 2 ? *capacity * 2 : SIZE_MAX;
    size_t count = wanted > doubled ? wanted : doubled;
    size_t bytes = multiply(count, item_bytes);
    void *grown = realloc(items, bytes ? bytes : 1);
    if (!grown) {
        out_of_memory(bytes);
    }
    *capacity = count;
    return grown;
}
