/* Everything that was asked for with --output and --stats: formats that are written at the end, and
 * recordings that grow while the profile is taken. */
#ifndef PYROMETER_PROFILER_OUTPUTS_H
#define PYROMETER_PROFILER_OUTPUTS_H

#include <stdbool.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "profiler/model/sink.h"
#include "profiler/model/trace.h"
#include "profiler/options.h"
#include "profiler/recording/writer.h"
#include "profiler/sources.h"
#include "reader/process.h"

struct outputs {
    const struct options *options;
    struct trace *trace;
    struct output_state *states; /* of each output */
    struct sources sources;
    struct trace base;  /* what to compare with, if asked for */
    enum status status; /* the first failure to write */
};

/* Both are borrowed. */
void outputs_init(struct outputs *out, const struct options *options, struct trace *trace);
/* Ends recordings as they are, if outputs_write_all has not. */
void outputs_deinit(struct outputs *outputs);

/* Whether the trace must have a timeline; `is_live`: it is being taken, and recordings grow. */
bool outputs_need_timeline(const struct options *options, bool is_live);

/* Reads the base to compare with, expands the paths for a PID, and asks whether they can be written
 * to. NO_OUTPUT, BAD_RECORDING. */
enum status outputs_prepare(struct outputs *outputs, int pid, struct error *error) MUST_CHECK;
/* Looks where the process has its source files, and begins the recordings there are to be. */
void outputs_begin(struct outputs *outputs, const struct process *process);

/* For a sink of the sampler: what grows. A recording that fails ends the run only when it is all
 * that was asked for. */
enum status outputs_push(void *outputs, const struct sample *sample,
                         struct error *error) MUST_CHECK;
void outputs_tick(void *outputs, const struct health *health);

/* Writes what there is so far, and goes on. For sampler_plan.write_now. */
void outputs_write_now(void *outputs);
/* Writes everything. Failures are told at once, and the first is kept in outputs->status. */
void outputs_write_all(struct outputs *outputs);

#endif
