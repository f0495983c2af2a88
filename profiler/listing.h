/* Listings: the bytecode of a code object as instructions in a trace, for those who asked for it.
 * Entered when the code object is first a newest frame, and kept up to date as specialisation goes
 * on. */
#ifndef PYROMETER_PROFILER_LISTING_H
#define PYROMETER_PROFILER_LISTING_H

#include <stdint.h>

#include "profiler/model/trace.h"
#include "target-runtime/code.h"
#include "target-runtime/layout.h"

struct listing;

/* `code_id` is of a trace_code. All are borrowed and must outlive it. */
struct listing *listing_create(struct trace *trace, const struct layout *layout,
                               const struct code *code, uint32_t code_id);
/* Accepts NULL. */
void listing_destroy(struct listing *listing);

/* Enters what is new in the bytecode, code->code_bytes long, as it was just read. An instruction
 * that hides another one (OPCODE_HIDDEN) keeps as its base what was there before, if that was ever
 * seen. Its cost grows with the length of the bytecode. */
void listing_update(struct listing *listing, const uint8_t *bytecode);

/* The instruction whose EXTENDED_ARGs, opcode or cache lie at `offset`, in bytes: its id and its
 * opcode as of the last update. 0 and "" when none is known there. */
uint32_t listing_at(const struct listing *listing, int64_t offset, struct string_id *opcode_out);

#endif
