#define _GNU_SOURCE /* O_TMPFILE */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/health.h"
#include "profiler/model/timeline.h"
#include "profiler/model/trace.h"
#include "profiler/model/tree.h"

/* Stands in for the C library's: a file system that does not know O_TMPFILE. */
static bool has_tmpfile = true;
static int refused_tmpfiles;

int open(const char *path, int flags, ...);
int open(const char *path, int flags, ...) {
    bool wants_tmpfile = (flags & O_TMPFILE) == O_TMPFILE;
    if (wants_tmpfile && !has_tmpfile) {
        refused_tmpfiles++;
        errno = EOPNOTSUPP;
        return -1;
    }
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = wants_tmpfile || (flags & O_CREAT) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return openat(AT_FDCWD, path, flags, mode);
}

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static struct function_id function(struct trace *trace, const char *name, uint32_t first_line) {
    return trace_intern_function(trace, (struct trace_function){.name = text(trace, name),
                                                                .file = text(trace, "a.py"),
                                                                .first_line = first_line});
}

/* The stack `parent` with one more frame: `name` at `line`. */
static struct stack_id call(struct trace *trace, struct stack_id parent, const char *name,
                            uint32_t line) {
    struct trace_frame frame = {.function = function(trace, name, 1), .line = line};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static struct thread_ref thread(struct trace *trace, uint32_t tid) {
    return trace_intern_thread(trace, (struct trace_thread){.pid = 10, .tid = tid});
}

static void add(struct trace *trace, struct thread_ref who, struct stack_id stack,
                uint64_t time_ns) {
    struct sample sample = {.time_ns = time_ns, .weight_ns = 10, .thread = who, .stack = stack};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

static const struct stack_id no_stack = {0};

static void test_trace_interning(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    assert_null(trace.timeline);
    struct stack_id outer = call(&trace, no_stack, "main", 5);
    struct stack_id inner = call(&trace, outer, "work", 8);
    assert_int_equal(call(&trace, no_stack, "main", 5).id, outer.id);
    assert_int_equal(call(&trace, outer, "work", 8).id, inner.id);
    assert_int_not_equal(call(&trace, no_stack, "work", 8).id, inner.id);
    assert_int_not_equal(call(&trace, outer, "work", 9).id, inner.id);
    assert_int_equal(trace_stack(&trace, outer)->depth, 1);
    assert_int_equal(trace_stack(&trace, inner)->depth, 2);
    assert_int_equal(trace_stack(&trace, inner)->parent.id, outer.id);
    const struct trace_frame *frame = trace_frame(&trace, trace_stack(&trace, inner)->frame);
    assert_int_equal(frame->line, 8);
    const struct trace_function *work = trace_function(&trace, frame->function);
    assert_string_equal(trace_string(&trace, work->name), "work");
    assert_string_equal(trace_string(&trace, work->file), "a.py");
    assert_string_equal(trace_string(&trace, (struct string_id){0}), "");
    trace_deinit(&trace);
    trace_deinit(&trace);
}

static void test_trace_text_is_utf8_without_nul(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    assert_string_equal(trace_string(&trace, trace_text(&trace, "a\xff\n", 3)), "a\\xff\n");
    assert_string_equal(trace_string(&trace, trace_text(&trace, "\0a\0", 3)), "\\x00a\\x00");
    assert_int_equal(trace_text(&trace, "", 0).id, 0);
    trace_deinit(&trace);
}

static void test_trace_thread_payload_changes(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct trace_thread row = {.pid = 1, .tid = 2, .serial = 3, .name = text(&trace, "old")};
    struct thread_ref first = trace_intern_thread(&trace, row);
    row.name = text(&trace, "new");
    row.is_main = 1;
    assert_int_equal(trace_intern_thread(&trace, row).id, first.id);
    assert_string_equal(trace_string(&trace, trace_thread(&trace, first)->name), "new");
    assert_int_equal(trace_thread(&trace, first)->is_main, 1);
    row.serial = 4;
    assert_int_not_equal(trace_intern_thread(&trace, row).id, first.id);
    trace_deinit(&trace);
}

static void test_trace_add_counts(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct thread_ref one = thread(&trace, 1);
    struct thread_ref two = thread(&trace, 2);
    struct stack_id stack = call(&trace, no_stack, "main", 5);
    add(&trace, one, stack, 10);
    add(&trace, two, stack, 10);
    add(&trace, one, stack, 20);
    assert_int_equal(trace.tallies.count, 2);
    struct trace_tally key = {.thread = one, .stack = stack};
    const struct trace_tally *tally = table_row(&trace.tallies, table_find(&trace.tallies, &key));
    assert_int_equal(tally->samples, 2);
    assert_int_equal(tally->weight_ns, 20);
    assert_int_equal(trace.health.samples, 0);
    trace_deinit(&trace);
}

struct runs {
    struct timeline_run *items;
    size_t count;
    size_t capacity;
    size_t stop_after; /* 0: never */
};

static enum status keep_run(void *context, const struct timeline_run *run) {
    struct runs *runs = context;
    runs->items = memory_grow(runs->items, sizeof *runs->items, runs->count + 1, &runs->capacity);
    runs->items[runs->count++] = *run;
    return runs->stop_after && runs->count == runs->stop_after ? STATUS_NOT_FOUND : STATUS_OK;
}

static struct runs runs_of(struct timeline *timeline, uint32_t who) {
    struct runs runs = {0};
    struct thread_ref ref = {who};
    assert_int_equal(timeline_each(timeline, ref, keep_run, &runs), STATUS_OK);
    return runs;
}

static struct timeline *new_timeline(void) {
    struct timeline *timeline;
    assert_int_equal(timeline_create(&timeline, NULL), STATUS_OK);
    return timeline;
}

static void append(struct timeline *timeline, uint32_t who, uint32_t stack, uint64_t time_ns,
                   uint64_t weight_ns) {
    struct sample sample = {
        .time_ns = time_ns, .weight_ns = weight_ns, .thread = {who}, .stack = {stack}};
    assert_int_equal(timeline_append(timeline, &sample, 1, NULL), STATUS_OK);
}

struct timeline_case {
    const char *name;
    struct {
        uint64_t time_ns, weight_ns;
        uint32_t stack;
    } in[4];
    struct {
        uint64_t start_ns, weight_ns;
        uint32_t stack, samples;
    } out[4];
};

static void test_timeline_runs(void **state) {
    (void)state;
    static const struct timeline_case cases[] = {
        {"equal neighbours merge", {{10, 10, 1}, {20, 10, 1}, {30, 10, 1}}, {{0, 30, 1, 3}}},
        {"another stack does not",
         {{10, 10, 1}, {20, 10, 2}, {30, 10, 1}},
         {{0, 10, 1, 1}, {10, 10, 2, 1}, {20, 10, 1, 1}}},
        {"a gap does not", {{10, 10, 1}, {30, 10, 1}}, {{0, 10, 1, 1}, {20, 10, 1, 1}}},
        {"the start is not before 0", {{10, 100, 1}, {20, 10, 1}}, {{0, 20, 1, 2}}},
        {"an overlap is cut", {{100, 100, 1}, {110, 50, 2}}, {{0, 100, 1, 1}, {100, 10, 2, 1}}},
        {"time does not go back",
         {{100, 10, 1}, {50, 10, 2}, {120, 20, 3}},
         {{90, 10, 1, 1}, {100, 0, 2, 1}, {100, 20, 3, 1}}},
        {"no weight", {{100, 0, 1}, {110, 10, 1}}, {{100, 10, 1, 2}}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct timeline *timeline = new_timeline();
        for (size_t i = 0; i < 4 && cases[c].in[i].stack; i++) {
            append(timeline, 1, cases[c].in[i].stack, cases[c].in[i].time_ns,
                   cases[c].in[i].weight_ns);
        }
        struct runs runs = runs_of(timeline, 1);
        uint64_t told_ns = 0; /* nothing of it is cut */
        for (size_t i = 0; i < 4; i++) {
            told_ns += cases[c].in[i].weight_ns;
        }
        for (size_t i = 0; i < runs.count; i++) {
            told_ns -= runs.items[i].told_ns;
        }
        assert_int_equal(told_ns, 0);
        size_t wanted = 0;
        for (; wanted < 4 && cases[c].out[wanted].stack; wanted++) {
            assert_true(wanted < runs.count);
            assert_int_equal(runs.items[wanted].start_ns, cases[c].out[wanted].start_ns);
            assert_int_equal(runs.items[wanted].weight_ns, cases[c].out[wanted].weight_ns);
            assert_int_equal(runs.items[wanted].stack.id, cases[c].out[wanted].stack);
            assert_int_equal(runs.items[wanted].samples, cases[c].out[wanted].samples);
        }
        assert_int_equal(runs.count, wanted);
        free(runs.items);
        timeline_destroy(timeline);
    }
}

/* Several threads that fill many blocks in turn; what comes back is what went in, and twice. */
static void test_timeline_spills_and_reads_back(void **state) {
    (void)state;
    enum { THREADS = 3, RUNS = 5000 };
    struct timeline *timeline = new_timeline();
    for (uint32_t i = 0; i < RUNS; i++) {
        for (uint32_t who = 1; who <= THREADS; who++) {
            if (i % who == 0) {
                append(timeline, who, 1 + (i / who) % 2 + who * 10, (uint64_t)(i + 1) * 100, 100);
            }
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t who = 1; who <= THREADS; who++) {
            struct runs runs = runs_of(timeline, who);
            assert_int_equal(runs.count, (RUNS + who - 1) / who);
            for (size_t r = 0; r < runs.count; r++) {
                assert_int_equal(runs.items[r].start_ns, r * who * 100);
                assert_int_equal(runs.items[r].weight_ns, 100);
                assert_int_equal(runs.items[r].stack.id, 1 + r % 2 + who * 10);
                assert_int_equal(runs.items[r].samples, 1);
            }
            free(runs.items);
        }
    }
    struct runs none = runs_of(timeline, 99);
    assert_int_equal(none.count, 0);
    /* Appending goes on after reading. */
    append(timeline, 1, 77, RUNS * 100 + 100, 100);
    struct runs more = runs_of(timeline, 1);
    assert_int_equal(more.count, RUNS + 1);
    assert_int_equal(more.items[RUNS].stack.id, 77);
    free(more.items);
    timeline_destroy(timeline);
}

static void test_timeline_visit_may_stop(void **state) {
    (void)state;
    struct timeline *timeline = new_timeline();
    for (uint32_t i = 0; i < 1000; i++) {
        append(timeline, 1, 1 + i % 2, (i + 1) * 10, 10);
    }
    struct runs runs = {.stop_after = 300};
    struct thread_ref who = {1};
    assert_int_equal(timeline_each(timeline, who, keep_run, &runs), STATUS_NOT_FOUND);
    assert_int_equal(runs.count, 300);
    free(runs.items);
    timeline_destroy(timeline);
    timeline_destroy(NULL);
}

static size_t entries_in(const char *folder) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count;
}

/* A timeline that spills in `folder` has no name there, and reads back. */
static void check_leaves_no_file(const char *folder) {
    struct timeline *timeline = new_timeline();
    for (uint32_t i = 0; i < 1000; i++) {
        append(timeline, 1, 1 + i % 2, (i + 1) * 10, 10);
    }
    assert_int_equal(entries_in(folder), 2); /* . and .. */
    struct runs runs = runs_of(timeline, 1);
    assert_int_equal(runs.count, 1000);
    free(runs.items);
    timeline_destroy(timeline);
}

static void test_timeline_leaves_no_file(void **state) {
    (void)state;
    char folder[] = "/tmp/pyrometer-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    check_leaves_no_file(folder);
    assert_int_equal(refused_tmpfiles, 0);
    has_tmpfile = false;
    check_leaves_no_file(folder);
    assert_int_equal(refused_tmpfiles, 1);
    has_tmpfile = true;
    assert_int_equal(rmdir(folder), 0);
    unsetenv("TMPDIR");
}

static void test_timeline_without_a_folder(void **state) {
    (void)state;
    struct timeline *timeline;
    struct trace trace;
    struct error error = {0};
    setenv("TMPDIR", "/nonexistent/folder", 1);
    assert_int_equal(timeline_create(&timeline, &error), STATUS_NO_OUTPUT);
    assert_null(timeline);
    assert_non_null(strstr(error.detail, "/nonexistent/folder"));
    assert_int_equal(trace_init(&trace, true, &error), STATUS_NO_OUTPUT);
    trace_deinit(&trace);
    unsetenv("TMPDIR");
}

/* A limit on the size of files stands in for a full disk. */
static void test_timeline_full_disk(void **state) {
    (void)state;
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 20000, .rlim_max = old.rlim_max};
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct timeline *timeline = new_timeline();
    struct error error = {0};
    enum status status = STATUS_OK;
    uint32_t count = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (; count < 100000 && status == STATUS_OK; count++) {
        struct sample sample = {
            .time_ns = (count + 1) * 10, .weight_ns = 10, .thread = {1}, .stack = {1 + count % 2}};
        status = timeline_append(timeline, &sample, 1, &error);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, old_handler);
    assert_int_equal(status, STATUS_NO_OUTPUT);
    assert_non_null(strstr(error.detail, "/tmp"));
    /* What was taken before is still there. */
    struct runs runs = runs_of(timeline, 1);
    assert_int_equal(runs.count, count - 1);
    assert_int_equal(runs.items[count - 2].start_ns, (count - 2) * 10);
    free(runs.items);
    timeline_destroy(timeline);
}

/* The node under `parent` whose frame is `name` at `line`; fails when there is none. */
static uint32_t child_of(const struct tree *tree, const struct trace *trace, uint32_t parent,
                         const char *name, uint32_t line) {
    for (uint32_t id = 1; id <= tree->nodes.count; id++) {
        const struct tree_node *node = tree_node(tree, id);
        assert_true(node->parent < id);
        const struct trace_frame *frame = trace_frame(trace, (struct frame_id){node->frame});
        const struct trace_function *row = trace_function(trace, frame->function);
        if (node->parent == parent && frame->line == line &&
            strcmp(trace_string(trace, row->name), name) == 0) {
            return id;
        }
    }
    fail_msg("no node %s:%u", name, line);
    return 0;
}

static uint64_t self_samples(const struct tree *tree, uint32_t node) {
    uint64_t samples = 0;
    for (uint32_t i = 1; i <= tree->selves.count; i++) {
        const struct tree_self *self = table_row(&tree->selves, i);
        assert_true(self->samples > 0);
        samples += self->node == node ? self->samples : 0;
    }
    return samples;
}

static struct stack_id call_at(struct trace *trace, struct stack_id parent, const char *name,
                               uint32_t line, uint32_t column) {
    struct trace_frame frame = {
        .function = function(trace, name, 1), .line = line, .column = column};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static void test_tree_grains(void **state) {
    (void)state;
    static const struct {
        enum grain grain;
        uint32_t nodes;
    } cases[] = {{GRAIN_FUNCTION, 3}, {GRAIN_LINE, 5}, {GRAIN_POSITION, 6}};
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct thread_ref who = thread(&trace, 1);
    struct stack_id five = call_at(&trace, no_stack, "main", 5, 1);
    struct stack_id six = call_at(&trace, no_stack, "main", 6, 1);
    add(&trace, who, call_at(&trace, five, "a", 1, 1), 10);
    add(&trace, who, call_at(&trace, five, "a", 1, 9), 20);
    add(&trace, who, call_at(&trace, six, "a", 1, 1), 30);
    add(&trace, who, call_at(&trace, six, "b", 1, 1), 40);
    call_at(&trace, six, "never sampled", 1, 1);
    for (size_t c = 0; c < 3; c++) {
        struct tree tree;
        tree_init(&tree, &trace, cases[c].grain);
        assert_int_equal(tree.nodes.count, cases[c].nodes);
        uint32_t top = child_of(&tree, &trace, 0, "main", 5);
        uint32_t a = child_of(&tree, &trace, top, "a", 1);
        static const uint64_t samples_of_a[] = {3, 2, 1};
        assert_int_equal(self_samples(&tree, a), samples_of_a[c]);
        assert_int_equal(self_samples(&tree, top), 0);
        tree_deinit(&tree);
    }
    trace_deinit(&trace);
}

static void test_tree_keeps_threads_apart(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct stack_id stack = call(&trace, no_stack, "main", 5);
    add(&trace, thread(&trace, 1), stack, 10);
    add(&trace, thread(&trace, 2), stack, 10);
    add(&trace, thread(&trace, 2), stack, 20);
    struct tree tree;
    tree_init(&tree, &trace, GRAIN_LINE);
    assert_int_equal(tree.nodes.count, 1);
    assert_int_equal(tree.selves.count, 2);
    const struct tree_self *second = table_row(&tree.selves, 2);
    assert_int_equal(second->samples, 2);
    assert_int_equal(second->weight_ns, 20);
    tree_deinit(&tree);
    trace_deinit(&trace);
}

static void test_tree_of_nothing(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct tree tree;
    tree_init(&tree, &trace, GRAIN_LINE);
    assert_int_equal(tree.nodes.count + tree.selves.count, 0);
    tree_deinit(&tree);
    struct function_total *totals;
    assert_int_equal(tree_function_totals(&trace, &totals), 0);
    free(totals);
    trace_deinit(&trace);
}

static const struct function_total *total_of(const struct trace *trace,
                                             const struct function_total *totals, size_t count,
                                             const char *name) {
    for (size_t i = 0; i < count; i++) {
        const struct trace_function *row = trace_function(trace, totals[i].function);
        if (strcmp(trace_string(trace, row->name), name) == 0) {
            return &totals[i];
        }
    }
    fail_msg("no total of %s", name);
    return NULL;
}

static void check_total(const struct function_total *total, uint64_t self, uint64_t all,
                        uint32_t hot_line) {
    assert_int_equal(total->self_samples, self);
    assert_int_equal(total->total_samples, all);
    assert_int_equal(total->self_ns, self * 10);
    assert_int_equal(total->total_ns, all * 10);
    assert_int_equal(total->hot_line, hot_line);
}

static void test_function_totals(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct thread_ref one = thread(&trace, 1);
    struct thread_ref two = thread(&trace, 2);
    struct stack_id top = call(&trace, no_stack, "main", 5);
    struct stack_id fib = call(&trace, top, "fib", 2);
    struct stack_id fib_fib = call(&trace, fib, "fib", 2);
    struct stack_id fib_fib_help = call(&trace, fib_fib, "help", 9);
    struct stack_id mutual = call(&trace, fib_fib_help, "fib", 3);
    add(&trace, one, mutual, 10); /* main fib fib help fib */
    add(&trace, one, fib_fib, 20);
    add(&trace, two, fib_fib, 20);
    add(&trace, one, fib, 30);
    add(&trace, one, top, 40);
    add(&trace, two, call(&trace, no_stack, "help", 8), 40);
    add(&trace, two, call(&trace, top, "help", 7), 50);
    struct function_total *totals;
    size_t count = tree_function_totals(&trace, &totals);
    assert_int_equal(count, 3);
    check_total(total_of(&trace, totals, count, "main"), 1, 6, 5);
    check_total(total_of(&trace, totals, count, "fib"), 4, 4, 2);
    check_total(total_of(&trace, totals, count, "help"), 2, 3, 7); /* the lower of two */
    for (size_t i = 1; i < count; i++) {
        assert_true(totals[i - 1].self_ns >= totals[i].self_ns);
    }
    free(totals);
    trace_deinit(&trace);
}

/* Whichever was seen first. */
static void test_hot_line_of_equals_is_the_lowest(void **state) {
    (void)state;
    static const uint32_t orders[][3] = {{3, 4, 5}, {5, 4, 3}, {4, 3, 5}};
    for (size_t o = 0; o < 3; o++) {
        struct trace trace;
        assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
        for (size_t i = 0; i < 3; i++) {
            add(&trace, thread(&trace, 1), call(&trace, no_stack, "f", orders[o][i]), i * 10 + 10);
        }
        struct function_total *totals;
        assert_int_equal(tree_function_totals(&trace, &totals), 1);
        check_total(&totals[0], 3, 3, 3);
        free(totals);
        trace_deinit(&trace);
    }
}

/* The same totals by another way: for each tally, walk its stack and count each function once. */
static void totals_slowly(const struct trace *trace, uint64_t *samples) {
    uint32_t *seen_by = memory_zeroed((size_t)trace->functions.count + 1, sizeof *seen_by);
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        for (struct stack_id at = tally->stack; at.id; at = trace_stack(trace, at)->parent) {
            const struct trace_stack *stack = trace_stack(trace, at);
            uint32_t id = trace_frame(trace, stack->frame)->function.id;
            if (seen_by[id] != i) {
                seen_by[id] = i;
                samples[id] += tally->samples;
            }
        }
    }
    free(seen_by);
}

static void test_function_totals_of_random_stacks(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct thread_ref who = thread(&trace, 1);
    uint32_t random = 12345;
    for (uint32_t i = 0; i < 2000; i++) {
        struct stack_id stack = no_stack;
        uint32_t depth = 1 + (random >> 28);
        for (uint32_t d = 0; d < depth; d++) {
            random = random * 1664525 + 1013904223;
            stack = call(&trace, stack, names[(random >> 16) % 5], 1 + (random >> 24) % 3);
        }
        add(&trace, who, stack, (i + 1) * 10);
    }
    uint64_t *expected = memory_zeroed((size_t)trace.functions.count + 1, sizeof *expected);
    totals_slowly(&trace, expected);
    struct function_total *totals;
    size_t count = tree_function_totals(&trace, &totals);
    assert_int_equal(count, 5);
    uint64_t selves = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(totals[i].total_samples, expected[totals[i].function.id]);
        selves += totals[i].self_samples;
    }
    assert_int_equal(selves, 2000);
    free(totals);
    free(expected);
    trace_deinit(&trace);
}

