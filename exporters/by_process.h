/* A trace of several processes with a level for them: for formats that put all stacks into one
 * picture. */
#ifndef PYROMETER_EXPORTERS_BY_PROCESS_H
#define PYROMETER_EXPORTERS_BY_PROCESS_H

#include <stdio.h>

#include "profiler/base/status.h"
#include "profiler/model/trace.h"

/* As `write` of an exporter has it (exporter.h). */
typedef enum status by_process_write(const struct trace *trace, FILE *out, struct error *error);

/* Calls `write` with `trace`; or, when samples are of several processes, with one like it in which
 * each stack is on top of a frame "process NAME (PID)". */
enum status by_process(const struct trace *trace, by_process_write *write, FILE *out,
                       struct error *error) MUST_CHECK;

#endif
