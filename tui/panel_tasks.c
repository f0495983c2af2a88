/* Tasks: what each waits for, and for how long; below, the awaits of the one under the cursor. */
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/rows.h"

static const struct column columns[] = {
    {COLUMN_DWELL, "DWELL", 6, 0},       {COLUMN_WORD, "STATE", 6, 60},
    {COLUMN_NAME, "TASK", 10, 0},        {COLUMN_PLACE, "AWAITING", 16, 0},
    {COLUMN_NOTE, "COROUTINE", 12, 100},
};
enum { COLUMNS = sizeof columns / sizeof columns[0], AWAITS_MAX = 7, AWAITS_SHARE = 3 };

static const char *const words[] = {
    [ROLL_WAITS] = "waits", [ROLL_RUNS] = "runs", [ROLL_BEGINS] = "begins", [ROLL_MOVES] = "moves"};

/* "get (queues.py:158)", to be freed. */
static char *describe_stack(const struct view *view, struct stack_id stack) {
    struct buffer text = {0};
    const struct trace_frame *frame =
        trace_frame(view->trace, trace_stack(view->trace, stack)->frame);
    view_append_function(view, frame->function, frame->line, &text);
    return text.data;
}

/* What a task waits for: other tasks, or what its newest coroutine does. To be freed. */
static char *describe_awaited(const struct view *view, const struct roll_entry *task) {
    struct buffer text = {0};
    if (task->awaited_count == 0) {
        return task->stack.id != 0 ? describe_stack(view, task->stack) : NULL;
    }
    buffer_printf(&text, "task %s", trace_string(view->trace, task->awaited));
    if (task->awaited_count > 1) {
        buffer_printf(&text, " and %u more", task->awaited_count - 1);
    }
    return text.data;
}

static char *describe_coroutine(const struct view *view, const struct roll_entry *task) {
    struct buffer text = {0};
    if (task->key.coroutine.id != 0) {
        uint32_t line = trace_function(view->trace, task->key.coroutine)->first_line;
        view_append_function(view, task->key.coroutine, line, &text);
    }
    return text.data;
}

static bool is_shown(const struct view *view, const struct roll_entry *task) {
    bool is_alone = view->task.marker.id != 0;
    return (!is_alone || memcmp(&view->task, &task->key, sizeof task->key) == 0) &&
           (view->pid == 0 || view->pid == task->pid);
}

/* The same for a task in every picture: addresses of two processes may be the same. */
static uint64_t id_of(const struct roll_entry *task) {
    enum { ADDRESS_BITS = 47 };
    return task->at ^ (uint64_t)task->pid << ADDRESS_BITS;
}

static void add_task(struct rows *rows, const struct view *view, size_t number) {
    const struct roll_entry *task = &view->roll->entries[number];
    const char *name = trace_string(view->trace, task->name);
    char *awaited = describe_awaited(view, task);
    if (!is_shown(view, task) || !view_lets_through(view, name, awaited != NULL ? awaited : "")) {
        free(awaited);
        return;
    }
    *rows_add(rows) = (struct row){
        .id = id_of(task),
        .function = task->key.coroutine,
        .self_ns = task->since_ns != 0 ? view->roll->time_ns - task->since_ns + 1 : 0,
        .name = name,
        .place = awaited,
        .note = describe_coroutine(view, task),
        .word = words[task->state],
    };
}

static const struct roll_entry *chosen_task(struct view *view) {
    uint64_t chosen = view_list(view)->chosen;
    for (size_t i = 0; view->roll != NULL && chosen != 0 && i < view->roll->count; i++) {
        if (id_of(&view->roll->entries[i]) == chosen) {
            return &view->roll->entries[i];
        }
    }
    return NULL;
}

/* Of the stack as much as there is room for, from those who wait for the task down to what it waits
 * for. */
static void draw_awaits(const struct view *view, const struct roll_entry *task, struct grid *grid,
                        int first) {
    uint32_t depth;
    struct stack_id *path = trace_path(view->trace, task->stack, &depth);
    int room = grid->rows - first - 1;
    int count = (int)depth < room ? (int)depth : room;
    grid_fill(grid, first, 0, grid->columns, STYLE_TITLE);
    grid_printf(grid, first, 0, STYLE_TITLE, " WHO AWAITS %s, AND WHAT IT AWAITS",
                trace_string(view->trace, task->name));
    for (int i = 0; i < count; i++) {
        int row = first + 1 + i;
        char *text = describe_stack(view, path[(int)depth - count + i]);
        int at = grid_print(grid, row, 1, grid->columns, STYLE_DIM, i > 0 ? "awaits " : "");
        grid_print_shortened(grid, row, at, grid->columns - at, STYLE_PLACE, text);
        free(text);
    }
    free(path);
}

static void draw_list(struct rows *rows, struct view *view, struct grid *grid) {
    int below = grid->rows / AWAITS_SHARE < AWAITS_MAX ? grid->rows / AWAITS_SHARE : AWAITS_MAX;
    struct grid list;
    grid_init(&list, grid->rows - below, grid->columns);
    rows_draw(rows, columns, COLUMNS, view, &list);
    grid_put(grid, 0, &list);
    grid_deinit(&list);
    const struct roll_entry *task = chosen_task(view);
    if (task != NULL && task->stack.id != 0) {
        draw_awaits(view, task, grid, grid->rows - below);
    }
}

static void draw(struct view *view, struct grid *grid) {
    bool is_known = view->roll != NULL && view->roll->time_ns != 0;
    struct rows rows = {.none =
                            is_known ? "There are no tasks of asyncio." : "Asking for the tasks."};
    for (size_t i = 0; view->roll != NULL && i < view->roll->count; i++) {
        add_task(&rows, view, i);
    }
    draw_list(&rows, view, grid);
    view->wants_tasks = true;
    rows_deinit(&rows);
}

static bool key_pressed(struct view *view, int key) {
    const struct roll_entry *task = chosen_task(view);
    if (key == PRESS_ENTER && task != NULL) {
        view_toggle_task(view, task);
    }
    return key == PRESS_ENTER;
}

const struct panel panel_tasks = {
    .name = "Tasks",
    .key = 'A',
    .help = "of asyncio: what they await; Enter: one alone, or all again",
    .sort_columns = COLUMNS,
    .draw = draw,
    .key_pressed = key_pressed,
};
