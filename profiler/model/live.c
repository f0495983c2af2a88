#include "profiler/model/live.h"

#include <time.h>

#include "profiler/base/clock.h"

void live_init(struct live *live) {
    pthread_condattr_t attributes;
    *live = (struct live){0};
    pthread_mutex_init(&live->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&live->ended_changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void live_deinit(struct live *live) {
    pthread_cond_destroy(&live->ended_changed);
    pthread_mutex_destroy(&live->lock);
}

void live_offer(struct live *live, const struct health *health) {
    if (pthread_mutex_trylock(&live->lock) == 0) {
        live->health = *health;
        pthread_mutex_unlock(&live->lock);
    }
}

void live_end(struct live *live) {
    pthread_mutex_lock(&live->lock);
    live->has_ended = true;
    pthread_cond_signal(&live->ended_changed);
    pthread_mutex_unlock(&live->lock);
}

bool live_take(struct live *live, uint64_t wait_ns, struct health *out) {
    uint64_t until_ns = clock_monotonic_ns() + wait_ns;
    struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                             .tv_nsec = (long)(until_ns % NS_PER_S)};
    pthread_mutex_lock(&live->lock);
    while (!live->has_ended &&
           pthread_cond_timedwait(&live->ended_changed, &live->lock, &until) == 0) {
    }
    *out = live->health;
    bool goes_on = !live->has_ended;
    pthread_mutex_unlock(&live->lock);
    return goes_on;
}
