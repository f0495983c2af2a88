/* The terminal: shows grids, reads keys, and is left as it was found, whatever happens. One at a
 * time, used by one thread. */
#ifndef PYROMETER_TUI_SCREEN_H
#define PYROMETER_TUI_SCREEN_H

#include <stdbool.h>

#include "profiler/base/status.h"
#include "tui/grid.h"

/* Takes over standard input and output. USAGE when they are no terminal, or one that cannot. */
enum status screen_open(struct error *error) MUST_CHECK;
/* Gives the terminal back. */
void screen_close(void);
/* The same in a hurry: may be called from a signal handler, twice, and when nothing is open. */
void screen_restore(void);

/* Whether it shows more than ASCII. */
bool screen_knows_unicode(void);
void screen_size(int *rows_out, int *columns_out);
/* Sends what differs from what is shown. */
void screen_show(const struct grid *grid);
/* The next key (tui/keys.h); PRESS_NONE when none came within so many milliseconds. */
int screen_read_key(int wait_ms);
/* Where the mouse was when the last key was one of its own. */
void screen_pointer(int *row_out, int *column_out);

#endif
