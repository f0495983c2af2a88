#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/recording/chunk.h"
#include "profiler/recording/reader.h"
#include "profiler/recording/schema.h"
#include "profiler/recording/selection.h"
#include "profiler/recording/varint.h"
#include "profiler/recording/writer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a trace that grows while it is recorded ---- */

static char path[] = "/tmp/pyrometer-test-XXXXXX";

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static struct stack_id call(struct trace *trace, struct stack_id parent, const char *name,
                            const char *file, enum frame_kind kind) {
    struct trace_function function = {
        .name = text(trace, name), .file = text(trace, file), .first_line = 3};
    struct trace_frame frame = {
        .function = trace_intern_function(trace, function), .line = 7, .column = 5, .kind = kind};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static struct thread_ref name_thread(struct trace *trace, uint32_t tid, const char *name) {
    struct trace_thread row = {
        .pid = 40, .tid = tid, .name = text(trace, name), .is_main = tid == 40};
    return trace_intern_thread(trace, row);
}

static void start(struct trace *trace) {
    struct error error;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
    trace->run = (struct trace_run){.pid = 40,
                                    .host = text(trace, "far.example"),
                                    .start_wall_ns = UINT64_C(1700000000) * NS_PER_S,
                                    .interval_ns = NS_PER_MS};
    struct trace_process process = {
        .pid = 40, .start_ticks = 9, .name = text(trace, "app"), .build_id = text(trace, "0abc")};
    trace_intern_process(trace, &process);
}

/* The sample of a tick, into the trace and into the recording. */
static void sample(struct trace *trace, struct writer *writer, uint64_t tick,
                   struct thread_ref thread, struct stack_id stack) {
    struct error error = {0};
    struct sample taken = {.time_ns = tick * NS_PER_MS + tick % 7,
                           .weight_ns = NS_PER_MS + tick % 7 - (tick - 1) % 7,
                           .thread = thread,
                           .stack = stack,
                           .state =
                               (tick % 5 == 0 ? STATE_WAITING : STATE_RUNNING | STATE_HAS_GIL) |
                               (tick % 4 == 0 ? STATE_EXCEPTION : 0)};
    trace->health.samples++;
    trace->health.ticks = tick;
    trace->health.duration_ns = taken.time_ns;
    assert_int_equal(trace_add(trace, &taken, &error), STATUS_OK);
    assert_int_equal(writer_push(writer, &taken, &error), STATUS_OK);
}

enum { TICKS = 60, RENAMED_AT = 30 };

/* A main thread that works, and a worker that is renamed, and whose root is lost at times. */
static void work(struct trace *trace, struct writer *writer) {
    struct thread_ref main_thread = name_thread(trace, 40, "MainThread");
    struct thread_ref worker = name_thread(trace, 41, "Thread-1");
    struct stack_id top = call(trace, (struct stack_id){0}, "<module>", "/srv/a.py", FRAME_PYTHON);
    struct stack_id cut = call(trace, (struct stack_id){0}, "<missing>", "", FRAME_MISSING);
    for (uint64_t tick = 1; tick <= TICKS; tick++) {
        char name[32];
        snprintf(name, sizeof name, "f%u;\n\xff", (unsigned)tick / 9);
        sample(trace, writer, tick, main_thread, call(trace, top, name, "/srv/b.py", FRAME_PYTHON));
        if (tick % 3 == 0) {
            struct stack_id base = tick % 2 ? cut : top;
            sample(trace, writer, tick, worker, call(trace, base, "poll", "/srv/c.py", 0));
        }
        if (tick == RENAMED_AT) {
            name_thread(trace, 41, "worker");
            histogram_add(&trace->pauses, 12345);
        }
        if (tick % 11 == 0) {
            writer_flush(writer);
        }
    }
    trace->health.lost = 4;
}

static bool give_source(void *context, const char *name, struct buffer *out) {
    (void)context;
    buffer_printf(out, "# %s\n\xe9", name);
    return strcmp(name, "/srv/b.py") == 0;
}

/* The trace, and its recording in the file `path`. */
static void record(struct trace *trace) {
    struct error error;
    start(trace);
    struct writer_plan plan = {.path = path, .trace = trace, .source = give_source};
    struct writer *writer = writer_create(&plan);
    work(trace, writer);
    assert_int_equal(writer_close(writer, &error), STATUS_OK);
}

static struct buffer recorded_bytes(void) {
    char block[4096];
    struct buffer bytes = {0};
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    for (size_t got; (got = fread(block, 1, sizeof block, in)) > 0;) {
        buffer_append(&bytes, block, got);
    }
    fclose(in);
    return bytes;
}

/* Reads `count` bytes as a recording; `*trace` and `*reading` are to be freed in any case. */
static enum status read_bytes(const char *data, size_t count, struct trace *trace,
                              struct reading *reading, struct error *error) {
    *error = (struct error){0};
    FILE *in = count > 0 ? fmemopen((void *)(uintptr_t)data, count, "r") : fopen("/dev/null", "r");
    assert_non_null(in);
    assert_int_equal(trace_init(trace, true, error), STATUS_OK);
    enum status status = reader_read(in, NULL, trace, reading, error);
    fclose(in);
    return status;
}

static void forget(struct trace *trace, struct reading *reading) {
    trace_deinit(trace);
    reading_deinit(reading);
}

/* ---- the same again ---- */

static void expect_same_rows(const struct table *a, const struct table *b) {
    assert_int_equal(a->count, b->count);
    for (uint32_t id = 1; id <= a->count; id++) {
        assert_memory_equal(table_row(a, id), table_row(b, id), a->row_bytes);
    }
}

static enum status append_run(void *context, const struct timeline_run *run) {
    buffer_append(context, run, sizeof *run);
    return STATUS_OK;
}

static void expect_same_runs(struct trace *a, struct trace *b) {
    for (uint32_t id = 1; id <= a->threads.count; id++) {
        struct buffer left = {0};
        struct buffer right = {0};
        assert_int_equal(timeline_each(a->timeline, (struct thread_ref){id}, append_run, &left), 0);
        assert_int_equal(timeline_each(b->timeline, (struct thread_ref){id}, append_run, &right),
                         0);
        assert_true(left.length > 0);
        assert_int_equal(left.length, right.length);
        assert_memory_equal(left.data, right.data, left.length);
        buffer_deinit(&left);
        buffer_deinit(&right);
    }
}

static void expect_same(struct trace *a, struct trace *b) {
    assert_int_equal(a->strings.count, b->strings.count);
    for (uint32_t id = 1; id <= a->strings.count; id++) {
        assert_string_equal(strings_text(&a->strings, id, NULL),
                            strings_text(&b->strings, id, NULL));
    }
    expect_same_rows(&a->functions, &b->functions);
    expect_same_rows(&a->frames, &b->frames);
    expect_same_rows(&a->stacks, &b->stacks);
    expect_same_rows(&a->threads, &b->threads);
    expect_same_rows(&a->tallies, &b->tallies);
    expect_same_rows(&a->processes, &b->processes);
    expect_same_runs(a, b);
    assert_memory_equal(&a->run, &b->run, sizeof a->run);
    assert_memory_equal(&a->health, &b->health, sizeof a->health);
    assert_memory_equal(&a->pauses, &b->pauses, sizeof a->pauses);
}

static void test_round_trip(void **state) {
    (void)state;
    struct trace made;
    struct trace trace;
    struct reading reading;
    struct error error;
    record(&made);
    struct buffer bytes = recorded_bytes();
    assert_int_equal(read_bytes(bytes.data, bytes.length, &trace, &reading, &error), STATUS_OK);
    assert_true(reading.is_finished && !reading.is_cut);
    assert_int_equal(reading.end_ns, made.health.duration_ns);
    expect_same(&made, &trace);
    /* The writer's thread asked for the files, and got one of them. */
    assert_int_equal(trace.sources.count, 1);
    const struct trace_source *source = trace_source(&trace, text(&trace, "/srv/b.py"));
    assert_non_null(source);
    assert_string_equal(source->text, "# /srv/b.py\n\\xe9");
    forget(&trace, &reading);
    trace_deinit(&made);
    buffer_deinit(&bytes);
}

/* A trace that there is already goes by way of its timeline: nothing is lost but the order of
 * threads. */
static void test_recorded_again(void **state) {
    (void)state;
    struct trace made;
    struct trace trace;
    struct reading reading;
    struct error error;
    char *data = NULL;
    size_t count = 0;
    record(&made);
    FILE *out = open_memstream(&data, &count);
    assert_int_equal(writer_write_trace(&made, out), STATUS_OK);
    fclose(out);
    assert_int_equal(read_bytes(data, count, &trace, &reading, &error), STATUS_OK);
    expect_same_runs(&made, &trace);
    assert_int_equal(made.tallies.count, trace.tallies.count);
    assert_memory_equal(&made.health, &trace.health, sizeof made.health);
    forget(&trace, &reading);
    trace_deinit(&made);
    free(data);
}

/* ---- files that are not whole ---- */

/* However much of it is there: what can be shown only grows, and is consistent. */
static void test_cut_at_every_byte(void **state) {
    (void)state;
    struct trace made;
    record(&made);
    struct buffer bytes = recorded_bytes();
    uint64_t samples = 0;
    for (size_t count = 0; count < bytes.length; count++) {
        struct trace trace;
        struct reading reading;
        struct error error;
        enum status status = read_bytes(bytes.data, count, &trace, &reading, &error);
        if (status == STATUS_OK) {
            uint64_t seen = 0;
            for (uint32_t id = 1; id <= trace.tallies.count; id++) {
                seen += ((const struct trace_tally *)table_row(&trace.tallies, id))->samples;
            }
            assert_int_equal(seen, trace.health.samples);
            assert_false(reading.is_finished);
            assert_true(seen >= samples);
            samples = seen;
        } else {
            assert_int_equal(status, STATUS_BAD_RECORDING);
            assert_int_equal(samples, 0);
            assert_true(strlen(error.detail) > 0);
        }
        forget(&trace, &reading);
    }
    assert_int_equal(samples, made.health.samples);
    trace_deinit(&made);
    buffer_deinit(&bytes);
}

/* Every bit is guarded: one that is turned is found, or makes no difference (a few bits of a zstd
 * frame's head mean nothing). */
static void test_every_bit_turned(void **state) {
    (void)state;
    struct trace made;
    record(&made);
    struct buffer bytes = recorded_bytes();
    size_t harmless = 0;
    for (size_t bit = 0; bit < 8 * bytes.length; bit += 1 + bit % 3) {
        struct trace trace;
        struct reading reading;
        struct error error;
        bytes.data[bit / 8] ^= (char)(1 << bit % 8);
        enum status status = read_bytes(bytes.data, bytes.length, &trace, &reading, &error);
        bytes.data[bit / 8] ^= (char)(1 << bit % 8);
        if (status == STATUS_OK) {
            expect_same(&made, &trace);
            harmless++;
        } else {
            assert_int_equal(status, STATUS_BAD_RECORDING);
        }
        forget(&trace, &reading);
    }
    assert_true(harmless < bytes.length / 8);
    trace_deinit(&made);
    buffer_deinit(&bytes);
}

static void test_not_a_recording(void **state) {
    (void)state;
    static const char *const contents[] = {"", "\n", "process python3 (1);main 12\n",
                                           "\211PYRO\r\n\032 and then nothing of it"};
    for (size_t i = 0; i < COUNT(contents); i++) {
        struct trace trace;
        struct reading reading;
        struct error error;
        assert_int_equal(read_bytes(contents[i], strlen(contents[i]), &trace, &reading, &error),
                         STATUS_BAD_RECORDING);
        forget(&trace, &reading);
    }
}

/* ---- files that somebody made ---- */

/* A file of chunks that are well packed; the first is a schema. */
struct forgery {
    struct packer *packer;
    struct buffer bytes;
};

static void forge(struct forgery *out, const char *schema) {
    struct buffer payload = {0};
    *out = (struct forgery){.packer = packer_create()};
    chunk_append_head(&out->bytes);
    if (schema != NULL) {
        buffer_printf(&payload, "%s", schema);
    } else {
        schema_describe(&payload);
    }
    chunk_append(out->packer, CHUNK_SCHEMA, &payload, &out->bytes);
    buffer_deinit(&payload);
}

static void forge_chunk(struct forgery *forgery, uint32_t kind, struct buffer *payload) {
    chunk_append(forgery->packer, (enum chunk_kind)kind, payload, &forgery->bytes);
    buffer_deinit(payload);
}

/* A group of one row, of numbers that are their own varints. */
static void put_row(struct buffer *payload, uint8_t table, uint8_t id, const uint8_t *values,
                    size_t count) {
    const uint8_t head[] = {table, id, 1};
    buffer_append(payload, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        const uint8_t column[] = {1, values[i]};
        buffer_append(payload, column, sizeof column);
    }
}

/* What comes of it. */
static enum status read_forgery(struct forgery *forgery, struct trace *trace,
                                struct reading *reading, struct error *error) {
    enum status status =
        read_bytes(forgery->bytes.data, forgery->bytes.length, trace, reading, error);
    packer_destroy(forgery->packer);
    buffer_deinit(&forgery->bytes);
    return status;
}

static void expect_refused(struct forgery *forgery, const char *words) {
    struct trace trace;
    struct reading reading;
    struct error error;
    assert_int_equal(read_forgery(forgery, &trace, &reading, &error), STATUS_BAD_RECORDING);
    if (strstr(error.detail, words) == NULL) {
        fail_msg("no \"%s\" in: %s", words, error.detail);
    }
    forget(&trace, &reading);
}

static void test_what_is_unknown_is_skipped(void **state) {
    (void)state;
    struct forgery forgery;
    struct buffer payload = {0};
    struct trace trace;
    struct reading reading;
    struct error error;
    forge(&forgery, "moods .colour =smell\nrun .interval_ns .weather .pid\n");
    buffer_append(&payload, "anything", 8);
    forge_chunk(&forgery, 77, &payload);
    put_row(&payload, 0, 1, (const uint8_t[]){3, 4}, 2);
    put_row(&payload, 1, 1, (const uint8_t[]){100, 9, 42}, 3);
    forge_chunk(&forgery, CHUNK_ROWS, &payload);
    assert_int_equal(read_forgery(&forgery, &trace, &reading, &error), STATUS_OK);
    assert_int_equal(trace.run.interval_ns, 100);
    assert_int_equal(trace.run.pid, 42);
    assert_int_equal(trace.run.host.id, 0);
    forget(&trace, &reading);
}

static void test_schemas_that_are_none(void **state) {
    (void)state;
    static const char *const schemas[] = {
        "",
        "strings .bytes =text",
        "strings bytes\n",
        "strings .text\n",
        "samples =thread\n",
        "a .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b .b "
        ".b .b .b .b\n",
        "a\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\n"
        "a\na\na\n"};
    for (size_t i = 0; i < COUNT(schemas); i++) {
        struct forgery forgery;
        forge(&forgery, schemas[i]);
        expect_refused(&forgery, "list of tables");
    }
}

/* One row that cannot be, in a table that is empty. */
static void test_rows_that_cannot_be(void **state) {
    (void)state;
    static const struct {
        uint8_t table;
        uint8_t id;
        uint8_t count;
        uint8_t values[9];
        const char *words;
    } rows[] = {
        {SCHEMA_FUNCTIONS, 1, 4, {2, 0, 0, 0}, "out of range"}, /* a name that there is not */
        {SCHEMA_FUNCTIONS, 2, 4, {0, 0, 0, 0}, "not what it"},  /* another id than its own */
        {SCHEMA_FUNCTIONS, 1, 3, {0, 0, 0}, "not one"},         /* a column missing */
        {SCHEMA_FRAMES, 1, 8, {0}, "out of range"},             /* of no function */
        {SCHEMA_STACKS, 1, 2, {2, 2}, "out of range"},          /* its own parent */
        {SCHEMA_STACKS, 1, 2, {1, 2}, "too big"},               /* a parent before the first */
        {SCHEMA_THREADS, 1, 5, {0, 0, 0, 0, 2}, "out of range"},
        {SCHEMA_RUN, 1, 9, {0}, "out of range"}, /* no interval */
        {SCHEMA_SAMPLES, 1, 6, {1, 0, 0, 1, 0, 0}, "out of range"},
        {SCHEMA_PAUSE_BUCKETS, 0, 1, {1}, "not what it"},
        {SCHEMA_COUNT, 1, 1, {0}, "not one"}, /* no such table */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct forgery forgery;
        struct buffer payload = {0};
        forge(&forgery, NULL);
        put_row(&payload, rows[i].table, rows[i].id, rows[i].values, rows[i].count);
        forge_chunk(&forgery, CHUNK_ROWS, &payload);
        expect_refused(&forgery, rows[i].words);
    }
}

/* A count without bytes behind it. */
static void test_count_beyond_the_chunk(void **state) {
    (void)state;
    struct forgery forgery;
    struct buffer payload = {0};
    forge(&forgery, NULL);
    varint_append(&payload, SCHEMA_HEALTH);
    varint_append(&payload, 1);
    varint_append(&payload, UINT64_MAX);
    forge_chunk(&forgery, CHUNK_ROWS, &payload);
    expect_refused(&forgery, "not one");
}

/* A column of a number and then of differences that are all the same. */
static void put_differences(struct buffer *payload, int64_t first, uint8_t difference,
                            size_t count) {
    struct buffer column = {0};
    varint_append_signed(&column, first);
    memset(buffer_reserve(&column, count - 1), difference, count - 1);
    column.length += count - 1;
    varint_append(payload, column.length);
    buffer_append(payload, column.data, column.length);
    buffer_deinit(&column);
}

/* Some kilobytes that would be gigabytes: frames that differ in their line alone. */
static void test_more_than_can_be(void **state) {
    (void)state;
    enum { ROWS = 2000000, CHUNKS = 4 };
    struct forgery forgery;
    struct buffer payload = {0};
    forge(&forgery, NULL);
    put_row(&payload, SCHEMA_FUNCTIONS, 1, (const uint8_t[]){0, 0, 0, 0}, 4);
    forge_chunk(&forgery, CHUNK_ROWS, &payload);
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        varint_append(&payload, SCHEMA_FRAMES);
        varint_append(&payload, 1 + chunk * ROWS);
        varint_append(&payload, ROWS);
        put_differences(&payload, 1, 0, ROWS);
        put_differences(&payload, chunk * ROWS, 2, ROWS);
        for (size_t f = 2; f < schema_tables[SCHEMA_FRAMES].field_count; f++) {
            put_differences(&payload, 0, 0, ROWS);
        }
        forge_chunk(&forgery, CHUNK_ROWS, &payload);
    }
    assert_true(forgery.bytes.length < 100000);
    expect_refused(&forgery, "more than can be");
}

