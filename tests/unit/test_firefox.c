#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "exporters/exporter.h"
#include "exporters/json.h"
#include "profiler/base/clock.h"
#include "profiler/model/trace.h"

/* A trace with one thread and one stack; no samples yet. */
static void make(struct trace *trace) {
    struct error error;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
    trace->run.interval_ns = NS_PER_MS;
    trace_intern_thread(trace, (struct trace_thread){.pid = 1, .tid = 1});
    struct trace_frame frame = {
        .function = trace_intern_function(trace, (struct trace_function){.first_line = 1})};
    trace_intern_stack(trace, (struct stack_id){0}, trace_intern_frame(trace, frame));
}

static void push(struct trace *trace, uint64_t time_ns, uint32_t state) {
    struct sample sample = {
        .time_ns = time_ns, .weight_ns = NS_PER_MS, .thread = {1}, .stack = {1}, .state = state};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

/* What is written for a path; the caller frees it with free(). */
static char *written(const struct trace *trace, const char *format, const char *path,
                     size_t *bytes) {
    char *data = NULL;
    struct error error = {0};
    FILE *out = open_memstream(&data, bytes);
    assert_int_equal(exporter_write(exporter_by_name(format), path, trace, out, &error), STATUS_OK);
    assert_int_equal(fclose(out), 0);
    return data;
}

/* The samples of the one thread; the caller deletes *file. */
static const cJSON *samples_of(const struct trace *trace, cJSON **file) {
    size_t bytes;
    char *data = written(trace, "firefox", "-", &bytes);
    *file = cJSON_Parse(data);
    free(data);
    assert_non_null(*file);
    const cJSON *threads = cJSON_GetObjectItemCaseSensitive(*file, "threads");
    assert_int_equal(cJSON_GetArraySize(threads), 1);
    return cJSON_GetObjectItemCaseSensitive(threads->child, "samples");
}

static double total(const cJSON *samples, const char *column) {
    double sum = 0;
    const cJSON *cell;
    cJSON_ArrayForEach(cell, cJSON_GetObjectItemCaseSensitive(samples, column)) {
        sum += cell->valuedouble;
    }
    return sum;
}

static int rows(const cJSON *samples) {
    int count = cJSON_GetObjectItemCaseSensitive(samples, "length")->valueint;
    static const char *const columns[] = {"stack", "time", "weight", "threadCPUDelta"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const cJSON *column = cJSON_GetObjectItemCaseSensitive(samples, columns[i]);
        assert_int_equal(cJSON_GetArraySize(column), count);
    }
    return count;
}

static double cell(const cJSON *samples, const char *column, int row) {
    return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(samples, column), row)->valuedouble;
}

/* Runs of any length keep their samples and their time; long ones do not become long files. */
static void test_runs(void **state) {
    (void)state;
    static const struct {
        int samples;
        int rows; /* the first one is the beginning of the thread */
    } cases[] = {{1, 2}, {2, 3}, {3, 4}, {100, 101}, {1000, 1001}, {2000, 1002}, {50000, 1002}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trace trace;
        cJSON *file;
        make(&trace);
        for (int tick = 1; tick <= cases[i].samples; tick++) {
            push(&trace, (uint64_t)tick * NS_PER_MS, 0);
        }
        const cJSON *samples = samples_of(&trace, &file);
        int count = rows(samples);
        assert_in_range(count, cases[i].rows - 1, cases[i].rows + 1);
        assert_true(total(samples, "weight") == cases[i].samples);
        assert_true(total(samples, "threadCPUDelta") == 1e6 * cases[i].samples);
        assert_true(cell(samples, "time", 0) == 0);
        assert_true(cell(samples, "time", 1) == 1);
        assert_true(cell(samples, "weight", 1) == 1);
        assert_true(cell(samples, "time", count - 1) == cases[i].samples);
        for (int row = 1; row < count && cases[i].samples <= 3000; row++) {
            assert_true(cell(samples, "time", row) > cell(samples, "time", row - 1));
        }
        cJSON_Delete(file);
        trace_deinit(&trace);
    }
}

