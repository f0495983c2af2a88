/* From an instruction to the source: the line tables of every version. Pure: bytes in, values out;
 * the bytes come from the target and are not trusted. */
#ifndef PYROMETER_TARGET_RUNTIME_LINES_H
#define PYROMETER_TARGET_RUNTIME_LINES_H

#include <stdbool.h>
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

/* Goes through a line table from its start. Everything is the walk's own but the table, which is
 * borrowed. */
struct line_walk {
    enum line_table kind;
    const uint8_t *table;
    size_t bytes;
    size_t next;
    bool is_past_end; /* something was asked for that is not there */
    int64_t line;
    int64_t end; /* of what `range` is the source of: it is so up to this offset */
    struct source_range range;
};

struct line_walk line_walk_begin(enum line_table kind, const uint8_t *table, size_t bytes,
                                 uint32_t first_line);

/* The source of the instruction at `offset` bytes from the start of the bytecode, which must not be
 * before the offset of the last call. An instruction without a line, or past what the table tells
 * of, gives line 0. Only LINE_TABLE_LOCATIONS knows columns. Reads nothing beyond table[bytes - 1].
 */
struct source_range line_walk_to(struct line_walk *walk, int64_t offset);

/* The same for one offset alone. A negative one (a frame that has not begun) gives line 0. Costs a
 * walk from the start. */
struct source_range line_at(enum line_table kind, const uint8_t *table, size_t bytes,
                            uint32_t first_line, int64_t offset);

#endif
