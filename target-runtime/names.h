/* What the names in a code object stand for: the functions that its globals of these names are at
 * present. Read from the target while it runs; everything is bounded, and what cannot be read is
 * nobody. */
#ifndef PYROMETER_TARGET_RUNTIME_NAMES_H
#define PYROMETER_TARGET_RUNTIME_NAMES_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "target-runtime/runtime.h"

/* By index in co_names. */
struct name {
    uint64_t text; /* address of the str; names are interned, so the same text has the same one */
    uint64_t code; /* address of the code object of the function that the global is; 0: none */
};

struct names {
    struct name *rows;
    uint32_t count;
};

/* Reads the names of `code`, and what they stand for in `globals`, a dict. TORN when there are too
 * many names or globals. `out` is to be given to names_free even then. */
enum status names_read(const struct runtime *runtime, struct remote code, struct remote globals,
                       struct names *out) MUST_CHECK;
/* Accepts zeroed names. */
void names_free(struct names *names);

#endif
