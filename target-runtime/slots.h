/* What is kept of every thread from look to look, each in a slot of its own, and where the slot of
 * a thread is. */
#ifndef PYROMETER_TARGET_RUNTIME_SLOTS_H
#define PYROMETER_TARGET_RUNTIME_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/remote.h"
#include "reader/snapshot.h"
#include "target-runtime/links.h"
#include "target-runtime/predict.h"
#include "target-runtime/walk.h"

enum {
    DOUBT_LOOKS = 8, /* so long a doubt lasts */
    TOP_FRAMES = 32, /* of the last whole chain that are remembered */
    BOTTOMS = 16,    /* a power of 2 */
};

/* Copies of one thread: where they are in the snapshot. */
struct copies {
    bool is_wanted;  /* there are any */
    bool has_frames; /* not only the thread's fields */
    size_t anchor;
    struct snapshot_group heads;
    struct snapshot_group frames;
    struct snapshot_group again; /* the frames once more, while there are doubts */
    size_t extent;               /* of its data stack */
    bool has_root;
    size_t root; /* the oldest entry frame, */
    uint64_t root_at;
};

/* Those that lie `ranges` farther on, but for the root, which they share. */
struct copies copies_moved(const struct copies *copies, size_t ranges);

/* What is kept of a thread. */
struct slot {
    struct remote state;
    uint64_t serial;
    bool is_used;
    bool is_seen; /* in this look */
    bool is_skipped;
    uint32_t doubts;    /* looks to come in which frames are copied twice */
    size_t doubt_depth; /* those that have at least so many below them */
    struct prediction frames;
    struct prediction doubted; /* where those are */
    struct links links;
    uint64_t base;            /* of its chain; 0 where there is none */
    bool is_at_base;          /* the chain that was followed last ended there */
    uint64_t top[TOP_FRAMES]; /* addresses of the newest frames of the last whole chain */
    size_t top_count;
    struct prediction heads; /* 3.11, 3.12: pointers to the newest frame, in cframes */
    uint64_t root;   /* the entry frame of its oldest frame, in the last whole chain; or 0 */
    uint64_t bottom; /* address of the oldest frame, once that was certain; */
    uint64_t bottoms[BOTTOMS]; /* and of those of other greenlets, by their addresses */
    uint64_t next_bottom;      /* what it may be instead */
    uint32_t bottom_votes;     /* looks in which that stood still, */
    bool has_voted;            /* this one among them */
    /* What the last look that read it has found, and the thread after it. Where that look read
     * everybody, its frames stay where they are until another one does. */
    struct raw_thread raw;
    uint64_t next;
    bool can_stay;
    bool is_kept; /* in this look it is not read, but as it was */
    struct copies copies;
};

/* Zeroed: none. */
struct slots {
    struct slot *all;
    size_t count;
    size_t capacity;
    size_t first_free; /* no slot below it is free */
    size_t *index;     /* slot + 1 by address of the thread state, open addressing; 0: free */
    size_t index_count;
    size_t *order; /* slots in the order of the last look */
    size_t order_count;
    size_t order_capacity;
    size_t *new_order;
    size_t new_order_count;
    size_t new_order_capacity;
};

/* Accepts zeroed slots. */
void slots_deinit(struct slots *slots);

/* The number of the slot of the thread state at that address, a new one if it has none: pointers to
 * slots are then no longer valid. `*cursor` is 0 at the start of a look and belongs to this. */
size_t slots_find(struct slots *slots, uint64_t state, size_t *cursor, bool *is_new_out);
/* The thread state of that slot is another thread's now: of the old one only where its frames were
 * foreseen is kept. */
void slots_begin_anew(struct slot *slot);
/* The thread of that slot is the next one in the order of this look. */
void slots_note_order(struct slots *slots, size_t number);
/* The order of this look becomes that of the last; slots of threads that are gone are free. */
void slots_finish_order(struct slots *slots);

#endif
