#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "profiler/base/clock.h"
#include "profiler/values.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_rates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t interval_ns;
    } good[] = {
        {"1", NS_PER_S},
        {"100", 10000000},
        {"100hz", 10000000},
        {"100Hz", 10000000},
        {"1k", 1000000},
        {"10khz", 100000},
        {"10KHZ", 100000},
        {"1mhz", 1000},
        {"1000000", 1000},
        {"0.5", 2000000000},
        {"1.5khz", 666667},
        {"3", 333333333},
        {"0.01hz", 100 * NS_PER_S},
    };
    static const char *const bad[] = {"",       "0",       "-1",   "hz",     "1mhzz",
                                      "1.1mhz", "1000001", "nan",  "inf",    "1e99",
                                      "10 hz",  "10 khz",  "1ghz", "0.0001", "x"};
    uint64_t interval_ns;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!values_parse_rate(good[i].text, &interval_ns) || interval_ns != good[i].interval_ns) {
            fail_msg("rate %s", good[i].text);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (values_parse_rate(bad[i], &interval_ns)) {
            fail_msg("rate '%s' was taken", bad[i]);
        }
    }
}

static void test_times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"1", NS_PER_S},
        {"0.5", NS_PER_S / 2},
        {"90s", 90 * NS_PER_S},
        {"10m", 600 * NS_PER_S},
        {"10min", 600 * NS_PER_S},
        {"2h", 7200 * NS_PER_S},
        {"1d", 86400 * NS_PER_S},
        {"100us", 100000},
        {"10ms", 10000000},
        {"5ns", 5},
        {"1US", 1000},
        {"3650d", 3650 * 86400 * NS_PER_S},
    };
    static const char *const bad[] = {"",    "0",    "-1",    "s",     "10 s", "1y",  "nan",
                                      "inf", "1e30", "4000d", "0.1ns", "0s",   "1ss", "5x"};
    uint64_t ns;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!values_parse_time(good[i].text, &ns) || ns != good[i].ns) {
            fail_msg("time %s", good[i].text);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (values_parse_time(bad[i], &ns)) {
            fail_msg("time '%s' was taken", bad[i]);
        }
    }
}

/* A decimal fraction means the nanoseconds that it says, not one less. */
static void test_fractions_of_times(void **state) {
    (void)state;
    for (uint64_t ms = 1; ms < 20000; ms++) {
        char text[32];
        uint64_t ns;
        snprintf(text, sizeof text, "%u.%03u", (unsigned)(ms / 1000), (unsigned)(ms % 1000));
        if (!values_parse_time(text, &ns) || ns != ms * NS_PER_MS) {
            fail_msg("time %s", text);
        }
        snprintf(text, sizeof text, "%u.%03ums", (unsigned)(ms / 1000), (unsigned)(ms % 1000));
        if (!values_parse_time(text, &ns) || ns != ms * NS_PER_US) {
            fail_msg("time %s", text);
        }
    }
}

static void test_moments(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"10", 10 * (int64_t)NS_PER_S},
        {"0", 0},
        {"0.0", 0},
        {"2m", 120 * (int64_t)NS_PER_S},
        {"-30", -30 * (int64_t)NS_PER_S},
        {"-0.5s", -(int64_t)NS_PER_S / 2},
    };
    static const char *const bad[] = {"", "-", "-0", "--1", "0s", "1y", "-4000d", "nan", "x"};
    int64_t ns;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!values_parse_moment(good[i].text, &ns) || ns != good[i].ns) {
            fail_msg("moment %s", good[i].text);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (values_parse_moment(bad[i], &ns)) {
            fail_msg("moment '%s' was taken", bad[i]);
        }
    }
}

static void test_percents(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double share;
    } good[] = {{"5%", 0.05}, {"5", 0.05}, {"0.5%", 0.005}, {"100%", 1}, {"999999", 9999.99}};
    static const char *const bad[] = {"",    "%",    "0",   "-1%", "5 %",
                                      "5%%", "5pct", "1e6", "nan", "inf"};
    double share;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!values_parse_percent(good[i].text, &share) ||
            fabs(share - good[i].share) > 1e-12 * good[i].share) {
            fail_msg("percent %s", good[i].text);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (values_parse_percent(bad[i], &share)) {
            fail_msg("percent '%s' was taken", bad[i]);
        }
    }
}

static void test_pids(void **state) {
    (void)state;
    static const char *const bad[] = {"", "0", "-1", "x", "12x", "1.5", "2147483648", "4294967297"};
    int pid;
    assert_true(values_parse_pid("4711", &pid));
    assert_int_equal(pid, 4711);
    assert_true(values_parse_pid("2147483647", &pid));
    assert_int_equal(pid, INT32_MAX);
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (values_parse_pid(bad[i], &pid)) {
            fail_msg("PID '%s' was taken", bad[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_fractions_of_times),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_percents),
        cmocka_unit_test(test_pids),
    };
    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
