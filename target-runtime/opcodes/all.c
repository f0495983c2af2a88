/* The list of opcode tables; OPCODE_TABLES in opcodes.h is what it is made from. */
#include "target-runtime/opcodes.h"

#include <stddef.h>

#define ENTRY(file) &opcodes_##file,
const struct opcode_table *const opcode_tables[] = {OPCODE_TABLES(ENTRY) NULL};
#undef ENTRY
