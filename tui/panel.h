/* A panel: one way to look at what is selected.
 *
 * To add a panel: a file tui/panel_<name>.c that ends in one `const struct panel`, and one line in
 * tui/panels.c. The tabs, the key that shows it, the help and the golden test follow from the list.
 * A panel is drawn from a view alone, and knows neither terminal nor process. What it needs to
 * remember is in view_list(). */
#ifndef PYROMETER_TUI_PANEL_H
#define PYROMETER_TUI_PANEL_H

#include <stdbool.h>

#include "tui/grid.h"
#include "tui/view.h"

struct panel {
    const char *name;  /* its tab, capitalised */
    const char *brief; /* the same where there is little room; NULL: the name is short enough */
    int key;           /* the letter that shows it */
    const char *help;  /* one sentence; with the name, a line of the help: at most 66 columns */
    /* Columns that the list can be sorted by, 0 for none. */
    int sort_columns;
    /* Draws on all of `grid`, which is empty. */
    void (*draw)(struct view *view, struct grid *grid);
    /* A key that is not everybody's. Whether it was of use; may be NULL. */
    bool (*key_pressed)(struct view *view, int key);
};

/* In the order of their tabs, NULL-terminated. */
extern const struct panel *const panels[];
enum { PANELS_MAX = VIEW_LISTS };

int panel_count(void);

#endif