static void test_deep_stack(void **state) {
    (void)state;
    enum { ROWS = LIMIT_DEPTH + 1 };
    struct forgery forgery;
    struct buffer payload = {0};
    forge(&forgery, NULL);
    put_row(&payload, SCHEMA_FUNCTIONS, 1, (const uint8_t[]){0, 0, 0, 0}, 4);
    put_row(&payload, SCHEMA_FRAMES, 1, (const uint8_t[]){2, 0, 0, 0, 0, 0, 0, 0}, 8);
    varint_append(&payload, SCHEMA_STACKS);
    varint_append(&payload, 1);
    varint_append(&payload, ROWS);
    put_differences(&payload, 0, 2, ROWS); /* parents: 0, 1, 2 ... */
    put_differences(&payload, 1, 0, ROWS); /* frames: 1, 1, 1 ... */
    forge_chunk(&forgery, CHUNK_ROWS, &payload);
    expect_refused(&forgery, "not what it should be in its table stacks");
}

/* ---- outputs that cannot be written ---- */

static void expect_no_output(const char *where) {
    struct trace trace;
    struct error error = {0};
    start(&trace);
    struct thread_ref thread = name_thread(&trace, 40, "MainThread");
    struct writer_plan plan = {.path = where, .trace = &trace};
    struct writer *writer = writer_create(&plan);
    struct sample taken = {.time_ns = 5, .weight_ns = 5, .thread = thread};
    enum status pushed = writer_push(writer, &taken, &error);
    assert_true(pushed == STATUS_OK || pushed == STATUS_NO_OUTPUT);
    trace.health.ticks = 1;
    assert_int_equal(writer_close(writer, &error), STATUS_NO_OUTPUT);
    assert_non_null(strstr(error.detail, where));
    trace_deinit(&trace);
}

