/* A picture in character cells, made without a terminal: panels draw on one, tests read it, and
 * tui/screen.h shows it. Everything outside of the grid is clipped. */
#ifndef PYROMETER_TUI_GRID_H
#define PYROMETER_TUI_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

/* How a cell looks; what that is on a terminal is a table in screen.c. */
enum style {
    STYLE_PLAIN,
    STYLE_DIM,
    STYLE_BOLD,
    STYLE_TITLE,  /* the line above a list */
    STYLE_CURSOR, /* the line that keys act on */
    STYLE_KEY,    /* the name of a key in the key bar */
    STYLE_ACTION, /* what it does */
    STYLE_NAME,
    STYLE_PLACE, /* a file and line */
    STYLE_HOT,
    STYLE_WARM,
    STYLE_GOOD,
    STYLE_BAD,
    STYLE_FLAME, /* and the ones up to STYLES: boxes of a flame graph */
    STYLE_FLAME_LAST = STYLE_FLAME + 5,
};
enum { STYLES = STYLE_FLAME_LAST + 1, CELL_POINTS = 3 };

struct cell {
    uint32_t points[CELL_POINTS]; /* a character and what combines with it, 0 for none; all 0: the
                                     right half of a wide character */
    uint8_t style;
    uint8_t columns; /* 1 or 2; 0: the right half of a wide character */
    uint8_t reserved[2];
};

struct grid {
    int rows;
    int columns;
    struct cell *cells; /* row by row */
};

/* A grid of spaces; at least one cell. */
void grid_init(struct grid *out, int rows, int columns);
/* Accepts a zeroed grid. */
void grid_deinit(struct grid *grid);

struct cell *grid_cell(const struct grid *grid, int row, int column);

/* Makes spaces of `columns` cells. */
void grid_fill(struct grid *grid, int row, int column, int columns, enum style style);
/* Prints valid UTF-8, at most `columns` wide; what would move a cursor is escaped. Returns the
 * column after it. */
int grid_print(struct grid *grid, int row, int column, int columns, enum style style,
               const char *text);
/* The same, formatted, as wide as the grid allows. */
int grid_printf(struct grid *grid, int row, int column, enum style style, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same, but of a text that is too wide the middle is left out. */
int grid_print_shortened(struct grid *grid, int row, int column, int columns, enum style style,
                         const char *text);
/* Gives `columns` cells another style. */
void grid_paint(struct grid *grid, int row, int column, int columns, enum style style);
/* Copies all of `from` to the rows from `row` on. */
void grid_put(struct grid *grid, int row, const struct grid *from);

/* Appends a row as text, without the spaces at its end. */
void grid_append_row(const struct grid *grid, int row, struct buffer *out);

#endif
