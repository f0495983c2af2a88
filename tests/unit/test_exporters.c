#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "exporters/exporter.h"
#include "profiler/base/text.h"
#include "exporters/threads.h"
#include "exporters/waits.h"
#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

enum { THREADS = 5, TICK_NS = 1000 };

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

static const char *const names[] = {
    "work",     "</script>",    "semi;colon", "new\nline",  "\x01\x1b[31m",
    "\xff\xfe", "\xe6\x96\x87", "a b (c) 1",  "\"quoted\"", "back\\slash\t1",
    "",         "\xe2\x80\xa8"};
enum { NAMES = sizeof names / sizeof names[0] };

static struct stack_id random_stack(struct trace *trace, uint32_t *random) {
    struct stack_id stack = {0};
    uint32_t depth = 1 + next_random(random) % 12;
    for (uint32_t i = 0; i < depth; i++) {
        struct trace_function function = {.name = text(trace, names[next_random(random) % NAMES]),
                                          .file = text(trace, names[next_random(random) % NAMES]),
                                          .first_line = 1 + next_random(random) % 3};
        struct trace_frame frame = {.function = trace_intern_function(trace, function),
                                    .line = next_random(random) % 4,
                                    .column = next_random(random) % 3};
        stack = trace_intern_stack(trace, stack, trace_intern_frame(trace, frame));
    }
    return stack;
}

static struct thread_ref add_thread(struct trace *trace, uint32_t tid, uint32_t is_main) {
    return trace_intern_thread(trace, (struct trace_thread){.pid = 10,
                                                            .tid = tid,
                                                            .name = text(trace, names[tid % NAMES]),
                                                            .is_main = is_main});
}

static void add_sample(struct trace *trace, struct thread_ref thread, struct stack_id stack,
                       uint64_t tick) {
    struct sample sample = {
        .time_ns = tick * TICK_NS, .weight_ns = TICK_NS, .thread = thread, .stack = stack};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

static void make_empty(struct trace *trace) {
    struct error error;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
    trace->run.pid = 10;
    trace->run.process_name = text(trace, "python3;\n");
    trace->base = trace; /* for the formats that compare */
}

/* Threads come and go, stacks repeat, ticks are missed. Thread 1 is never seen. */
static void make_random(struct trace *trace, uint64_t ticks) {
    uint32_t random = 4711;
    make_empty(trace);
    struct thread_ref threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        threads[i] = add_thread(trace, 20 - i, i == 2);
    }
    struct stack_id stack = random_stack(trace, &random);
    for (uint64_t tick = 1; tick <= ticks; tick++) {
        for (uint32_t i = 0; i < THREADS; i++) {
            if (i == 1 || next_random(&random) % 4 == 0) {
                continue;
            }
            if (next_random(&random) % 3 == 0) {
                stack = random_stack(trace, &random);
            }
            add_sample(trace, threads[i], stack, tick);
        }
    }
}

static uint64_t samples_of(const struct trace *trace) {
    uint64_t samples = 0;
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        samples += ((const struct trace_tally *)table_row(&trace->tallies, i))->samples;
    }
    return samples;
}

/* What the exporter writes; the caller frees it with free(). */
static char *written(const char *format, const struct trace *trace) {
    char *data = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&data, &bytes);
    struct error error = {0};
    assert_int_equal(exporter_by_name(format)->write(trace, out, &error), STATUS_OK);
    assert_int_equal(ferror(out), 0);
    assert_int_equal(fclose(out), 0);
    return data;
}

static void test_list_entries(void **state) {
    (void)state;
    size_t count = 0;
    for (; exporters[count]; count++) {
        const struct exporter *exporter = exporters[count];
        for (const char *at = exporter->name; *at; at++) {
            assert_true(islower((unsigned char)*at));
        }
        assert_true(strlen(exporter->help) > 0);
        assert_non_null(exporter->extensions[0]);
        assert_ptr_equal(exporter_by_name(exporter->name), exporter);
        for (const char *const *alias = exporter->aliases; alias && *alias; alias++) {
            assert_ptr_equal(exporter_by_name(*alias), exporter);
        }
        for (const char *const *extension = exporter->extensions; *extension; extension++) {
            char path[64];
            assert_int_equal((*extension)[0], '.');
            snprintf(path, sizeof path, "/tmp/a.b%s", *extension);
            assert_ptr_equal(exporter_by_path(path), exporter);
        }
    }
    assert_true(count >= 4);
}