/* A stack as deep as Python allows must not cost stack of ours. */
static void test_function_totals_of_deep_recursion(void **state) {
    (void)state;
    struct trace trace;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    struct thread_ref who = thread(&trace, 1);
    struct stack_id stack = no_stack;
    for (uint32_t i = 0; i < 100000; i++) {
        stack = call(&trace, stack, "down", 3);
        add(&trace, who, stack, i * 10);
    }
    struct function_total *totals;
    assert_int_equal(tree_function_totals(&trace, &totals), 1);
    check_total(&totals[0], 100000, 100000, 3);
    free(totals);
    trace_deinit(&trace);
}

static void test_health_rate(void **state) {
    (void)state;
    struct health health = {0};
    assert_true(health_rate_hz(&health) == 0);
    health.ticks = 1;
    assert_true(health_rate_hz(&health) == 0);
    health.ticks = 1001;
    health.duration_ns = NS_PER_S;
    assert_true(health_rate_hz(&health) == 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_interning),
        cmocka_unit_test(test_trace_text_is_utf8_without_nul),
        cmocka_unit_test(test_trace_thread_payload_changes),
        cmocka_unit_test(test_trace_add_counts),
        cmocka_unit_test(test_timeline_runs),
        cmocka_unit_test(test_timeline_spills_and_reads_back),
        cmocka_unit_test(test_timeline_visit_may_stop),
        cmocka_unit_test(test_timeline_leaves_no_file),
        cmocka_unit_test(test_timeline_without_a_folder),
        cmocka_unit_test(test_timeline_full_disk),
        cmocka_unit_test(test_tree_grains),
        cmocka_unit_test(test_tree_keeps_threads_apart),
        cmocka_unit_test(test_tree_of_nothing),
        cmocka_unit_test(test_function_totals),
        cmocka_unit_test(test_hot_line_of_equals_is_the_lowest),
        cmocka_unit_test(test_function_totals_of_random_stacks),
        cmocka_unit_test(test_function_totals_of_deep_recursion),
        cmocka_unit_test(test_health_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
