/* What the keys do: from the lists of actions and panels. */
#include <stdio.h>

#include "tui/action.h"
#include "tui/panel.h"

enum { KEY_WIDTH = 10, LINES_MAX = 64, LINE_BYTES = 160 };

extern const struct panel panel_help;

struct page {
    char lines[LINES_MAX][LINE_BYTES];
    int count;
};

static void add_line(struct page *page, const char *key, const char *what, const char *more) {
    if (page->count < LINES_MAX) {
        snprintf(page->lines[page->count++], LINE_BYTES, "%*s  %s%s", KEY_WIDTH, key, what, more);
    }
}

/* All but this one: how one comes here is among the actions. */
static void add_panels(struct page *page) {
    for (int i = 0; panels[i] != &panel_help; i++) {
        char key[16];
        char name[32];
        snprintf(key, sizeof key, "%d %c", (i + 1) % 10, panels[i]->key);
        snprintf(name, sizeof name, "%s: ", panels[i]->name);
        add_line(page, key, name, panels[i]->help);
    }
}

static void add_actions(struct page *page) {
    for (const struct action *action = actions; action->help != NULL; action++) {
        if (action->help[0] != '\0') {
            add_line(page, action->label, action->help, "");
        }
    }
}

static void draw(struct view *view, struct grid *grid) {
    struct page page = {.count = 0};
    struct list *list = view_list(view);
    add_panels(&page);
    add_actions(&page);
    add_line(&page, "arrows", "move; j and k too, and PgUp, PgDn, Home, End", "");
    list_fit(list, page.count > grid->rows ? page.count - grid->rows + 1 : 1, 1);
    int below = page.count - list->cursor - (grid->rows - 1); /* were the last row for that */
    for (int row = 0; row < grid->rows && list->cursor + row < page.count; row++) {
        grid_print(grid, row, 0, grid->columns, STYLE_PLAIN, page.lines[list->cursor + row]);
        grid_paint(grid, row, 0, KEY_WIDTH, STYLE_BOLD);
    }
    if (below > 1) {
        grid_fill(grid, grid->rows - 1, 0, grid->columns, STYLE_DIM);
        grid_printf(grid, grid->rows - 1, KEY_WIDTH + 2, STYLE_DIM, "%d more lines: arrow down",
                    below);
    }
}

const struct panel panel_help = {
    .name = "Help",
    .key = '?',
    .help = "what the keys do",
    .draw = draw,
};
