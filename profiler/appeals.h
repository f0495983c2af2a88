/* Samples whose stacks could not be verified when they were taken are held back for a while, and
 * then judged once more: by then most calls that were new have been proved, or seen standing still.
 * Samples are told in order, so those that come after one that is held wait behind it. */
#ifndef PYROMETER_PROFILER_APPEALS_H
#define PYROMETER_PROFILER_APPEALS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/sample.h"
#include "profiler/resolve.h"
#include "target-runtime/walk.h"

struct appeals;

/* What a stack was made of. All is borrowed while it is handed over, but for `resolve`, which is so
 * until it is settled. */
struct evidence {
    struct resolve *resolve;
    const struct raw_look *look;
    const struct raw_thread *thread; /* NULL: there is nothing to judge by */
    struct stack_id base;            /* what its frames are on top of */
    uint64_t taken_ns;               /* monotonic */
};

/* Nothing is held for longer than `hold_ns`. */
struct appeals *appeals_create(uint64_t hold_ns);
/* What is still held is dropped. Accepts NULL. */
void appeals_destroy(struct appeals *appeals);

/* Holds a sample: one that may be judged again, or any that comes after one that is held. False if
 * it need not be held, or there is no room: what is held is then to be taken out, and told, first.
 */
bool appeals_hold(struct appeals *appeals, const struct sample *sample,
                  const struct evidence *evidence, uint64_t now_ns);
/* Takes the oldest one out, judged as well as can be, when its time or, with `is_last`, when the
 * time of all has come. False if there is none. */
bool appeals_take(struct appeals *appeals, uint64_t now_ns, bool is_last, struct sample *out);
/* Judges all that is to be judged by `resolve`, which will be gone. */
void appeals_settle(struct appeals *appeals, const struct resolve *resolve, uint64_t now_ns);

#endif
