/* Stacks with the native frames in them (--native): which thread is looked at in which way, and one
 * stack of two.
 *
 * Both stacks of a thread must be of one moment. A thread that waits in the kernel stands still
 * anyway: its stack is copied, and the kernel's count of its turns on a CPU says whether it has run
 * meanwhile (rest.h). What it does not tell are most registers; where the unwinding needs them, and
 * for a thread that runs, that one thread is stopped for as long as the copying takes (stopper.h).
 * A thread that has not run since its last sample is in the same place still: it is not looked at.
 *
 * A native stack that cannot be had leaves Python's, with a mark. */
#ifndef PYROMETER_PROFILER_NATIVE_H
#define PYROMETER_PROFILER_NATIVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/model/trace.h"
#include "profiler/resolve.h"
#include "profiler/session.h"
#include "reader/stopper.h"

struct native;

/* All are borrowed and must outlive it; the stopper is open, and opened anew should it be lost.
 * Pauses go into the trace's. NULL when there is no memory for it. */
struct native *native_create(struct session *session, struct trace *trace, struct stopper *stopper);
/* Accepts NULL. */
void native_destroy(struct native *native);

/* The stack of thread `index` of the last look, whose kernel id in our pid namespace is `tid` (0:
 * unknown). The thread is looked at anew, so the look's frames of it are others then. */
struct resolved native_stack(struct native *native, const struct raw_look *look, size_t index,
                             pid_t tid, uint64_t now_ns);

#endif
