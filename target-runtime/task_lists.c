#include "target-runtime/task_lists.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "reader/symbols.h"

enum {
    RETRY_LOOKS = 64,    /* from one search for the module to the next, while it is not there */
    REFRESH_LOOKS = 512, /* the same once it was found */
};

void task_lists_deinit(struct task_lists *lists) {
    free(lists->sets);
    *lists = (struct task_lists){0};
}

/* ---- the module ---- */

/* An attribute of a module; NULL if it has none of that name. */
static enum status find_global(const struct task_reader *reader, struct remote dict,
                               const char *name, struct remote *out) {
    enum status status = dict_find(&reader->runtime, dict, name, out);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status find_module(const struct task_reader *reader, uint64_t interpreter,
                               struct remote *out) {
    const struct layout *layout = reader->runtime.layout;
    struct remote modules;
    enum status status = memory_read_remote(
        reader->runtime.memory,
        remote_at((struct remote){interpreter}, LAYOUT_AT(layout, interpreter, modules)), &modules);
    return status == STATUS_OK ? dict_find(&reader->runtime, modules, "asyncio.tasks", out)
                               : status;
}

/* Looks the module up. What of it cannot be read is not there. */
static enum status read_sets(const struct task_reader *reader, struct task_sets *sets) {
    const struct {
        const char *name;
        struct remote *out;
    } rows[] = {{"_all_tasks", &sets->all},
                {"_scheduled_tasks", &sets->scheduled},
                {"_eager_tasks", &sets->eager},
                {"_current_tasks", &sets->current}};
    struct remote module = {0};
    struct remote dict = {0};
    enum status status = find_module(reader, sets->interpreter, &module);
    if (status == STATUS_OK) {
        status = memory_read_remote(
            reader->runtime.memory,
            remote_at(module, LAYOUT_AT(reader->runtime.layout, module, dict)), &dict);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == STATUS_OK; i++) {
        status = find_global(reader, dict, rows[i].name, rows[i].out);
    }
    sets->module = status == STATUS_OK ? module.addr : 0;
    sets->looks_to_come = sets->module != 0 ? REFRESH_LOOKS : RETRY_LOOKS;
    return status == STATUS_GONE || status == STATUS_NOT_PERMITTED ? status : STATUS_OK;
}

static enum status sets_of(struct task_lists *lists, const struct task_reader *reader,
                           uint64_t interpreter, struct task_sets **out) {
    size_t at = 0;
    while (at < lists->set_count && lists->sets[at].interpreter != interpreter) {
        at++;
    }
    if (at == lists->set_count) {
        if (at == lists->set_capacity) {
            lists->sets =
                memory_grow(lists->sets, sizeof *lists->sets, at + 1, &lists->set_capacity);
        }
        lists->sets[lists->set_count++] = (struct task_sets){.interpreter = interpreter};
    }
    *out = &lists->sets[at];
    if ((*out)->looks_to_come > 0) {
        (*out)->looks_to_come--;
        return STATUS_OK;
    }
    **out = (struct task_sets){.interpreter = interpreter};
    return read_sets(reader, *out);
}

/* ---- what _asyncio publishes ---- */

static bool may_publish(const struct mapping *mapping) {
    const char *name = strrchr(mapping->path, '/');
    return mapping->inode != 0 && mapping->is_executable && name != NULL &&
           (strstr(name, "_asyncio") != NULL || strstr(name, "python") != NULL);
}

/* Looks for the section in the files that may hold it: the module's own, or the interpreter's where
 * the module is built in. */
static bool find_published(const struct task_lists *lists, const struct task_reader *reader,
                           const struct maps *maps, struct asyncio_published *out) {
    for (size_t i = 0; i < maps->count; i++) {
        struct remote at;
        if (may_publish(&maps->items[i]) &&
            symbols_locate(lists->process, maps, &maps->items[i], NULL, ".AsyncioDebug", NULL,
                           &at) == STATUS_OK &&
            memory_read_one(reader->runtime.memory, at, out, sizeof *out) == STATUS_OK &&
            task_layout_agrees(reader->runtime.layout->tasks, out, reader->head_bytes)) {
            return true;
        }
    }
    return false;
}

static bool knows_published(struct task_lists *lists, const struct task_reader *reader) {
    struct maps maps;
    struct error error;
    if (lists->has_published || reader->runtime.layout->tasks->node == TASK_NOWHERE) {
        return lists->has_published;
    }
    if (lists->publisher_looks > 0) {
        lists->publisher_looks--;
        return false;
    }
    lists->publisher_looks = RETRY_LOOKS;
    if (maps_read(lists->process, &maps, &error) == STATUS_OK) {
        lists->has_published = find_published(lists, reader, &maps, &lists->published);
        maps_free(&maps);
    }
    return lists->has_published;
}

/* ---- linked lists ---- */

/* Follows a list of tasks whose head, a struct llist_node (pycore_llist.h: next, prev), is at
 * `head`. A node that was taken out meanwhile leads nowhere, or round in another list: the length
 * is bounded, and whoever visits knows whom it has met. */
static enum status each_linked(const struct task_reader *reader, struct remote head,
                               element_visit *visit, void *context) {
    uint64_t node_at = reader->head_bytes + reader->runtime.layout->tasks->node;
    struct remote node;
    enum status status = memory_read_remote(reader->runtime.memory, head, &node);
    for (int i = 0; i < COLLECTION_LIMIT && status == STATUS_OK; i++) {
        if (node.addr == 0 || node.addr == head.addr ||
            !visit(context, (struct remote){node.addr - node_at})) {
            break;
        }
        status = memory_read_remote(reader->runtime.memory, node, &node);
    }
    return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
}

/* ---- one interpreter, one thread ---- */

static bool is_fatal(enum status status) {
    return status == STATUS_GONE || status == STATUS_NOT_PERMITTED;
}

/* What is done with each place. */
struct place_walk {
    place_visit *visit;
    void *context;
};

static bool visit_place(const struct place_walk *walk, enum task_place_kind kind,
                        struct remote at) {
    struct task_place place = {.kind = kind, .at = at};
    return at.addr == 0 || walk->visit(walk->context, &place);
}

static bool visit_places(const struct task_sets *sets, const struct place_walk *walk) {
    return visit_place(walk, TASKS_IN_REFERENCES, sets->all) &&
           visit_place(walk, TASKS_IN_REFERENCES, sets->scheduled) &&
           visit_place(walk, TASKS_IN_SET, sets->eager);
}

static bool was_met(const struct raw_look *threads, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (threads->threads[i].interpreter == threads->threads[count].interpreter) {
            return true;
        }
    }
    return false;
}

