#include "profiler/recording/reader.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/recording/chunk.h"
#include "profiler/recording/schema.h"
#include "profiler/recording/varint.h"

struct reader {
    struct unpacker unpacker;
    struct schema_listing listing; /* of the file; none before its chunk */
    struct trace *trace;
    struct reading *reading;
    const struct mode *mode; /* NULL: every sample counts */
    bool is_asked;           /* that mode was, whatever the recording's */
    uint64_t cost_bytes;     /* of what was taken in, in memory and in the timeline's file */
    uint64_t *ends_ns;       /* of the last samples of each thread */
    size_t end_capacity;
    struct error *error;
};

static enum status damaged(struct reader *reader, const char *what, const char *where) {
    errno = 0;
    return error_set(reader->error, STATUS_BAD_RECORDING,
                     "the chunk that ends at byte %llu is damaged: %s%s%s",
                     (unsigned long long)reader->unpacker.bytes_read, what,
                     *where != '\0' ? " in its table " : "", where);
}

/* ---- taking rows in ---- */

/* What a row costs beside its own bytes: its hash, and its slots at their sparsest. */
enum { ROW_COST_BYTES = 24 };

static bool take_string(struct reader *reader, uint32_t id, const union schema_row *row) {
    return trace_text(reader->trace, row->string.text, row->string.bytes).id == id;
}

static bool take_function(struct reader *reader, uint32_t id, const union schema_row *row) {
    return trace_intern_function(reader->trace, row->function).id == id;
}

static bool take_code(struct reader *reader, uint32_t id, const union schema_row *row) {
    return trace_intern_code(reader->trace, row->code) == id;
}

static bool take_instruction(struct reader *reader, uint32_t id, const union schema_row *row) {
    return trace_intern_instruction(reader->trace, &row->instruction) == id;
}

static bool take_frame(struct reader *reader, uint32_t id, const union schema_row *row) {
    return trace_intern_frame(reader->trace, row->frame).id == id;
}

static bool take_stack(struct reader *reader, uint32_t id, const union schema_row *row) {
    struct stack_id stack = trace_intern_stack(reader->trace, row->stack.parent, row->stack.frame);
    return stack.id == id && trace_stack(reader->trace, stack)->depth <= LIMIT_DEPTH;
}

static bool take_process(struct reader *reader, uint32_t id, const union schema_row *row) {
    return trace_intern_process(reader->trace, &row->process) == id;
}

static bool take_thread(struct reader *reader, uint32_t id, const union schema_row *row) {
    return trace_intern_thread(reader->trace, row->thread).id == id;
}

static bool take_source(struct reader *reader, uint32_t id, const union schema_row *row) {
    (void)id;
    trace_set_source(reader->trace, row->source.file, row->source.text, row->source.bytes);
    return true;
}

static bool take_dwell(struct reader *reader, uint32_t id, const union schema_row *row) {
    trace_set_dwell(reader->trace, &row->dwell);
    return id <= reader->trace->dwells.count;
}

static bool take_run(struct reader *reader, uint32_t id, const union schema_row *row) {
    (void)id;
    reader->trace->run = row->run;
    if (!reader->is_asked) {
        reader->mode = mode_by_name(trace_string(reader->trace, row->run.mode));
    }
    return true;
}

static bool take_pauses(struct reader *reader, uint32_t id, const union schema_row *row) {
    struct histogram *pauses = &reader->trace->pauses;
    (void)id;
    pauses->count = row->pauses.count;
    pauses->sum_ns = row->pauses.sum_ns;
    pauses->max_ns = row->pauses.max_ns;
    return true;
}

static bool take_bucket(struct reader *reader, uint32_t id, const union schema_row *row) {
    if (id < 1 || id > HISTOGRAM_BUCKETS) {
        return false;
    }
    reader->trace->pauses.buckets[id - 1] = row->bucket.pauses;
    return true;
}

