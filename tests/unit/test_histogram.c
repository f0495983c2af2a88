#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/model/histogram.h"

static void test_empty(void **state) {
    (void)state;
    const struct histogram empty = {0};
    assert_int_equal(histogram_quantile_ns(&empty, 0.5), 0);
    assert_int_equal(histogram_quantile_ns(&empty, 1), 0);
}

static void test_buckets_follow_each_other_and_are_narrow(void **state) {
    (void)state;
    assert_int_equal(histogram_bucket_start_ns(0), 0);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t start = histogram_bucket_start_ns(i);
        uint64_t width = histogram_bucket_start_ns(i + 1) - start;
        assert_true(width >= 1);
        assert_true(start < 8 ? width == 1 : width <= start / 8);
    }
    assert_int_equal(histogram_bucket_start_ns(HISTOGRAM_BUCKETS), UINT64_C(1) << 40);
}

/* The ends of each bucket are in it, and nothing else is. */
static void test_every_duration_has_its_bucket(void **state) {
    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        struct histogram histogram = {0};
        histogram_add(&histogram, histogram_bucket_start_ns(i));
        histogram_add(&histogram, histogram_bucket_start_ns(i + 1) - 1);
        assert_int_equal(histogram.buckets[i], 2);
        assert_int_equal(histogram.count, 2);
    }
}

static void test_longest_durations(void **state) {
    (void)state;
    struct histogram histogram = {0};
    histogram_add(&histogram, UINT64_C(1) << 40);
    histogram_add(&histogram, UINT64_MAX / 2);
    assert_int_equal(histogram.buckets[HISTOGRAM_BUCKETS - 1], 2);
    assert_int_equal(histogram.max_ns, UINT64_MAX / 2);
    assert_int_equal(histogram_quantile_ns(&histogram, 0.5), UINT64_MAX / 2);
}

static void test_quantiles(void **state) {
    (void)state;
    struct histogram histogram = {0};
    for (uint64_t us = 1; us <= 1000; us++) {
        histogram_add(&histogram, us * 1000);
    }
    static const double shares[] = {0.001, 0.1, 0.5, 0.9, 0.99, 1};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double truth = shares[i] * 1e6;
        double found = (double)histogram_quantile_ns(&histogram, shares[i]);
        assert_true(found >= truth && found <= truth * 1.125);
    }
    assert_int_equal(histogram_quantile_ns(&histogram, 1), 1000000);
    assert_int_equal(histogram.sum_ns, 500500000);
    assert_int_equal(histogram.max_ns, 1000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_buckets_follow_each_other_and_are_narrow),
        cmocka_unit_test(test_every_duration_has_its_bucket),
        cmocka_unit_test(test_longest_durations),
        cmocka_unit_test(test_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
