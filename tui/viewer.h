/* The live view: a thread that shows a window of a running profile on the terminal, and does what
 * keys say. */
#ifndef PYROMETER_TUI_VIEWER_H
#define PYROMETER_TUI_VIEWER_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/status.h"
#include "profiler/model/window.h"

/* What the viewer cannot do itself. The functions are called from its thread. */
struct viewer_plan {
    struct window *window;
    /* Whether the user wants an end by other means than a key. */
    bool (*wants_stop)(void *context);
    /* The user wants an end. */
    void (*stop)(void *context);
    /* Writes `trace` to `path`, the format by its extension. Whether it did; `answer` is a sentence
     * for the user of at most `bytes` bytes. */
    bool (*save)(void *context, const struct trace *trace, const char *path, char *answer,
                 size_t bytes);
    void *context;
};

struct viewer;

/* Takes over the terminal. The plan is copied. USAGE when it cannot. */
enum status viewer_start(const struct viewer_plan *plan, struct viewer **out,
                         struct error *error) MUST_CHECK;
/* Waits until the user wants an end. */
void viewer_wait(struct viewer *viewer);
/* Ends it, gives the terminal back, and frees. Accepts NULL. */
void viewer_stop(struct viewer *viewer);

#endif
