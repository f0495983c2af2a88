/* Where things lie in the tasks and futures that are made in C: TaskObj and FutureObj of the module
 * _asyncio (Modules/_asynciomodule.c). No header shows these; the offsets are those of the debug
 * information of 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0, and from 3.14 on those that
 * the module publishes (its section .AsyncioDebug) with those beside them.
 *
 * A version has one row for each size that its _asyncio.Task (tp_basicsize) had: 3.10.6 made the
 * structure longer. Everything is counted from the end of the object's head (16 bytes, 32 in
 * free-threaded builds), which makes it the same in both. */
#ifndef PYROMETER_TARGET_RUNTIME_TASK_LAYOUT_H
#define PYROMETER_TARGET_RUNTIME_TASK_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define TASK_NOWHERE UINT16_MAX

struct task_layout {
    uint32_t body_bytes; /* tp_basicsize of _asyncio.Task without the head; 0 ends the rows */
    /* FutureObj, with which a TaskObj begins: */
    uint16_t loop;
    uint16_t callback0;         /* the first callback; NULL: none */
    uint16_t callbacks;         /* a list of the others, (callback, context); NULL or None: none */
    uint16_t state;             /* int: 0 pending, 1 cancelled, 2 finished */
    uint16_t awaited_by;        /* from 3.14: NULL, a future, or a set of futures */
    uint16_t awaited_by_is_set; /* from 3.14: char */
    /* TaskObj: */
    uint16_t waiter; /* the future that it waits for, NULL if none */
    uint16_t coroutine;
    uint16_t name; /* str; from 3.12 also int: 7 is "Task-7" */
    uint16_t node; /* from 3.14: struct llist_node */
};

/* Every version's rows; the last one is zero. */
extern const struct task_layout task_layouts_py3_8[];
extern const struct task_layout task_layouts_py3_9[];
extern const struct task_layout task_layouts_py3_10[];
extern const struct task_layout task_layouts_py3_11[];
extern const struct task_layout task_layouts_py3_12[];
extern const struct task_layout task_layouts_py3_13[];
extern const struct task_layout task_layouts_py3_14[];
extern const struct task_layout task_layouts_py3_15[];

/* What _asyncio publishes from 3.14 on (Modules/_asynciomodule.c, struct
 * _Py_AsyncioModuleDebugOffsets): 13 words, in bytes from the start of their structure. */
struct asyncio_published {
    struct {
        uint64_t size;
        uint64_t name;
        uint64_t awaited_by;
        uint64_t is_task;
        uint64_t awaited_by_is_set;
        uint64_t coroutine;
        uint64_t node;
    } task;
    struct {
        uint64_t size;
        uint64_t tasks_head; /* of tasks whose thread has ended */
    } interpreter;
    struct {
        uint64_t size;
        uint64_t running_loop;
        uint64_t running_task;
        uint64_t tasks_head;
    } thread;
};

/* Whether it can be: every offset is aligned and inside of its structure, and of the task those are
 * where `row` has them. */
bool task_layout_agrees(const struct task_layout *row, const struct asyncio_published *published,
                        uint64_t head_bytes);

#endif
