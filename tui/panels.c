#include <stddef.h>

#include "tui/panel.h"

extern const struct panel panel_functions;
extern const struct panel panel_lines;
extern const struct panel panel_tree;
extern const struct panel panel_flame;
extern const struct panel panel_source;
extern const struct panel panel_opcodes;
extern const struct panel panel_threads;
extern const struct panel panel_gil;
extern const struct panel panel_tasks;
extern const struct panel panel_processes;
extern const struct panel panel_help;

/* A line each. */
const struct panel *const panels[] = {
    &panel_functions, &panel_lines, &panel_tree, &panel_flame,     &panel_source, &panel_opcodes,
    &panel_threads,   &panel_tasks, &panel_gil,  &panel_processes, &panel_help,   NULL,
};
_Static_assert(sizeof panels / sizeof panels[0] <= PANELS_MAX + 1, "each needs a list in a view");

int panel_count(void) {
    return sizeof panels / sizeof panels[0] - 1;
}
