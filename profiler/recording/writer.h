/* Writing a recording: a sink while a profile is taken, or at once from a trace that there is.
 *
 * The sampling thread only gathers; a thread of the writer's own compresses and writes, so that a
 * slow disk delays no tick. Between them are at most WRITER_QUEUE_BYTES; only when those are full
 * does the sampling thread wait, and the ticks that it misses are counted as late. */
#ifndef PYROMETER_RECORDING_WRITER_H
#define PYROMETER_RECORDING_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "profiler/model/health.h"
#include "profiler/model/sample.h"
#include "profiler/model/trace.h"

#define WRITER_QUEUE_BYTES ((size_t)16 << 20)

/* Puts the content of the source file called `name` into `out`; false when there is none to be had.
 * Called in the writer's thread, once for each file. */
typedef bool writer_source(void *context, const char *name, struct buffer *out);

struct writer_plan {
    const char *path;          /* "-" is standard output; borrowed, as is all below */
    const struct trace *trace; /* its rows are recorded; used by who calls push, flush and close */
    writer_source *source;     /* NULL: source files that are not in the trace are left out */
    void *source_context;
};

struct writer;

/* Touches no file: that is made, or emptied, with the first sample or at the end. */
struct writer *writer_create(const struct writer_plan *plan);

/* For a sink. NO_OUTPUT when the file cannot be made or written to; the same ever after. */
enum status writer_push(void *writer, const struct sample *sample, struct error *error) MUST_CHECK;
/* For a sink. Now and then passes on what there is: after a crash, what was sampled longer ago than
 * a second is in the file. */
void writer_tick(void *writer, const struct health *health);
/* Passes on what there is. */
void writer_flush(struct writer *writer);
/* Writes what is left and the end, waits until that is done, and frees the writer. Without a sample
 * or a tick (trace->health.ticks) it does not touch the file. NO_OUTPUT. */
enum status writer_close(struct writer *writer, struct error *error) MUST_CHECK;

/* Records a trace that has a timeline, whole. A failed write is left to be found with ferror().
 * Statuses as of timeline_each. */
enum status writer_write_trace(const struct trace *trace, FILE *out) MUST_CHECK;

#endif