static void test_by_name_and_path(void **state) {
    (void)state;
    static const struct {
        const char *path;
        const char *format; /* NULL: none */
    } cases[] = {
        {"out.txt", "table"},
        {"out.collapsed", "collapsed"},
        {"out.folded", "collapsed"},
        {"out.html", "flamegraph"},
        {"out.speedscope.json", "speedscope"},
        {"/tmp.txt/out.folded", "collapsed"},
        {"out.json", NULL},
        {"out", NULL},
        {"txt", NULL},
        {"", NULL},
        {"out.txt.gz", NULL},
        {"-", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct exporter *exporter = exporter_by_path(cases[i].path);
        assert_true((exporter != NULL) == (cases[i].format != NULL));
        if (exporter) {
            assert_string_equal(exporter->name, cases[i].format);
        }
    }
    assert_null(exporter_by_name("nonsense"));
    assert_null(exporter_by_name(""));
    assert_null(exporter_by_name("Table"));
}

static void test_all_write_an_empty_trace(void **state) {
    (void)state;
    struct trace trace;
    make_empty(&trace);
    for (const struct exporter *const *at = exporters; *at; at++) {
        free(written((*at)->name, &trace));
    }
    trace_deinit(&trace);
}

/* Writing does not change the trace: SIGUSR1 writes in the middle of a run. */
static void test_all_write_the_same_twice(void **state) {
    (void)state;
    struct trace trace;
    make_random(&trace, 300);
    for (const struct exporter *const *at = exporters; *at; at++) {
        char *first = written((*at)->name, &trace);
        char *second = written((*at)->name, &trace);
        assert_true(strlen(first) > 0);
        assert_string_equal(first, second);
        free(first);
        free(second);
    }
    trace_deinit(&trace);
}

static void test_full_disk_is_seen_by_the_caller(void **state) {
    (void)state;
    struct trace trace;
    make_random(&trace, 2000);
    for (const struct exporter *const *at = exporters; *at; at++) {
        struct error error = {0};
        FILE *out = fopen("/dev/full", "w");
        assert_non_null(out);
        assert_int_equal((*at)->write(&trace, out, &error), STATUS_OK);
        fflush(out);
        assert_int_not_equal(ferror(out), 0);
        fclose(out);
    }
    trace_deinit(&trace);
}

/* Bytes that end a line or steer a terminal, other than the newlines that the format itself has. */
static void check_plain(const char *data) {
    for (const char *at = data; *at; at++) {
        assert_false((unsigned char)*at < 0x20 && *at != '\n');
        assert_int_not_equal(*at, 0x7f);
    }
}

static size_t count_lines(const char *data) {
    size_t lines = 0;
    for (; *data; data++) {
        lines += *data == '\n';
    }
    return lines;
}

static void test_table_has_a_line_for_each_function(void **state) {
    (void)state;
    static const struct {
        uint32_t functions;
        size_t lines; /* 6 above the first function */
    } cases[] = {{1, 7}, {29, 35}, {30, 36}, {31, 37}, {500, 37}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct trace trace;
        make_empty(&trace);
        struct thread_ref who = add_thread(&trace, 10, 1);
        for (uint32_t i = 1; i <= cases[c].functions; i++) {
            struct trace_function function = {.name = text(&trace, names[i % NAMES]),
                                              .first_line = i};
            struct trace_frame frame = {.function = trace_intern_function(&trace, function)};
            struct stack_id stack =
                trace_intern_stack(&trace, (struct stack_id){0}, trace_intern_frame(&trace, frame));
            add_sample(&trace, who, stack, i);
        }
        char *data = written("table", &trace);
        check_plain(data);
        assert_int_equal(count_lines(data), cases[c].lines);
        char more[64];
        snprintf(more, sizeof more, "\n... %u more functions\n", cases[c].functions - 30);
        assert_int_equal(strstr(data, more) != NULL, cases[c].functions > 30);
        free(data);
        trace_deinit(&trace);
    }
}

/* Nine ticks are one sample that came late, and nine more are nine of them: that is half and half,
 * and known no better than by four draws. */
static void test_table_shares_are_of_time(void **state) {
    (void)state;
    struct trace trace;
    make_empty(&trace);
    struct thread_ref who = add_thread(&trace, 10, 1);
    for (uint32_t i = 1; i <= 10; i++) {
        struct trace_function function = {.name = text(&trace, i == 1 ? "late" : "prompt")};
        struct trace_frame frame = {.function = trace_intern_function(&trace, function)};
        struct sample sample = {
            .time_ns = (8 + i) * TICK_NS,
            .weight_ns = (i == 1 ? 9 : 1) * TICK_NS,
            .thread = who,
            .stack =
                trace_intern_stack(&trace, (struct stack_id){0}, trace_intern_frame(&trace, frame)),
        };
        assert_int_equal(trace_add(&trace, &sample, NULL), STATUS_OK);
    }
    char *data = written("table", &trace);
    const char *row = strstr(data, "  late");
    assert_non_null(row);
    while (row[-1] != '\n') {
        row--;
    }
    double self;
    double low;
    double high;
    assert_int_equal(sscanf(row, "%lf %lf-%lf", &self, &low, &high), 3);
    assert_true(self > 49.99 && self < 50.01);
    /* Wilson's interval of 1.8 in 3.6 */
    assert_true(low > 14 && low < 15 && high > 85 && high < 86);
    free(data);
    trace_deinit(&trace);
}

static void test_table_tells_of_pauses(void **state) {
    (void)state;
    struct trace trace;
    make_empty(&trace);
    char *data = written("table", &trace);
    assert_null(strstr(data, "stopped"));
    free(data);
    histogram_add(&trace.pauses, 30000);
    histogram_add(&trace.pauses, 50000);
    data = written("table", &trace);
    assert_non_null(strstr(data, "\nstopped 2 times for 80.0 us, median "));
    assert_non_null(strstr(data, ", p99 50.0 us, longest 50.0 us\n\n"));
    free(data);
    trace_deinit(&trace);
}

static void test_collapsed_counts_add_up(void **state) {
    (void)state;
    struct trace trace;
    make_random(&trace, 500);
    char *data = written("collapsed", &trace);
    check_plain(data);
    uint64_t samples = 0;
    char *rest = NULL;
    for (char *line = strtok_r(data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *space = strrchr(line, ' ');
        char *end;
        assert_non_null(space);
        unsigned long long count = strtoull(space + 1, &end, 10);
        assert_int_equal(*end, '\0');
        assert_true(count > 0);
        samples += count;
        assert_int_equal(strncmp(line, "process python3\\x3b\\n (10);thread ", 34), 0);
        assert_non_null(strchr(line + 34, ';')); /* at least one frame */
    }
    assert_int_equal(samples, samples_of(&trace));
    free(data);
    trace_deinit(&trace);
}

static void test_collapsed_line(void **state) {
    (void)state;
    struct trace trace;
    make_empty(&trace);
    struct thread_ref who = trace_intern_thread(
        &trace, (struct trace_thread){.pid = 10, .tid = 11, .name = text(&trace, "w;1")});
    struct trace_function outer = {.name = text(&trace, "A.f"), .file = text(&trace, "/a;b.py")};
    struct trace_function inner = {.name = text(&trace, "no file")};
    struct trace_frame frame = {.function = trace_intern_function(&trace, outer), .line = 12};
    struct stack_id stack =
        trace_intern_stack(&trace, (struct stack_id){0}, trace_intern_frame(&trace, frame));
    frame.function = trace_intern_function(&trace, inner);
    stack = trace_intern_stack(&trace, stack, trace_intern_frame(&trace, frame));
    add_sample(&trace, who, stack, 1);
    add_sample(&trace, who, stack, 9);
    char *data = written("collapsed", &trace);
    assert_string_equal(data, "process python3\\x3b\\n (10);thread w\\x3b1 (11);"
                              "A.f (/a\\x3bb.py:12);no file 2\n");
    free(data);
    trace_deinit(&trace);
}

static double number(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

struct runs {
    uint64_t weight_ns;
    uint64_t count;
};

static enum status add_run(void *context, const struct timeline_run *run) {
    struct runs *runs = context;
    runs->weight_ns += run->weight_ns;
    runs->count++;
    return STATUS_OK;
}

static void check_stack(const cJSON *stack, int frame_count) {
    const cJSON *index;
    assert_true(cJSON_IsArray(stack));
    cJSON_ArrayForEach(index, stack) {
        assert_in_range(index->valueint, 0, frame_count - 1);
    }
}

/* Samples and weights are in step; together they last to the end; those that are no gap are the
 * thread's runs. */
static void check_profile(const cJSON *profile, int frame_count, const struct runs *expected) {
    const cJSON *sample = cJSON_GetObjectItemCaseSensitive(profile, "samples")->child;
    const cJSON *weight = cJSON_GetObjectItemCaseSensitive(profile, "weights")->child;
    double all_ns = 0;
    struct runs found = {0};
    bool was_gap = false;
    for (; sample && weight; sample = sample->next, weight = weight->next) {
        bool is_gap = sample->child == NULL;
        check_stack(sample, frame_count);
        assert_false(is_gap && (was_gap || weight->valuedouble <= 0));
        all_ns += weight->valuedouble;
        found.weight_ns += is_gap ? 0 : (uint64_t)weight->valuedouble;
        found.count += !is_gap;
        was_gap = is_gap;
    }
    assert_null(sample);
    assert_null(weight);
    assert_false(was_gap);
    assert_true(number(profile, "startValue") + all_ns == number(profile, "endValue"));
    assert_int_equal(found.count, expected->count);
    assert_int_equal(found.weight_ns, expected->weight_ns);
}

static void test_speedscope_weights_add_up(void **state) {
    (void)state;
    struct trace trace;
    make_random(&trace, 1000);
    char *data = written("speedscope", &trace);
    cJSON *file = cJSON_Parse(data);
    assert_non_null(file);
    const cJSON *shared = cJSON_GetObjectItemCaseSensitive(file, "shared");
    int frame_count = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(shared, "frames"));
    const cJSON *profile = cJSON_GetObjectItemCaseSensitive(file, "profiles")->child;
    struct thread_ref *threads;
    size_t count = threads_sorted(&trace, &threads);
    assert_int_equal(count, THREADS - 1);
    uint64_t gaps = 0;
    for (size_t i = 0; i < count; i++, profile = profile->next) {
        struct runs runs = {0};
        assert_non_null(profile);
        assert_int_equal(timeline_each(trace.timeline, threads[i], add_run, &runs), STATUS_OK);
        check_profile(profile, frame_count, &runs);
        gaps += runs.weight_ns < (uint64_t)number(profile, "endValue");
    }
    assert_null(profile);
    assert_true(gaps > 0); /* or the test would not see them handled */
    free(threads);
    cJSON_Delete(file);
    free(data);
    trace_deinit(&trace);
}

static void test_speedscope_without_samples(void **state) {
    (void)state;
    struct trace trace;
    make_empty(&trace);
    char *data = written("speedscope", &trace);
    cJSON *file = cJSON_Parse(data);
    const cJSON *profiles = cJSON_GetObjectItemCaseSensitive(file, "profiles");
    assert_true(cJSON_IsArray(profiles));
    assert_int_equal(cJSON_GetArraySize(profiles), 0);
    cJSON_Delete(file);
    free(data);
    trace_deinit(&trace);
}

/* Times past 10^15 ns, which cJSON's own numbers would show as 1e+15. */
static void test_speedscope_long_times_are_whole_numbers(void **state) {
    (void)state;
    struct trace trace;
    make_empty(&trace);
    struct thread_ref who = add_thread(&trace, 10, 1);
    uint32_t random = 1;
    add_sample(&trace, who, random_stack(&trace, &random), UINT64_C(4000000000000));
    char *data = written("speedscope", &trace);
    assert_non_null(strstr(data, "\"endValue\":4000000000000000,"));
    assert_non_null(strstr(data, "\"weights\":[\n3999999999999000,\n1000]"));
    free(data);
    trace_deinit(&trace);
}

/* The temporary file of the timeline is cut short behind its back. */
static void test_speedscope_unreadable_timeline(void **state) {
    (void)state;
    int fd = dup(STDOUT_FILENO);
    close(fd); /* the number that the next file gets */
    struct trace trace;
    make_random(&trace, 2000);
    assert_int_equal(ftruncate(fd, 0), 0);
    FILE *out = fopen("/dev/null", "w");
    struct error error = {0};
    const struct exporter *speedscope = exporter_by_name("speedscope");
    assert_int_equal(speedscope->write(&trace, out, &error), STATUS_NO_OUTPUT);
    assert_true(strlen(error.detail) > 0);
    fclose(out);
    trace_deinit(&trace);
}

/* Largest resident memory in kB since it was last reset. */
static long peak_kb(void) {
    char line[256];
    long peak = -1;
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (peak < 0 && fgets(line, sizeof line, status)) {
        sscanf(line, "VmHWM: %ld", &peak);
    }
    fclose(status);
    assert_true(peak > 0);
    return peak;
}

static void reset_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    assert_non_null(file);
    assert_true(fputs("5", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A million runs are 24 MB in the timeline and more as JSON. */
static void test_memory_does_not_grow_with_time(void **state) {
    (void)state;
    struct trace trace;
    make_empty(&trace);
    struct thread_ref who = add_thread(&trace, 10, 1);
    uint32_t random = 99;
    struct stack_id stacks[2] = {random_stack(&trace, &random), random_stack(&trace, &random)};
    FILE *out = fopen("/dev/null", "w");
    assert_non_null(out);
    reset_peak();
    long before = peak_kb();
    for (uint64_t tick = 1; tick <= 1000000; tick++) {
        add_sample(&trace, who, stacks[tick % 2], tick);
    }
    for (const struct exporter *const *at = exporters; *at; at++) {
        struct error error;
        assert_int_equal((*at)->write(&trace, out, &error), STATUS_OK);
    }
    assert_true(peak_kb() - before < 8000); /* it may have given some back */
    struct runs runs = {0};
    assert_int_equal(timeline_each(trace.timeline, who, add_run, &runs), STATUS_OK);
    assert_int_equal(runs.count, 1000000);
    fclose(out);
    trace_deinit(&trace);
}

static void test_threads_sorted(void **state) {
    (void)state;
    static const struct trace_thread rows[] = {
        {.pid = 10, .tid = 30, .serial = 2},
        {.pid = 10, .tid = 30, .serial = 1},
        {.pid = 9, .tid = 40},
        {.pid = 10, .tid = 20, .is_main = 1},
        {.pid = 10, .tid = 7},
    };
    static const uint32_t order[] = {4, 5, 2, 1, 3};
    struct trace trace;
    make_empty(&trace);
    uint32_t random = 5;
    struct stack_id stack = random_stack(&trace, &random);
    trace.run.pid = 10;
    for (size_t i = 0; i < 5; i++) {
        add_sample(&trace, trace_intern_thread(&trace, rows[i]), stack, 1);
    }
    trace_intern_thread(&trace, (struct trace_thread){.pid = 1, .tid = 1});
    struct thread_ref *sorted;
    assert_int_equal(threads_sorted(&trace, &sorted), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(sorted[i].id, order[i]);
    }
    free(sorted);
    trace_deinit(&trace);
}

struct text_case {
    const char *in;
    const char *out;
};

static void test_text_append_escaped(void **state) {
    (void)state;
    static const struct text_case cases[] = {
        {"plain text (x.py:3)", "plain text (x.py:3)"},
        {"", ""},
        {"a;b", "a\\x3bb"},
        {"\n\r\t\x01\x7f", "\\n\\r\\t\\x01\\x7f"},
        {"back\\slash", "back\\slash"},
        {"\xe6\x96\x87;", "\xe6\x96\x87\\x3b"},
        {"\xc2\x85\xe2\x80\xa9z", "\\u0085\\u2029z"},
        {"\xe2\x80\xae\xe2\x81\xa6", "\\u202e\\u2066"},
        {"\xc2\xa0\xf0\x9f\x90\x8d", "\xc2\xa0\xf0\x9f\x90\x8d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        text_append_escaped(&out, cases[i].in, ";");
        assert_string_equal(out.data, cases[i].out);
        buffer_deinit(&out);
    }
}

static void test_text_columns(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {{"", 0},
                 {"abc", 3},
                 {"\xe6\x96\x87\xe4\xbb\xb6", 4},
                 {"caf\x65\xcc\x81", 4},
                 {"caf\xc3\xa9", 4},
                 {"\xf0\x9f\x90\x8d", 2},
                 {"\xea\xb0\x80\xef\xbc\xa1", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(text_columns(cases[i].text), cases[i].columns);
    }
}

static void test_text_append_shortened(void **state) {
    (void)state;
    static const char *const texts[] = {"abcdefghijklmnopqrstuvwxyz",
                                        "\xe6\x96\x87\xe4\xbb\xb6\xe6\x96\x87\xe4\xbb\xb6\xe6\x96"
                                        "\x87\xe4\xbb\xb6\xe6\x96\x87\xe4\xbb\xb6",
                                        "a\xe6\x96\x87"
                                        "bc\xe4\xbb\xb6"
                                        "defg\xf0\x9f\x90\x8dh"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t whole = text_columns(texts[i]);
        for (size_t columns = 5; columns < 30; columns++) {
            struct buffer out = {0};
            struct buffer valid = {0};
            text_append_shortened(&out, texts[i], columns);
            buffer_append_utf8(&valid, out.data, out.length);
            assert_string_equal(out.data, valid.data); /* no character was cut in two */
            if (whole <= columns) {
                assert_string_equal(out.data, texts[i]);
            } else {
                assert_in_range(text_columns(out.data), columns - 2, columns);
                assert_non_null(strstr(out.data, "..."));
            }
            buffer_deinit(&out);
            buffer_deinit(&valid);
        }
    }
    struct buffer out = {0};
    text_append_shortened(&out, "abcdefghijklmnopqrstuvwxyz", 10);
    assert_string_equal(out.data, "abc...wxyz");
    buffer_deinit(&out);
}

static void test_text_numbers(void **state) {
    (void)state;
    static const struct {
        uint64_t number;
        const char *count;
        const char *time;
    } cases[] = {
        {0, "0", "0 ns"},
        {999, "999", "999 ns"},
        {1000, "1,000", "1.00 us"},
        {123456, "123,456", "123 us"},
        {12345678, "12,345,678", "12.3 ms"},
        {UINT64_C(1234567890123), "1,234,567,890,123", "1235 s"},
        {UINT64_MAX, "18,446,744,073,709,551,615", "18446744074 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        text_append_count(&out, cases[i].number);
        assert_string_equal(out.data, cases[i].count);
        buffer_clear(&out);
        text_append_time(&out, cases[i].number);
        assert_string_equal(out.data, cases[i].time);
        buffer_deinit(&out);
    }
}

static struct stack_id below(struct trace *trace, struct stack_id parent, const char *name,
                             const char *file, uint32_t first_line, uint32_t kind) {
    struct trace_function function = {
        .name = text(trace, name), .file = text(trace, file), .first_line = first_line};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .kind = kind};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

/* Nobody's line is 0, and nobody's file empty. */
static void test_waits_place(void **state) {
    struct trace trace;
    struct buffer out = {0};
    (void)state;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct thread_ref thread = add_thread(&trace, 11, 0);
    struct stack_id holder = below(&trace, (struct stack_id){0}, "held", "", 0, FRAME_HOLDER);
    struct stack_id stacks[] = {below(&trace, holder, "python", "a", 7, 0),
                                below(&trace, holder, "native", "a", 0, 0),
                                below(&trace, holder, "neither", "", 0, 0)};
    for (size_t i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        struct sample sample = {.time_ns = TICK_NS * (i + 1),
                                .weight_ns = TICK_NS,
                                .thread = thread,
                                .stack = stacks[i]};
        assert_int_equal(trace_add(&trace, &sample, NULL), STATUS_OK);
    }
    waits_append(&out, &trace);
    assert_non_null(strstr(out.data, "held in python (a:7)\n"));
    assert_non_null(strstr(out.data, "held in native (a)\n"));
    assert_non_null(strstr(out.data, "held in neither\n"));
    buffer_deinit(&out);
    trace_deinit(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_entries),
        cmocka_unit_test(test_by_name_and_path),
        cmocka_unit_test(test_all_write_an_empty_trace),
        cmocka_unit_test(test_all_write_the_same_twice),
        cmocka_unit_test(test_full_disk_is_seen_by_the_caller),
        cmocka_unit_test(test_table_has_a_line_for_each_function),
        cmocka_unit_test(test_table_shares_are_of_time),
        cmocka_unit_test(test_table_tells_of_pauses),
        cmocka_unit_test(test_waits_place),
        cmocka_unit_test(test_collapsed_counts_add_up),
        cmocka_unit_test(test_collapsed_line),
        cmocka_unit_test(test_speedscope_weights_add_up),
        cmocka_unit_test(test_speedscope_without_samples),
        cmocka_unit_test(test_speedscope_long_times_are_whole_numbers),
        cmocka_unit_test(test_speedscope_unreadable_timeline),
        cmocka_unit_test(test_memory_does_not_grow_with_time),
        cmocka_unit_test(test_threads_sorted),
        cmocka_unit_test(test_text_append_escaped),
        cmocka_unit_test(test_text_columns),
        cmocka_unit_test(test_text_append_shortened),
        cmocka_unit_test(test_text_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
