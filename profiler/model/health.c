#include "profiler/model/health.h"

#include "profiler/base/clock.h"

double health_rate_hz(const struct health *health) {
    if (health->ticks < 2 || health->duration_ns == 0) {
        return 0;
    }
    /* The first tick is at time 0, so n ticks span n - 1 intervals. */
    return (double)(health->ticks - 1) * (double)NS_PER_S / (double)health->duration_ns;
}
