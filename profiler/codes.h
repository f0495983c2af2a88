/* Every code object that was met: what it is called, where its lines are, what its bytecode says.
 * Read once, and checked again while the target runs, because a code object can be freed and its
 * address used for another one. */
#ifndef PYROMETER_PROFILER_CODES_H
#define PYROMETER_PROFILER_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/listing.h"
#include "profiler/model/trace.h"
#include "target-runtime/code.h"
#include "target-runtime/names.h"
#include "target-runtime/runtime.h"
#include "target-runtime/walk.h"

/* A code object. Borrowed from the registry; `serial` is never used again, the pointer may be gone
 * after the next codes_find or codes_check that changed codes_epoch. */
struct known {
    struct code code;
    struct function_id function;
    uint64_t serial; /* counts up from 1 */
    uint64_t learned_ns;
    uint64_t checked_ns;
    uint32_t *frames;  /* frame_id by instruction offset / 2, plus one for "not begun"; lazily */
    uint8_t *bytecode; /* as last read, with what specialisation made of it; lazily */
    uint32_t bytecode_index; /* which copy of it that is: raw_frame.tlbc_index */
    uint64_t bytecode_ns;
    struct code_copies copies; /* lazily */
    uint64_t copies_ns;
    struct names names; /* what its globals stood for when last read; lazily */
    uint64_t names_ns;
    struct listing *listing; /* when bytecode was asked for; lazily */
    uint64_t listed_ns;      /* bytecode_ns of what it was updated with */
};

struct codes;

/* Both are borrowed and must outlive it. */
struct codes *codes_create(struct runtime *runtime, struct trace *trace);
/* Accepts NULL. */
void codes_destroy(struct codes *codes);

/* Grows whenever what an address stands for may have changed: whoever remembers a `struct known`
 * must then forget it. */
uint64_t codes_epoch(const struct codes *codes);
/* Until when what was found is believed to be what it was, within this epoch; monotonic. */
uint64_t codes_believed_until_ns(const struct codes *codes, const struct known *known);

/* Before the stacks of a look: makes sure that the code objects in it which are known are still
 * what they were, when there is reason to doubt it: the target says that one was freed (3.14-), or
 * the last check is old, by the age of the code object. One batched read. */
enum status codes_check(struct codes *codes, const struct raw_look *look,
                        uint64_t now_ns) MUST_CHECK;

/* The code object at an address, read when it is not known; NULL when there is none. */
struct known *codes_find(struct codes *codes, uint64_t address, uint64_t now_ns);

/* The known code object whose bytecode an address lies in; NULL. For frames that were left: from
 * 3.14 on they lose their code (clear_thread_frame in Python/ceval.c), but not their instruction.
 */
struct known *codes_find_instruction(struct codes *codes, uint64_t address, uint64_t now_ns);

/* Offset of a frame's instruction, as code_position gives it. */
bool codes_position(struct codes *codes, struct known *known, const struct raw_frame *frame,
                    uint64_t now_ns, int64_t *offset_out);

/* The place in the source of an instruction; `offset` as of code_position. */
struct frame_id codes_frame(struct codes *codes, struct known *known, int64_t offset);
/* Its line, from 1; 0 where it has none. */
uint32_t codes_line(struct codes *codes, struct known *known, int64_t offset);

/* From now on the bytecode of newest frames is recorded. */
void codes_list_opcodes(struct codes *codes);
bool codes_lists_opcodes(const struct codes *codes);
/* The same place for a newest frame: with its instruction, as specialised as it is now, when
 * bytecode is recorded. `tlbc_index` as in raw_frame. */
struct frame_id codes_newest_frame(struct codes *codes, struct known *known, int64_t offset,
                                   uint32_t tlbc_index, uint64_t now_ns);

/* The bytecode, read again when what we have is older than a few milliseconds: specialisation
 * writes to it. NULL when it cannot be had or is too long. known->code.code_bytes long. */
const uint8_t *codes_bytecode(struct codes *codes, struct known *known, uint32_t tlbc_index,
                              uint64_t now_ns);
/* Makes the next codes_bytecode of it read again. */
void codes_forget_bytecode(struct known *known);

/* What its names stand for in `globals`, which a frame of it had (raw_frame.globals); read again
 * now and then. NULL when it was never to be had. */
const struct names *codes_names(struct codes *codes, struct known *known, uint64_t globals,
                                uint64_t now_ns);

#endif
