/* How durations are spread: counts in buckets whose width grows with the duration, an eighth of the
 * power of two that they lie in. Plain data; a zeroed one is empty. */
#ifndef PYROMETER_MODEL_HISTOGRAM_H
#define PYROMETER_MODEL_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Durations to 2^40 ns, 18 minutes; the last bucket holds what is longer, too. */
enum { HISTOGRAM_BUCKETS = 8 * 38 };

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t duration_ns);

/* The duration that `share` of all (0 to 1) do not exceed: the last nanosecond of its bucket, thus
 * at most an eighth too long, and never more than the longest of all. 0 for an empty one. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double share);

/* The first nanosecond of a bucket; of one past the last, where the last ends. */
uint64_t histogram_bucket_start_ns(size_t bucket);

#endif
