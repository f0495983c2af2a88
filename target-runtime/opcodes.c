#include "target-runtime/opcodes.h"

#include <stddef.h>

const char *opcode_name(const struct opcode_table *table, uint8_t opcode) {
    return table->rows[opcode].name;
}

uint8_t opcode_base(const struct opcode_table *table, uint8_t opcode) {
    return table->rows[opcode].name == NULL ? opcode : table->rows[opcode].base;
}

/* ---- walking ---- */

struct opcode_walk opcode_walk_begin(const struct opcode_table *table, const uint8_t *code,
                                     uint32_t bytes) {
    return (struct opcode_walk){
        .table = table, .code = code, .unit_count = bytes / OPCODE_UNIT_BYTES, .ahead = 1};
}

/* Where the next instruction may begin after one at the current unit: bit k is k units further. */
static uint32_t ends_of(const struct opcode *row) {
    const uint32_t any = (UINT32_C(1) << (OPCODE_MOST_CACHE_UNITS + 2)) - 2;
    return (row->flags & OPCODE_HIDDEN) != 0 ? any : UINT32_C(2) << row->cache_units;
}

/* Takes one unit. True if an instruction begins there, however the units before it are read. */
static bool step(struct opcode_walk *walk, uint8_t *opcode_out) {
    uint8_t opcode = walk->code[(size_t)walk->next * OPCODE_UNIT_BYTES];
    bool is_certain = walk->ahead == 1;
    if ((walk->ahead & 1) != 0) {
        walk->ahead |= ends_of(&walk->table->rows[opcode]);
    }
    walk->ahead >>= 1;
    walk->next++;
    *opcode_out = opcode;
    return is_certain;
}

static uint32_t end_of(const struct opcode_walk *walk, uint32_t unit, const struct opcode *row) {
    uint32_t end = unit + 1 + ((row->flags & OPCODE_HIDDEN) != 0 ? 0 : row->cache_units);
    return (end < walk->unit_count ? end : walk->unit_count) * OPCODE_UNIT_BYTES;
}

bool opcode_walk_next(struct opcode_walk *walk, struct instruction *out) {
    uint32_t prefix_count = 0;
    while (walk->next < walk->unit_count) {
        uint32_t unit = walk->next;
        if (!step(walk, &out->opcode)) {
            prefix_count = 0;
            continue;
        }
        const struct opcode *row = &walk->table->rows[out->opcode];
        if ((row->flags & OPCODE_PREFIX) != 0) {
            prefix_count++;
            continue;
        }
        out->begin = (unit - prefix_count) * OPCODE_UNIT_BYTES;
        out->start = unit * OPCODE_UNIT_BYTES;
        out->end = end_of(walk, unit, row);
        return true;
    }
    return false;
}

bool opcode_instruction_at(const struct opcode_table *table, const uint8_t *code, uint32_t bytes,
                           uint32_t offset, struct instruction *out) {
    struct opcode_walk walk = opcode_walk_begin(table, code, bytes);
    while (opcode_walk_next(&walk, out) && out->begin <= offset) {
        if (offset < out->end) {
            return true;
        }
    }
    return false;
}
