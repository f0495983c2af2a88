/* Who came after a process that has ended: one that runs the same command as the same user. */
#ifndef PYROMETER_PROFILER_SUCCESSOR_H
#define PYROMETER_PROFILER_SUCCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "reader/process.h"

/* What is remembered of a process to know its successor by. */
struct predecessor {
    struct buffer command;
    uid_t uid;
    uint64_t start_ticks;
};

/* While it runs. */
void predecessor_init(struct predecessor *out, const struct process *process);
void predecessor_deinit(struct predecessor *predecessor);

/* Opens the newest process that began after it and runs its command; of those that one such
 * process has started in turn, that one. False when there is none now. */
bool successor_open(const struct predecessor *predecessor, struct process *out);

#endif