static bool take_health(struct reader *reader, uint32_t id, const union schema_row *row) {
    (void)id;
    reader->trace->health = row->health;
    return true;
}

static uint64_t *end_of_thread(struct reader *reader, uint32_t thread) {
    size_t old = reader->end_capacity;
    if (thread >= old) {
        reader->ends_ns = memory_grow(reader->ends_ns, sizeof *reader->ends_ns, (size_t)thread + 1,
                                      &reader->end_capacity);
        memset(reader->ends_ns + old, 0, (reader->end_capacity - old) * sizeof *reader->ends_ns);
    }
    return &reader->ends_ns[thread];
}

static bool counts(const struct reader *reader, uint32_t state) {
    return reader->mode == NULL || mode_keeps(reader->mode, state);
}

/* Whether there may be samples that do not count. */
static bool has_filter(const struct reader *reader) {
    return reader->mode != NULL && reader->mode->states != 0;
}

static bool take_samples(struct reader *reader, uint32_t id, const union schema_row *row) {
    const struct schema_samples *samples = &row->samples;
    uint64_t *end_ns = end_of_thread(reader, samples->thread);
    (void)id;
    *end_ns += (uint64_t)samples->gap_ns + samples->weight_ns;
    struct sample sample = {.time_ns = *end_ns,
                            .weight_ns = samples->weight_ns,
                            .thread = {samples->thread},
                            .stack = {samples->stack},
                            .state = samples->state};
    if (*end_ns > LIMIT_TIME_NS) {
        return false;
    }
    if (*end_ns > reader->reading->end_ns) {
        reader->reading->end_ns = *end_ns;
    }
    if (!counts(reader, samples->state)) {
        return true;
    }
    /* A failure of the timeline is in the reader's error, and told from damage by that. */
    return trace_add_many(reader->trace, &sample, samples->samples, reader->error) == STATUS_OK;
}

static bool take_weights(struct reader *reader, uint32_t id, const union schema_row *row) {
    double squares;
    (void)id;
    memcpy(&squares, &row->weights.ns_squares, sizeof squares);
    if (!has_filter(reader)) {
        reader->trace->weight_ns_squares = squares;
    }
    return squares >= 0 && squares <= DBL_MAX;
}

static bool (*const takers[SCHEMA_COUNT])(struct reader *, uint32_t, const union schema_row *) = {
    [SCHEMA_STRINGS] = take_string,       [SCHEMA_FUNCTIONS] = take_function,
    [SCHEMA_CODES] = take_code,           [SCHEMA_INSTRUCTIONS] = take_instruction,
    [SCHEMA_FRAMES] = take_frame,         [SCHEMA_STACKS] = take_stack,
    [SCHEMA_PROCESSES] = take_process,    [SCHEMA_THREADS] = take_thread,
    [SCHEMA_SOURCES] = take_source,       [SCHEMA_RUN] = take_run,
    [SCHEMA_DWELLS] = take_dwell,         [SCHEMA_PAUSES] = take_pauses,
    [SCHEMA_PAUSE_BUCKETS] = take_bucket, [SCHEMA_SAMPLES] = take_samples,
    [SCHEMA_WEIGHTS] = take_weights,      [SCHEMA_HEALTH] = take_health,
};

/* ---- what a row must be ---- */

static uint32_t rows_in(const struct trace *trace, enum schema_id id) {
    switch (id) {
    case SCHEMA_STRINGS: return trace->strings.count;
    case SCHEMA_FUNCTIONS: return trace->functions.count;
    case SCHEMA_CODES: return trace->codes.count;
    case SCHEMA_INSTRUCTIONS: return trace->instructions.count;
    case SCHEMA_FRAMES: return trace->frames.count;
    case SCHEMA_STACKS: return trace->stacks.count;
    case SCHEMA_PROCESSES: return trace->processes.count;
    case SCHEMA_THREADS: return trace->threads.count;
    case SCHEMA_SOURCES: return trace->sources.count;
    case SCHEMA_DWELLS: return trace->dwells.count;
    case SCHEMA_RUN:
    case SCHEMA_PAUSES:
    case SCHEMA_PAUSE_BUCKETS:
    case SCHEMA_SAMPLES:
    case SCHEMA_WEIGHTS:
    case SCHEMA_HEALTH:
    case SCHEMA_COUNT: break;
    }
    return 0;
}

