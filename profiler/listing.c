#include "profiler/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/lines.h"
#include "target-runtime/opcodes.h"

/* More are not entered, however much code the target makes: about 200 MB of them. */
enum { INSTRUCTION_LIMIT = 1 << 22 };

struct listing {
    struct trace *trace;
    const struct layout *layout;
    const struct code *code;
    uint32_t code_id;
    uint32_t unit_count;
    uint32_t *rows;   /* by unit: id of the trace_instruction that it is a part of; 0: not known */
    uint8_t *opcodes; /* by unit: what was there last; only of units that begin an instruction */
};

struct listing *listing_create(struct trace *trace, const struct layout *layout,
                               const struct code *code, uint32_t code_id) {
    struct listing *listing = memory_zeroed(1, sizeof *listing);
    *listing = (struct listing){.trace = trace,
                                .layout = layout,
                                .code = code,
                                .code_id = code_id,
                                .unit_count = (uint32_t)(code->code_bytes / OPCODE_UNIT_BYTES)};
    listing->rows = memory_zeroed((size_t)listing->unit_count + 1, sizeof *listing->rows);
    listing->opcodes = memory_zeroed((size_t)listing->unit_count + 1, sizeof *listing->opcodes);
    return listing;
}

void listing_destroy(struct listing *listing) {
    if (listing == NULL) {
        return;
    }
    free(listing->rows);
    free(listing->opcodes);
    free(listing);
}

/* A byte that is no opcode of the version is shown as dis shows it. */
static struct string_id opcode_text(struct listing *listing, uint8_t opcode) {
    const char *name = opcode_name(listing->layout->opcodes, opcode);
    char number[8];
    if (name == NULL) {
        snprintf(number, sizeof number, "<%u>", opcode);
        name = number;
    }
    return trace_text(listing->trace, name, strlen(name));
}

/* With the EXTENDED_ARGs before it, of which each is eight bits more. */
static uint32_t argument_of(const struct instruction *instruction, const uint8_t *bytecode) {
    uint32_t argument = 0;
    for (uint32_t at = instruction->begin; at <= instruction->start; at += OPCODE_UNIT_BYTES) {
        argument = argument << 8 | bytecode[at + 1];
    }
    return argument;
}

static struct trace_instruction make_row(struct listing *listing,
                                         const struct instruction *instruction,
                                         const uint8_t *bytecode, struct source_range source) {
    uint8_t base = opcode_base(listing->layout->opcodes, instruction->opcode);
    return (struct trace_instruction){.code = listing->code_id,
                                      .offset = instruction->start,
                                      .opcode = opcode_text(listing, instruction->opcode),
                                      .base = opcode_text(listing, base),
                                      .argument = argument_of(instruction, bytecode),
                                      .line = source.line,
                                      .end_line = source.end_line,
                                      .column = source.column,
                                      .end_column = source.end_column};
}

static bool is_hidden(const struct listing *listing, uint8_t opcode) {
    return (listing->layout->opcodes->rows[opcode].flags & OPCODE_HIDDEN) != 0;
}

/* What hides another instruction has overwritten its opcode, and ENTER_EXECUTOR its argument too
 * (Python/optimizer.c, 3.13). */
static void keep_hidden(const struct listing *listing, uint32_t id, struct trace_instruction *row) {
    const struct trace_instruction *before = table_row(&listing->trace->instructions, id);
    row->base = before->base;
    row->argument = before->argument;
}

static void enter(struct listing *listing, const struct instruction *instruction,
                  const uint8_t *bytecode, struct source_range source) {
    uint32_t unit = instruction->start / OPCODE_UNIT_BYTES;
    uint32_t known = listing->rows[unit];
    struct trace_instruction row = make_row(listing, instruction, bytecode, source);
    if (known != 0 && is_hidden(listing, instruction->opcode)) {
        keep_hidden(listing, known, &row);
    }
    uint32_t id = trace_intern_instruction(listing->trace, &row);
    listing->opcodes[unit] = instruction->opcode;
    for (uint32_t at = instruction->begin; at < instruction->end; at += OPCODE_UNIT_BYTES) {
        listing->rows[at / OPCODE_UNIT_BYTES] = id;
    }
}

void listing_update(struct listing *listing, const uint8_t *bytecode) {
    const struct code *code = listing->code;
    struct opcode_walk walk = opcode_walk_begin(listing->layout->opcodes, bytecode,
                                                listing->unit_count * OPCODE_UNIT_BYTES);
    struct line_walk lines = line_walk_begin(listing->layout->line_table, code->line_table,
                                             code->line_table_bytes, code->first_line);
    struct instruction instruction;
    while (opcode_walk_next(&walk, &instruction)) {
        uint32_t unit = instruction.start / OPCODE_UNIT_BYTES;
        bool is_known = listing->rows[unit] != 0;
        if (is_known ? listing->opcodes[unit] != instruction.opcode
                     : listing->trace->instructions.count < INSTRUCTION_LIMIT) {
            enter(listing, &instruction, bytecode, line_walk_to(&lines, instruction.start));
        }
    }
}

uint32_t listing_at(const struct listing *listing, int64_t offset, struct string_id *opcode_out) {
    *opcode_out = (struct string_id){0};
    if (offset < 0 || offset / OPCODE_UNIT_BYTES >= listing->unit_count) {
        return 0;
    }
    uint32_t id = listing->rows[offset / OPCODE_UNIT_BYTES];
    if (id != 0) {
        const struct trace_instruction *row = table_row(&listing->trace->instructions, id);
        *opcode_out = row->opcode;
    }
    return id;
}
