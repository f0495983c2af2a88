/* opcodes_check VERSION <what opcodes_dump.py prints
 *
 * Compares our opcode table of that version, and what we make of bytecode by it, with what the
 * interpreter said. Shows the first differences, then counts, as "name=count" on the last line.
 * Exit status 0 if nothing differs, 1 if something does, 2 if the input is not what it should be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target-runtime/opcodes.h"

enum { SHOWN_DIFFERENCES = 20 };

struct counts {
    unsigned long opcodes;
    unsigned long codes;
    unsigned long instructions;
    unsigned long specialised;
    unsigned long prefixed;
    unsigned long instrumented; /* code objects with a hidden instruction */
    unsigned long hidden;
    unsigned long doubtful; /* instructions that the walk leaves out */
    unsigned long differences;
};

/* A code object, and what the interpreter says begins at each of its units. */
struct code {
    uint8_t *bytes;
    uint32_t count;
    char (*names)[48];
};

static struct counts counts;
static const struct opcode_table *table;

static void give_up(const char *line) {
    fprintf(stderr, "opcodes_check: not understood: %s\n", line);
    exit(2);
}

static void differ(const char *what, const char *found, const char *wanted, uint32_t offset) {
    if (counts.differences++ < SHOWN_DIFFERENCES) {
        printf("code object %lu, offset %u: %s: found %s, wanted %s\n", counts.codes, offset, what,
               found, wanted);
    }
}

/* ---- opcodes ---- */

static bool is_told[256];

static void compare_opcode(const char *line) {
    unsigned number;
    unsigned cache_units;
    char name[64];
    char base[64];
    if (sscanf(line, "opcode %u %63s %63s %u", &number, name, base, &cache_units) != 4 ||
        number > 255) {
        give_up(line);
    }
    const struct opcode *row = &table->rows[number];
    const char *our_name = row->name == NULL ? "nothing" : row->name;
    const char *our_base = opcode_name(table, opcode_base(table, (uint8_t)number));
    is_told[number] = true;
    counts.opcodes++;
    if (strcmp(our_name, name) != 0) {
        differ("opcode", our_name, name, number);
    } else if (strcmp(our_base, base) != 0) {
        differ(name, our_base, base, number);
    } else if (row->cache_units != cache_units) {
        differ(name, "another cache", line, number);
    }
}

static void compare_rest_of_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        if (table->rows[i].name != NULL && !is_told[i]) {
            differ("opcode", table->rows[i].name, "nothing", i);
        }
    }
}

/* ---- bytecode ---- */

/* Into memory that is exactly as large, so that a sanitizer sees a read past its end. */
static void read_code(const char *hex, struct code *code) {
    code->count = (uint32_t)(strcspn(hex, "\n") / 2);
    code->bytes = realloc(code->bytes, code->count > 0 ? code->count : 1);
    free(code->names);
    code->names = calloc(code->count / 2 + 1, sizeof *code->names);
    for (uint32_t i = 0; i < code->count; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            give_up(hex);
        }
        code->bytes[i] = (uint8_t)byte;
    }
    counts.codes++;
}

static void read_instruction(const char *line, struct code *code) {
    unsigned offset;
    char name[48];
    if (sscanf(line, "at %u %47s", &offset, name) != 2 || offset >= code->count) {
        give_up(line);
    }
    memcpy(code->names[offset / 2], name, sizeof name);
}

static void compare_prefixes(const struct code *code, const struct instruction *instruction) {
    for (uint32_t at = instruction->begin; at < instruction->start; at += OPCODE_UNIT_BYTES) {
        if (strcmp(code->names[at / 2], "EXTENDED_ARG") != 0) {
            differ("prefix", "EXTENDED_ARG", code->names[at / 2], at);
        }
    }
    counts.prefixed += instruction->begin != instruction->start;
}

static void compare_instruction(const struct code *code, const struct instruction *instruction) {
    const struct opcode *row = &table->rows[instruction->opcode];
    const char *wanted = code->names[instruction->start / 2];
    bool is_hidden = (row->flags & OPCODE_HIDDEN) != 0;
    const char *found = opcode_name(table, opcode_base(table, instruction->opcode));
    if (wanted[0] == '\0' || (!is_hidden && (found == NULL || strcmp(found, wanted) != 0))) {
        differ("instruction", found == NULL ? "nothing" : found, wanted, instruction->start);
    }
    counts.instructions++;
    counts.specialised += row->base != instruction->opcode && found != NULL &&
                          strncmp(row->name, "INSTRUMENTED_", 13) != 0;
    counts.hidden += is_hidden;
    compare_prefixes(code, instruction);
}

/* Instructions that the walk went by must be in doubt: behind a hidden one. */
static void compare_gap(const struct code *code, uint32_t from, uint32_t to, bool is_doubtful) {
    for (uint32_t offset = from; offset < to; offset += OPCODE_UNIT_BYTES) {
        const char *wanted = code->names[offset / 2];
        if (wanted[0] != '\0' && !is_doubtful) {
            differ("instruction", "nothing", wanted, offset);
        }
        counts.doubtful += wanted[0] != '\0';
    }
}

static void compare_code(const struct code *code) {
    struct opcode_walk walk = opcode_walk_begin(table, code->bytes, code->count);
    struct instruction instruction;
    bool is_doubtful = false;
    uint32_t next = 0;
    unsigned long hidden_before = counts.hidden;
    while (opcode_walk_next(&walk, &instruction)) {
        compare_gap(code, next, instruction.begin, is_doubtful);
        compare_instruction(code, &instruction);
        is_doubtful = (table->rows[instruction.opcode].flags & OPCODE_HIDDEN) != 0;
        next = instruction.start + OPCODE_UNIT_BYTES;
    }
    compare_gap(code, next, code->count / 2 * 2, is_doubtful);
    counts.instrumented += counts.hidden != hidden_before;
}

static void compare_all(void) {
    struct code code = {0};
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        if (strncmp(line, "opcode ", 7) == 0) {
            compare_opcode(line);
        } else if (strncmp(line, "at ", 3) == 0) {
            read_instruction(line, &code);
        } else if (strncmp(line, "code ", 5) == 0) {
            compare_code(&code);
            read_code(line + 5, &code);
        } else if (strncmp(line, "begin ", 6) != 0) {
            give_up(line);
        }
    }
    compare_code(&code);
    free(code.bytes);
    free(code.names);
    free(line);
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && opcode_tables[i] != NULL; i++) {
        if (strcmp(opcode_tables[i]->version, argv[1]) == 0) {
            table = opcode_tables[i];
        }
    }
    if (table == NULL) {
        give_up("no table of that version");
        return 2;
    }
    compare_all();
    compare_rest_of_table();
    printf("opcodes=%lu codes=%lu instructions=%lu specialised=%lu prefixed=%lu instrumented=%lu "
           "hidden=%lu doubtful=%lu differences=%lu\n",
           counts.opcodes, counts.codes, counts.instructions, counts.specialised, counts.prefixed,
           counts.instrumented, counts.hidden, counts.doubtful, counts.differences);
    return counts.differences != 0;
}
