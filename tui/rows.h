/* Lists of what was hot: rows with times, a name and a place, in columns that can be sorted by.
 * Functions, lines, threads and processes are such lists. */
#ifndef PYROMETER_TUI_ROWS_H
#define PYROMETER_TUI_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "tui/grid.h"
#include "tui/view.h"

enum { ROW_PARTS = 3 };

struct row {
    uint64_t id; /* for list.chosen: the same for the same thing in the next picture; not 0 */
    struct function_id function; /* for view.function, 0: none */
    uint64_t self_ns;
    uint64_t total_ns;
    double trend; /* change of the share of self time */
    const char *name;
    char *place; /* this and the next are freed with the rows; may be NULL */
    char *note;
    const char *word;        /* borrowed; may be NULL */
    double parts[ROW_PARTS]; /* shares of something else; below 0: not known */
    uint32_t number;
    uint32_t count;
    uint32_t pid;
};

/* What a column shows of a row. Texts sort rising at first, figures falling. */
enum column_kind {
    COLUMN_SELF,  /* share */
    COLUMN_TIME,  /* self, as a time */
    COLUMN_DWELL, /* the same in whole seconds: it changes as the time passes */
    COLUMN_TOTAL, /* share */
    COLUMN_TREND,
    COLUMN_PART, /* the first of them, and the other two */
    COLUMN_PART_MIDDLE,
    COLUMN_PART_LAST,
    COLUMN_NUMBER,
    COLUMN_COUNT,
    COLUMN_PROCESS, /* only where there are several */
    COLUMN_WORD,
    COLUMN_NAME, /* from here on they share what is left over */
    COLUMN_PLACE,
    COLUMN_NOTE,
};

struct column {
    enum column_kind kind;
    const char *title;
    int width;       /* cells; of those that share what is left over the least */
    int min_columns; /* only on grids that are at least as wide */
};

struct rows {
    struct row *items;
    size_t count;
    size_t capacity;
    uint64_t whole_ns; /* what shares are of */
    const char *none;  /* what to say when there are none though there is no filter */
};

/* A new row, zeroed; until the next one. */
struct row *rows_add(struct rows *rows);
void rows_deinit(struct rows *rows);

/* Sorts by the view's list, and draws with a line of titles. At most COLUMN_NOTE columns. The
 * cursor goes with its row, unless it is at the top, where it stays. */
void rows_draw(struct rows *rows, const struct column *columns, int column_count, struct view *view,
               struct grid *grid);

#endif
