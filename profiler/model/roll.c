#include "profiler/model/roll.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

static void roll_append(struct roll *roll, const struct roll_entry *entries, size_t count) {
    if (roll->count + count > roll->capacity) {
        roll->entries =
            memory_grow(roll->entries, sizeof *roll->entries, roll->count + count, &roll->capacity);
    }
    if (count > 0) {
        memcpy(roll->entries + roll->count, entries, count * sizeof *entries);
    }
    roll->count += count;
}

void roll_replace(struct roll *roll, uint32_t pid, const struct roll_entry *entries, size_t count,
                  uint64_t now_ns) {
    size_t kept = 0;
    for (size_t i = 0; i < roll->count; i++) {
        if (roll->entries[i].pid != pid) {
            roll->entries[kept++] = roll->entries[i];
        }
    }
    roll->count = kept;
    roll_append(roll, entries, count);
    roll->time_ns = now_ns;
}

void roll_copy(struct roll *to, const struct roll *from) {
    to->count = 0;
    roll_append(to, from->entries, from->count);
    to->time_ns = from->time_ns;
}

void roll_deinit(struct roll *roll) {
    free(roll->entries);
    *roll = (struct roll){0};
}
