/* What was made of tasks in one look: numbers, and how to find a task among them. */
#ifndef PYROMETER_TARGET_RUNTIME_TASK_LOOK_H
#define PYROMETER_TARGET_RUNTIME_TASK_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "target-runtime/walk.h"

struct raw_task {
    uint64_t at; /* address of the task */
    uint64_t loop;
    uint64_t loop_ident; /* threading.get_ident() of the thread that runs it; 0 unknown */
    uint64_t coroutine;
    uint64_t root_frame; /* address of the coroutine's frame; 0: it has ended, or is none of ours */
    uint64_t root_code;  /* of that frame */
    uint64_t awaited;    /* the object that its innermost coroutine waits for; 0: none */
    bool is_greenlet; /* its frames are a stack of its own; `awaited` is the newest one's object */
    bool is_running;  /* its frames are on a thread's stack */
    bool is_created;  /* it has not begun */
    bool has_exception; /* one of its coroutines is in a handler; unless it runs */
    bool is_confirmed;
    size_t name_at; /* into task_look.texts */
    size_t name_length;
    size_t first_frame;  /* into task_look.frames: the chain of awaits, outermost first */
    size_t frame_count;  /* 0 while it runs */
    size_t first_parent; /* into task_look.parents: the tasks that wait for it, by address */
    size_t parent_count;
};

/* Tasks that have not ended. Borrowed until the look after the next. */
struct task_look {
    struct raw_task *tasks;
    size_t count;
    size_t capacity;
    struct raw_frame *frames;
    size_t frame_count;
    size_t frame_capacity;
    uint64_t *parents;
    size_t parent_count;
    size_t parent_capacity;
    struct buffer texts;
    uint32_t *index; /* task + 1 by address, open addressing */
    size_t index_count;
};

/* Accepts a zeroed look. */
void task_look_deinit(struct task_look *look);
/* Makes it an empty one; to be called before the first use, too. */
void task_look_reset(struct task_look *look);

/* Adds a task, or a frame of the one that comes next. */
void task_look_push(struct task_look *look, const struct raw_task *task);
void task_look_push_frame(struct task_look *look, const struct raw_frame *frame);

/* The task at an address; NULL if it is not in the look. */
const struct raw_task *task_find(const struct task_look *look, uint64_t at);
/* Its name, not terminated, `name_length` bytes. */
const char *task_name(const struct task_look *look, const struct raw_task *task);

/* Whether all that is known of a task is the same in two looks. */
bool task_look_same(const struct task_look *a, const struct raw_task *one,
                    const struct task_look *b, const struct raw_task *other);

#endif