static enum status places_of(struct task_lists *lists, struct task_reader *reader,
                             uint64_t interpreter, const struct place_walk *walk, bool *more) {
    struct task_sets *sets;
    enum status status = sets_of(lists, reader, interpreter, &sets);
    if (status == STATUS_OK && sets->module != 0) {
        *more = visit_places(sets, walk);
    }
    if (status == STATUS_OK && *more && knows_published(lists, reader)) {
        *more = visit_place(
            walk, TASKS_IN_LIST,
            remote_at((struct remote){interpreter}, lists->published.interpreter.tasks_head));
    }
    return status;
}

enum status task_lists_each_place(struct task_lists *lists, struct task_reader *reader,
                                  const struct raw_look *threads, place_visit *visit,
                                  void *context) {
    struct place_walk walk = {visit, context};
    enum status status = STATUS_OK;
    bool more = true;
    for (size_t i = 0; i < threads->thread_count && more && status == STATUS_OK; i++) {
        if (!was_met(threads, i)) {
            status = places_of(lists, reader, threads->threads[i].interpreter, &walk, &more);
        }
    }
    for (size_t i = 0; i < threads->thread_count && more && status == STATUS_OK; i++) {
        if (knows_published(lists, reader)) {
            more = visit_place(
                &walk, TASKS_IN_LIST,
                remote_at(threads->threads[i].state, lists->published.thread.tasks_head));
        }
    }
    if (status == STATUS_OK && more && lists->search != NULL &&
        greenlet_search_is_worth(lists->search, threads)) {
        struct task_place pools = {.kind = TASKS_IN_POOLS, .search = lists->search};
        visit(context, &pools);
    }
    return status;
}

/* ---- all of them ---- */

struct element_walk {
    const struct task_reader *reader;
    element_visit *visit;
    void *context;
    enum status status;
};

static bool walk_place(void *context, const struct task_place *place) {
    struct element_walk *walk = context;
    const struct runtime *runtime = &walk->reader->runtime;
    enum status status = STATUS_OK;
    switch (place->kind) {
    case TASKS_IN_REFERENCES:
        status = weak_set_each(runtime, place->at, walk->visit, walk->context);
        break;
    case TASKS_IN_SET: status = set_each(runtime, place->at, walk->visit, walk->context); break;
    case TASKS_IN_LIST:
        status = each_linked(walk->reader, place->at, walk->visit, walk->context);
        break;
    case TASKS_IN_POOLS: break; /* whoever wants greenlets searches himself */
    }
    walk->status = is_fatal(status) ? status : STATUS_OK;
    return walk->status == STATUS_OK;
}

enum status task_lists_each(struct task_lists *lists, struct task_reader *reader,
                            const struct raw_look *threads, element_visit *visit, void *context) {
    struct element_walk walk = {.reader = reader, .visit = visit, .context = context};
    enum status status = task_lists_each_place(lists, reader, threads, walk_place, &walk);
    return status != STATUS_OK ? status : walk.status;
}

/* ---- those that run ---- */

struct value_visit {
    element_visit *visit;
    void *context;
};

static bool visit_value(void *context, struct remote key, struct remote value) {
    struct value_visit *inner = context;
    (void)key;
    return inner->visit(inner->context, value);
}

static enum status each_current(const struct task_sets *sets, const struct task_reader *reader,
                                element_visit *visit, void *context) {
    struct value_visit inner = {visit, context};
    struct dict_entries entries;
    if (sets->current.addr == 0) {
        return STATUS_OK;
    }
    enum status status = dict_entries_of(&reader->runtime, sets->current, &entries);
    if (status == STATUS_OK) {
        status = dict_each(&reader->runtime, &entries, visit_value, &inner);
    }
    return is_fatal(status) ? status : STATUS_OK;
}

enum status task_lists_each_running(struct task_lists *lists, struct task_reader *reader,
                                    const struct raw_look *threads, element_visit *visit,
                                    void *context) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < threads->thread_count && status == STATUS_OK; i++) {
        struct task_sets *sets;
        if (was_met(threads, i)) {
            continue;
        }
        status = sets_of(lists, reader, threads->threads[i].interpreter, &sets);
        if (status == STATUS_OK && sets->module != 0) {
            status = each_current(sets, reader, visit, context);
        }
    }
    for (size_t i = 0; i < threads->thread_count && status == STATUS_OK; i++) {
        struct remote task = {0};
        if (knows_published(lists, reader)) {
            status = memory_read_remote(
                reader->runtime.memory,
                remote_at(threads->threads[i].state, lists->published.thread.running_task), &task);
        }
        if (status == STATUS_OK && task.addr != 0) {
            visit(context, task);
        }
        status = is_fatal(status) ? status : STATUS_OK;
    }
    return status;
}
