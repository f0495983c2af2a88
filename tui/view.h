/* What is looked at, and how: everything that panels draw from, without terminal and process. */
#ifndef PYROMETER_TUI_VIEW_H
#define PYROMETER_TUI_VIEW_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/table.h"
#include "profiler/model/mode.h"
#include "profiler/model/trace.h"
#include "profiler/model/window.h"
#include "tui/glyphs.h"

enum { VIEW_LISTS = 16, VIEW_HISTORY = 240, VIEW_FILTER_BYTES = 128, VIEW_HITS = 64 };

/* Where one is in a list that may be longer than the screen. */
struct list {
    int cursor; /* row that keys act on */
    int top;    /* first row shown */
    int count;  /* rows there are, set when drawn */
    int page;   /* rows that fit, set when drawn */
    int first;  /* row of the panel that the first one shown is in; 0: they cannot be clicked */
    int sort;   /* column */
    bool is_reversed;
    bool is_moved;     /* the cursor, since it was drawn */
    bool is_open;      /* of a tree: whether the row under the cursor is unfolded, set when drawn */
    uint32_t columns;  /* a bit for each that is shown, set when drawn */
    uint64_t chosen;   /* what the row under the cursor stands for, set when drawn */
    uint64_t stays_on; /* what the cursor goes with, wherever its row goes; 0: it is at the top */
};

/* One step of the history, newest first in view.history. */
struct pulse {
    double target_cpus; /* CPUs that the target used */
    double held;        /* share of the time that some thread had the GIL */
    double collecting;  /* share of the time that some thread collected garbage */
};

/* What a click on these cells of a row means: a key, or to sort by a column. */
struct hit {
    int row;
    int column;
    int columns;
    int key;  /* 0: none */
    int sort; /* column of the list, when there is no key */
};

struct view {
    const struct trace *trace; /* names, and the tallies and counts of what is selected */
    const struct table *cells; /* struct window_cell: the same whatever the mode; may be NULL */
    const struct table *waits; /* struct wait: of what is selected; may be NULL */
    const struct roll *roll;   /* the tasks at its end; may be NULL */
    const struct glyphs *glyphs;
    uint64_t span_ns;            /* of the window; 0: since the start */
    uint64_t back_ns;            /* how far stepped back */
    uint64_t known_ns;           /* how far one can */
    struct thread_ref thread;    /* that is looked at alone; 0: all */
    uint32_t pid;                /* of a process that is looked at alone; 0: all */
    struct task_key task;        /* of tasks that are looked at alone; 0: all */
    struct string_id task_name;  /* of the one that was chosen */
    int mode;                    /* of modes[] */
    struct function_id function; /* under the cursor where it was last on one */
    bool wants_source;           /* of the function, when it is there; set by who draws it */
    bool wants_opcodes;          /* the same for bytecode, and all tasks */
    bool wants_tasks;
    bool is_paused;
    enum window_phase phase;
    uint32_t restarts; /* of the target, while it was looked at */
    uint64_t uptime_s; /* of the target; 0: unknown */
    uint64_t now_ns;   /* for trends: any clock that goes on */
    struct pulse history[VIEW_HISTORY];
    int history_count;
    uint32_t thread_count; /* seen in the window, whichever is selected */
    char filter_text[VIEW_FILTER_BYTES];
    regex_t filter;
    bool has_filter;
    char message[256]; /* what was done last; "" for nothing to say */
    bool is_message_bad;

    struct table trends;   /* how shares were: see view_trend() */
    struct table unfolded; /* what was folded or unfolded by hand: panel_tree.c */
    int panel;             /* of panels[] */
    struct list lists[VIEW_LISTS];
    struct hit hits[VIEW_HITS]; /* of the picture that is shown */
    int hit_count;
    int origin;      /* row of the picture that the panel begins at */
    int pointer_row; /* of the mouse, when it was clicked */
    int pointer_column;
};

void view_init(struct view *out, const struct trace *trace, const struct glyphs *glyphs);
void view_deinit(struct view *view);

/* Of the panel that is shown. */
struct list *view_list(struct view *view);
/* Keeps cursor and top within `count` rows of which `page` fit. */
void list_fit(struct list *list, int count, int page);
/* Moves the cursor to a row. */
void list_go(struct list *list, int row);
/* Moves the cursor by a key. Whether it was one for that. */
bool list_key(struct list *list, int key);

/* Makes `columns` cells of a row of the picture mean a key, or with key 0 a column to sort by. */
void view_add_hit(struct view *view, int row, int column, int columns, int key, int sort);

/* Shows the panel whose key this is. */
void view_show(struct view *view, int key);
/* Looks at one thread, or process, alone; at all again when it is alone already. */
void view_toggle_thread(struct view *view, struct thread_ref thread);
void view_toggle_process(struct view *view, uint32_t pid);
void view_toggle_task(struct view *view, const struct roll_entry *task);

/* After the target began anew: who is looked at alone is the newest of the same name, or command,
 * as soon as there is one among those after the first so many threads and processes. */
void view_follow_restart(struct view *view, uint32_t threads_before, uint32_t processes_before);

/* Sets the filter (POSIX extended, "" for none). False when it is no expression. */
bool view_set_filter(struct view *view, const char *text);
/* Whether a function goes through the filter, by its name or file. */
bool view_lets_through(const struct view *view, const char *name, const char *file);

/* Time that all samples of the selection stand for. */
uint64_t view_total_ns(const struct view *view);

/* Whether it is known of any sample what its thread was doing. */
bool view_knows_states(const struct view *view);

/* Counts the threads, unless one is looked at alone. Once for each selection. */
void view_note_threads(struct view *view);
/* Takes the shares of self time to tell how they change. Once for each selection. */
void view_note_shares(struct view *view);
/* By how much the share of a function has changed of late: 0.1 is ten points more. */
double view_trend(const struct view *view, struct function_id function, double share);

/* What lists say when there are no samples. */
const char *view_why_nothing(const struct view *view);

/* "90%" within four columns, "" for nothing. */
void view_format_share(double share, char out[16]);
/* A function and where it is: "name (app.py:12)"; nothing for none. */
void view_append_function(const struct view *view, struct function_id function, uint32_t line,
                          struct buffer *out);
/* Where a function is, shortly: "app.py:12". */
void view_append_place(const struct view *view, struct function_id function, uint32_t line,
                       struct buffer *out);

#endif
