/* The whole picture: header, tabs, the panel that is shown, and the key bar. */
#ifndef PYROMETER_TUI_PICTURE_H
#define PYROMETER_TUI_PICTURE_H

#include "tui/grid.h"
#include "tui/view.h"

/* Draws on all of `grid`, which is empty. `prompt`: a question and what was answered so far, in the
 * place of the key bar; NULL for none. */
void picture_draw(struct view *view, const char *prompt, struct grid *grid);

#endif
