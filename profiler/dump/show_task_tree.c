#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/text.h"
#include "profiler/dump/task_tree.h"

enum {
    INDENT = 4,
    INDENT_LIMIT = 20, /* deeper ones are not moved further to the right */
};

/* ---- cycles ---- */

/* Follows the first of the tasks that wait for `from`, and so on, marking with `mark` whom it
 * meets. Returns the one that it meets again, which is in a circle, or the count of tasks. */
static size_t follow_up(const struct dumped_tasks *tasks, size_t from, size_t mark, size_t *marks) {
    while (tasks->items[from].parent_count > 0 && marks[from] == 0) {
        marks[from] = mark;
        from = tasks->parents[tasks->items[from].first_parent];
    }
    return marks[from] == mark ? from : tasks->count;
}

typedef void visit_circle(void *context, const struct dumped_tasks *tasks, size_t start);

/* Every circle that following the first one waiting leads into, by one of its tasks. */
static void each_circle(const struct dumped_tasks *tasks, visit_circle *visit, void *context) {
    size_t *marks = memory_zeroed(tasks->count + 1, sizeof *marks);
    for (size_t i = 0; i < tasks->count; i++) {
        size_t start = marks[i] == 0 ? follow_up(tasks, i, i + 1, marks) : tasks->count;
        if (start < tasks->count) {
            visit(context, tasks, start);
        }
    }
    free(marks);
}

/* Who waits for `at`, in the circle. */
static size_t next_in_circle(const struct dumped_tasks *tasks, size_t at) {
    return tasks->parents[tasks->items[at].first_parent];
}

/* ---- text ---- */

struct tree {
    const struct trace *trace;
    const struct dumped_tasks *tasks;
    struct buffer *out;
    bool *is_told;       /* by task */
    size_t *first_child; /* index + 1; 0: none. By the first of a task's parents */
    size_t *next_child;
};

static void append_indent(struct buffer *out, size_t depth) {
    size_t columns = (depth < INDENT_LIMIT ? depth : INDENT_LIMIT) * INDENT;
    buffer_printf(out, "%*s", (int)columns, "");
}

static void append_name(const struct trace *trace, const struct dumped_task *task,
                        struct buffer *out) {
    buffer_printf(out, "\"");
    text_append_escaped(out, trace_string(trace, task->name), "");
    buffer_printf(out, "\"");
}

static void append_frame(const struct trace *trace, struct frame_id id, size_t depth,
                         struct buffer *out) {
    const struct trace_frame *frame = trace_frame(trace, id);
    const struct trace_function *function = trace_function(trace, frame->function);
    append_indent(out, depth);
    if (frame->kind == FRAME_PYTHON) {
        buffer_printf(out, "  File \"");
        text_append_escaped(out, trace_string(trace, function->file), "");
        buffer_printf(out, "\", line %u, in ", frame->line);
    } else {
        buffer_printf(out, "  ");
    }
    text_append_escaped(out, trace_string(trace, function->name), "");
    buffer_printf(out, "\n");
}

static void append_stack(const struct trace *trace, struct stack_id leaf, size_t depth,
                         struct buffer *out) {
    uint32_t count = leaf.id != 0 ? trace_stack(trace, leaf)->depth : 0;
    struct frame_id *path = memory_zeroed(count + 1, sizeof *path);
    for (uint32_t i = count; i > 0; i--) {
        path[i - 1] = trace_stack(trace, leaf)->frame;
        leaf = trace_stack(trace, leaf)->parent;
    }
    for (uint32_t i = 0; i < count; i++) {
        append_frame(trace, path[i], depth, out);
    }
    free(path);
}

static const char *const state_words[] = {"running", "waiting", "new"};

/* "Task "x", waiting, for "a" and "b"": who waits for it is told where the tree does not. */
static void append_head(const struct tree *tree, size_t index, size_t depth) {
    const struct dumped_tasks *tasks = tree->tasks;
    const struct dumped_task *task = &tasks->items[index];
    struct buffer *out = tree->out;
    append_indent(out, depth);
    buffer_printf(out, task->is_greenlet ? "Greenlet " : "Task ");
    append_name(tree->trace, task, out);
    buffer_printf(out, ", %s", state_words[task->state]);
    if (task->is_moving) {
        buffer_printf(out, " (moved while it was read)");
    }
    for (size_t i = 0; i < task->parent_count && task->parent_count > 1; i++) {
        buffer_printf(out, i == 0                       ? ", waited for by "
                           : i + 1 < task->parent_count ? ", "
                                                        : " and ");
        append_name(tree->trace, &tasks->items[tasks->parents[task->first_parent + i]], out);
    }
    buffer_printf(out, "\n");
}

/* A task and, indented, those that it waits for. The tree may be deep: it is walked with a stack of
 * its own. */
static void append_tree(const struct tree *tree, size_t root) {
    size_t *path = memory_zeroed(tree->tasks->count + 1, sizeof *path);
    size_t depth = 0;
    path[0] = root + 1;
    for (;;) {
        while (path[depth] == 0 || tree->is_told[path[depth] - 1]) {
            if (path[depth] != 0 && depth > 0) {
                path[depth] = tree->next_child[path[depth] - 1];
            } else if (depth == 0) {
                free(path);
                return;
            } else {
                depth--;
                path[depth] = depth == 0 ? 0 : tree->next_child[path[depth] - 1];
            }
        }
        size_t index = path[depth] - 1;
        tree->is_told[index] = true;
        append_head(tree, index, depth);
        append_stack(tree->trace, tree->tasks->items[index].stack, depth, tree->out);
        path[++depth] = tree->first_child[index];
    }
}

