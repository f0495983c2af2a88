/* The order of samples over a short time, in memory: runs of equal samples of one thread. */
#ifndef PYROMETER_MODEL_ORDER_H
#define PYROMETER_MODEL_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/sample.h"

enum { ORDER_RUNS_MAX = 1 << 18 };

struct order_run {
    struct sample sample; /* the newest one, with the weight of all */
    uint32_t count;
    uint32_t reserved;
};

/* A zeroed one is empty. */
struct order {
    struct order_run *items;
    size_t count;
    size_t capacity;
    uint32_t *newest; /* by thread id: its last run's number in items plus one, 0 for none */
    size_t newest_capacity;
    bool is_cut; /* there was more than ORDER_RUNS_MAX: the rest is not here */
};

void order_deinit(struct order *order);
/* Appends a sample; samples of one thread come in order of time. */
void order_push(struct order *order, const struct sample *sample);

#endif
