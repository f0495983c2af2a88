/* The local variables of a frame: their names, and their values as text (repr.h). Only what has a
 * slot in the frame: a module and the body of a class keep theirs in a dict, and have none. */
#ifndef PYROMETER_TARGET_RUNTIME_LOCALS_H
#define PYROMETER_TARGET_RUNTIME_LOCALS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buffer.h"
#include "target-runtime/repr.h"
#include "target-runtime/runtime.h"
#include "target-runtime/walk.h"

#define LOCALS_CHANGING "<changing>"

enum { LOCALS_LIMIT = 200 /* of one frame; further ones are left out */ };

struct local {
    struct buffer name; /* UTF-8 */
    struct buffer value;
};

/* Those of one frame that had a value. */
struct frame_locals {
    struct local *all;
    size_t count;
    bool is_readable; /* the frame and its names could be read */
    bool is_cut;      /* there are more than LOCALS_LIMIT */
};

/* What reads them: knows the names of the frames' variables by code object, for as long as these
 * surely stay. */
struct locals;

/* `runtime` is borrowed and must outlive it. It reads memory `calls` times, and little more; what
 * comes after is unreadable. */
struct locals *locals_create(const struct runtime *runtime, uint64_t calls);
/* Accepts NULL. */
void locals_destroy(struct locals *locals);

/* Reads those of a frame, once if the target stands still; else until two looks agree about each of
 * them, some times at most: what never does is "<changing>". Whether the frame was still on the
 * stack meanwhile is for the caller to find out. `out` is to be given to locals_free. */
void locals_read(struct locals *locals, const struct raw_frame *frame, bool is_stopped,
                 struct frame_locals *out);
/* Accepts a zeroed one, and leaves one. */
void locals_free(struct frame_locals *frame_locals);

#endif
