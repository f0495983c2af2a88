/* A walk through a made Python, and what it must have seen. */
#ifndef PYROMETER_TESTS_UNIT_WATCHER_H
#define PYROMETER_TESTS_UNIT_WATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "target-runtime/walk.h"
#include "tests/unit/python.h"

struct watcher {
    struct python *python; /* borrowed */
    struct runtime runtime;
    struct walk *walk;
    const struct raw_look *look; /* the last one */
};

void watcher_open(struct watcher *watcher, struct python *python);
void watcher_close(struct watcher *watcher);

/* A new thread; a new thread in a function "leaf" that was called by `depth` others. */
void watcher_start(struct watcher *watcher, struct python_thread *thread);
void watcher_start_at(struct watcher *watcher, struct python_thread *thread, size_t depth);

/* Looks, which must do. */
void watcher_look(struct watcher *watcher);
void watcher_look_often(struct watcher *watcher, int looks);
/* Looks that cost one call of memory_read each. */
void watcher_look_cheaply(struct watcher *watcher, int looks);

/* A thread in the last look; NULL if it is not there. */
const struct raw_thread *watcher_find(const struct watcher *watcher,
                                      const struct python_thread *thread);
/* Whether these are the frames that were seen of a thread, and there are no more. */
bool watcher_has_frames(const struct watcher *watcher, const struct raw_thread *raw,
                        const struct python_frame *frames, size_t count);
/* The thread in the last look, with all its frames. */
const struct raw_thread *watcher_expect(const struct watcher *watcher,
                                        const struct python_thread *thread);

#endif
