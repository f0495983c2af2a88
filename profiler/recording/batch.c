#include "profiler/recording/batch.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/recording/varint.h"

enum {
    PAYLOAD_BYTES = 1 << 20, /* a chunk is passed on when it is this big */
    GROUP_ROWS = 1 << 14,    /* rows of one table together, at most */
    SAMPLE_ROWS = 1 << 15,
};

/* ---- columns and groups ---- */

/* Where rows come from: a table of the trace, or an array. */
struct rows {
    enum schema_id id;
    const struct table *table; /* NULL: `array` */
    const void *array;
    uint32_t first; /* id of the first, from 1 */
    uint32_t count;
};

static const void *row_at(const struct rows *rows, uint32_t index) {
    if (rows->table != NULL) {
        return table_row(rows->table, rows->first + index);
    }
    return (const char *)rows->array + index * schema_tables[rows->id].row_bytes;
}

static uint64_t value_in(const void *row, const struct schema_field *field) {
    uint32_t narrow;
    uint64_t wide;
    const char *at = (const char *)row + field->offset;
    if (field->bytes == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

/* The text that a pointer in the row leads to; the field before has its length. */
static void append_text(struct buffer *out, const void *row, const struct schema_field *field) {
    const char *text;
    memcpy(&text, (const char *)row + field->offset, sizeof text);
    buffer_append(out, text, value_in(row, field - 1));
}

static void append_column(struct buffer *out, const struct rows *rows,
                          const struct schema_field *field) {
    uint64_t previous = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        const void *row = row_at(rows, i);
        uint64_t value = field->coding != CODING_TEXT ? value_in(row, field) : 0;
        switch (field->coding) {
        case CODING_PLAIN: varint_append(out, value); break;
        case CODING_DELTA: varint_append_signed(out, (int64_t)(value - previous)); break;
        case CODING_SIGNED: varint_append_signed(out, (int64_t)value); break;
        case CODING_TEXT: append_text(out, row, field); break;
        }
        previous = value;
    }
}

static void append_group(struct buffer *payload, struct buffer *scratch, const struct rows *rows) {
    const struct schema_table *table = &schema_tables[rows->id];
    varint_append(payload, rows->id);
    varint_append(payload, rows->first);
    varint_append(payload, rows->count);
    for (size_t f = 0; f < table->field_count; f++) {
        buffer_clear(scratch);
        append_column(scratch, rows, &table->fields[f]);
        varint_append(payload, scratch->length);
        buffer_append(payload, scratch->data, scratch->length);
    }
}

static void pass_on(struct batch *batch, enum chunk_kind kind) {
    batch->emit(batch->context, kind, &batch->payload);
    buffer_clear(&batch->payload);
}

static void put_group(struct batch *batch, const struct rows *rows) {
    append_group(&batch->payload, &batch->column, rows);
    if (batch->payload.length >= PAYLOAD_BYTES) {
        pass_on(batch, CHUNK_ROWS);
    }
}

static void put_one(struct batch *batch, enum schema_id id, uint32_t number, const void *row) {
    struct rows rows = {.id = id, .array = row, .first = number, .count = 1};
    put_group(batch, &rows);
}

void batch_append_source(struct string_id file, const struct buffer *text, struct buffer *payload) {
    struct buffer scratch = {0};
    char empty[] = "";
    struct trace_source row = {.file = file,
                               .bytes = (uint32_t)text->length,
                               .text = text->length > 0 ? text->data : empty};
    struct rows rows = {.id = SCHEMA_SOURCES, .array = &row, .first = 1, .count = 1};
    append_group(payload, &scratch, &rows);
    buffer_deinit(&scratch);
}

/* ---- what is new ---- */

static void put_new_strings(struct batch *batch) {
    const struct strings *strings = &batch->trace->strings;
    uint32_t *written = &batch->written[SCHEMA_STRINGS];
    while (*written < strings->count) {
        struct rows rows = {
            .id = SCHEMA_STRINGS, .array = &strings->entries[*written], .first = *written + 1};
        for (size_t bytes = 0; *written < strings->count && bytes < PAYLOAD_BYTES; rows.count++) {
            bytes += strings->entries[(*written)++].bytes;
        }
        put_group(batch, &rows);
    }
}

static void put_new_rows(struct batch *batch, enum schema_id id, const struct table *table) {
    uint32_t most = id == SCHEMA_SOURCES ? 1 : GROUP_ROWS; /* texts may be big */
    while (batch->written[id] < table->count) {
        uint32_t left = table->count - batch->written[id];
        struct rows rows = {.id = id,
                            .table = table,
                            .first = batch->written[id] + 1,
                            .count = left < most ? left : most};
        put_group(batch, &rows);
        batch->written[id] += rows.count;
    }
}

/* New rows of a table whose rows change, and those that did. */
static void put_changed_rows(struct batch *batch, enum schema_id id, const struct table *table,
                             struct batch_mirror *mirror) {
    size_t bytes = schema_tables[id].row_bytes;
    for (uint32_t number = 1; number <= batch->written[id]; number++) {
        uint8_t *before = mirror->rows + (number - 1) * bytes;
        const void *row = table_row(table, number);
        if (memcmp(before, row, bytes) != 0) {
            memcpy(before, row, bytes);
            put_one(batch, id, number, row);
        }
    }
    mirror->rows = memory_grow(mirror->rows, bytes, table->count, &mirror->capacity);
    for (uint32_t number = batch->written[id] + 1; number <= table->count; number++) {
        memcpy(mirror->rows + (number - 1) * bytes, table_row(table, number), bytes);
    }
    put_new_rows(batch, id, table);
}

/* The bytecode is looked through for changes only when it grew, and at the end: it is much, and
 * this happens between two ticks. */
static void put_instructions(struct batch *batch, bool is_end) {
    const struct table *table = &batch->trace->instructions;
    if (is_end || table->count > batch->written[SCHEMA_INSTRUCTIONS]) {
        put_changed_rows(batch, SCHEMA_INSTRUCTIONS, table, &batch->instructions);
    }
}

static void put_pauses(struct batch *batch) {
    const struct histogram *pauses = &batch->trace->pauses;
    struct rows buckets = {.id = SCHEMA_PAUSE_BUCKETS,
                           .array = pauses->buckets,
                           .first = 1,
                           .count = HISTOGRAM_BUCKETS};
    if (memcmp(&batch->pauses, pauses, sizeof *pauses) != 0) {
        batch->pauses = *pauses;
        put_one(batch, SCHEMA_PAUSES, 1, pauses);
        put_group(batch, &buckets);
    }
}

static void put_tables(struct batch *batch, bool is_end) {
    const struct trace *trace = batch->trace;
    put_new_strings(batch);
    put_new_rows(batch, SCHEMA_FUNCTIONS, &trace->functions);
    put_new_rows(batch, SCHEMA_CODES, &trace->codes);
    put_instructions(batch, is_end);
    put_new_rows(batch, SCHEMA_FRAMES, &trace->frames);
    put_new_rows(batch, SCHEMA_STACKS, &trace->stacks);
    put_changed_rows(batch, SCHEMA_PROCESSES, &trace->processes, &batch->processes);
    put_changed_rows(batch, SCHEMA_THREADS, &trace->threads, &batch->threads);
    put_new_rows(batch, SCHEMA_SOURCES, &trace->sources);
    put_changed_rows(batch, SCHEMA_DWELLS, &trace->dwells, &batch->dwells);
    if (memcmp(&batch->run, &trace->run, sizeof batch->run) != 0) {
        batch->run = trace->run;
        put_one(batch, SCHEMA_RUN, 1, &batch->run);
    }
    put_pauses(batch);
}

static void append_rows(struct batch *batch, enum schema_id id, const void *rows, size_t count) {
    struct rows all = {.id = id, .array = rows, .first = 1, .count = (uint32_t)count};
    append_group(&batch->payload, &batch->column, &all);
}

/* In one chunk with the counts that are right for them. */
static void put_samples(struct batch *batch) {
    struct schema_weights weights;
    memcpy(&weights.ns_squares, &batch->trace->weight_ns_squares, sizeof weights.ns_squares);
    if (batch->row_count > 0) {
        append_rows(batch, SCHEMA_SAMPLES, batch->rows, batch->row_count);
        append_rows(batch, SCHEMA_WEIGHTS, &weights, 1);
    }
    if (batch->row_count > 0 ||
        memcmp(&batch->health, &batch->trace->health, sizeof batch->health) != 0) {
        batch->health = batch->trace->health;
        append_rows(batch, SCHEMA_HEALTH, &batch->health, 1);
    }
    for (size_t i = 0; i < batch->row_count; i++) {
        batch->lanes[batch->rows[i].thread].newest = 0;
    }
    batch->row_count = 0;
}

static void flush(struct batch *batch, bool is_end) {
    put_tables(batch, is_end);
    put_samples(batch);
    if (batch->payload.length > 0) {
        pass_on(batch, CHUNK_ROWS);
    }
}

void batch_flush(struct batch *batch) {
    flush(batch, false);
}

/* ---- samples ---- */

static struct batch_lane *lane_of(struct batch *batch, uint32_t thread) {
    size_t old = batch->lane_capacity;
    if (thread >= old) {
        batch->lanes = memory_grow(batch->lanes, sizeof *batch->lanes, (size_t)thread + 1,
                                   &batch->lane_capacity);
        memset(batch->lanes + old, 0, (batch->lane_capacity - old) * sizeof *batch->lanes);
    }
    return &batch->lanes[thread];
}

static bool continues(const struct schema_samples *row, const struct sample *sample, int64_t gap_ns,
                      uint32_t count) {
    return gap_ns == 0 && row->stack == sample->stack.id && row->state == sample->state &&
           row->samples <= UINT32_MAX - count;
}

void batch_add(struct batch *batch, const struct sample *sample, uint32_t count) {
    struct batch_lane *lane = lane_of(batch, sample->thread.id);
    int64_t gap_ns = (int64_t)(sample->time_ns - sample->weight_ns - lane->end_ns);
    struct schema_samples *row = lane->newest != 0 ? &batch->rows[lane->newest - 1] : NULL;
    lane->end_ns = sample->time_ns;
    if (row != NULL && continues(row, sample, gap_ns, count)) {
        row->samples += count;
        row->weight_ns += sample->weight_ns;
        return;
    }
    batch->rows[batch->row_count++] = (struct schema_samples){.thread = sample->thread.id,
                                                              .stack = sample->stack.id,
                                                              .state = sample->state,
                                                              .samples = count,
                                                              .weight_ns = sample->weight_ns,
                                                              .gap_ns = gap_ns};
    lane->newest = (uint32_t)batch->row_count;
    if (batch->row_count == SAMPLE_ROWS) {
        flush(batch, false);
    }
}

/* ---- from the first to the last ---- */

void batch_begin(struct batch *out, const struct trace *trace, batch_emit *emit, void *context) {
    *out = (struct batch){.trace = trace, .emit = emit, .context = context};
    out->rows = memory_zeroed(SAMPLE_ROWS, sizeof *out->rows);
    schema_describe(&out->payload);
    pass_on(out, CHUNK_SCHEMA);
}

void batch_end(struct batch *batch) {
    flush(batch, true);
    pass_on(batch, CHUNK_END);
}

void batch_deinit(struct batch *batch) {
    free(batch->processes.rows);
    free(batch->threads.rows);
    free(batch->instructions.rows);
    free(batch->dwells.rows);
    free(batch->rows);
    free(batch->lanes);
    buffer_deinit(&batch->payload);
    buffer_deinit(&batch->column);
    *batch = (struct batch){0};
}
