/* What a thread that sleeps in a system call waits for. */
#ifndef PYROMETER_PROFILER_KERNEL_WAIT_H
#define PYROMETER_PROFILER_KERNEL_WAIT_H

#include <stdint.h>

#include "reader/task.h"

/* One of STATE_SLEEPS to STATE_CHILD (enum sample_state); 0 if it is something else or not known.
 * By the system call that the thread is in, of x86-64; where that is not known by the kernel's
 * function, which tells less: for the GIL one waits as for any lock, and a select() of no files
 * polls. */
uint32_t kernel_wait_state(const struct task_state *task);

#endif