static void link_children(struct tree *tree) {
    for (size_t i = tree->tasks->count; i > 0; i--) {
        const struct dumped_task *task = &tree->tasks->items[i - 1];
        if (task->parent_count > 0) {
            size_t parent = tree->tasks->parents[task->first_parent];
            tree->next_child[i - 1] = tree->first_child[parent];
            tree->first_child[parent] = i;
        }
    }
}

static void append_circle(void *context, const struct dumped_tasks *tasks, size_t start) {
    const struct tree *tree = context;
    size_t at = start;
    buffer_printf(tree->out, "Waiting for each other for ever: ");
    do {
        append_name(tree->trace, &tasks->items[at], tree->out);
        buffer_printf(tree->out, " is waited for by ");
        at = next_in_circle(tasks, at);
    } while (at != start);
    append_name(tree->trace, &tasks->items[at], tree->out);
    buffer_printf(tree->out, "\n");
    append_tree(tree, start);
}

/* Those without anybody that waits for them come first, by thread. */
static void append_roots(const struct tree *tree) {
    for (size_t i = 0; i < tree->tasks->count; i++) {
        if (tree->tasks->items[i].parent_count == 0) {
            append_tree(tree, i);
        }
    }
}

static size_t greenlet_count(const struct dumped_tasks *tasks) {
    size_t count = 0;
    for (size_t i = 0; i < tasks->count; i++) {
        count += tasks->items[i].is_greenlet;
    }
    return count;
}

void task_tree_append(const struct trace *trace, const struct dumped_tasks *tasks,
                      struct buffer *out) {
    struct tree tree = {.trace = trace, .tasks = tasks, .out = out};
    tree.is_told = memory_zeroed(tasks->count + 1, sizeof *tree.is_told);
    tree.first_child = memory_zeroed(tasks->count + 1, sizeof *tree.first_child);
    tree.next_child = memory_zeroed(tasks->count + 1, sizeof *tree.next_child);
    size_t greenlets = greenlet_count(tasks);
    buffer_printf(out, "\nTasks: %zu\n", tasks->count - greenlets);
    if (greenlets > 0) {
        buffer_printf(out, "Suspended greenlets: %zu\n", greenlets);
    }
    link_children(&tree);
    append_roots(&tree);
    each_circle(tasks, append_circle, &tree);
    free(tree.is_told);
    free(tree.first_child);
    free(tree.next_child);
}

/* ---- JSON ---- */

static cJSON *id_json(const struct dumped_task *task) {
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, task->at);
    return cJSON_CreateString(text);
}

static cJSON *frames_json(const struct trace *trace, struct stack_id at) {
    cJSON *list = cJSON_CreateArray();
    for (; at.id != 0; at = trace_stack(trace, at)->parent) {
        const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, at)->frame);
        const struct trace_function *function = trace_function(trace, frame->function);
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "function", trace_string(trace, function->name));
        cJSON_AddStringToObject(json, "file", trace_string(trace, function->file));
        cJSON_AddNumberToObject(json, "line", frame->line);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static cJSON *task_json(const struct trace *trace, const struct dumped_tasks *tasks, size_t index) {
    const struct dumped_task *task = &tasks->items[index];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "id", id_json(task));
    cJSON_AddStringToObject(json, "kind", task->is_greenlet ? "greenlet" : "task");
    cJSON_AddStringToObject(json, "name", trace_string(trace, task->name));
    cJSON_AddStringToObject(json, "state", state_words[task->state]);
    if (task->thread.id != 0) {
        cJSON_AddNumberToObject(json, "tid", trace_thread(trace, task->thread)->tid);
    }
    cJSON_AddBoolToObject(json, "confirmed", !task->is_moving);
    cJSON *parents = cJSON_AddArrayToObject(json, "waited_for_by");
    for (size_t i = 0; i < task->parent_count; i++) {
        size_t parent = tasks->parents[task->first_parent + i];
        cJSON_AddItemToArray(parents, id_json(&tasks->items[parent]));
    }
    cJSON_AddItemToObject(json, "frames", frames_json(trace, task->stack));
    return json;
}

cJSON *task_tree_json(const struct trace *trace, const struct dumped_tasks *tasks) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < tasks->count; i++) {
        cJSON_AddItemToArray(list, task_json(trace, tasks, i));
    }
    return list;
}

static void add_circle(void *context, const struct dumped_tasks *tasks, size_t start) {
    cJSON *circle = cJSON_CreateArray();
    size_t at = start;
    do {
        cJSON_InsertItemInArray(circle, 0, id_json(&tasks->items[at]));
        at = next_in_circle(tasks, at);
    } while (at != start);
    cJSON_AddItemToArray(context, circle);
}

cJSON *task_tree_cycles_json(const struct dumped_tasks *tasks) {
    cJSON *list = cJSON_CreateArray();
    each_circle(tasks, add_circle, list);
    return list;
}
