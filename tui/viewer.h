/* The live view: a thread that shows a window of a running profile on the terminal, and does what
 * keys say. */
#ifndef PYROMETER_TUI_VIEWER_H
#define PYROMETER_TUI_VIEWER_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "profiler/model/window.h"

/* What the viewer cannot do itself. The functions are called from its thread. */
struct viewer_plan {
    struct window *window;
    /* Whether the user wants an end by other means than a key. */
    bool (*wants_stop)(void *context);
    /* The user wants an end. */
    void (*stop)(void *context);
    /* These are for the user: whether they did what they say, with a sentence about it of at most
     * `bytes` bytes. */
    /* Writes what `query` selects, as which it is selected already, to `path`, the format by its
     * extension. */
    bool (*save)(void *context, const struct window_query *query, const char *path, char *answer,
                 size_t bytes);
    /* Samples at another rate from now on. */
    bool (*set_rate)(void *context, const char *rate, char *answer, size_t bytes);
    /* Appends the text of a source file of the target, any bytes. False: it cannot be read. */
    bool (*read_source)(void *context, const char *file, struct buffer *out);
    /* From now on bytecode is wanted. May be called again and again. */
    void (*want_opcodes)(void *context);
    /* From now on all tasks are to be told; stacks are to be by task. The same. */
    void (*want_tasks)(void *context);
    void (*want_stacks_by_task)(void *context);
    int mode; /* of modes[], to begin with */
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
