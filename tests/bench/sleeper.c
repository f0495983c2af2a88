/* What any profiler costs that sleeps between its looks: does nothing but that.
 *
 *     sleeper RATE SECONDS
 *
 * Wakes up RATE times a second, at absolute times and as exactly as the kernel can, and looks at
 * nobody. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int main(int argc, char **argv) {
    int64_t rate = argc == 3 ? atoll(argv[1]) : 0;
    double seconds = argc == 3 ? atof(argv[2]) : 0;
    if (rate <= 0 || seconds <= 0) {
        fprintf(stderr, "usage: sleeper RATE SECONDS\n");
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    int64_t end_ns = now_ns() + (int64_t)(seconds * (double)NS_PER_S);
    for (int64_t next_ns = now_ns(); next_ns < end_ns; next_ns += NS_PER_S / rate) {
        struct timespec next = {.tv_sec = next_ns / NS_PER_S, .tv_nsec = next_ns % NS_PER_S};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return 0;
}
