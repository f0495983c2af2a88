#include "target-runtime/callsite.h"

#include <stddef.h>
#include <string.h>

static uint32_t unit_at(const uint8_t *code, uint32_t offset) {
    return (uint32_t)(code[offset] | code[offset + 1] << 8);
}

/* The version in an instruction's inline cache; 0 if it has none there. */
static uint32_t version_in(const struct opcode *row, const uint8_t *code,
                           const struct instruction *instruction) {
    uint32_t unit_count = (row->flags & OPCODE_SHORT_VERSION) != 0 ? 1 : 2;
    uint32_t offset = instruction->start + (uint32_t)row->version_unit * OPCODE_UNIT_BYTES;
    if (row->version_unit == 0 || instruction->end < offset + unit_count * OPCODE_UNIT_BYTES) {
        return 0;
    }
    uint32_t low = unit_at(code, offset);
    return unit_count == 1 ? low : low | unit_at(code, offset + OPCODE_UNIT_BYTES) << 16;
}

static enum callsite_kind kind_of(const struct opcode *row, uint32_t version) {
    if ((row->flags & OPCODE_QUIET) != 0) {
        return CALLSITE_NONE;
    }
    if ((row->flags & OPCODE_GENERATOR) != 0) {
        return CALLSITE_GENERATOR;
    }
    return version != 0 ? CALLSITE_NAMED : CALLSITE_POSSIBLE;
}

static struct callsite site_of(const struct opcode_table *table, const uint8_t *code,
                               const struct instruction *instruction) {
    const struct opcode *row = &table->rows[instruction->opcode];
    bool is_known = row->name != NULL;
    uint32_t version = version_in(row, code, instruction);
    return (struct callsite){
        .kind = kind_of(row, version),
        .pushes = !is_known || (row->flags & OPCODE_PUSHES) != 0,
        .offset = instruction->start,
        .callee_version = version,
    };
}

struct callsite callsite_at(const struct opcode_table *table, const uint8_t *code, uint32_t bytes,
                            uint32_t offset) {
    struct instruction instruction;
    if (offset >= bytes) {
        return (struct callsite){.kind = CALLSITE_NONE, .offset = offset};
    }
    if (!opcode_instruction_at(table, code, bytes, offset, &instruction)) {
        return (struct callsite){.kind = CALLSITE_POSSIBLE, .pushes = true, .offset = offset};
    }
    return site_of(table, code, &instruction);
}

bool callsite_can_prove(uint32_t code_flags) {
    /* CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR, Include/cpython/code.h */
    return (code_flags & (0x20 | 0x80 | 0x200)) == 0;
}

bool callsite_frames_making(const struct opcode_table *table) {
    for (size_t i = 0; i < sizeof table->rows / sizeof table->rows[0]; i++) {
        if (table->rows[i].name != NULL && strcmp(table->rows[i].name, "RETURN_GENERATOR") == 0) {
            return true;
        }
    }
    return false;
}

uint32_t callsite_of_callee(const struct opcode_table *table, const uint8_t *code, uint32_t bytes,
                            uint32_t near_offset, uint32_t callee_version, struct callsite *out) {
    struct opcode_walk walk = opcode_walk_begin(table, code, bytes);
    struct instruction instruction;
    uint32_t count = 0;
    *out = (struct callsite){.kind = CALLSITE_NONE};
    while (callee_version != 0 && opcode_walk_next(&walk, &instruction)) {
        struct callsite site = site_of(table, code, &instruction);
        if (site.callee_version != callee_version) {
            continue;
        }
        if (count == 0 || site.offset <= near_offset) {
            *out = site;
        }
        count++;
    }
    return count;
}
