/* Where an interpreter keeps its tasks: in sets of the module asyncio.tasks, and from 3.14 on in
 * lists of its own. Greenlets, which nobody keeps, are searched for. */
#ifndef PYROMETER_TARGET_RUNTIME_TASK_LISTS_H
#define PYROMETER_TARGET_RUNTIME_TASK_LISTS_H

#include "reader/process.h"
#include "target-runtime/greenlet_search.h"
#include "target-runtime/task_reader.h"
#include "target-runtime/walk.h"

/* What the module asyncio.tasks of one interpreter holds; NULL what it does not. */
struct task_sets {
    uint64_t interpreter;
    uint64_t module;
    struct remote all;       /* _all_tasks, to 3.11: a WeakSet */
    struct remote scheduled; /* _scheduled_tasks, from 3.12: the same */
    struct remote eager;     /* _eager_tasks, from 3.12: a set */
    struct remote current;   /* _current_tasks: a dict of loops and the tasks that they run */
    uint32_t looks_to_come;  /* until it is looked for again */
};

struct task_lists {
    const struct process *process; /* borrowed */
    struct task_sets *sets;
    size_t set_count;
    size_t set_capacity;
    struct asyncio_published published; /* from 3.14 */
    bool has_published;
    uint32_t publisher_looks;       /* until it is looked for again */
    struct greenlet_search *search; /* borrowed */
};

/* A place where an interpreter or a thread keeps tasks. */
enum task_place_kind {
    TASKS_IN_REFERENCES, /* a WeakSet */
    TASKS_IN_SET,
    TASKS_IN_LIST,  /* `at` is its head, a struct llist_node (pycore_llist.h: next, prev) */
    TASKS_IN_POOLS, /* greenlets, anywhere in Python's memory */
};

struct task_place {
    enum task_place_kind kind;
    struct remote at;
    struct greenlet_search *search; /* TASKS_IN_POOLS; borrowed from the lists */
};

/* Accepts zeroed lists. */
void task_lists_deinit(struct task_lists *lists);

/* Calls `visit` with every place of the interpreters and threads of the look, until it returns
 * false. */
typedef bool place_visit(void *context, const struct task_place *place);
enum status task_lists_each_place(struct task_lists *lists, struct task_reader *reader,
                                  const struct raw_look *threads, place_visit *visit,
                                  void *context) MUST_CHECK;
/* Calls `visit` with every task there may be of the interpreters and threads of the look; some of
 * them several times. What is met need not be a task any more. */
enum status task_lists_each(struct task_lists *lists, struct task_reader *reader,
                            const struct raw_look *threads, element_visit *visit,
                            void *context) MUST_CHECK;
/* The same with those that loops are running. */
enum status task_lists_each_running(struct task_lists *lists, struct task_reader *reader,
                                    const struct raw_look *threads, element_visit *visit,
                                    void *context) MUST_CHECK;

#endif
