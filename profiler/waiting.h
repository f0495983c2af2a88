/* Where everything stands that no thread is running: the tasks that wait and the greenlets that are
 * suspended, each with its stack and for as much time as it stands for. They may be a hundred
 * thousand: in one tick as many are looked at as a part of its time allows, in turn, and the others
 * are told of by these. */
#ifndef PYROMETER_PROFILER_WAITING_H
#define PYROMETER_PROFILER_WAITING_H

#include <stdint.h>

#include "profiler/model/dwell.h"
#include "profiler/model/trace.h"
#include "profiler/placing.h"
#include "profiler/roster.h"
#include "profiler/session.h"

struct run;
struct waiting;

/* All are borrowed and must outlive it; the session watches tasks. */
struct waiting *waiting_create(struct run *run, struct session *session, struct placing *placing,
                               struct roster *roster);
/* Accepts NULL. */
void waiting_destroy(struct waiting *waiting);

/* A waiting stack with a name, which is its root frame. */
struct waiter {
    struct frame_id
        place;      /* where it waits, for those who ask how long one does there; 0: nowhere */
    uint64_t what;  /* for that: as in dwell_wait */
    uint64_t ident; /* threading.get_ident() of the thread that will go on with it; 0 unknown */
    struct stack_id stack; /* not 0 */
    uint32_t state;        /* enum sample_state, beside WAITING */
};

/* Somebody who waits in this tick; `wait` is its own, from its first sight to its end. */
void waiting_note(struct waiting *waiting, const struct waiter *waiter, struct dwell_wait *wait,
                  uint64_t now_ns);
/* Somebody who does not, or is no more. */
void waiting_leave(struct waiting *waiting, struct dwell_wait *wait, uint64_t now_ns);

/* Right after the threads of a look: looks at tasks, and gives a sample of each that waits. GONE,
 * NOT_PERMITTED, and those of a sink. */
enum status waiting_look(struct waiting *waiting, const struct raw_look *look,
                         uint64_t now_ns) MUST_CHECK;

/* Tells run->dwell of the waits that are on. */
void waiting_tell(const struct waiting *waiting);

#endif