static void test_cpu_only_while_running(void **state) {
    (void)state;
    static const uint32_t states[] = {
        STATE_RUNNING, STATE_RUNNABLE, STATE_WAITING, STATE_HAS_GIL, 0, STATE_RUNNING};
    static const double cpu_ms[] = {0, 1, 0, 0, 0, 1, 1};
    struct trace trace;
    cJSON *file;
    make(&trace);
    for (uint64_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        push(&trace, (i + 1) * NS_PER_MS, states[i]);
    }
    const cJSON *samples = samples_of(&trace, &file);
    assert_int_equal(rows(samples), sizeof cpu_ms / sizeof cpu_ms[0]);
    for (int row = 0; row < rows(samples); row++) {
        assert_true(cell(samples, "threadCPUDelta", row) == cpu_ms[row] * 1e6);
    }
    cJSON_Delete(file);
    trace_deinit(&trace);
}

/* Rows without a stack, from an interval after the last sample to the start of the next. */
static void test_gaps(void **state) {
    (void)state;
    static const struct {
        double time;
        bool is_gap;
    } wanted[] = {{4, true},   {5, false}, {6, true},  {9, true},
                  {10, false}, {11, true}, {12, false}};
    struct trace trace;
    cJSON *file;
    make(&trace);
    push(&trace, 5 * NS_PER_MS, 0);
    push(&trace, 10 * NS_PER_MS, 0);
    push(&trace, 12 * NS_PER_MS, 0);
    const cJSON *samples = samples_of(&trace, &file);
    assert_int_equal(rows(samples), sizeof wanted / sizeof wanted[0]);
    for (int row = 0; row < rows(samples); row++) {
        const cJSON *stacks = cJSON_GetObjectItemCaseSensitive(samples, "stack");
        assert_true(cell(samples, "time", row) == wanted[row].time);
        assert_int_equal(cJSON_IsNull(cJSON_GetArrayItem(stacks, row)), wanted[row].is_gap);
        assert_true(cell(samples, "weight", row) == !wanted[row].is_gap);
        assert_true(cell(samples, "threadCPUDelta", row) == (wanted[row].is_gap ? 0 : 1e6));
    }
    cJSON_Delete(file);
    trace_deinit(&trace);
}

/* Compressed by extension, where the format is not compressed anyway. */
static void test_compression(void **state) {
    (void)state;
    static const struct {
        const char *format;
        const char *path;
        bool is_gzip;
    } cases[] = {
        {"firefox", "a.firefox.json", false},
        {"firefox", "a.firefox.json.gz", true},
        {"firefox", "a.gz", true},
        {"firefox", "-", false},
        {"firefox", "gz", false},
        {"chrome", "a.trace.json", false},
        {"chrome", "a.trace.json.gz", true},
        {"collapsed", "a.gz", false},
    };
    struct trace trace;
    make(&trace);
    push(&trace, NS_PER_MS, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t bytes;
        char *data = written(&trace, cases[i].format, cases[i].path, &bytes);
        assert_true(bytes > 2);
        assert_int_equal(memcmp(data, "\x1f\x8b", 2) == 0, cases[i].is_gzip);
        free(data);
    }
    size_t bytes[2];
    char *plain = written(&trace, "pprof", "a.pprof", &bytes[0]);
    char *named = written(&trace, "pprof", "a.pb.gz", &bytes[1]);
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(plain, named, bytes[0]);
    free(plain);
    free(named);
    trace_deinit(&trace);
}

static void test_compressed_onto_a_full_disk(void **state) {
    (void)state;
    struct trace trace;
    struct error error = {0};
    make(&trace);
    for (uint64_t i = 1; i < 100000; i++) {
        push(&trace, i * NS_PER_MS, i % 2 ? STATE_RUNNING : STATE_WAITING);
    }
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    (void)!exporter_write(exporter_by_name("firefox"), "a.gz", &trace, out, &error);
    fflush(out);
    assert_int_not_equal(ferror(out), 0);
    fclose(out);
    trace_deinit(&trace);
}

static void test_milliseconds(void **state) {
    (void)state;
    static const struct {
        uint64_t time_ns;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "0.000001"},
                 {NS_PER_MS, "1"},
                 {NS_PER_MS + 20, "1.000020"},
                 {UINT64_C(1700000000) * NS_PER_S, "1700000000000"},
                 {UINT64_MAX, "18446744073709.551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *data = NULL;
        size_t bytes;
        FILE *out = open_memstream(&data, &bytes);
        json_write_ms(out, cases[i].time_ns);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(data, cases[i].text);
        free(data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_cpu_only_while_running),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_compression),
        cmocka_unit_test(test_compressed_onto_a_full_disk),
        cmocka_unit_test(test_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
