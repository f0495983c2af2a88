#include "tui/action.h"

#include <stdio.h>

#include "profiler/base/clock.h"
#include "tui/keys.h"
#include "tui/panel.h"

static const uint64_t spans_ns[] = {5 * NS_PER_S, 30 * NS_PER_S, 0};
enum { SPANS = sizeof spans_ns / sizeof spans_ns[0] };
enum { DIGITS = 10, WHEEL_ROWS = 3 };
#define STEP_NS   NS_PER_S
#define STRIDE_NS (10 * NS_PER_S)

static unsigned show_panel(struct view *view, int panel) {
    view->panel = panel;
    return 0;
}

static unsigned show_help(struct view *view) {
    return show_panel(view, panel_count() - 1);
}

static unsigned show_next(struct view *view) {
    return show_panel(view, (view->panel + 1) % panel_count());
}

static unsigned show_previous(struct view *view) {
    return show_panel(view, (view->panel + panel_count() - 1) % panel_count());
}

static unsigned show_tree(struct view *view) {
    view_show(view, 'c');
    return 0;
}

static unsigned ask_filter(struct view *view) {
    (void)view;
    return OUTCOME_FILTER;
}

static bool can_be_sorted(struct view *view) {
    bool can_be = panels[view->panel]->sort_columns > 0;
    if (!can_be) {
        snprintf(view->message, sizeof view->message, "This view has an order of its own.");
        view->is_message_bad = false;
    }
    return can_be;
}

static unsigned sort_by_next(struct view *view) {
    struct list *list = view_list(view);
    int count = panels[view->panel]->sort_columns;
    if (can_be_sorted(view)) {
        do {
            list->sort = (list->sort + 1) % count;
        } while (list->columns != 0 && (list->columns >> list->sort & 1) == 0);
        list->is_reversed = false;
        list_go(list, 0);
    }
    return 0;
}

static unsigned reverse(struct view *view) {
    struct list *list = view_list(view);
    if (can_be_sorted(view)) {
        list->is_reversed = !list->is_reversed;
        list_go(list, 0);
    }
    return 0;
}

static unsigned switch_window(struct view *view) {
    size_t at = 0;
    while (at + 1 < SPANS && spans_ns[at] != view->span_ns) {
        at++;
    }
    view->span_ns = spans_ns[(at + 1) % SPANS];
    return OUTCOME_SELECT;
}

static unsigned pause(struct view *view) {
    view->is_paused = !view->is_paused;
    view->back_ns = 0;
    return OUTCOME_SELECT;
}

/* As far as there is something to see, in whole seconds. */
static unsigned go_back(struct view *view, uint64_t step_ns) {
    uint64_t most_ns = view->known_ns / NS_PER_S * NS_PER_S;
    view->is_paused = true;
    view->back_ns += step_ns;
    if (view->back_ns > most_ns) {
        view->back_ns = most_ns;
        snprintf(view->message, sizeof view->message, "Nothing older is kept.");
        view->is_message_bad = false;
    }
    return OUTCOME_SELECT;
}

static unsigned go_forward(struct view *view, uint64_t step_ns) {
    view->back_ns -= view->back_ns >= step_ns ? step_ns : view->back_ns;
    return OUTCOME_SELECT;
}

static unsigned step_back(struct view *view) {
    return go_back(view, STEP_NS);
}

static unsigned step_forward(struct view *view) {
    return go_forward(view, STEP_NS);
}

static unsigned stride_back(struct view *view) {
    return go_back(view, STRIDE_NS);
}

static unsigned stride_forward(struct view *view) {
    return go_forward(view, STRIDE_NS);
}

static unsigned switch_mode(struct view *view) {
    view->mode = modes[view->mode + 1].name != NULL ? view->mode + 1 : 0;
    return OUTCOME_SELECT;
}

static unsigned ask_rate(struct view *view) {
    (void)view;
    return OUTCOME_RATE;
}

static unsigned reset(struct view *view) {
    (void)view;
    return OUTCOME_RESET;
}

static unsigned ask_save(struct view *view) {
    (void)view;
    return OUTCOME_SAVE;
}

static unsigned let_go(struct view *view) {
    view->thread = (struct thread_ref){0};
    view->pid = 0;
    view->task = (struct task_key){{0}, {0}};
    view_set_filter(view, "");
    return OUTCOME_SELECT;
}

static unsigned quit(struct view *view) {
    (void)view;
    return OUTCOME_QUIT;
}

