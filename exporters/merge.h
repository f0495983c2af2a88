/* A trace and what to compare it with, as one trace: for formats that show both. */
#ifndef PYROMETER_EXPORTERS_MERGE_H
#define PYROMETER_EXPORTERS_MERGE_H

#include "profiler/model/trace.h"

/* Fills `both` with the stacks, threads, tallies and sources of `trace`, which keep their ids, and
 * then with those of trace->base, if there is one. Where both have a function, a stack or a source
 * it is one; the threads of the base are rows of their own, after those of `trace`, even if they
 * are the same. run and health are those of `trace`; there is no timeline. Release with
 * trace_deinit(). */
enum status merge_base(struct trace *both, const struct trace *trace,
                       struct error *error) MUST_CHECK;

#endif
