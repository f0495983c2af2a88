/* Cells, and text on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tui/grid.h"

static void assert_row(const struct grid *grid, int row, const char *wanted) {
    struct buffer found = {0};
    grid_append_row(grid, row, &found);
    assert_string_equal(found.data != NULL ? found.data : "", wanted);
    buffer_deinit(&found);
}

static void test_grid_clips(void **state) {
    (void)state;
    struct grid grid;
    grid_init(&grid, 2, 6);
    assert_int_equal(grid_print(&grid, 0, 2, 99, STYLE_HOT, "abcdefgh"), 6);
    assert_row(&grid, 0, "  abcd");
    assert_int_equal(grid_print(&grid, 1, 0, 3, STYLE_PLAIN, "abcdefgh"), 3);
    assert_row(&grid, 1, "abc");
    grid_print(&grid, 2, 0, 3, STYLE_PLAIN, "x");
    grid_print(&grid, -1, 0, 3, STYLE_PLAIN, "x");
    grid_print(&grid, 0, -3, 9, STYLE_PLAIN, "xyz");
    grid_fill(&grid, 0, -5, 8, STYLE_HOT);
    assert_row(&grid, 0, "   bcd");
    grid_fill(&grid, 5, 0, 1, STYLE_HOT);
    grid_paint(&grid, 1, -1, 99, STYLE_BAD);
    assert_int_equal(grid_cell(&grid, 1, 5)->style, STYLE_BAD);
    grid_deinit(&grid);
}

static void test_grid_of_wide_text(void **state) {
    (void)state;
    struct grid grid;
    grid_init(&grid, 1, 5);
    assert_int_equal(
        grid_print(&grid, 0, 0, 5, STYLE_PLAIN, "\xe6\x95\xb0\xe6\x8d\xae\xe5\xa4\x84"), 4);
    assert_row(&grid, 0, "\xe6\x95\xb0\xe6\x8d\xae");
    grid_print(&grid, 0, 1, 1, STYLE_PLAIN, "x"); /* half of the first */
    assert_row(&grid, 0, " x\xe6\x8d\xae");
    grid_print(&grid, 0, 2, 1, STYLE_PLAIN, "y"); /* half of the other */
    assert_row(&grid, 0, " xy");
    grid_print(&grid, 0, 0, 5, STYLE_PLAIN, "e\xcc\x81\xcc\x82\xcc\x83-");
    assert_row(&grid, 0, "e\xcc\x81\xcc\x82-y");
    grid_deinit(&grid);
}

static void test_grid_escapes(void **state) {
    (void)state;
    struct grid grid;
    grid_init(&grid, 1, 20);
    grid_print(&grid, 0, 0, 20, STYLE_PLAIN, "a\x1b[2J\n\xe2\x80\xae");
    assert_row(&grid, 0, "a\\x1b[2J\\n\\u202e");
    grid_deinit(&grid);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid_clips),
        cmocka_unit_test(test_grid_of_wide_text),
        cmocka_unit_test(test_grid_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
