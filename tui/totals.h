/* What each thread did with its time: for panels that list threads or processes. */
#ifndef PYROMETER_TUI_TOTALS_H
#define PYROMETER_TUI_TOTALS_H

#include "tui/view.h"

/* The function with the most time to itself, and its line with the most of that. */
struct whereabouts {
    struct function_id function; /* 0: none */
    uint32_t line;
};

/* Of one thread, whatever the mode. */
struct thread_total {
    uint64_t weight_ns;
    uint64_t running_ns;
    uint64_t runnable_ns;
    uint64_t held_ns; /* had the GIL */
    uint64_t wanted_ns;
    uint64_t collecting_ns;
    bool is_known;              /* what it did was asked for */
    struct whereabouts most;    /* where it spent most of its time */
    struct whereabouts holding; /* the same of the time that it had the GIL */
};

/* By thread id; the caller frees it with free(). */
struct thread_total *totals_of_threads(const struct view *view);

/* In a word: what a thread did for most of its time. */
const char *totals_word(const struct thread_total *total);
/* "name (file.py:12)", to be freed; NULL for no function. */
char *totals_describe(const struct view *view, struct whereabouts at);
/* A part of all the time that is shown; -1: not known. */
double totals_share(const struct view *view, const struct thread_total *total, uint64_t part_ns);

#endif
