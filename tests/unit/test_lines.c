#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target-runtime/lines.h"

/* ---- tables whose last byte is against an unmapped page ---- */

static uint8_t *page; /* readable; the next page is not */
static size_t page_bytes;

static int map_page(void **state) {
    (void)state;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : mprotect(page + page_bytes, page_bytes, PROT_NONE);
}

static int unmap_page(void **state) {
    (void)state;
    return munmap(page, 2 * page_bytes);
}

static const uint8_t *at_the_edge(const uint8_t *table, size_t bytes) {
    assert_true(bytes <= page_bytes);
    return memcpy(page + page_bytes - bytes, table, bytes);
}

/* ---- expectations ---- */

struct expected {
    int64_t offset;
    struct source_range range;
};

#define LINE(number) ((struct source_range){.line = (number)})
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_range(struct source_range found, struct source_range wanted, int64_t offset) {
    if (memcmp(&found, &wanted, sizeof found) != 0) {
        fail_msg("at %lld: %u-%u:%u-%u, wanted %u-%u:%u-%u", (long long)offset, found.line,
                 found.end_line, found.column, found.end_column, wanted.line, wanted.end_line,
                 wanted.column, wanted.end_column);
    }
}

static void expect(enum line_table kind, const uint8_t *table, size_t bytes, uint32_t first_line,
                   const struct expected *rows, size_t count) {
    const uint8_t *edge = at_the_edge(table, bytes);
    for (size_t i = 0; i < count; i++) {
        assert_range(line_at(kind, edge, bytes, first_line, rows[i].offset), rows[i].range,
                     rows[i].offset);
    }
}

#define EXPECT(kind, table, first_line, rows)                                                      \
    expect(kind, table, sizeof(table), first_line, rows, COUNT(rows))

/* ---- 3.8, 3.9 ---- */

static void test_lnotab(void **state) {
    (void)state;
    static const uint8_t table[] = {
        0,   1,    /* from 0: 11 */
        6,   3,    /* from 6: 14 */
        4,   0xfb, /* from 10: 5 back */
        2,   0,    /* from 12: no change, and */
        0,   2,    /* the rest of it: 11 */
        255, 0,    /* 300 bytes further in two steps, */
        45,  127,  /* and 200 lines */
        0,   73,
    };
    static const struct expected rows[] = {
        {-1, LINE(0)},    {-2, LINE(0)},        {0, LINE(11)},          {5, LINE(11)},
        {6, LINE(14)},    {9, LINE(14)},        {10, LINE(9)},          {11, LINE(9)},
        {12, LINE(11)},   {12 + 254, LINE(11)}, {12 + 255, LINE(11)},   {12 + 299, LINE(11)},
        {312, LINE(211)}, {100000, LINE(211)},  {INT64_MAX, LINE(211)},
    };
    EXPECT(LINE_TABLE_LNOTAB, table, 10, rows);
}

static void test_lnotab_without_entries_is_the_first_line(void **state) {
    (void)state;
    assert_range(line_at(LINE_TABLE_LNOTAB, page + page_bytes, 0, 7, 0),
                 (struct source_range)LINE(7), 0);
    assert_range(line_at(LINE_TABLE_LNOTAB, NULL, 0, 7, 40), (struct source_range)LINE(7), 40);
}

static void test_lnotab_half_a_pair_says_nothing(void **state) {
    (void)state;
    static const uint8_t table[] = {4, 1, 0};
    static const struct expected rows[] = {{0, LINE(3)}, {4, LINE(4)}, {8, LINE(4)}};
    EXPECT(LINE_TABLE_LNOTAB, table, 3, rows);
}

static void test_lnotab_before_line_1_is_not_known(void **state) {
    (void)state;
    static const uint8_t table[] = {2, 0x80, 2, 127, 2, 2};
    static const struct expected rows[] = {{0, LINE(1)}, {2, LINE(0)}, {4, LINE(0)}, {6, LINE(2)}};
    EXPECT(LINE_TABLE_LNOTAB, table, 1, rows);
}

/* ---- 3.10 ---- */

