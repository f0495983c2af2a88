/* What a thread that sleeps in a system call waits for. */
#ifndef PYROMETER_PROFILER_KERNEL_WAIT_H
#define PYROMETER_PROFILER_KERNEL_WAIT_H

#include <stdint.h>

#include "reader/task.h"

/* One of STATE_SLEEPS to STATE_CHILD (enum sample_state) by the system call that the thread is in,
 * of x86-64; 0 if that does not say. */
uint32_t kernel_wait_state(const struct task_state *task);

#endif
