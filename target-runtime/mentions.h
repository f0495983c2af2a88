/* Which names a statement mentions: what its bytecode loads by name before it calls. Together with
 * what a name stands for (names.h) it says whom a call can call, in every version and whether the
 * instruction was specialised or not. Pure: bytes in, values out; the bytes come from the target
 * and are not trusted. */
#ifndef PYROMETER_TARGET_RUNTIME_MENTIONS_H
#define PYROMETER_TARGET_RUNTIME_MENTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "target-runtime/opcodes.h"

enum {
    MENTION_LIMIT = 16, /* of one statement; of more the last are kept */
};

/* What an instruction does with what a statement mentions. */
enum mention_role {
    MENTION_NOTHING,
    MENTION_LOADS,   /* a global or a constant; hardly ever does that run any code */
    MENTION_CALLS,   /* CALL and its like in all versions */
    MENTION_RESUMES, /* goes on with an iterator that the statement made: FOR_ITER, SEND */
};

struct mention {
    uint32_t name;   /* index in co_names */
    uint32_t offset; /* of the instruction that loads it */
    bool is_global;  /* else an attribute */
};

/* Goes through bytecode and knows at each instruction what its statement has mentioned up to
 * there. A statement ends where a value is stored or dropped, or where the flow of control turns.
 */
struct mention_walk {
    struct opcode_walk walk;
    struct mention mentions[MENTION_LIMIT]; /* in the order of loading */
    uint32_t count;
    bool is_over; /* the last instruction ended its statement */
};

/* Borrowed as in opcode_walk_begin. */
struct mention_walk mention_walk_begin(const struct opcode_table *table, const uint8_t *code,
                                       uint32_t bytes);
/* False at the end. `mentions` are those before `*out`, in its statement. */
bool mention_walk_next(struct mention_walk *walk, struct instruction *out,
                       enum mention_role *role_out);
/* The instruction that `offset` lies in, as opcode_instruction_at. */
bool mention_walk_to(struct mention_walk *walk, uint32_t offset, struct instruction *out,
                     enum mention_role *role_out);

#endif
