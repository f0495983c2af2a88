#include "profiler/model/order.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

void order_deinit(struct order *order) {
    free(order->items);
    free(order->newest);
    *order = (struct order){0};
}

static uint32_t *newest_of(struct order *order, struct thread_ref thread) {
    size_t known = order->newest_capacity;
    if (thread.id >= known) {
        order->newest = memory_grow(order->newest, sizeof *order->newest, (size_t)thread.id + 1,
                                    &order->newest_capacity);
        memset(order->newest + known, 0, (order->newest_capacity - known) * sizeof *order->newest);
    }
    return &order->newest[thread.id];
}

/* Whether a sample goes on where a run ends. */
static bool continues(const struct order_run *run, const struct sample *sample) {
    const struct sample *last = &run->sample;
    return last->stack.id == sample->stack.id && last->state == sample->state &&
           last->flags == sample->flags && last->time_ns + sample->weight_ns == sample->time_ns;
}

void order_push(struct order *order, const struct sample *sample) {
    uint32_t *newest = newest_of(order, sample->thread);
    struct order_run *run = *newest != 0 ? &order->items[*newest - 1] : NULL;
    if (run != NULL && continues(run, sample)) {
        run->sample.time_ns = sample->time_ns;
        run->sample.weight_ns += sample->weight_ns;
        run->count++;
        return;
    }
    if (order->count == ORDER_RUNS_MAX) {
        order->is_cut = true;
        return;
    }
    if (order->count == order->capacity) {
        order->items =
            memory_grow(order->items, sizeof *order->items, order->count + 1, &order->capacity);
    }
    order->items[order->count++] = (struct order_run){*sample, 1, 0};
    *newest = (uint32_t)order->count;
}