static uint64_t value_in(const union schema_row *row, const struct schema_field *field) {
    uint32_t narrow;
    uint64_t wide;
    const char *at = (const char *)row + field->offset;
    memcpy(&narrow, at, sizeof narrow);
    memcpy(&wide, at, field->bytes == sizeof wide ? sizeof wide : 0);
    return field->bytes == sizeof wide ? wide : narrow;
}

/* Every field of ours, also one that the file does not have. */
static bool is_valid(const struct reader *reader, const struct schema_table *table,
                     const union schema_row *row) {
    for (size_t f = 0; f < table->field_count; f++) {
        const struct schema_field *field = &table->fields[f];
        if (field->coding == CODING_TEXT) {
            continue;
        }
        uint64_t value = value_in(row, field);
        bool is_there =
            field->refers_to == SCHEMA_NONE || value <= rows_in(reader->trace, field->refers_to);
        if (value < field->least || value > field->most || !is_there) {
            return false;
        }
    }
    return true;
}

/* ---- columns ---- */

struct group {
    const struct schema_listed *listed;
    uint64_t first;
    uint64_t count;
    struct cursor columns[LIMIT_COLUMNS];
    uint64_t previous[LIMIT_COLUMNS];
};

static bool take_value(struct group *group, size_t column, uint64_t *out) {
    int64_t folded;
    struct cursor *from = &group->columns[column];
    if (group->listed->columns[column].coding == CODING_PLAIN) {
        return varint_take(from, out);
    }
    if (!varint_take_signed(from, &folded)) {
        return false;
    }
    bool is_delta = group->listed->columns[column].coding == CODING_DELTA;
    *out = (uint64_t)folded + (is_delta ? group->previous[column] : 0);
    group->previous[column] = *out;
    return true;
}

static bool put_value(union schema_row *row, const struct schema_field *field, uint64_t value) {
    char *at = (char *)row + field->offset;
    uint32_t narrow = (uint32_t)value;
    if (field->bytes == sizeof value) {
        memcpy(at, &value, sizeof value);
        return true;
    }
    memcpy(at, &narrow, sizeof narrow);
    return narrow == value;
}

/* A text is where it is in the chunk; the number of its bytes came before it. */
static bool take_text(struct group *group, size_t column, union schema_row *row) {
    const struct schema_field *field = group->listed->columns[column].field;
    struct cursor text;
    if (!varint_take_bytes(&group->columns[column], value_in(row, field - 1), &text)) {
        return false;
    }
    memcpy((char *)row + field->offset, &text.at, sizeof text.at);
    return true;
}

