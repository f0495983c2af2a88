/* Who a process is, for whoever looks at its profile later and elsewhere. */
#ifndef PYROMETER_PROFILER_IDENTITY_H
#define PYROMETER_PROFILER_IDENTITY_H

#include "profiler/model/trace.h"
#include "reader/process.h"
#include "target-runtime/runtime.h"

/* Enters the process, with the Python that was found in it, into the trace's table of processes.
 * What cannot be known is left empty. */
void identity_note(struct trace *trace, const struct process *process,
                   const struct runtime *runtime);

#endif
