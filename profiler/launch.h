/* Starting a command to profile, and waiting for its end. */
#ifndef PYROMETER_PROFILER_LAUNCH_H
#define PYROMETER_PROFILER_LAUNCH_H

#include <sys/types.h>

#include "profiler/base/status.h"

/* Starts `command` (NULL-terminated, found on PATH) with our standard streams and the signal
 * handling that a program expects. USAGE when it cannot be executed. */
enum status launch_start(char *const *command, pid_t *pid_out, struct error *error) MUST_CHECK;

/* Waits for the command's end, however often a signal interrupts. Its exit status, or 128 + the
 * signal that killed it. */
int launch_wait(pid_t pid);

#endif