const struct action actions[] = {
    {{PRESS_F1, '?', 'h'}, "F1 ? h", "F1 Help", "this help", show_help},
    {{PRESS_TAB, 0, 0}, "Tab", "Tab View", "the next view; Shift-Tab: the one before", show_next},
    {{PRESS_BACK_TAB, 0, 0}, "", NULL, "", show_previous},
    {{PRESS_F1 + 3, '/', '\\'},
     "F4 / \\",
     "F4 Filter",
     "only rows that match an expression; Esc: all",
     ask_filter},
    {{PRESS_F1 + 4, 0, 0}, "F5", "F5 Tree", "the call tree", show_tree},
    {{PRESS_F1 + 5, 's', '>'}, "F6 s >", "F6 Sort", "sort by the next column", sort_by_next},
    {{'I', 0, 0}, "I", NULL, "sort the other way round", reverse},
    {{'t', 0, 0}, "t", "t Window", "the last 5 s, the last 30 s, since the start", switch_window},
    {{'m', 0, 0},
     "m",
     "m Mode",
     "what counts: everything, on a CPU, with the GIL, exceptions",
     switch_mode},
    {{'p', ' ', 0}, "p Space", "p Pause", "stand still, and go on", pause},
    {{'[', 0, 0}, "[ ]", NULL, "one second back in time, and forward", step_back},
    {{']', 0, 0}, "", NULL, "", step_forward},
    {{'{', 0, 0}, "{ }", NULL, "ten seconds back in time, and forward", stride_back},
    {{'}', 0, 0}, "", NULL, "", stride_forward},
    {{'R', 0, 0}, "R", NULL, "another rate: 100, 10khz", ask_rate},
    {{'r', 0, 0}, "r", "r Reset", "forget what was", reset},
    {{'w', 0, 0}, "w", "w Save", "write what is shown to a file, in any format", ask_save},
    {{PRESS_ESCAPE, 0, 0}, "Esc", NULL, "no filter, all threads, processes and tasks", let_go},
    {{PRESS_F10, 'q', 3}, "F10 q", "q Quit", "end", quit},
    {{0, 0, 0}, NULL, NULL, NULL, NULL},
};

static const struct action *action_of(int key) {
    for (const struct action *action = actions; action->help != NULL; action++) {
        for (int i = 0; i < ACTION_KEYS; i++) {
            if (action->keys[i] == key && key != 0) {
                return action;
            }
        }
    }
    return NULL;
}

static bool choose_panel(struct view *view, int key) {
    for (int i = 0; panels[i] != NULL; i++) {
        bool is_number = i < DIGITS - 1 ? key == '1' + i : i == DIGITS - 1 && key == '0';
        if (panels[i]->key == key || is_number) {
            show_panel(view, i);
            return true;
        }
    }
    return false;
}

/* ---- the mouse ---- */

static void sort_by(struct view *view, int column) {
    struct list *list = view_list(view);
    list->is_reversed = list->sort == column && !list->is_reversed;
    list->sort = column;
    list_go(list, 0);
}

/* A click on a row goes there, and where one is already it does what Enter does. */
static unsigned click_row(struct view *view) {
    struct list *list = view_list(view);
    int at = list->top + view->pointer_row - view->origin - list->first;
    if (list->first == 0 || view->pointer_row < view->origin + list->first || at >= list->count ||
        at >= list->top + list->page) {
        return 0;
    }
    if (at == list->cursor) {
        return action_take(view, PRESS_ENTER);
    }
    list_go(list, at);
    return 0;
}

static unsigned click(struct view *view) {
    for (int i = 0; i < view->hit_count; i++) {
        const struct hit *hit = &view->hits[i];
        if (hit->row != view->pointer_row || view->pointer_column < hit->column ||
            view->pointer_column >= hit->column + hit->columns) {
            continue;
        }
        if (hit->key != 0) {
            return action_take(view, hit->key);
        }
        sort_by(view, hit->sort);
        return 0;
    }
    return click_row(view);
}

static void turn_wheel(struct view *view, int key) {
    for (int i = 0; i < WHEEL_ROWS; i++) {
        list_key(view_list(view), key);
    }
}

static bool take_mouse(struct view *view, int key, unsigned *outcome_out) {
    switch (key) {
    case PRESS_CLICK: *outcome_out = click(view); return true;
    case PRESS_WHEEL_UP: turn_wheel(view, PRESS_UP); return true;
    case PRESS_WHEEL_DOWN: turn_wheel(view, PRESS_DOWN); return true;
    default: return false;
    }
}

unsigned action_take(struct view *view, int key) {
    const struct panel *panel = panels[view->panel];
    const struct action *action = action_of(key);
    unsigned outcome = 0;
    view->message[0] = '\0';
    if (take_mouse(view, key, &outcome)) {
        return outcome;
    }
    if (panel->key_pressed != NULL && panel->key_pressed(view, key)) {
        return OUTCOME_SELECT;
    }
    if (action != NULL) {
        return action->act(view);
    }
    if (!choose_panel(view, key)) {
        list_key(view_list(view), key);
    }
    return 0;
}
