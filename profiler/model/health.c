#include "profiler/model/health.h"

#include "profiler/base/clock.h"

double health_rate_hz(const struct health *health) {
    if (health->ticks < 2 || health->duration_ns == 0) {
        return 0;
    }
    /* The first tick is at time 0, so n ticks span n - 1 intervals. */
    return (double)(health->ticks - 1) * (double)NS_PER_S / (double)health->duration_ns;
}

void health_add(struct health *to, const struct health *more) {
    to->ticks += more->ticks;
    to->samples += more->samples;
    to->lost += more->lost;
    to->late += more->late;
    to->unverified += more->unverified;
    to->truncated += more->truncated;
    to->empty += more->empty;
    to->tasks_there += more->tasks_there;
    to->tasks_seen += more->tasks_seen;
    to->duration_ns += more->duration_ns;
    to->cpu_ns += more->cpu_ns;
    to->rss_bytes = to->rss_bytes > more->rss_bytes ? to->rss_bytes : more->rss_bytes;
    to->read_calls += more->read_calls;
    to->read_bytes += more->read_bytes;
}

struct health health_between(const struct health *start, const struct health *end) {
    struct health between = *end;
    between.ticks -= start->ticks;
    between.samples -= start->samples;
    between.lost -= start->lost;
    between.late -= start->late;
    between.unverified -= start->unverified;
    between.truncated -= start->truncated;
    between.empty -= start->empty;
    between.tasks_there -= start->tasks_there;
    between.tasks_seen -= start->tasks_seen;
    between.duration_ns -= start->duration_ns;
    between.cpu_ns -= start->cpu_ns < end->cpu_ns ? start->cpu_ns : end->cpu_ns;
    between.read_calls -= start->read_calls < end->read_calls ? start->read_calls : end->read_calls;
    between.read_bytes -= start->read_bytes < end->read_bytes ? start->read_bytes : end->read_bytes;
    return between;
}
