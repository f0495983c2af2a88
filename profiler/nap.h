/* How to wait for an instant: asleep, or awake, or first the one and then the other.
 *
 * A sleep costs CPU time however short it is, and ends late: by a few microseconds on bare metal,
 * by 50 and more in a virtual machine. Ending late does no harm while it makes nobody miss a slot:
 * instants are random anyhow. So one sleeps through whatever is longer than a sleep is dear, and
 * stays awake only as long as it must. Pure: the caller reads the clock and sleeps. */
#ifndef PYROMETER_PROFILER_NAP_H
#define PYROMETER_PROFILER_NAP_H

#include <stdint.h>

struct nap {
    uint64_t interval_ns; /* between the instants that are waited for */
    uint64_t late_ns;     /* how late sleeps end: their median, as far as it is known */
};

/* Nothing is known of sleeps yet. */
void nap_init(struct nap *nap, uint64_t interval_ns);

/* Until when to sleep on the way to a deadline; no later than `now_ns` when one had better stay
 * awake. */
uint64_t nap_until_ns(const struct nap *nap, uint64_t now_ns, uint64_t deadline_ns);

/* Takes note of a sleep that was to end at `asked_ns` and ended at `woke_ns`. */
void nap_learn(struct nap *nap, uint64_t asked_ns, uint64_t woke_ns);

#endif
