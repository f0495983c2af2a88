/* Threads that do not run: whether one has run since it was looked at, and where it waits in the
 * kernel. A thread that has not been on a CPU has not changed its stack, so what is read of it
 * meanwhile is of one instant although nobody stopped it.
 *
 * Whoever has seen a thread off its CPU and finds the same number of turns later knows that it has
 * not run in between: the kernel counts whenever it puts a thread on a CPU (sched_info_arrive in
 * kernel/sched/stats.h, Linux 2.6). */
#ifndef PYROMETER_READER_REST_H
#define PYROMETER_READER_REST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reader/registers.h"

struct rest {
    pid_t pid;
    pid_t tid;
    int turns_fd; /* -1: opened for every look */
};

/* Costs a file descriptor as long as there are some. */
void rest_init(struct rest *out, pid_t pid, pid_t tid);
/* Accepts one whose fd is -1. */
void rest_deinit(struct rest *rest);

/* How often it has been put on a CPU. False when the kernel does not tell, or it has ended. */
bool rest_turns(const struct rest *rest, uint64_t *out);
/* Where it waits in the kernel: its stack and instruction pointers, no other register. It is off
 * its CPU then. False when it runs or wants to, or when we may not know. */
bool rest_place(const struct rest *rest, struct registers *out);

#endif
