/* One thread's chain of frames: from the pointer to the newest one down to its base, over entry
 * frames, links that do not last and frames that were left while they were copied; and what of it
 * stood still. */
#ifndef PYROMETER_TARGET_RUNTIME_CHAIN_H
#define PYROMETER_TARGET_RUNTIME_CHAIN_H

#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/snapshot.h"
#include "target-runtime/layout.h"
#include "target-runtime/slots.h"
#include "target-runtime/view.h"
#include "target-runtime/walk.h"

/* What all chains of a look are read with, and where their frames go. */
/* A frame that was looked at. */
struct visit {
    uint64_t from;
    bool is_entry; /* an entry frame, on the C stack */
};

struct chains {
    const struct layout *layout;    /* borrowed */
    const struct remote *code_type; /* of code objects, borrowed; 0 in it: not known yet */
    struct snapshot snapshot;
    struct stretch thread_fields;
    struct stretch frame_fields;
    struct stretch exc_item_fields;
    /* There may be greenlets, whose chains end otherwise than others. What ends so is believed then
     * only: a chain that was torn may look the same. */
    bool has_greenlets;
    bool has_wondered;    /* a chain has ended so, and there are none that we know of */
    uint32_t pointer_at;  /* in the thread: the pointer to its newest frame, or to its cframe */
    uint32_t head_at;     /* in the cframe: the pointer to the newest frame */
    struct visit *visits; /* what the chain that is being followed looked at, newest first */
    size_t visit_count;
    size_t visit_capacity;
    struct raw_look look;
};

/* Queues one thread: its fields, then its frames; while there are doubts, then the pointer to the
 * newest frame and the frames again: what it leads to in between, and is the same on both sides,
 * was there at that instant. The root of the chain is not copied again if it was for `first`, the
 * copies of an earlier look; else NULL. */
void chain_want(struct chains *chains, struct slot *slot, const struct copies *first);
/* Queues one thread and fetches it by itself. Its fields, borrowed until the next look; NULL when
 * they could not be read. `*status_out` is OK, or GONE or NOT_PERMITTED. */
const uint8_t *chain_fetch(struct chains *chains, struct slot *slot, enum status *status_out);
/* Appends the frames of the thread, whose fields were copied, to the look, and says in `raw` which
 * they are and what is known of them. Looks again when the chain broke. `*status_out`, OK before,
 * becomes GONE or NOT_PERMITTED when that is why frames are missing. */
void chain_read(struct chains *chains, struct slot *slot, struct view fields,
                struct raw_thread *raw, enum status *status_out);

#endif
