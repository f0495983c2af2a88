#include "profiler/schedule.h"

enum { AHEAD_MOST = 16 }; /* a call of so many looks costs hardly more for each than one of twice */

/* SplitMix64: any seed will do, and it is far better than a tick's instant needs. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void schedule_init(struct schedule *schedule, uint64_t start_ns, uint64_t interval_ns,
                   uint64_t seed) {
    *schedule = (struct schedule){start_ns, interval_ns, 0, 0, seed, 1};
}

uint64_t schedule_next_ns(struct schedule *schedule, uint64_t now_ns) {
    uint64_t current =
        now_ns > schedule->start_ns ? (now_ns - schedule->start_ns) / schedule->interval_ns : 0;
    if (current > schedule->next_slot) {
        schedule->missed += current - schedule->next_slot;
        schedule->next_slot = current;
    }
    uint64_t slot_ns = schedule->start_ns + schedule->next_slot * schedule->interval_ns;
    schedule->next_slot++;
    return slot_ns + next_random(&schedule->random) % schedule->interval_ns;
}

/* One more or less at a time: a tick that was held up by something else is no reason for more. */
void schedule_note(struct schedule *schedule, size_t looks, uint64_t spent_ns) {
    schedule->next_slot += looks - 1;
    if (spent_ns > looks * schedule->interval_ns) {
        schedule->ahead += schedule->ahead < AHEAD_MOST;
    } else if (spent_ns < (looks - 1) * schedule->interval_ns) {
        schedule->ahead -= schedule->ahead > 1;
    }
}
