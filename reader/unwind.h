/* From a thread's registers and a copy of its stack to the functions that are being executed. Knows
 * no Python.
 *
 * The thread may run on while its copy is unwound. What says how to unwind lies in the process's
 * read-only memory and is read once; nothing else of the process is read. */
#ifndef PYROMETER_READER_UNWIND_H
#define PYROMETER_READER_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/modules.h"
#include "reader/registers.h"

/* The stack from `at` on, as it was. */
struct stack_copy {
    uint64_t at;
    const uint8_t *bytes;
    uint32_t count;
};

struct native_frame {
    uint64_t pc; /* the instruction, or the one after the call that is being made */
    uint64_t sp; /* its part of the stack begins here, and ends where its caller's begins */
    bool is_call;
};

/* Newest frame first. */
struct native_stack {
    struct native_frame *frames;
    size_t count;
    size_t capacity;
    bool is_whole; /* the last one has no caller */
};

struct unwinder;

/* Both are borrowed and must outlive it. NULL when there is no memory. */
struct unwinder *unwinder_create(const struct process *process, struct memory *memory);
/* Accepts NULL. */
void unwinder_destroy(struct unwinder *unwinder);

/* Looks again what is mapped, for an address that was in nothing known; not more often than is good
 * for the process's other users of its map. True when it has looked: pointers to modules are no
 * longer valid, and addresses may mean something else now. */
bool unwinder_refresh(struct unwinder *unwinder, uint64_t now_ns);
/* What is mapped, as far as known. Borrowed until the next refresh. */
const struct modules *unwinder_modules(const struct unwinder *unwinder);

/* Unwinds as far as it goes; `out` is filled anew and the caller frees its frames. */
void unwinder_unwind(struct unwinder *unwinder, const struct registers *registers,
                     const struct stack_copy *stack, struct native_stack *out);
/* Where the function begins that the instruction at `pc` belongs to, which may be apart from the
 * rest of its function; 0 when that is not known. */
uint64_t unwinder_function(struct unwinder *unwinder, uint64_t pc);

#endif
