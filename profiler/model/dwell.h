/* How long those who wait dwell at each place: waits made of sights of who was where and when.
 *
 * A wait begins between the sight before (elsewhere, or nowhere) and the first one at a place, and
 * ends between the last one there and the next: in the middle, as nobody knows better. What happens
 * between two sights is not seen: waits that are shorter than the time from one to the next are
 * missed, or seen by chance. */
#ifndef PYROMETER_MODEL_DWELL_H
#define PYROMETER_MODEL_DWELL_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/sample.h"
#include "profiler/model/trace.h"

struct dwell;

struct dwell *dwell_create(void);
/* Accepts NULL. */
void dwell_destroy(struct dwell *dwell);

/* What is kept of one who may wait; its owner's. At first all but `seen_ns` and `is_new` is 0. */
struct dwell_wait {
    uint64_t what;     /* tells waits of one at one place apart: the thing that is waited for */
    uint64_t begin_ns; /* of the wait that is on */
    uint64_t seen_ns;  /* the last sight; of one who is new since when there is such a one */
    uint32_t place;    /* 0: it waits nowhere */
    bool is_new;       /* there was no sight yet: it has been since then where the first one is */
};

/* When what was seen to be otherwise at `before_ns`, the last sight, and is so at `now_ns` began.
 */
uint64_t dwell_change_ns(uint64_t before_ns, uint64_t now_ns);

/* It was seen at a place (not 0). Times never go back. */
void dwell_see(struct dwell *dwell, struct dwell_wait *wait, struct frame_id place, uint64_t what,
               uint64_t now_ns);
/* It was seen to wait nowhere, or to be no more. */
void dwell_leave(struct dwell *dwell, struct dwell_wait *wait, uint64_t now_ns);

/* What there is so far, as rows of trace.dwells: begin, then every wait that is still on, then the
 * end, which may come again later. */
void dwell_tell_begin(struct dwell *dwell);
void dwell_tell_wait(struct dwell *dwell, const struct dwell_wait *wait, uint64_t now_ns);
void dwell_tell_end(const struct dwell *dwell, struct trace *trace);

#endif
