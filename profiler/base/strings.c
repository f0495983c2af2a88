#include "profiler/base/strings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/table.h"

#define FIRST_SLOT_COUNT 64u
#define COUNT_MAX        (UINT32_C(1) << 30) /* so that slot_count stays a uint32_t */

void strings_init(struct strings *strings) {
    *strings = (struct strings){0};
}

void strings_deinit(struct strings *strings) {
    arena_release(&strings->arena);
    free(strings->entries);
    free(strings->slots);
    *strings = (struct strings){0};
}

static void slots_grow(struct strings *strings) {
    uint32_t count = strings->slot_count ? strings->slot_count * 2 : FIRST_SLOT_COUNT;
    free(strings->slots);
    strings->slots = memory_zeroed(count, sizeof *strings->slots);
    strings->slot_count = count;
    for (uint32_t id = 1; id <= strings->count; id++) {
        uint32_t slot = strings->entries[id - 1].hash & (count - 1);
        while (strings->slots[slot]) {
            slot = (slot + 1) & (count - 1);
        }
        strings->slots[slot] = id;
    }
}

/* The slot that holds these bytes, or the empty one where they belong. */
static uint32_t slot_of(const struct strings *strings, const char *text, size_t bytes,
                        uint32_t hash) {
    uint32_t mask = strings->slot_count - 1;
    uint32_t slot = hash & mask;
    while (strings->slots[slot]) {
        const struct string_entry *entry = &strings->entries[strings->slots[slot] - 1];
        if (entry->hash == hash && entry->bytes == bytes && memcmp(entry->text, text, bytes) == 0) {
            return slot;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

static uint32_t entry_add(struct strings *strings, const char *text, size_t bytes, uint32_t hash) {
    assert(strings->count < COUNT_MAX && bytes < UINT32_MAX);
    size_t capacity = strings->capacity;
    strings->entries = memory_grow(strings->entries, sizeof *strings->entries,
                                   (size_t)strings->count + 1, &capacity);
    strings->capacity = (uint32_t)capacity;
    char *copy = arena_alloc(&strings->arena, bytes + 1);
    memcpy(copy, text, bytes);
    strings->entries[strings->count] =
        (struct string_entry){.text = copy, .bytes = (uint32_t)bytes, .hash = hash};
    return ++strings->count;
}

uint32_t strings_intern(struct strings *strings, const char *text, size_t bytes) {
    if (bytes == 0) {
        return 0;
    }
    if (strings->count >= strings->slot_count / 2) {
        slots_grow(strings);
    }
    uint32_t hash = hash_bytes(text, bytes);
    uint32_t slot = slot_of(strings, text, bytes, hash);
    if (!strings->slots[slot]) {
        uint32_t id = entry_add(strings, text, bytes, hash);
        strings->slots[slot] = id;
    }
    return strings->slots[slot];
}

const char *strings_text(const struct strings *strings, uint32_t id, size_t *bytes_out) {
    assert(id <= strings->count);
    const struct string_entry empty = {.text = ""};
    const struct string_entry *entry = id ? &strings->entries[id - 1] : &empty;
    if (bytes_out) {
        *bytes_out = entry->bytes;
    }
    return entry->text;
}
