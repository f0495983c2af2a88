/* What kind of object lies at an address, as far as it matters to who follows tasks: told by the
 * name of its type, or of one that this is derived from. */
#ifndef PYROMETER_TARGET_RUNTIME_KINDS_H
#define PYROMETER_TARGET_RUNTIME_KINDS_H

#include <stddef.h>
#include <stdint.h>

#include "target-runtime/runtime.h"

enum object_kind {
    KIND_UNREADABLE,
    KIND_OTHER,
    KIND_NONE,
    KIND_INTEGER,
    KIND_STRING,
    KIND_LIST,
    KIND_SET,
    KIND_WEAKREF,
    KIND_GENERATOR,       /* a generator, coroutine or asynchronous generator */
    KIND_WRAPPER,         /* what awaits another object, which is the first word behind its head */
    KIND_FUTURE_ITERATOR, /* the same, of a future made in C */
    KIND_WAKEUP,          /* the same, of a task: the callback that goes on with it (to 3.11) */
    KIND_TASK,            /* _asyncio.Task, or a class derived from it */
    KIND_FUTURE,          /* _asyncio.Future, the same */
    KIND_PYTHON_TASK,     /* a class named Task that is derived from one named Future */
    KIND_PYTHON_FUTURE,   /* a class named Future */
    KIND_BUILTIN,         /* builtin_function_or_method */
    KIND_METHOD,
    KIND_FUNCTION,
    KIND_PARTIAL,  /* functools.partial */
    KIND_GREENLET, /* greenlet.greenlet, or a class derived from it */
    KIND_COUNT,
};

struct kind_row {
    uint64_t type;
    enum object_kind kind;
    uint64_t size; /* tp_basicsize of the type that was recognised */
};

/* The types that were met. Zeroed: none. */
struct kinds {
    struct kind_row *rows; /* open addressing */
    size_t count;
    size_t capacity;
};

/* Accepts zeroed kinds. */
void kinds_deinit(struct kinds *kinds);
/* Forgets all: types can be freed, too. */
void kinds_clear(struct kinds *kinds);

/* What the object at `object` is; `size_out` may be NULL. Statuses that are about the whole target;
 * an object that cannot be read is KIND_UNREADABLE. */
enum status kinds_find(struct kinds *kinds, const struct runtime *runtime, struct remote object,
                       enum object_kind *out, uint64_t *size_out) MUST_CHECK;

#endif
