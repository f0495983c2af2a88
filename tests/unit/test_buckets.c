#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "exporters/buckets.h"
#include "profiler/model/trace.h"
#include "profiler/model/tree.h"

enum { THREADS = 3, MS = 1000000, MOST_CELLS = 1 << 19 };

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static struct stack_id call(struct trace *trace, struct stack_id parent, uint32_t number) {
    struct trace_function function = {.name = trace_text(trace, "f", 1), .first_line = number};
    struct trace_frame frame = {.function = trace_intern_function(trace, function), .line = number};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static void add_sample(struct trace *trace, uint32_t thread, struct stack_id stack,
                       uint64_t time_ns, uint64_t weight_ns) {
    struct sample sample = {
        .time_ns = time_ns, .weight_ns = weight_ns, .thread = {thread}, .stack = stack};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

static void make_trace(struct trace *trace) {
    assert_int_equal(trace_init(trace, true, NULL), STATUS_OK);
    trace->run.interval_ns = MS;
    for (uint32_t i = 0; i < THREADS; i++) {
        trace_intern_thread(trace, (struct trace_thread){.pid = 1, .tid = i + 1});
    }
}

/* `samples` samples of each thread but the last, `stacks` stacks that are all about as frequent,
 * and a weight that is never the same. The last thread waits, and is late now and then. */
static void fill(struct trace *trace, uint32_t samples, uint32_t stacks) {
    uint32_t random = 4711;
    uint64_t time_ns = 0;
    struct stack_id root = call(trace, (struct stack_id){0}, 1);
    for (uint32_t i = 0; i < samples; i++) {
        uint64_t step_ns = MS + next_random(&random) % 1000;
        time_ns += step_ns;
        for (uint32_t thread = 1; thread < THREADS; thread++) {
            struct stack_id middle = call(trace, root, 2 + next_random(&random) % 7);
            struct stack_id leaf = call(trace, middle, 10 + next_random(&random) % stacks);
            add_sample(trace, thread, leaf, time_ns, step_ns);
        }
        if (i % 1000 != 7) {
            add_sample(trace, THREADS, root, time_ns, step_ns);
        }
    }
}

struct sums {
    const struct buckets *buckets;
    uint64_t cells;
    uint64_t spans;
    uint32_t end; /* of the newest span */
    uint64_t samples;
    uint64_t weight_ns;
};

static enum status add_span(void *context, const struct bucket_span *span) {
    struct sums *sums = context;
    assert_true(span->first >= sums->end);
    assert_true(span->length >= 1 && span->cell_count >= 1);
    assert_true(span->length == 1 || span->cell_count == 1);
    uint64_t weight_ns = 0;
    sums->end = span->first + span->length;
    sums->cells += span->cell_count;
    sums->spans++;
    for (size_t i = 0; i < span->cell_count; i++) {
        uint32_t node = span->cells[i].node;
        assert_true(node >= 1 && node <= sums->buckets->node_count + sums->buckets->small_count);
        sums->samples += span->cells[i].samples;
        weight_ns += span->cells[i].weight_ns;
    }
    assert_true(weight_ns <= span->length * sums->buckets->width_ns);
    sums->weight_ns += weight_ns;
    return STATUS_OK;
}

static struct sums sum_thread(const struct buckets *buckets, uint32_t thread) {
    struct sums sums = {.buckets = buckets};
    struct thread_ref ref = {thread};
    assert_int_equal(buckets_each(buckets, ref, add_span, &sums), STATUS_OK);
    assert_true(sums.end <= buckets->count);
    return sums;
}

/* Samples and weight of each thread are those of the trace, and no more cells than allowed. */
static void check_sums(const struct trace *trace, const struct buckets *buckets) {
    uint64_t samples[THREADS + 1] = {0};
    uint64_t weight_ns[THREADS + 1] = {0};
    uint64_t size = 0;
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        samples[tally->thread.id] += tally->samples;
        weight_ns[tally->thread.id] += tally->weight_ns;
    }
    for (uint32_t thread = 1; thread <= THREADS; thread++) {
        struct sums sums = sum_thread(buckets, thread);
        assert_int_equal(sums.samples, samples[thread]);
        assert_int_equal(sums.weight_ns, weight_ns[thread]);
        size += sums.cells + sums.spans;
    }
    assert_true(size <= MOST_CELLS);
}

static void test_short_run_is_not_coarsened(void **state) {
    (void)state;
    struct trace trace;
    struct tree tree;
    struct buckets buckets;
    make_trace(&trace);
    fill(&trace, 3000, 20);
    tree_init(&tree, &trace, GRAIN_LINE);
    assert_int_equal(buckets_init(&buckets, &trace, &tree), STATUS_OK);
    assert_int_equal(buckets.width_ns, MS);
    assert_int_equal(buckets.fold_ns, 0);
    assert_int_equal(buckets.small_count, 0);
    check_sums(&trace, &buckets);
    assert_true(sum_thread(&buckets, THREADS).spans < 20); /* waiting costs next to nothing */
    buckets_deinit(&buckets);
    tree_deinit(&tree);
    trace_deinit(&trace);
}

static void test_varied_run_is_coarsened_and_sums_stay(void **state) {
    (void)state;
    struct trace trace;
    struct tree tree;
    struct buckets buckets;
    make_trace(&trace);
    fill(&trace, 300000, 30000);
    tree_init(&tree, &trace, GRAIN_LINE);
    assert_int_equal(buckets_init(&buckets, &trace, &tree), STATUS_OK);
    assert_true(buckets.width_ns > MS);
    assert_true(buckets.fold_ns > 0);
    assert_true(buckets.small_count > 0);
    for (uint32_t i = 0; i < buckets.small_count; i++) {
        assert_true(buckets.small_parents[i] <= buckets.node_count);
    }
    check_sums(&trace, &buckets);
    buckets_deinit(&buckets);
    tree_deinit(&tree);
    trace_deinit(&trace);
}

/* One sample that stands for 2.5 buckets of 1 ms from 0.5 ms on, and one that stands for nothing.
 */
static void test_long_sample_is_shared_out(void **state) {
    (void)state;
    struct trace trace;
    struct tree tree;
    struct buckets buckets;
    make_trace(&trace);
    struct stack_id root = call(&trace, (struct stack_id){0}, 1);
    add_sample(&trace, 1, root, 3 * MS, 5 * MS / 2);
    add_sample(&trace, 2, root, 2 * MS, 0);
    tree_init(&tree, &trace, GRAIN_LINE);
    assert_int_equal(buckets_init(&buckets, &trace, &tree), STATUS_OK);
    struct sums sums = sum_thread(&buckets, 1);
    assert_int_equal(sums.spans, 2); /* half a bucket; two that are full */
    assert_int_equal(sums.samples, 1);
    assert_int_equal(sums.weight_ns, 5 * MS / 2);
    assert_int_equal(sum_thread(&buckets, 2).samples, 1);
    assert_int_equal(sum_thread(&buckets, 3).spans, 0);
    buckets_deinit(&buckets);
    tree_deinit(&tree);
    trace_deinit(&trace);
}

static void test_no_samples(void **state) {
    (void)state;
    struct trace trace;
    struct tree tree;
    struct buckets buckets;
    make_trace(&trace);
    trace.run.interval_ns = UINT64_MAX;
    tree_init(&tree, &trace, GRAIN_LINE);
    assert_int_equal(buckets_init(&buckets, &trace, &tree), STATUS_OK);
    assert_int_equal(buckets.count, 0);
    buckets_deinit(&buckets);
    tree_deinit(&tree);
    trace_deinit(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_run_is_not_coarsened),
        cmocka_unit_test(test_varied_run_is_coarsened_and_sums_stay),
        cmocka_unit_test(test_long_sample_is_shared_out),
        cmocka_unit_test(test_no_samples),
    };
    return cmocka_run_group_tests_name("buckets", tests, NULL, NULL);
}
