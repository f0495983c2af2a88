/* What threads are doing, as far as the target's memory tells: who holds the GIL and who asks for
 * it, who collects garbage, who handles an exception. All of it lies in what a look copies anyway,
 * but for the handlers of generators, which are foreseen with their frames. */
#ifndef PYROMETER_TARGET_RUNTIME_STATES_H
#define PYROMETER_TARGET_RUNTIME_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target-runtime/chain.h"
#include "target-runtime/runtime.h"
#include "target-runtime/view.h"
#include "target-runtime/walk.h"

/* What is kept of an interpreter. */
struct interpreter {
    struct remote at;
    uint64_t gil; /* address of its GIL, which may be another's; 0: not known yet, or none */
    /* In this look: */
    uint64_t holder; /* thread state that holds the GIL inside of this interpreter; 0: nobody */
    bool is_collecting;
    uint64_t collecting_frame; /* the newest one when the collector began; 0: not told (-3.14) */
};

/* What is known of values that may be exceptions: None stands for none at all. */
struct handlers {
    uint64_t none; /* address of None; 0: not asked for yet, or not found */
    int tries;     /* to find it */
};

/* The stretch of _PyRuntime, and that of an interpreter, that a look copies. */
struct stretch states_runtime_fields(const struct layout *layout);
struct stretch states_interpreter_fields(const struct layout *layout);

/* Takes in the copy of an interpreter's fields; `interpreter->at` is set. */
void states_read_interpreter(const struct runtime *runtime, const struct view *fields,
                             struct interpreter *interpreter);

/* What the fields of one thread say: whether it is attached, asks for the GIL, or handles an
 * exception. `slot` is the thread's, whose frames were copied. `*status_out`, OK before, becomes
 * GONE or NOT_PERMITTED when something could not be read for that. */
void states_read_thread(struct handlers *handlers, struct runtime *runtime, struct chains *chains,
                        struct slot *slot, const struct view *fields, struct raw_thread *raw,
                        enum status *status_out);

/* At the end of a look: marks the threads that hold a GIL, and those that collect. `fields` is the
 * copy of the runtime's. */
void states_mark(const struct runtime *runtime, const struct view *fields,
                 const struct interpreter *interpreters, size_t count, struct raw_look *look);

#endif