static void test_no_output(void **state) {
    (void)state;
    expect_no_output("/dev/full");
    expect_no_output("/no such folder/x.pyro");
}

/* No sample and no tick: the file that was there before stays. */
static void test_nothing_recorded(void **state) {
    (void)state;
    struct trace trace;
    struct error error;
    struct stat before;
    struct stat after;
    record(&trace);
    trace_deinit(&trace);
    assert_int_equal(stat(path, &before), 0);
    start(&trace);
    struct writer_plan plan = {.path = path, .trace = &trace};
    assert_int_equal(writer_close(writer_create(&plan), &error), STATUS_OK);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_size == after.st_size && before.st_size > 0);
    trace_deinit(&trace);
}

/* ---- selections ---- */

/* How many samples a selection of the recording holds; its expressions are checked first. */
static struct health selected(const struct selection *selection) {
    struct trace made;
    struct trace trace;
    struct trace some;
    struct reading reading;
    struct error error;
    record(&made);
    struct buffer bytes = recorded_bytes();
    assert_int_equal(read_bytes(bytes.data, bytes.length, &trace, &reading, &error), STATUS_OK);
    assert_int_equal(trace_init(&some, true, &error), STATUS_OK);
    assert_int_equal(selection_check(selection, &error), STATUS_OK);
    assert_int_equal(selection_apply(selection, &trace, &reading, &some, &error), STATUS_OK);
    uint64_t tallied = 0;
    for (uint32_t id = 1; id <= some.tallies.count; id++) {
        tallied += ((const struct trace_tally *)table_row(&some.tallies, id))->samples;
    }
    assert_int_equal(tallied, some.health.samples);
    struct health health = some.health;
    trace_deinit(&some);
    trace_deinit(&made);
    forget(&trace, &reading);
    buffer_deinit(&bytes);
    return health;
}

