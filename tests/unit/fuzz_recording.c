#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/exporter.h"
#include "profiler/recording/chunk.h"
#include "profiler/recording/reader.h"
#include "profiler/recording/schema.h"
#include "profiler/recording/selection.h"
#include "profiler/recording/varint.h"
#include "profiler/recording/writer.h"
#include "tests/unit/fuzz_recording.h"

/* ---- a small recording to begin with ---- */

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static void fill(struct trace *trace) {
    struct error error;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
    trace->run = (struct trace_run){.pid = 7, .host = text(trace, "host"), .interval_ns = 1000};
    struct trace_process process = {.pid = 7, .start_ticks = 3};
    trace_intern_process(trace, &process);
    struct trace_thread row = {.pid = 7, .tid = 7, .name = text(trace, "Main"), .is_main = 1};
    struct thread_ref thread = trace_intern_thread(trace, row);
    struct trace_function function = {
        .name = text(trace, "run"), .file = text(trace, "/a.py"), .first_line = 1};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .line = 2};
    trace_set_source(trace, function.file, "def run():\n    pass\n", 20);
    struct trace_code code = {.function = frame.function};
    struct trace_instruction instruction = {.code = trace_intern_code(trace, code),
                                            .opcode = text(trace, "NOP")};
    frame.instruction = trace_intern_instruction(trace, &instruction);
    struct stack_id stack = {0};
    for (uint32_t i = 1; i <= 4; i++) {
        stack = trace_intern_stack(trace, stack, trace_intern_frame(trace, frame));
        struct sample sample = {
            .time_ns = 1000 * i, .weight_ns = 1000, .thread = thread, .stack = stack};
        assert_int_equal(trace_add(trace, &sample, &error), STATUS_OK);
    }
    trace->health = (struct health){.ticks = 4, .samples = 4, .duration_ns = 4000};
}

/* Its bytes, made once; the end chunk is the last FORMAT_CHUNK_BYTES and some. */
static const struct buffer *small_recording(void) {
    static struct buffer bytes;
    struct trace trace;
    char *data = NULL;
    size_t length = 0;
    if (bytes.length == 0) {
        fill(&trace);
        FILE *out = open_memstream(&data, &length);
        assert_int_equal(writer_write_trace(&trace, out), STATUS_OK);
        fclose(out);
        buffer_append(&bytes, data, length);
        free(data);
        trace_deinit(&trace);
    }
    return &bytes;
}

/* ---- what becomes of bytes ---- */

static void export_all(struct trace *trace) {
    FILE *out = fopen("/dev/null", "w");
    struct error error;
    assert_non_null(out);
    trace->base = trace;
    for (const struct exporter *const *at = exporters; *at != NULL; at++) {
        assert_int_equal((*at)->write(trace, out, &error), STATUS_OK);
    }
    fclose(out);
}

static void select_some(const struct trace *all, const struct reading *reading) {
    struct trace some;
    struct error error;
    struct selection selection = {
        .from_ns = -3000, .to_ns = 3500, .has_from = true, .has_to = true};
    assert_int_equal(trace_init(&some, true, &error), STATUS_OK);
    selection_add(&selection.exclude, "[x-z]$");
    assert_int_equal(selection_apply(&selection, all, reading, &some, &error), STATUS_OK);
    selection_deinit(&selection);
    trace_deinit(&some);
}

static void read_bytes(const struct buffer *bytes) {
    struct trace trace;
    struct reading reading;
    struct error error = {0};
    FILE *in = fmemopen(bytes->data, bytes->length, "r");
    assert_non_null(in);
    assert_int_equal(trace_init(&trace, true, &error), STATUS_OK);
    enum status status = reader_read(in, NULL, &trace, &reading, &error);
    assert_true(status == STATUS_OK || status == STATUS_BAD_RECORDING);
    if (status == STATUS_OK) {
        export_all(&trace);
        select_some(&trace, &reading);
    }
    fclose(in);
    reading_deinit(&reading);
    trace_deinit(&trace);
}

void fuzz_recording(const uint8_t *data, size_t bytes) {
    struct buffer changed = {0};
    buffer_append(&changed, small_recording()->data, small_recording()->length);
    for (size_t i = 0; i + 3 <= bytes; i += 3) {
        size_t at = (data[i] | (size_t)data[i + 1] << 8) % changed.length;
        changed.data[at] = (char)data[i + 2];
    }
    changed.length -= bytes % 3 == 1 ? data[bytes - 1] % changed.length : 0;
    read_bytes(&changed);
    buffer_deinit(&changed);
}

/* The small recording without its end, and a chunk more. */
static void read_with(enum chunk_kind kind, const struct buffer *payload) {
    struct packer *packer = packer_create();
    struct buffer end = {0};
    struct buffer nothing = {0};
    struct buffer all = {0};
    chunk_append(packer, CHUNK_END, &nothing, &end);
    buffer_append(&all, small_recording()->data, small_recording()->length - end.length);
    chunk_append(packer, kind, payload, &all);
    chunk_append(packer, CHUNK_END, &nothing, &all);
    read_bytes(&all);
    packer_destroy(packer);
    buffer_deinit(&end);
    buffer_deinit(&all);
}

void fuzz_payload(const uint8_t *data, size_t bytes) {
    struct buffer payload = {0};
    if (bytes > 0) {
        buffer_append(&payload, data + 1, bytes - 1);
        read_with(data[0] % 8 == 0 ? CHUNK_SCHEMA : CHUNK_ROWS, &payload);
    }
    buffer_deinit(&payload);
}

/* ---- rows ---- */

struct bytes_left {
    const uint8_t *at;
    size_t count;
};

static uint8_t next(struct bytes_left *from) {
    if (from->count == 0) {
        return 0;
    }
    from->count--;
    return *from->at++;
}

/* Mostly small, at times one of the others. */
static uint64_t odd_number(struct bytes_left *from) {
    uint8_t byte = next(from);
    return byte < 240 ? byte % 12 : byte < 250 ? byte : UINT64_MAX >> (byte - 250) * 11;
}

static void append_column(struct buffer *out, const struct schema_field *field, uint64_t count,
                          struct bytes_left *from) {
    struct buffer column = {0};
    for (uint64_t i = 0; i < count; i++) {
        if (field->coding == CODING_TEXT) {
            buffer_append(&column, "text", next(from) % 5);
        } else {
            varint_append(&column, odd_number(from));
        }
    }
    varint_append(out, column.length);
    buffer_append(out, column.data, column.length);
    buffer_deinit(&column);
}

void fuzz_tables(const uint8_t *data, size_t bytes) {
    struct bytes_left from = {data, bytes};
    struct buffer payload = {0};
    while (from.count > 0) {
        enum schema_id id = (enum schema_id)(next(&from) % SCHEMA_COUNT);
        const struct schema_table *table = &schema_tables[id];
        uint64_t count = next(&from) % 4;
        varint_append(&payload, id);
        varint_append(&payload, odd_number(&from));
        varint_append(&payload, count);
        for (size_t f = 0; f < table->field_count; f++) {
            append_column(&payload, &table->fields[f], count, &from);
        }
    }
    read_with(CHUNK_ROWS, &payload);
    buffer_deinit(&payload);
}
