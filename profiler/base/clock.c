#include "profiler/base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t read_clock(clockid_t id) {
    struct timespec now;
    int result = clock_gettime(id, &now);
    assert(result == 0);
    (void)result;
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

uint64_t clock_cpu_ns(void) {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clock_tick_ns(void) {
    struct timespec tick = {0};
    int result = clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    assert(result == 0);
    (void)result;
    return (uint64_t)tick.tv_sec * NS_PER_S + (uint64_t)tick.tv_nsec;
}

void clock_sleep_until_ns(uint64_t deadline_ns) {
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                                .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
}

void clock_pause(void) {
    __builtin_ia32_pause();
}
