/* What a frame on top of a stack came to the last time: programs do the same over and over, and a
 * call that was proved once stays proved as long as its code is what it was. A table of fixed size,
 * in which the newer takes the place of the older. */
#ifndef PYROMETER_PROFILER_SHORTCUTS_H
#define PYROMETER_PROFILER_SHORTCUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/trace.h"
#include "target-runtime/walk.h"

struct shortcuts;

struct shortcuts *shortcuts_create(void);
/* Accepts NULL. */
void shortcuts_destroy(struct shortcuts *shortcuts);

/* A frame of code `code` at `position` on the stack `below`, and what it called: 0 and 0 when it is
 * the newest one. Padded with zeros. */
struct passage {
    uint64_t code;
    uint64_t position;
    uint64_t callee_code;
    uint64_t callee_position; /* 0 unless the callee has no code any more */
    uint64_t interpreter;
    struct stack_id below;
    uint32_t tlbc_index;
    uint32_t is_from_c; /* the callee is */
    uint32_t reserved;
};

struct passage passage_of(const struct raw_frame *frame, const struct raw_frame *callee,
                          uint64_t interpreter, struct stack_id below);

/* Whether the passage is known to be good in this epoch of the code objects (codes_epoch) and now;
 * then the stack up to and with the frame. */
bool shortcuts_find(const struct shortcuts *shortcuts, const struct passage *passage,
                    uint64_t epoch, uint64_t now_ns, struct stack_id *out);

/* It is, until then. */
void shortcuts_put(struct shortcuts *shortcuts, const struct passage *passage, uint64_t epoch,
                   uint64_t until_ns, struct stack_id stack);

#endif
