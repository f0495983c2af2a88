/* Lists of what was hot: rows with times, a name and a place, in columns that can be sorted by.
 * Functions, lines and threads are such lists. */
#ifndef PYROMETER_TUI_ROWS_H
#define PYROMETER_TUI_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "tui/grid.h"
#include "tui/view.h"

struct row {
    uint64_t id; /* for list.chosen */
    uint64_t self_ns;
    uint64_t total_ns;
    double trend; /* change of the share of self time */
    const char *name;
    char *place; /* freed with the rows */
    uint32_t number;
};

/* What a column shows of a row. Texts sort rising at first, figures falling. */
enum column_kind {
    COLUMN_SELF,  /* share */
    COLUMN_TIME,  /* self, as a time */
    COLUMN_TOTAL, /* share */
    COLUMN_TREND,
    COLUMN_NUMBER,
    COLUMN_NAME,
    COLUMN_PLACE,
};

struct column {
    enum column_kind kind;
    const char *title;
    int width;       /* cells; of texts the least, they share what is left over */
    int min_columns; /* only on grids that are at least as wide */
};

struct rows {
    struct row *items;
    size_t count;
    size_t capacity;
    uint64_t whole_ns; /* what shares are of */
};

/* A new row, zeroed; until the next one. */
struct row *rows_add(struct rows *rows);
void rows_deinit(struct rows *rows);

/* Sorts by the view's list, and draws with a line of titles. */
void rows_draw(struct rows *rows, const struct column *columns, int column_count, struct view *view,
               struct grid *grid);

#endif