static void test_ranges(void **state) {
    (void)state;
    static const uint8_t table[] = {
        4,   0,    /* 0 to 4: 10 */
        0,   5,    /* nothing, but 15 */
        6,   0x80, /* 4 to 10: no line */
        2,   0xfb, /* 10 to 12: 5 back from 15 */
        254, 127,  /* 12 to 266: 137 */
        2,   0,    /* 266 to 268: still 137 */
    };
    static const struct expected rows[] = {
        {-1, LINE(0)},    {0, LINE(10)},    {3, LINE(10)},  {4, LINE(0)},
        {9, LINE(0)},     {10, LINE(10)},   {11, LINE(10)}, {12, LINE(137)},
        {265, LINE(137)}, {267, LINE(137)}, {268, LINE(0)}, {INT64_MAX, LINE(0)},
    };
    EXPECT(LINE_TABLE_RANGES, table, 10, rows);
}

static void test_ranges_of_nothing(void **state) {
    (void)state;
    assert_range(line_at(LINE_TABLE_RANGES, NULL, 0, 7, 0), (struct source_range)LINE(0), 0);
    static const uint8_t half[] = {4, 1, 2};
    static const struct expected rows[] = {{0, LINE(8)}, {4, LINE(0)}};
    EXPECT(LINE_TABLE_RANGES, half, 7, rows);
}

/* ---- from 3.11 ---- */

#define HEAD(kind, units) (0x80 | (kind) << 3 | (-1 + (units)))

static const uint8_t locations[] = {
    HEAD(3, 2),  0x4d,            /* 0 to 4: columns 3 * 8 + 4 = 28 to 41 */
    HEAD(12, 1), 4,    9,         /* 4 to 6: 2 lines further, columns 4 to 9 */
    HEAD(13, 3), 7,               /* 6 to 12: 3 lines back, no columns */
    HEAD(15, 8),                  /* 12 to 28: nothing */
    HEAD(14, 1), 0x48, 2,         /* 28 to 30: (2 << 6 | 8) >> 1 = 68 lines further, */
    2,           0x46, 1,   0,    /*   ends 2 lines later; column 1 << 6 | 6, from 1; no end */
    HEAD(10, 1), 0,    127,       /* 30 to 32: same line, columns 0 to 127 */
    HEAD(14, 1), 0x41, 3,   0, 1, /* 32 to 34: -(3 << 5) = 96 lines back, columns 0 to 2 */
    3,
};
static const struct expected locations_expected[] = {
    {-1, LINE(0)},
    {0, {.line = 50, .end_line = 50, .column = 29, .end_column = 42}},
    {3, {.line = 50, .end_line = 50, .column = 29, .end_column = 42}},
    {4, {.line = 52, .end_line = 52, .column = 5, .end_column = 10}},
    {6, {.line = 49, .end_line = 49}},
    {11, {.line = 49, .end_line = 49}},
    {12, LINE(0)},
    {27, LINE(0)},
    {28, {.line = 117, .end_line = 119, .column = 70, .end_column = 0}},
    {30, {.line = 117, .end_line = 117, .column = 1, .end_column = 128}},
    {32, {.line = 21, .end_line = 21, .column = 1, .end_column = 3}},
    {33, {.line = 21, .end_line = 21, .column = 1, .end_column = 3}},
    {34, LINE(0)},
    {INT64_MAX, LINE(0)},
};

static void test_locations(void **state) {
    (void)state;
    EXPECT(LINE_TABLE_LOCATIONS, locations, 50, locations_expected);
}

/* The first instruction of a module from 3.11: RESUME, which is on line 0. */
static void test_locations_line_0_has_no_columns_either(void **state) {
    (void)state;
    static const uint8_t table[] = {HEAD(14, 1), 3, 1, 1, 1, HEAD(11, 1), 0, 1};
    static const struct expected rows[] = {
        {0, LINE(0)},
        {2, {.line = 1, .end_line = 1, .column = 1, .end_column = 2}},
    };
    EXPECT(LINE_TABLE_LOCATIONS, table, 1, rows);
}

static void test_locations_of_nothing(void **state) {
    (void)state;
    assert_range(line_at(LINE_TABLE_LOCATIONS, NULL, 0, 7, 0), (struct source_range)LINE(0), 0);
}

/* Cut anywhere, a table says of an instruction what the whole table says, or nothing. */
static void test_locations_cut_short(void **state) {
    (void)state;
    for (size_t bytes = 0; bytes < sizeof locations; bytes++) {
        const uint8_t *edge = at_the_edge(locations, bytes);
        bool is_cut = false;
        for (size_t i = 0; i < COUNT(locations_expected); i++) {
            struct expected row = locations_expected[i];
            struct source_range found = line_at(LINE_TABLE_LOCATIONS, edge, bytes, 50, row.offset);
            is_cut |= memcmp(&found, &row.range, sizeof found) != 0;
            assert_range(found, is_cut ? (struct source_range)LINE(0) : row.range, row.offset);
        }
        assert_true(is_cut);
    }
}

