/* Memory that notes what is read through it. What was made of a target's memory is still right when
 * every byte that it was made of is still the same: so what took many reads, each telling where the
 * next one is, can be checked by reading all the noted places at once. */
#ifndef PYROMETER_READER_MEMORY_TAPE_H
#define PYROMETER_READER_MEMORY_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/memory.h"

/* A place that was read. Addresses of a process have 47 bits. */
struct memory_note {
    uint64_t from : 48;
    uint64_t bytes : 16;
};

/* Reads through `under`, which is borrowed and must outlive it. */
void memory_open_tape(struct memory *out, struct memory *under);

/* Forgets what was noted. */
void memory_tape_begin(struct memory *tape);
/* All that was read since, by address, none touching the next; borrowed until the tape is used
 * again. False when that cannot tell of it: something was not mapped, or it was too much. */
bool memory_tape_notes(struct memory *tape, const struct memory_note **out, size_t *count_out);

/* The range to read again for a note; `to` has room for it. */
struct range memory_note_range(struct memory_note note, void *to);
/* A digest of what was read of all notes; false when a part is not mapped any more. */
bool memory_notes_digest(const struct range *ranges, size_t count, uint64_t *out);

#endif
