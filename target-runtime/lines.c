#include "target-runtime/lines.h"

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

static bool next_of_lnotab(struct line_walk *walk) {
    walk->range = range_of_line(walk->line);
    if (walk->next + 1 >= walk->bytes) {
        return false;
    }
    walk->end += walk->table[walk->next];
    walk->line += (int8_t)walk->table[walk->next + 1];
    walk->next += 2;
    return true;
}

/* ---- 3.10: co_linetable, Objects/lnotab_notes.txt; advance() in Objects/codeobject.c -----------
 *
 * Pairs of u8 and s8: how many bytes a range has, and how many lines further than the range before
 * it is. A range of -128 has no line, and is not one that the next counts from. Ranges may be
 * empty. */

static bool next_of_ranges(struct line_walk *walk) {
    const int8_t no_line = -128;
    walk->range = unknown;
    if (walk->next + 1 >= walk->bytes) {
        return false;
    }
    int8_t line_delta = (int8_t)walk->table[walk->next + 1];
    walk->end += walk->table[walk->next];
    walk->next += 2;
    if (line_delta != no_line) {
        walk->line += line_delta;
        walk->range = range_of_line(walk->line);
    }
    return true;
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

static uint32_t walk_byte(struct line_walk *walk) {
    if (walk->next == walk->bytes) {
        walk->is_past_end = true;
        return 0;
    }
    return walk->table[walk->next++];
}

/* Six bits a byte, the lowest first; bit 6 says that there are more. What no C int needs is
 * dropped, so that no table that fits in memory sums up to more than an int64_t. */
static int64_t walk_varint(struct line_walk *walk) {
    uint64_t value = 0;
    uint32_t byte;
    uint32_t shift = 0;
    do {
        byte = walk_byte(walk);
        value |= shift < 36 ? (uint64_t)(byte & 63) << shift : 0;
        shift += 6;
    } while ((byte & 64) != 0);
    return (int64_t)value;
}

/* The lowest bit is the sign. */
static int64_t walk_signed_varint(struct line_walk *walk) {
    int64_t value = walk_varint(walk);
    return (value & 1) != 0 ? -(value >> 1) : value >> 1;
}

/* Reads what follows an entry's first byte. Moves the line on. */
static struct source_range walk_location(struct line_walk *walk, uint32_t kind) {
    int64_t end_line = 0;
    int64_t column = 0; /* from 1 here, so that 0 is none */
    int64_t end_column = 0;
    if (kind == KIND_NONE) {
        return unknown;
    }
    if (kind == KIND_LONG) {
        walk->line += walk_signed_varint(walk);
        end_line = walk->line + walk_varint(walk);
        column = walk_varint(walk);
        end_column = walk_varint(walk);
    } else if (kind == KIND_NO_COLUMNS) {
        walk->line += walk_signed_varint(walk);
        end_line = walk->line;
    } else if (kind >= KIND_ONE_LINE) {
        walk->line += kind - KIND_ONE_LINE;
        end_line = walk->line;
        column = walk_byte(walk) + 1;
        end_column = walk_byte(walk) + 1;
    } else {
        uint32_t low = walk_byte(walk);
        end_line = walk->line;
        column = kind * 8 + (low >> 4) + 1;
        end_column = column + (low & 15);
    }
    return (struct source_range){
        .line = known_number(walk->line),
        .end_line = known_number(end_line),
        .column = known_number(column),
        .end_column = known_number(end_column),
    };
}

static bool next_of_locations(struct line_walk *walk) {
    walk->range = unknown;
    if (walk->next == walk->bytes) {
        return false;
    }
    uint32_t head = walk_byte(walk);
    struct source_range range = walk_location(walk, head >> 3 & 15);
    walk->end += UNIT_BYTES * ((head & 7) + 1);
    walk->range = walk->is_past_end || range.line == 0 ? unknown : range;
    return true;
}

/* ---- walking ---- */

/* Takes the next entry of the table. False behind the last one: what is said there is said of
 * everything that follows. */
static bool next_entry(struct line_walk *walk) {
    switch (walk->kind) {
    case LINE_TABLE_LNOTAB: return next_of_lnotab(walk);
    case LINE_TABLE_RANGES: return next_of_ranges(walk);
    case LINE_TABLE_LOCATIONS: return next_of_locations(walk);
    }
    return false;
}

struct line_walk line_walk_begin(enum line_table kind, const uint8_t *table, size_t bytes,
                                 uint32_t first_line) {
    return (struct line_walk){.kind = kind, .table = table, .bytes = bytes, .line = first_line};
}

struct source_range line_walk_to(struct line_walk *walk, int64_t offset) {
    while (offset >= walk->end && next_entry(walk)) {
    }
    return walk->range;
}

struct source_range line_at(enum line_table kind, const uint8_t *table, size_t bytes,
                            uint32_t first_line, int64_t offset) {
    struct line_walk walk = line_walk_begin(kind, table, bytes, first_line);
    return offset < 0 ? unknown : line_walk_to(&walk, offset);
}
