/* What Python's repr() would say of an object, as far as that can be read: a bounded text made from
 * the target's memory, which is not trusted and may change meanwhile.
 *
 *   None, bool, int, float, str, bytes   as Python writes them; of long texts the beginning, and
 *                                        "..."; of huge ints the size
 *   tuple, list, dict, set, frozenset    their first items, REPR_DEPTH deep, and "..."
 *   everything else, and classes         "<package.module.Class at 0x7f...>"
 *   made of those above
 *   what cannot be read                  "<unreadable>" */
#ifndef PYROMETER_TARGET_RUNTIME_REPR_H
#define PYROMETER_TARGET_RUNTIME_REPR_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "target-runtime/runtime.h"
#include "target-runtime/types.h"

#define REPR_UNREADABLE "<unreadable>"

enum {
    REPR_DEPTH = 2,       /* containers in containers */
    REPR_ITEMS = 10,      /* shown of one container */
    REPR_OBJECTS = 60,    /* looked at for one repr */
    REPR_TEXT_COUNT = 100 /* characters or bytes shown of one */
};

struct repr {
    const struct runtime *runtime; /* borrowed */
    struct types types;
    uint64_t last_call;    /* memory.calls from which on nothing is read any more */
    uint32_t objects_left; /* of the one being made */
};

/* At most `calls` reads of memory will be made, and few more. */
void repr_init(struct repr *repr, const struct runtime *runtime, uint64_t calls);
void repr_deinit(struct repr *repr);

/* Appends one. Valid UTF-8, but it may hold any character above U+00A0. */
void repr_append(struct repr *repr, struct remote object, struct buffer *out);

/* What a cell holds; NULL when it is empty. NOT_MAPPED, and TORN when it is no cell. */
enum status repr_cell(struct repr *repr, struct remote cell, struct remote *out) MUST_CHECK;

#endif