static void test_ranges(void **state) {
    (void)state;
    enum { BOTH = TICKS + TICKS / 3 };
    struct selection selection = {0};
    assert_true(selection_is_all(&selection));
    assert_int_equal(selected(&selection).samples, BOTH);
    assert_int_equal(selected(&selection).truncated, TICKS / 6);
    selection = (struct selection){.has_from = true};
    assert_false(selection_is_all(&selection));
    assert_int_equal(selected(&selection).samples, BOTH);
    /* Samples of the ticks 31 to 60, the worker's among them: 10. A few ns into a tick. */
    selection = (struct selection){.from_ns = 30 * (int64_t)NS_PER_MS + 9, .has_from = true};
    struct health late = selected(&selection);
    assert_int_equal(late.samples, 40);
    assert_in_range(late.ticks, 29, 31);
    assert_in_range(late.duration_ns, 29 * NS_PER_MS, 30 * NS_PER_MS);
    selection = (struct selection){.to_ns = 30 * (int64_t)NS_PER_MS + 9, .has_to = true};
    assert_int_equal(selected(&selection).samples, 40);
    selection = (struct selection){.from_ns = -30 * (int64_t)NS_PER_MS, .has_from = true};
    assert_in_range(selected(&selection).samples, 39, 41);
    selection = (struct selection){.from_ns = -1000 * (int64_t)NS_PER_S, .has_from = true};
    assert_int_equal(selected(&selection).samples, BOTH);
    selection = (struct selection){.from_ns = 50, .to_ns = 20, .has_from = true, .has_to = true};
    assert_int_equal(selected(&selection).samples, 0);
}

