/* From an instruction to the source: the line tables of every version. Pure: bytes in, values out;
 * the bytes come from the target and are not trusted. */
#ifndef PYROMETER_TARGET_RUNTIME_LINES_H
#define PYROMETER_TARGET_RUNTIME_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "target-runtime/layout.h"

/* A range of source. Lines and columns are 1-based (columns in UTF-8 bytes; CPython's are 0-based);
 * end_column is one past the end; 0 is "not known". */
struct source_range {
    uint32_t line;
    uint32_t end_line;
    uint32_t column;
    uint32_t end_column;
};

/* The source of the instruction at `offset` bytes from the start of the bytecode. A negative offset
 * (a frame that has not begun) and an instruction without a line give line 0. Only
 * LINE_TABLE_LOCATIONS knows columns. Reads nothing beyond table[bytes - 1]. */
struct source_range line_at(enum line_table kind, const uint8_t *table, size_t bytes,
                            uint32_t first_line, int64_t offset);

#endif
