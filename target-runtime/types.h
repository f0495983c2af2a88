/* Types of the target: which of the plain ones it is, and what its objects are called. */
#ifndef PYROMETER_TARGET_RUNTIME_TYPES_H
#define PYROMETER_TARGET_RUNTIME_TYPES_H

#include <stddef.h>

#include "profiler/base/buffer.h"
#include "target-runtime/runtime.h"

/* The types themselves, not classes made of them. */
enum type_kind {
    TYPE_OTHER,
    TYPE_NONE,
    TYPE_BOOL,
    TYPE_INT,
    TYPE_FLOAT,
    TYPE_STR,
    TYPE_BYTES,
    TYPE_TUPLE,
    TYPE_LIST,
    TYPE_DICT,
    TYPE_SET,
    TYPE_FROZENSET,
    TYPE_CELL,
};

struct type {
    struct remote address;
    enum type_kind kind;
    struct buffer name; /* "package.module.Class"; without a module for builtins; UTF-8 */
};

/* Those that were met; zeroed: none. A type that ends may lend its name to another at its address,
 * so this is not to be kept for long. */
struct types {
    struct type *all;
    size_t count;
    size_t capacity;
};

/* The type at an address, read when it is not known; NULL when there is none. Borrowed until the
 * next call. */
const struct type *types_find(struct types *types, const struct runtime *runtime,
                              struct remote address);
/* Accepts zeroed types. */
void types_deinit(struct types *types);

#endif
