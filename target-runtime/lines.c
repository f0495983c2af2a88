#include "target-runtime/lines.h"

#include <stdbool.h>

/* Lines and columns are C ints in CPython; anything else is not one. */
#define LARGEST_NUMBER INT64_C(0x7fffffff)

static const struct source_range unknown = {0};

/* `number` if it can be a line or a column counted from 1, else 0. */
static uint32_t known_number(int64_t number) {
    return number >= 1 && number <= LARGEST_NUMBER ? (uint32_t)number : 0;
}

static struct source_range range_of_line(int64_t line) {
    return (struct source_range){.line = known_number(line)};
}

/* ---- 3.8, 3.9: co_lnotab, Objects/lnotab_notes.txt; PyCode_Addr2Line in Objects/codeobject.c ----
 *
 * Pairs of u8 and s8: how many bytes further a line begins, and how many lines further that line
 * is. Increments that do not fit are split over pairs, so a line counts only once its pair's
 * address is reached. The last line goes on to the end of the code. */

static struct source_range lnotab_at(const uint8_t *table, size_t bytes, uint32_t first_line,
                                     int64_t offset) {
    int64_t line = first_line;
    int64_t address = 0;
    for (size_t i = 0; i + 1 < bytes; i += 2) {
        address += table[i];
        if (address > offset) {
            break;
        }
        line += (int8_t)table[i + 1];
    }
    return range_of_line(line);
}

/* ---- 3.10: co_linetable, Objects/lnotab_notes.txt; advance() in Objects/codeobject.c -----------
 *
 * Pairs of u8 and s8: how many bytes a range has, and how many lines further than the range before
 * it is. A range of -128 has no line, and is not one that the next counts from. Ranges may be
 * empty. */

static struct source_range ranges_at(const uint8_t *table, size_t bytes, uint32_t first_line,
                                     int64_t offset) {
    const int8_t no_line = -128;
    int64_t line = first_line;
    int64_t end = 0;
    for (size_t i = 0; i + 1 < bytes; i += 2) {
        int8_t line_delta = (int8_t)table[i + 1];
        end += table[i];
        line += line_delta == no_line ? 0 : line_delta;
        if (offset < end) {
            return line_delta == no_line ? unknown : range_of_line(line);
        }
    }
    return unknown;
}

/* ---- from 3.11: co_linetable, Objects/locations.md, from 3.14 InternalDocs/code_objects.md -----
 *
 * Entries, each for 1 to 8 code units. Its first byte is 1 << 7 | kind << 3 | units - 1; the kind
 * says what follows. Lines count from the entry before, columns from 0. */

enum { UNIT_BYTES = 2 };

enum location_kind {
    /* 0 to 9: columns of a short range, same line; kind and one byte hold them */
    KIND_ONE_LINE = 10, /* to 12: line + kind - 10, then two bytes of columns */
    KIND_NO_COLUMNS = 13,
    KIND_LONG = 14,
    KIND_NONE = 15,
};

struct cursor {
    const uint8_t *bytes;
    size_t count;
    size_t next;
    bool is_past_end; /* something was asked for that is not there */
};

static uint32_t cursor_byte(struct cursor *cursor) {
    if (cursor->next == cursor->count) {
        cursor->is_past_end = true;
        return 0;
    }
    return cursor->bytes[cursor->next++];
}

/* Six bits a byte, the lowest first; bit 6 says that there are more. What no C int needs is
 * dropped, so that no table that fits in memory sums up to more than an int64_t. */
static int64_t cursor_varint(struct cursor *cursor) {
    uint64_t value = 0;
    uint32_t byte;
    uint32_t shift = 0;
    do {
        byte = cursor_byte(cursor);
        value |= shift < 36 ? (uint64_t)(byte & 63) << shift : 0;
        shift += 6;
    } while ((byte & 64) != 0);
    return (int64_t)value;
}

/* The lowest bit is the sign. */
static int64_t cursor_signed_varint(struct cursor *cursor) {
    int64_t value = cursor_varint(cursor);
    return (value & 1) != 0 ? -(value >> 1) : value >> 1;
}

/* Reads what follows an entry's first byte. Moves `line` on. */
static struct source_range cursor_location(struct cursor *cursor, uint32_t kind, int64_t *line) {
    int64_t end_line = 0;
    int64_t column = 0; /* from 1 here, so that 0 is none */
    int64_t end_column = 0;
    if (kind == KIND_NONE) {
        return unknown;
    }
    if (kind == KIND_LONG) {
        *line += cursor_signed_varint(cursor);
        end_line = *line + cursor_varint(cursor);
        column = cursor_varint(cursor);
        end_column = cursor_varint(cursor);
    } else if (kind == KIND_NO_COLUMNS) {
        *line += cursor_signed_varint(cursor);
        end_line = *line;
    } else if (kind >= KIND_ONE_LINE) {
        *line += kind - KIND_ONE_LINE;
        end_line = *line;
        column = cursor_byte(cursor) + 1;
        end_column = cursor_byte(cursor) + 1;
    } else {
        uint32_t low = cursor_byte(cursor);
        end_line = *line;
        column = kind * 8 + (low >> 4) + 1;
        end_column = column + (low & 15);
    }
    return (struct source_range){
        .line = known_number(*line),
        .end_line = known_number(end_line),
        .column = known_number(column),
        .end_column = known_number(end_column),
    };
}

static struct source_range locations_at(const uint8_t *table, size_t bytes, uint32_t first_line,
                                        int64_t offset) {
    struct cursor cursor = {.bytes = table, .count = bytes};
    int64_t line = first_line;
    int64_t end = 0;
    while (cursor.next < cursor.count) {
        uint32_t head = cursor_byte(&cursor);
        struct source_range range = cursor_location(&cursor, head >> 3 & 15, &line);
        end += UNIT_BYTES * ((head & 7) + 1);
        if (offset < end) {
            return cursor.is_past_end || range.line == 0 ? unknown : range;
        }
    }
    return unknown;
}

struct source_range line_at(enum line_table kind, const uint8_t *table, size_t bytes,
                            uint32_t first_line, int64_t offset) {
    if (offset < 0) {
        return unknown;
    }
    switch (kind) {
    case LINE_TABLE_LNOTAB: return lnotab_at(table, bytes, first_line, offset);
    case LINE_TABLE_RANGES: return ranges_at(table, bytes, first_line, offset);
    case LINE_TABLE_LOCATIONS: return locations_at(table, bytes, first_line, offset);
    }
    return unknown;
}
