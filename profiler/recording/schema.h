/* What a recording holds: tables, their columns, and where those are in our structs. The encoder,
 * the decoder and the list of columns in each file all follow from these rows.
 *
 * To record one more field: a row in schema.c. Older readers skip it; in older recordings it is 0.
 */
#ifndef PYROMETER_RECORDING_SCHEMA_H
#define PYROMETER_RECORDING_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"
#include "profiler/recording/format.h"

/* In this order in a chunk: what is referred to comes first. */
enum schema_id {
    SCHEMA_STRINGS,
    SCHEMA_FUNCTIONS,
    SCHEMA_CODES,
    SCHEMA_INSTRUCTIONS,
    SCHEMA_FRAMES,
    SCHEMA_STACKS,
    SCHEMA_PROCESSES,
    SCHEMA_THREADS,
    SCHEMA_SOURCES,
    SCHEMA_DWELLS,
    SCHEMA_RUN,
    SCHEMA_PAUSES,
    SCHEMA_PAUSE_BUCKETS,
    SCHEMA_SAMPLES,
    SCHEMA_WEIGHTS,
    SCHEMA_HEALTH,
    SCHEMA_COUNT,
    SCHEMA_NONE = SCHEMA_COUNT,
};

/* How the values of a column are written; the letter in front of its name says so in the file. */
enum schema_coding {
    CODING_PLAIN = '.',  /* varints */
    CODING_DELTA = '+',  /* zigzag varints of the difference to the row before (first: to 0) */
    CODING_SIGNED = '-', /* zigzag varints */
    CODING_TEXT = '=',   /* bytes; the field before it has their number */
};

struct schema_field {
    const char *name;
    size_t offset; /* in the row's struct */
    size_t bytes;  /* of the member: 4 or 8 */
    enum schema_coding coding;
    enum schema_id refers_to; /* it is an id in that table, or SCHEMA_NONE */
    uint64_t least;           /* values are from `least` ... */
    uint64_t most;            /* ... to `most`; an id is bounded by its table as well */
};

struct schema_table {
    const char *name;
    size_t row_bytes;
    const struct schema_field *fields;
    size_t field_count;
};

extern const struct schema_table schema_tables[SCHEMA_COUNT];

/* A row of the table "samples": so many samples in a row of one thread, stack and state. */
struct schema_samples {
    uint32_t thread;
    uint32_t stack;
    uint32_t state;
    uint32_t samples;
    uint64_t weight_ns; /* of all of them */
    int64_t gap_ns;     /* from the end of this thread's row before (or 0) to the start of this */
};

/* A row of the table "pause_buckets": a bucket of trace.pauses, of which the table "pauses" has the
 * other members. */
struct schema_bucket {
    uint64_t pauses;
};

/* The row of the table "weights": trace.weight_ns_squares, which runs do not tell exactly. */
struct schema_weights {
    uint64_t ns_squares; /* the bits of the double */
};

/* Any row fits in here. */
union schema_row {
    struct string_entry string;
    struct trace_function function;
    struct trace_code code;
    struct trace_instruction instruction;
    struct trace_frame frame;
    struct trace_stack stack;
    struct trace_process process;
    struct trace_thread thread;
    struct trace_source source;
    struct trace_dwell dwell;
    struct trace_run run;
    struct histogram pauses;
    struct schema_bucket bucket;
    struct schema_samples samples;
    struct schema_weights weights;
    struct health health;
};

/* Appends the schema as text: a line a table, "name column column...\n". */
void schema_describe(struct buffer *out);

/* A table as a file describes it: which of our fields each of its columns is. */
struct schema_column {
    const struct schema_field *field; /* NULL: unknown to us */
    enum schema_coding coding;
};

struct schema_listed {
    enum schema_id id; /* SCHEMA_NONE: unknown to us */
    size_t column_count;
    struct schema_column columns[LIMIT_COLUMNS];
};

struct schema_listing {
    size_t count;
    struct schema_listed tables[LIMIT_TABLES];
};

/* Reads what schema_describe wrote, here or in another version. False when it is not that, or has
 * too many tables or columns, or a column is text that is none with us, or the reverse. */
bool schema_parse(const char *text, size_t bytes, struct schema_listing *out);

#endif
