/* What is to be written next: rows that are new in a trace's tables, rows that changed, and the
 * samples since the last flush, as payloads of chunks. Knows no file, compresses nothing. */
#ifndef PYROMETER_RECORDING_BATCH_H
#define PYROMETER_RECORDING_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"
#include "profiler/recording/format.h"
#include "profiler/recording/schema.h"

/* Takes the payload of a chunk: it may empty the buffer, and keep its data. */
typedef void batch_emit(void *context, enum chunk_kind kind, struct buffer *payload);

/* A thread's place among the samples. */
struct batch_lane {
    uint64_t end_ns; /* of its last sample */
    uint32_t newest; /* its newest row: an index into rows[] and 1, 0 for none */
};

/* Rows of a table as they were written last, so that changes are seen. */
struct batch_mirror {
    uint8_t *rows;
    size_t capacity;
};

struct batch {
    const struct trace *trace; /* borrowed */
    batch_emit *emit;
    void *context;
    uint32_t written[SCHEMA_COUNT]; /* rows of each table */
    struct batch_mirror processes;
    struct batch_mirror threads;
    struct batch_mirror instructions;
    struct batch_mirror dwells;
    struct trace_run run;
    struct histogram pauses;
    struct health health;
    struct schema_samples *rows; /* in the order of their first samples */
    size_t row_count;
    struct batch_lane *lanes; /* by thread */
    size_t lane_capacity;
    struct buffer payload;
    struct buffer column;
};

/* Begins a recording of `trace`: emits the schema. */
void batch_begin(struct batch *out, const struct trace *trace, batch_emit *emit, void *context);
/* Accepts a zeroed one. */
void batch_deinit(struct batch *batch);

/* Adds samples, as trace_add_many has them; the trace has them already. Flushes when there are
 * many. */
void batch_add(struct batch *batch, const struct sample *sample, uint32_t count);
/* Emits all that is new, and the trace's health last, in one chunk with the samples. */
void batch_flush(struct batch *batch);
/* Flushes, emits what else changed, and the end of the recording. */
void batch_end(struct batch *batch);

/* Emits the text of a source file, `file` being the id of its name. For a thread of its own: uses
 * nothing of a batch. */
void batch_append_source(struct string_id file, const struct buffer *text, struct buffer *payload);

#endif
