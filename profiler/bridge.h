/* A gap in a stack: the target left the newest frames while they were copied, and others now lie in
 * the place of those between. What is left of them above the gap still says who they were, and if
 * there is but one way to come there from what lies below, over calls that are known to be made,
 * then that is what stood in between. */
#ifndef PYROMETER_PROFILER_BRIDGE_H
#define PYROMETER_PROFILER_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/verify.h"

enum { BRIDGE_LIMIT = 32 }; /* frames that a bridge can be long */

/* The frames that lie below the gap, as their callers see them: the code object's address of the
 * frame at a depth, the root being 0. */
typedef uint64_t bridge_code_at(const void *context, size_t depth);

struct bridge {
    size_t depth;                          /* of the frame that it starts from */
    struct calling callings[BRIDGE_LIMIT]; /* that one's call first */
    size_t count;
};

/* The only bridge to `callee` at `depth`; false when there is none, or more than one. `*out` is
 * then undefined. */
bool bridge_find(const struct verify *verify, struct codes *codes, const struct known *callee,
                 size_t depth, bridge_code_at *code_at, const void *context, uint64_t now_ns,
                 struct bridge *out);

#endif
