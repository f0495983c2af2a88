/* The frames of one look, put together to a stack from the root to the leaf, as far as each was
 * called by the one below. What resolve.h gives is made of this. */
#ifndef PYROMETER_PROFILER_CLIMB_H
#define PYROMETER_PROFILER_CLIMB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/codes.h"
#include "profiler/history.h"
#include "profiler/model/trace.h"
#include "profiler/resolve.h"
#include "profiler/shortcuts.h"
#include "profiler/verify.h"
#include "target-runtime/walk.h"

/* What all climbs of a target go by. */
struct means {
    struct trace *trace;
    struct codes *codes;
    struct verify *verify;
    struct shortcuts *shortcuts;
    bool is_trusting;     /* resolve_trust */
    bool hides_collector; /* resolve_hide_collector */
};

/* The frames of one thread state, leaf first; the lowest is at depth `from` of the stack. */
struct part {
    const struct raw_frame *leaf;
    size_t count;
    size_t from;
    uint64_t interpreter;
};

enum { PART_LIMIT = 8 };

/* A stack being put together. */
struct climb {
    const struct means *means;
    struct part parts[PART_LIMIT]; /* the lowest first; mostly one */
    size_t part_count;
    size_t count; /* of all frames */
    struct history *history;
    size_t bridged;     /* so many frames from the root are behind a bridge; 0: there is none */
    size_t standing;    /* and so many below it are as they were read */
    bool is_cut;        /* there was something above it */
    bool is_late;       /* the frames are of long ago, and the bytecode is of now */
    bool is_remembered; /* it goes into the history */
    size_t collected;   /* the collector is above so many frames; SIZE_MAX: above none */
    uint64_t now_ns;
    struct resolved resolved;
};

/* Lays out the frames of the thread and of those in whose calls it runs. False when there are too
 * many of them: then the lowest ones are left out. */
bool climb_lay_out(struct climb *climb, const struct raw_look *look,
                   const struct raw_thread *thread);

/* Takes note of calls that were seen while the frames were read, whether they are on the stack or
 * not. */
void climb_see_calls(struct climb *climb, const struct raw_look *look,
                     const struct raw_thread *thread);

/* The root of the stack was not found: a frame stands for it. */
void climb_without_root(struct climb *climb);

/* Puts all that was laid out, one frame at least, onto the stack. */
void climb_all(struct climb *climb, const struct raw_thread *thread);

/* Puts one frame onto the stack as it is; a frame <unverified> if it cannot be read. */
void climb_put(struct climb *climb, const struct raw_frame *raw, bool is_newest);

#endif
