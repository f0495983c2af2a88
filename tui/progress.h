/* The line on a terminal that shows how a running profile is doing. */
#ifndef PYROMETER_TUI_PROGRESS_H
#define PYROMETER_TUI_PROGRESS_H

#include "profiler/base/status.h"
#include "profiler/model/live.h"

struct progress;

/* Shows `live` on standard error from a thread of its own, until stopped. NULL when standard error
 * is no terminal or one that cannot erase a line; that is no failure. */
struct progress *progress_start(struct live *live);
/* Ends `live`, takes the line away and frees. Accepts NULL. */
void progress_stop(struct progress *progress);

#endif
