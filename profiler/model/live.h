/* The counts of a running profile, handed from the sampler to whoever shows them: newest wins, and
 * the sampler never waits. */
#ifndef PYROMETER_MODEL_LIVE_H
#define PYROMETER_MODEL_LIVE_H

#include <pthread.h>
#include <stdbool.h>

#include "profiler/model/health.h"

struct live {
    pthread_mutex_t lock;
    pthread_cond_t ended_changed;
    struct health health;
    bool has_ended;
};

void live_init(struct live *live);
void live_deinit(struct live *live);

/* For the sampler: the newest counts, unless the viewer is just looking. */
void live_offer(struct live *live, const struct health *health);
/* For the end: wakes the viewer. */
void live_end(struct live *live);
/* For the viewer: waits `wait_ns`, or less when the end comes. False at the end. */
bool live_take(struct live *live, uint64_t wait_ns, struct health *out);

#endif
