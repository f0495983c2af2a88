#include "profiler/model/standoff.h"

#include <stdlib.h>

#include "profiler/base/arena.h"

void standoff_deinit(struct standoff *standoff) {
    free(standoff->items);
    *standoff = (struct standoff){0};
}

void standoff_add(struct table *waits, const struct wait *wait) {
    struct wait key = {.waiter = wait->waiter, .holder = wait->holder};
    struct wait *row = table_row(waits, table_intern(waits, &key));
    row->weight_ns += wait->weight_ns;
}

/* The thread of the same process that has the GIL; 0 for none. */
static struct thread_ref holder_for(const struct standoff *standoff, uint32_t pid,
                                    const struct trace *names) {
    for (size_t i = 0; i < standoff->count; i++) {
        const struct sample *sample = &standoff->items[i];
        if ((sample->state & STATE_HAS_GIL) != 0 &&
            trace_thread(names, sample->thread)->pid == pid) {
            return sample->thread;
        }
    }
    return (struct thread_ref){0};
}

void standoff_settle(struct standoff *standoff, const struct trace *names, struct table *waits) {
    uint32_t pid = 0;
    struct thread_ref holder = {0};
    for (size_t i = 0; i < standoff->count; i++) {
        const struct sample *sample = &standoff->items[i];
        uint32_t its_pid = trace_thread(names, sample->thread)->pid;
        if ((sample->state & STATE_WANTS_GIL) == 0) {
            continue;
        }
        if (its_pid != pid) { /* threads of one process follow each other */
            pid = its_pid;
            holder = holder_for(standoff, pid, names);
        }
        standoff_add(waits, &(struct wait){sample->thread, holder, sample->weight_ns});
    }
    standoff->count = 0;
}

void standoff_push(struct standoff *standoff, const struct sample *sample,
                   const struct trace *names, struct table *waits) {
    if ((sample->state & (STATE_HAS_GIL | STATE_WANTS_GIL)) == 0) {
        return;
    }
    if (sample->time_ns != standoff->time_ns) {
        standoff_settle(standoff, names, waits);
        standoff->time_ns = sample->time_ns;
    }
    if (standoff->count == standoff->capacity) {
        standoff->items = memory_grow(standoff->items, sizeof *standoff->items, standoff->count + 1,
                                      &standoff->capacity);
    }
    standoff->items[standoff->count++] = *sample;
}
