/* Who a process is, for whoever looks at its profile later and elsewhere. */
#ifndef PYROMETER_PROFILER_IDENTITY_H
#define PYROMETER_PROFILER_IDENTITY_H

#include "profiler/model/mode.h"
#include "profiler/model/trace.h"
#include "reader/process.h"
#include "target-runtime/runtime.h"

/* Says in trace->run what is profiled, how, by what and where; not which Python it is. */
void identity_begin_run(struct trace *trace, const struct process *process, const struct mode *mode,
                        uint64_t interval_ns);
/* Enters the process, with the Python that was found in it, into the trace's table of processes.
 * What cannot be known is left empty. Returns its row. */
uint32_t identity_note(struct trace *trace, const struct process *process,
                       const struct runtime *runtime);
/* The same for a fork of the process in row `parent`: it has the same program. */
uint32_t identity_note_fork(struct trace *trace, const struct process *process, uint32_t parent);

#endif
