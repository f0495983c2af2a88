/* What stands still: frames that are in doubt are copied once more, and what is the same in both
 * copies, and was on the stack in between, was there at that instant.
 *
 * Where frames lie in the data stack (3.11-) all that is needed is foreseen and copied with the
 * rest of the look, a moment after it. Frame objects (-3.10) lie anywhere, and a copy of many takes
 * so long that a program may go round and come back; so there only a few are copied, at once when
 * the chain is known, callee and caller in turns; what is seen then (raw_sight) may be
 * another call than the one in the look. */
#ifndef PYROMETER_TARGET_RUNTIME_WATCH_H
#define PYROMETER_TARGET_RUNTIME_WATCH_H

#include "target-runtime/chain.h"

/* Queues, behind the thread's frames, the end of its data stack and the frames in doubt again. */
void watch_want(struct chains *chains, struct slot *slot);

/* Marks those frames of the thread, all of which are in the look by now, that are in doubt:
 * is_watched, is_alive, is_still of raw_frame; or adds to the sights of the look. Foresees where to
 * look next time. */
void watch_mark(struct chains *chains, struct slot *slot, struct raw_thread *raw,
                enum status *status_out);

/* The same for two frames of different threads' chains, the newest of one and the oldest of another
 * that runs in a call of it (join.h). */
void watch_joint(struct chains *chains, const struct slot *slot, struct raw_frame *caller,
                 struct raw_frame *callee, enum status *status_out);

#endif
