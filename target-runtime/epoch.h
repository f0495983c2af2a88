/* Epochs of the GIL: as long as nobody else takes it, every thread but one stands where it stood.
 *
 * Whoever takes the GIL after another thread had it counts it up before he runs any Python
 * (switch_number: take_gil(), Python/ceval_gil.h, 3.8 to 3.11, and ceval_gil.c, 3.12 to 3.15), and
 * whoever waits for it changes the condition that lies behind that count. So while these bytes are
 * the same from look to look, only the thread that had the GIL last can have moved, and the others
 * need not be read again. A program with many threads that rest costs little more than one with
 * none. */
#ifndef PYROMETER_TARGET_RUNTIME_EPOCH_H
#define PYROMETER_TARGET_RUNTIME_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "target-runtime/layout.h"
#include "target-runtime/slots.h"

/* Of struct _gil_runtime_state, from last_holder on: that, `locked`, switch_number and a condition
 * of glibc, in this order in every version (Include/internal/pycore_gil.h). */
enum { EPOCH_BYTES = 3 * 8 + 48 };

/* Zeroed: nothing is known. */
struct epoch {
    uint8_t bytes[EPOCH_BYTES]; /* as of the last look */
    uint32_t looks;             /* in a row that found the same */
    uint32_t kept;              /* in a row that did not read everybody */
};

/* Where these bytes are, from the start of _PyRuntime or of the interpreter that they lie in; false
 * when the layout has no GIL. */
bool epoch_place(const struct layout *layout, uint32_t *at_out);

/* Takes in the bytes of this look; NULL when they could not be read. True if they are as they were
 * in the last one. */
bool epoch_note(struct epoch *epoch, const uint8_t *bytes);

/* Whether the next look may go without those who rest. Everybody is read now and then all the same:
 * the thread that has the GIL may delete another one's state. */
bool epoch_may_keep(const struct epoch *epoch);

/* Whether a thread rests: what the last look at it found will be so in the next one, if the bytes
 * are. `holder` is the slot of the thread that had the GIL last, or NULL. */
bool epoch_rests(const struct slot *slot, const struct slot *holder);

/* The address of the thread state that had the GIL last. */
uint64_t epoch_holder(const struct epoch *epoch);

#endif