static bool take_fields(struct group *group, union schema_row *row) {
    const struct schema_listed *listed = group->listed;
    for (size_t c = 0; c < listed->column_count; c++) {
        const struct schema_field *field = listed->columns[c].field;
        uint64_t value;
        bool ok =
            field == NULL || (listed->columns[c].coding == CODING_TEXT
                                  ? take_text(group, c, row)
                                  : take_value(group, c, &value) && put_value(row, field, value));
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- groups and chunks ---- */

/* Whether what the file wants in memory is in proportion to what there is of it. */
static bool is_affordable(const struct reader *reader) {
    return reader->cost_bytes <=
           LIMIT_COST_BYTES + LIMIT_COST_PER_BYTE * reader->unpacker.bytes_read;
}

static uint64_t cost_of(enum schema_id id, const union schema_row *row) {
    switch (id) {
    case SCHEMA_STRINGS: return ROW_COST_BYTES + sizeof row->string + row->string.bytes;
    case SCHEMA_SOURCES: return ROW_COST_BYTES + sizeof row->source + row->source.bytes;
    case SCHEMA_SAMPLES:
        return ROW_COST_BYTES + sizeof(struct trace_tally) + sizeof(struct timeline_run);
    case SCHEMA_FUNCTIONS:
    case SCHEMA_CODES:
    case SCHEMA_INSTRUCTIONS:
    case SCHEMA_FRAMES:
    case SCHEMA_STACKS:
    case SCHEMA_PROCESSES:
    case SCHEMA_THREADS:
    case SCHEMA_DWELLS:
    case SCHEMA_RUN:
    case SCHEMA_PAUSES:
    case SCHEMA_PAUSE_BUCKETS:
    case SCHEMA_WEIGHTS:
    case SCHEMA_HEALTH:
    case SCHEMA_COUNT: break;
    }
    return ROW_COST_BYTES + schema_tables[id].row_bytes;
}

static enum status take_rows(struct reader *reader, struct group *group) {
    enum schema_id id = group->listed->id;
    const struct schema_table *table = &schema_tables[id];
    for (uint64_t i = 0; i < group->count; i++) {
        union schema_row row;
        memset(&row, 0, table->row_bytes);
        if (!take_fields(group, &row)) {
            return damaged(reader, "a column ends too early, or a number is too big", table->name);
        }
        if (!is_valid(reader, table, &row)) {
            return damaged(reader, "a number is out of range", table->name);
        }
        reader->cost_bytes += cost_of(id, &row);
        if (!is_affordable(reader)) {
            return damaged(reader, "it holds more than can be", table->name);
        }
        reader->error->status = STATUS_OK;
        if (!takers[id](reader, (uint32_t)(group->first + i), &row)) {
            return reader->error->status != STATUS_OK
                       ? reader->error->status
                       : damaged(reader, "a row is not what it should be", table->name);
        }
    }
    return STATUS_OK;
}

/* Every value takes a byte or more, so a count beyond the chunk's bytes is wrong; tables without
 * columns are not looped through. */
static bool read_group(struct reader *reader, struct cursor *from, struct group *out) {
    uint64_t number;
    *out = (struct group){0};
    if (!varint_take(from, &number) || number >= reader->listing.count ||
        !varint_take(from, &out->first) || out->first > UINT32_MAX ||
        !varint_take(from, &out->count) || out->count > (uint64_t)(from->end - from->at)) {
        return false;
    }
    out->listed = &reader->listing.tables[number];
    for (size_t c = 0; c < out->listed->column_count; c++) {
        uint64_t bytes;
        if (!varint_take(from, &bytes) || !varint_take_bytes(from, bytes, &out->columns[c])) {
            return false;
        }
    }
    return true;
}

static void mark(struct reader *reader, size_t *capacity) {
    struct reading *reading = reader->reading;
    const struct health *health = &reader->trace->health;
    if (health->duration_ns > reading->end_ns) {
        reading->end_ns = health->duration_ns;
    }
    reading->marks =
        memory_grow(reading->marks, sizeof *reading->marks, reading->mark_count + 1, capacity);
    reading->marks[reading->mark_count++] = (struct reader_mark){reading->end_ns, *health};
}

static enum status take_chunk_of_rows(struct reader *reader, bool *has_health_out) {
    const struct buffer *payload = &reader->unpacker.payload;
    struct cursor from = {(const uint8_t *)payload->data,
                          (const uint8_t *)payload->data + payload->length};
    struct group group;
    enum status status = STATUS_OK;
    *has_health_out = false;
    while (from.at < from.end && status == STATUS_OK) {
        if (!read_group(reader, &from, &group)) {
            return damaged(reader, "a group of rows is not one", "");
        }
        if (group.listed->id != SCHEMA_NONE) {
            status = take_rows(reader, &group);
            *has_health_out = *has_health_out || group.listed->id == SCHEMA_HEALTH;
        }
    }
    return status;
}

static enum status take_chunk(struct reader *reader, size_t *mark_capacity) {
    const struct buffer *payload = &reader->unpacker.payload;
    bool has_health = false;
    enum status status = STATUS_OK;
    switch (reader->unpacker.kind) {
    case CHUNK_SCHEMA:
        if (!schema_parse(payload->data, payload->length, &reader->listing)) {
            status = damaged(reader, "its list of tables cannot be read", "");
        }
        break;
    case CHUNK_ROWS:
        status = take_chunk_of_rows(reader, &has_health);
        if (status == STATUS_OK && has_health) {
            mark(reader, mark_capacity);
        }
        break;
    case CHUNK_END: reader->reading->is_finished = true; break;
    default: break; /* of a later version */
    }
    return status;
}

static enum status read_chunks(struct reader *reader) {
    size_t mark_capacity = 0;
    bool is_end = false;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !reader->reading->is_finished) {
        status = unpacker_next(&reader->unpacker, &is_end, reader->error);
        if (status != STATUS_OK || is_end) {
            break;
        }
        status = take_chunk(reader, &mark_capacity);
    }
    if (status == STATUS_OK && reader->trace->run.interval_ns == 0) {
        errno = 0;
        status = error_set(reader->error, STATUS_BAD_RECORDING,
                           "it ends before its first samples: nothing can be shown");
    }
    reader->reading->is_cut = reader->unpacker.is_cut;
    return status;
}

/* The counts of those samples that count, and what they are samples of. */
static void finish(struct reader *reader) {
    struct trace *trace = reader->trace;
    struct health *health = &trace->health;
    if (reader->mode != NULL && reader->is_asked) {
        const char *name = reader->mode->name;
        trace->run.mode = trace_text(trace, name, strlen(name));
    }
    if (!has_filter(reader)) {
        return;
    }
    health->samples = 0;
    health->unverified = 0;
    health->truncated = 0;
    for (uint32_t id = 1; id <= trace->tallies.count; id++) {
        const struct trace_tally *tally = table_row(&trace->tallies, id);
        health->samples += tally->samples;
        health->unverified += trace_stack_is_unverified(trace, tally->stack) ? tally->samples : 0;
        health->truncated += trace_stack_is_truncated(trace, tally->stack) ? tally->samples : 0;
    }
}

enum status reader_read(FILE *in, const struct mode *mode, struct trace *trace, struct reading *out,
                        struct error *error) {
    struct reader *reader = memory_zeroed(1, sizeof *reader);
    struct error none;
    *out = (struct reading){0};
    reader->trace = trace;
    reader->reading = out;
    reader->mode = mode;
    reader->is_asked = mode != NULL;
    reader->error = error != NULL ? error : &none;
    enum status status = unpacker_open(&reader->unpacker, in, reader->error);
    if (status == STATUS_OK) {
        status = read_chunks(reader);
    }
    if (status == STATUS_OK) {
        finish(reader);
    }
    unpacker_close(&reader->unpacker);
    free(reader->ends_ns);
    free(reader);
    return status;
}

void reading_deinit(struct reading *reading) {
    free(reading->marks);
    *reading = (struct reading){0};
}

enum status reader_read_path(const char *path, const struct mode *mode, struct trace *trace,
                             struct reading *out, struct error *error) {
    struct error why = {0};
    *out = (struct reading){0};
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (in == NULL) {
        return error_set(error, STATUS_BAD_RECORDING, "opening %s", path);
    }
    enum status status = reader_read(in, mode, trace, out, &why);
    fclose(in);
    if (status != STATUS_OK) {
        error_set(error, status, "%s: %s", path, why.detail);
        error->os_errno = why.os_errno;
    }
    return status;
}