static void test_processes_threads_and_expressions(void **state) {
    (void)state;
    static const struct {
        const char *process;
        const char *thread;
        const char *include;
        const char *exclude;
        bool main_only;
        uint64_t samples;
    } rows[] = {
        {NULL, "worker", NULL, NULL, false, TICKS / 3},
        {NULL, "41", NULL, NULL, false, TICKS / 3},
        {NULL, "Thread-1", NULL, NULL, false, 0}, /* it is called so no more */
        {NULL, NULL, NULL, NULL, true, TICKS},
        {NULL, NULL, "^poll$", NULL, false, TICKS / 3},
        {NULL, NULL, "/srv/[ac]\\.py", NULL, false, TICKS + TICKS / 3},
        {NULL, NULL, "/srv/c", "^<module>$", false, TICKS / 6},
        {NULL, NULL, NULL, "f[1-9]", false, 8 + TICKS / 3},
        {NULL, NULL, "no such thing", NULL, false, 0},
        {"40", NULL, NULL, NULL, false, TICKS + TICKS / 3},
        {"app", "worker", NULL, NULL, false, TICKS / 3},
        {"41", NULL, NULL, NULL, false, 0},
        {"worker", NULL, NULL, NULL, false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct selection selection = {.main_only = rows[i].main_only};
        if (rows[i].process != NULL) {
            selection_add(&selection.processes, rows[i].process);
        }
        if (rows[i].thread != NULL) {
            selection_add(&selection.threads, rows[i].thread);
        }
        if (rows[i].include != NULL) {
            selection_add(&selection.include, rows[i].include);
        }
        if (rows[i].exclude != NULL) {
            selection_add(&selection.exclude, rows[i].exclude);
        }
        if (selected(&selection).samples != rows[i].samples) {
            fail_msg("row %zu: %d samples", i, (int)selected(&selection).samples);
        }
        selection_deinit(&selection);
    }
}

/* ---- modes ---- */

static void expect_mode(struct buffer *bytes, const struct trace *all, const char *mode) {
    struct trace kept;
    struct reading reading;
    struct error error = {0};
    uint64_t samples = 0;
    uint64_t wanted = 0;
    FILE *in = fmemopen(bytes->data, bytes->length, "r");
    assert_int_equal(trace_init(&kept, true, NULL), STATUS_OK);
    assert_int_equal(reader_read(in, mode_by_name(mode), &kept, &reading, &error), STATUS_OK);
    fclose(in);
    assert_string_equal(trace_string(&kept, kept.run.mode), mode);
    for (uint32_t id = 1; id <= kept.tallies.count; id++) {
        samples += ((const struct trace_tally *)table_row(&kept.tallies, id))->samples;
    }
    for (uint32_t id = 1; id <= all->threads.count; id++) {
        struct buffer runs = {0};
        assert_int_equal(timeline_each(all->timeline, (struct thread_ref){id}, append_run, &runs),
                         STATUS_OK);
        for (size_t at = 0; at < runs.length; at += sizeof(struct timeline_run)) {
            const struct timeline_run *run = (const void *)(runs.data + at);
            wanted += mode_keeps(mode_by_name(mode), run->state) ? run->samples : 0;
        }
        buffer_deinit(&runs);
    }
    assert_true(wanted > 0);
    assert_int_equal(samples, wanted);
    assert_int_equal(kept.health.samples, wanted);
    assert_int_equal(kept.health.lost, all->health.lost);
    forget(&kept, &reading);
}

static void test_modes(void **state) {
    struct trace all;
    (void)state;
    record(&all);
    struct buffer bytes = recorded_bytes();
    for (const struct mode *mode = modes; mode->name != NULL; mode++) {
        expect_mode(&bytes, &all, mode->name);
    }
    buffer_deinit(&bytes);
    trace_deinit(&all);
}

static void test_bad_expressions(void **state) {
    (void)state;
    struct selection selection = {0};
    struct error error;
    selection_add(&selection.exclude, "a(");
    assert_int_equal(selection_check(&selection, &error), STATUS_USAGE);
    assert_non_null(strstr(error.detail, "--exclude a("));
    selection_deinit(&selection);
}

/* ---- numbers ---- */

static void test_varints(void **state) {
    (void)state;
    static const uint64_t values[] = {0,          1,          127,        128,
                                      UINT32_MAX, 1ULL << 56, 1ULL << 63, UINT64_MAX};
    struct buffer bytes = {0};
    for (size_t i = 0; i < COUNT(values); i++) {
        varint_append(&bytes, values[i]);
        varint_append_signed(&bytes, (int64_t)values[i]);
    }
    struct cursor from = {(const uint8_t *)bytes.data, (const uint8_t *)bytes.data + bytes.length};
    for (size_t i = 0; i < COUNT(values); i++) {
        uint64_t value;
        int64_t folded;
        assert_true(varint_take(&from, &value) && value == values[i]);
        assert_true(varint_take_signed(&from, &folded) && folded == (int64_t)values[i]);
    }
    uint64_t none;
    assert_false(varint_take(&from, &none));
    static const uint8_t too_big[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    from = (struct cursor){too_big, too_big + sizeof too_big};
    assert_false(varint_take(&from, &none));
    buffer_deinit(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_recorded_again),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_bit_turned),
        cmocka_unit_test(test_not_a_recording),
        cmocka_unit_test(test_what_is_unknown_is_skipped),
        cmocka_unit_test(test_schemas_that_are_none),
        cmocka_unit_test(test_rows_that_cannot_be),
        cmocka_unit_test(test_count_beyond_the_chunk),
        cmocka_unit_test(test_more_than_can_be),
        cmocka_unit_test(test_deep_stack),
        cmocka_unit_test(test_no_output),
        cmocka_unit_test(test_nothing_recorded),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_processes_threads_and_expressions),
        cmocka_unit_test(test_bad_expressions),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_varints),
    };
    return cmocka_run_group_tests_name("recording", tests, make_file, remove_file);
}
