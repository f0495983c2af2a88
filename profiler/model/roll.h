/* The tasks that there are at one moment: who each is, where it stands, and since when. */
#ifndef PYROMETER_MODEL_ROLL_H
#define PYROMETER_MODEL_ROLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/sample.h"

/* What a task does. */
enum roll_state {
    ROLL_WAITS,
    ROLL_RUNS,
    ROLL_BEGINS, /* it has not run yet */
    ROLL_MOVES,  /* it was not the same in two looks right after each other */
};

/* What tells the stacks of a task from those of others: the marker that they have, and where that
 * says no more than that it is a task, the task's own coroutine. */
struct task_key {
    struct function_id marker; /* 0: none, any task */
    struct function_id coroutine;
};

struct roll_entry {
    uint32_t pid;
    uint32_t state; /* enum roll_state */
    uint64_t at;    /* its address there */
    struct task_key key;
    struct string_id name;
    struct stack_id stack;    /* its awaits, on those who wait for it; 0 unless it waits */
    struct string_id awaited; /* name of a task that it waits for, if it does for any */
    uint32_t awaited_count;   /* of tasks that it waits for */
    uint64_t since_ns;        /* it was seen there, for the same thing, ever since; 0: not known */
};

struct roll {
    struct roll_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t time_ns; /* when it was called, as since_ns: monotonic; 0: never */
};

/* From now on these are the tasks of this process. */
void roll_replace(struct roll *roll, uint32_t pid, const struct roll_entry *entries, size_t count,
                  uint64_t now_ns);
/* Makes `to` the same. */
void roll_copy(struct roll *to, const struct roll *from);
/* Accepts a zeroed one, which it leaves. */
void roll_deinit(struct roll *roll);

#endif
