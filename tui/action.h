/* What keys do in every panel: a row for each, from which the key bar and the help follow. */
#ifndef PYROMETER_TUI_ACTION_H
#define PYROMETER_TUI_ACTION_H

#include "tui/view.h"

/* What is to be done about a key; bits. */
enum outcome {
    OUTCOME_SELECT = 1 << 0, /* take from the window anew: something else is asked of it */
    OUTCOME_RESET = 1 << 1,
    OUTCOME_FILTER = 1 << 2, /* ask for a filter */
    OUTCOME_SAVE = 1 << 3,   /* ask for a name, and save */
    OUTCOME_QUIT = 1 << 4,
    OUTCOME_RATE = 1 << 5, /* ask for another rate */
};

enum { ACTION_KEYS = 3 };

struct action {
    int keys[ACTION_KEYS];
    const char *label; /* of the keys, for the help: "F4 / \" */
    const char *bar; /* in the key bar: its key, a blank, what it does in a word; NULL: not there */
    const char *help;
    unsigned (*act)(struct view *view); /* NULL: lists and panels do it */
};

/* Ends with a row without help. */
extern const struct action actions[];

/* Does what a key does, in the panel that is shown or everywhere; outcomes. */
unsigned action_take(struct view *view, int key);

#endif