/* ---- tables that nobody's compiler made ---- */

static void test_number_without_end(void **state) {
    (void)state;
    memset(page, 0x7f, page_bytes);
    page[0] = HEAD(14, 1);
    assert_range(line_at(LINE_TABLE_LOCATIONS, page, page_bytes, 1, 0),
                 (struct source_range)LINE(0), 0);
}

static void test_lines_too_large_are_not_known(void **state) {
    (void)state;
    static const uint8_t same[] = {HEAD(13, 1), 0, HEAD(13, 1), 2};
    static const struct expected last[] = {
        {0, {.line = 0x7fffffff, .end_line = 0x7fffffff}},
        {2, LINE(0)},
    };
    static const struct expected none[] = {{0, LINE(0)}, {2, LINE(0)}};
    EXPECT(LINE_TABLE_LOCATIONS, same, 0x7fffffff, last);
    EXPECT(LINE_TABLE_LOCATIONS, same, UINT32_MAX, none);
    static const uint8_t pairs[] = {4, 1, 4, 1};
    static const struct expected ends[] = {{0, LINE(0)}, {4, LINE(0)}};
    EXPECT(LINE_TABLE_LNOTAB, pairs, 0xffffff00, ends);
    EXPECT(LINE_TABLE_RANGES, pairs, 0x7fffffff, ends);
}

static void test_largest_deltas_do_not_overflow(void **state) {
    (void)state;
    static const uint8_t up[] = {HEAD(13, 8), 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f};
    static const uint8_t down[] = {HEAD(13, 8), 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f};
    for (size_t i = 0; i + sizeof up <= page_bytes; i += sizeof up) {
        memcpy(page + i, i < page_bytes / 2 ? up : down, sizeof up);
    }
    for (int64_t offset = 0; offset < 1 << 14; offset += 16) {
        struct source_range range = line_at(LINE_TABLE_LOCATIONS, page, page_bytes, 1, offset);
        assert_range(range, (struct source_range)LINE(0), offset);
    }
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

static void assert_plausible(struct source_range range) {
    assert_true(range.line <= INT32_MAX && range.end_line <= INT32_MAX);
    assert_true(range.column <= INT32_MAX && range.end_column <= INT32_MAX);
    assert_true(range.line != 0 || (range.end_line | range.column | range.end_column) == 0);
}

static void test_random_bytes(void **state) {
    (void)state;
    static const enum line_table kinds[] = {LINE_TABLE_LNOTAB, LINE_TABLE_RANGES,
                                            LINE_TABLE_LOCATIONS};
    uint32_t seed = 1;
    for (int round = 0; round < 30000; round++) {
        uint8_t table[80];
        size_t bytes = next_random(&seed) % sizeof table;
        for (size_t i = 0; i < bytes; i++) {
            table[i] = (uint8_t)next_random(&seed);
        }
        const uint8_t *edge = at_the_edge(table, bytes);
        int64_t offset = next_random(&seed) % 400;
        uint32_t first_line = next_random(&seed) << (next_random(&seed) % 17);
        for (size_t i = 0; i < COUNT(kinds); i++) {
            assert_plausible(line_at(kinds[i], edge, bytes, first_line, offset));
            assert_plausible(line_at(kinds[i], edge, bytes, first_line, INT64_MAX));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lnotab),
        cmocka_unit_test(test_lnotab_without_entries_is_the_first_line),
        cmocka_unit_test(test_lnotab_half_a_pair_says_nothing),
        cmocka_unit_test(test_lnotab_before_line_1_is_not_known),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_ranges_of_nothing),
        cmocka_unit_test(test_locations),
        cmocka_unit_test(test_locations_line_0_has_no_columns_either),
        cmocka_unit_test(test_locations_of_nothing),
        cmocka_unit_test(test_locations_cut_short),
        cmocka_unit_test(test_number_without_end),
        cmocka_unit_test(test_lines_too_large_are_not_known),
        cmocka_unit_test(test_largest_deltas_do_not_overflow),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests_name("lines", tests, map_page, unmap_page);
}
