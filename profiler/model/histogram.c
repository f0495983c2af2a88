#include "profiler/model/histogram.h"

enum { PART_BITS = 3, PARTS = 1 << PART_BITS };

/* Buckets 0 to 7 hold one nanosecond each; from there on every power of two has eight. */
static size_t bucket_of(uint64_t duration_ns) {
    if (duration_ns < PARTS) {
        return (size_t)duration_ns;
    }
    unsigned power = 63 - (unsigned)__builtin_clzll(duration_ns) - PART_BITS;
    size_t bucket = (size_t)power * PARTS + (size_t)(duration_ns >> power);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_bucket_start_ns(size_t bucket) {
    if (bucket < PARTS) {
        return bucket;
    }
    return (uint64_t)(bucket % PARTS + PARTS) << (bucket / PARTS - 1);
}

void histogram_add(struct histogram *histogram, uint64_t duration_ns) {
    histogram->count++;
    histogram->sum_ns += duration_ns;
    histogram->max_ns = duration_ns > histogram->max_ns ? duration_ns : histogram->max_ns;
    histogram->buckets[bucket_of(duration_ns)]++;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double share) {
    double wanted = share * (double)histogram->count;
    uint64_t seen = 0;
    for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t end_ns = histogram_bucket_start_ns(i + 1) - 1;
            return end_ns < histogram->max_ns ? end_ns : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}
