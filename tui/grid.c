#include "tui/grid.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/text.h"

enum { SHORTENED_MIN = 5 };

static const struct cell space = {.points = {' '}, .columns = 1};

void grid_init(struct grid *out, int rows, int columns) {
    assert(rows > 0 && columns > 0);
    size_t count = (size_t)rows * (size_t)columns;
    *out = (struct grid){rows, columns, memory_zeroed(count, sizeof *out->cells)};
    for (size_t i = 0; i < count; i++) {
        out->cells[i] = space;
    }
}

void grid_deinit(struct grid *grid) {
    free(grid->cells);
    *grid = (struct grid){0};
}

struct cell *grid_cell(const struct grid *grid, int row, int column) {
    assert(row >= 0 && row < grid->rows && column >= 0 && column < grid->columns);
    return &grid->cells[(size_t)row * (size_t)grid->columns + (size_t)column];
}

/* Half a wide character is none: the other half becomes a space. */
static void clear_halves(struct grid *grid, int row, int column) {
    struct cell *cell = grid_cell(grid, row, column);
    if (cell->columns == 0 && column > 0) {
        struct cell *left = grid_cell(grid, row, column - 1);
        *left = (struct cell){.points = {' '}, .columns = 1, .style = left->style};
    }
    if (cell->columns == 2 && column + 1 < grid->columns) {
        struct cell *right = grid_cell(grid, row, column + 1);
        *right = (struct cell){.points = {' '}, .columns = 1, .style = right->style};
    }
}

static void set_cell(struct grid *grid, int row, int column, struct cell cell) {
    clear_halves(grid, row, column);
    *grid_cell(grid, row, column) = cell;
}

static bool is_row(const struct grid *grid, int row) {
    return row >= 0 && row < grid->rows;
}

void grid_fill(struct grid *grid, int row, int column, int columns, enum style style) {
    struct cell cell = space;
    cell.style = (uint8_t)style;
    for (int at = column < 0 ? 0 : column;
         is_row(grid, row) && at < column + columns && at < grid->columns; at++) {
        set_cell(grid, row, at, cell);
    }
}

void grid_paint(struct grid *grid, int row, int column, int columns, enum style style) {
    for (int at = column < 0 ? 0 : column;
         is_row(grid, row) && at < column + columns && at < grid->columns; at++) {
        grid_cell(grid, row, at)->style = (uint8_t)style;
    }
}

/* Adds a character that combines with the one before, as far as there is room for it. */
static void combine(struct cell *cell, uint32_t code_point) {
    for (int i = 1; i < CELL_POINTS; i++) {
        if (cell->points[i] == 0) {
            cell->points[i] = code_point;
            return;
        }
    }
}

static int put_text(struct grid *grid, int row, int column, int end, enum style style,
                    const char *text) {
    struct cell *last = NULL;
    while (*text != '\0') {
        uint32_t code_point;
        size_t width;
        text += text_next(text, &code_point, &width);
        if (width == 0) {
            if (last != NULL) {
                combine(last, code_point);
            }
            continue;
        }
        if (column + (int)width > end) {
            break;
        }
        set_cell(grid, row, column,
                 (struct cell){
                     .points = {code_point}, .style = (uint8_t)style, .columns = (uint8_t)width});
        last = grid_cell(grid, row, column);
        if (width == 2) {
            set_cell(grid, row, column + 1, (struct cell){.style = (uint8_t)style});
        }
        column += (int)width;
    }
    return column;
}

int grid_print(struct grid *grid, int row, int column, int columns, enum style style,
               const char *text) {
    struct buffer escaped = {0};
    int end = column + columns < grid->columns ? column + columns : grid->columns;
    if (!is_row(grid, row) || column < 0 || columns <= 0) {
        return column;
    }
    text_append_escaped(&escaped, text, "");
    column = put_text(grid, row, column, end, style, escaped.length > 0 ? escaped.data : "");
    buffer_deinit(&escaped);
    return column;
}

int grid_printf(struct grid *grid, int row, int column, enum style style, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return grid_print(grid, row, column, grid->columns, style, text);
}

int grid_print_shortened(struct grid *grid, int row, int column, int columns, enum style style,
                         const char *text) {
    struct buffer escaped = {0};
    struct buffer fitting = {0};
    if (columns < SHORTENED_MIN) {
        return grid_print(grid, row, column, columns, style, text);
    }
    text_append_escaped(&escaped, text, "");
    text_append_shortened(&fitting, escaped.length > 0 ? escaped.data : "", (size_t)columns);
    column = grid_print(grid, row, column, columns, style, fitting.length > 0 ? fitting.data : "");
    buffer_deinit(&fitting);
    buffer_deinit(&escaped);
    return column;
}

void grid_put(struct grid *grid, int row, const struct grid *from) {
    int columns = from->columns < grid->columns ? from->columns : grid->columns;
    for (int i = 0; i < from->rows && row + i < grid->rows; i++) {
        memcpy(grid_cell(grid, row + i, 0), grid_cell(from, i, 0),
               (size_t)columns * sizeof(struct cell));
    }
}

void grid_append_row(const struct grid *grid, int row, struct buffer *out) {
    size_t kept = out->length;
    for (int column = 0; column < grid->columns; column++) {
        const struct cell *cell = grid_cell(grid, row, column);
        for (int i = 0; i < CELL_POINTS && cell->points[i] != 0; i++) {
            buffer_append_code_point(out, cell->points[i]);
        }
        if (cell->points[0] != ' ' && cell->columns > 0) {
            kept = out->length;
        }
    }
    if (out->data != NULL) {
        out->length = kept;
        out->data[kept] = '\0';
    }
}
