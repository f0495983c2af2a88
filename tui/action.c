#include "tui/action.h"

#include <stdio.h>

#include "profiler/base/clock.h"
#include "tui/keys.h"
#include "tui/panel.h"

static const uint64_t spans_ns[] = {5 * NS_PER_S, 30 * NS_PER_S, 0};
enum { SPANS = sizeof spans_ns / sizeof spans_ns[0] };
#define STEP_NS     NS_PER_S
#define BACK_MAX_NS (5 * 60 * NS_PER_S)

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
    for (int i = 0; panels[i] != NULL; i++) {
        if (panels[i]->key == 'c') {
            return show_panel(view, i);
        }
    }
    return 0;
}

static unsigned ask_filter(struct view *view) {
    (void)view;
    return OUTCOME_FILTER;
}

static unsigned sort_by_next(struct view *view) {
    struct list *list = view_list(view);
    int count = panels[view->panel]->sort_columns;
    list->sort = count > 0 ? (list->sort + 1) % count : 0;
    list->is_reversed = false;
    return 0;
}

static unsigned reverse(struct view *view) {
    struct list *list = view_list(view);
    list->is_reversed = !list->is_reversed;
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

static unsigned step_back(struct view *view) {
    view->is_paused = true;
    view->back_ns += view->back_ns < BACK_MAX_NS ? STEP_NS : 0;
    return OUTCOME_SELECT;
}

static unsigned step_forward(struct view *view) {
    view->back_ns -= view->back_ns >= STEP_NS ? STEP_NS : view->back_ns;
    return OUTCOME_SELECT;
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
     "only what matches an expression; Esc: all",
     ask_filter},
    {{PRESS_F1 + 4, 0, 0}, "F5", "F5 Tree", "the call tree", show_tree},
    {{PRESS_F1 + 5, 's', '>'}, "F6 s >", "F6 Sort", "sort by the next column", sort_by_next},
    {{'I', 0, 0}, "I", NULL, "sort the other way round", reverse},
    {{'t', 0, 0}, "t", "t Window", "the last 5 s, the last 30 s, since the start", switch_window},
    {{'p', ' ', 0}, "p Space", "p Pause", "stand still, and go on", pause},
    {{'[', 0, 0}, "[ ]", NULL, "one second back in time, and forward", step_back},
    {{']', 0, 0}, "", NULL, "", step_forward},
    {{'r', 0, 0}, "r", "r Reset", "forget what was", reset},
    {{'w', 0, 0}, "w", "w Save", "write what is selected to a file, in any format", ask_save},
    {{PRESS_ESCAPE, 0, 0}, "Esc", NULL, "no filter, all threads", let_go},
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
        if (panels[i]->key == key || key == '1' + i) {
            show_panel(view, i);
            return true;
        }
    }
    return false;
}

unsigned action_take(struct view *view, int key) {
    const struct panel *panel = panels[view->panel];
    const struct action *action = action_of(key);
    view->message[0] = '\0';
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
