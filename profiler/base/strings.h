/* Interned strings: equal bytes have equal ids. Id 0 is the empty string. */
#ifndef PYROMETER_BASE_STRINGS_H
#define PYROMETER_BASE_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/arena.h"

struct strings {
    struct arena arena;
    struct string_entry *entries; /* entries[id - 1] */
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots;
    uint32_t slot_count;
};

struct string_entry {
    const char *text; /* terminated; may hold NUL bytes inside */
    uint32_t bytes;
    uint32_t hash;
};

void strings_init(struct strings *strings);
void strings_deinit(struct strings *strings);

/* Id of these bytes, copied in when new. */
uint32_t strings_intern(struct strings *strings, const char *text, size_t bytes);
/* Text of an id, borrowed until deinit; "" for 0. `bytes_out` may be NULL. */
const char *strings_text(const struct strings *strings, uint32_t id, size_t *bytes_out);

#endif
