#include "profiler/nap.h"

#include "profiler/base/clock.h"

enum {
    DEAR_US = 10, /* falling asleep and waking up take about as much CPU time as so long a wait */
    STEP_NS = 1000,
};

void nap_init(struct nap *nap, uint64_t interval_ns) {
    *nap = (struct nap){.interval_ns = interval_ns};
}

/* Where being late by as much as sleeps are would miss slots, one gets up so much sooner. */
uint64_t nap_until_ns(const struct nap *nap, uint64_t now_ns, uint64_t deadline_ns) {
    uint64_t sooner_ns = nap->late_ns < nap->interval_ns ? 0 : nap->late_ns;
    uint64_t least_ns = sooner_ns + DEAR_US * NS_PER_US;
    return deadline_ns > now_ns && deadline_ns - now_ns >= least_ns ? deadline_ns - sooner_ns
                                                                    : now_ns;
}

/* Steps of one size, up or down, lead to the median, and a sleep that took for ever counts no more
 * than another. */
void nap_learn(struct nap *nap, uint64_t asked_ns, uint64_t woke_ns) {
    uint64_t late_ns = woke_ns > asked_ns ? woke_ns - asked_ns : 0;
    if (late_ns > nap->late_ns) {
        nap->late_ns += STEP_NS;
    } else {
        nap->late_ns -= nap->late_ns < STEP_NS ? nap->late_ns : STEP_NS;
    }
}
