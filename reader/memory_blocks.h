/* The memory of a target as it was in one look, in small blocks: one that was read is not read
 * again, and those that the last look needed are fetched at once when the next one begins. For what
 * follows pointers through many small objects that lie near one another. */
#ifndef PYROMETER_READER_MEMORY_BLOCKS_H
#define PYROMETER_READER_MEMORY_BLOCKS_H

#include "reader/memory.h"

/* Reads through `under`, which is borrowed and must outlive it. Ranges of more than a few blocks
 * are handed through. */
void memory_open_blocks(struct memory *out, struct memory *under);

/* A new look: forgets every copy, and fetches the blocks anew that were read since the last call.
 * Statuses of memory_read that are about all of them; OK when single blocks are gone. */
enum status memory_blocks_renew(struct memory *blocks) MUST_CHECK;
/* A new look that is not like the last: forgets every copy, and fetches none. */
void memory_blocks_forget(struct memory *blocks);

#endif
