#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "profiler/base/clock.h"
#include "profiler/nap.h"

#define NOW UINT64_C(1234567890123)

static struct nap nap_of(uint64_t interval_ns, uint64_t late_ns, int sleeps) {
    struct nap nap;
    nap_init(&nap, interval_ns);
    for (int i = 0; i < sleeps; i++) {
        nap_learn(&nap, NOW, NOW + late_ns);
    }
    return nap;
}

static void test_far_is_slept_through(void **state) {
    (void)state;
    struct nap nap = nap_of(NS_PER_MS, 0, 0);
    assert_int_equal(nap_until_ns(&nap, NOW, NOW + NS_PER_MS), NOW + NS_PER_MS);
    assert_int_equal(nap_until_ns(&nap, NOW, NOW + 10 * NS_PER_US), NOW + 10 * NS_PER_US);
}

static void test_near_and_past_are_waited_for_awake(void **state) {
    (void)state;
    struct nap nap = nap_of(NS_PER_MS, 0, 0);
    assert_true(nap_until_ns(&nap, NOW, NOW + 10 * NS_PER_US - 1) <= NOW);
    assert_true(nap_until_ns(&nap, NOW, NOW) <= NOW);
    assert_true(nap_until_ns(&nap, NOW, NOW - NS_PER_S) <= NOW);
    assert_true(nap_until_ns(&nap, NOW, 0) <= NOW);
}

/* At 10 kHz waking up 50 us late misses no slot: no reason to burn them. */
static void test_lateness_that_misses_no_slot_is_borne(void **state) {
    (void)state;
    struct nap nap = nap_of(100 * NS_PER_US, 50 * NS_PER_US, 1000);
    uint64_t deadline_ns = NOW + 30 * NS_PER_US;
    assert_int_equal(nap_until_ns(&nap, NOW, deadline_ns), deadline_ns);
}

/* At 50 kHz it would miss two: one gets up sooner, or does not go to sleep. */
static void test_lateness_that_misses_slots_is_taken_off(void **state) {
    (void)state;
    struct nap nap = nap_of(20 * NS_PER_US, 50 * NS_PER_US, 1000);
    uint64_t until_ns = nap_until_ns(&nap, NOW, NOW + 100 * NS_PER_US);
    assert_true(until_ns >= NOW + 49 * NS_PER_US && until_ns <= NOW + 51 * NS_PER_US);
    assert_true(nap_until_ns(&nap, NOW, NOW + 40 * NS_PER_US) <= NOW);
}

static void test_the_median_is_learned(void **state) {
    (void)state;
    struct nap nap;
    nap_init(&nap, NS_PER_MS);
    srand(1);
    for (int i = 0; i < 5000; i++) {
        /* One in five is dreadfully late; the rest is between 20 and 60 us. */
        uint64_t late_ns = i % 5 == 0 ? NS_PER_S : (uint64_t)(20000 + rand() % 40000);
        nap_learn(&nap, NOW, NOW + late_ns);
    }
    assert_true(nap.late_ns > 35 * NS_PER_US && nap.late_ns < 60 * NS_PER_US);
}

static void test_waking_early_is_not_late(void **state) {
    (void)state;
    struct nap nap = nap_of(NS_PER_MS, 0, 0);
    for (int i = 0; i < 100; i++) {
        nap_learn(&nap, NOW, NOW - NS_PER_US);
    }
    assert_int_equal(nap.late_ns, 0);
    /* And what was learned is unlearned. */
    nap = nap_of(NS_PER_MS, 50 * NS_PER_US, 200);
    for (int i = 0; i < 200; i++) {
        nap_learn(&nap, NOW, NOW);
    }
    assert_int_equal(nap.late_ns, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_far_is_slept_through),
        cmocka_unit_test(test_near_and_past_are_waited_for_awake),
        cmocka_unit_test(test_lateness_that_misses_no_slot_is_borne),
        cmocka_unit_test(test_lateness_that_misses_slots_is_taken_off),
        cmocka_unit_test(test_the_median_is_learned),
        cmocka_unit_test(test_waking_early_is_not_late),
    };
    return cmocka_run_group_tests_name("nap", tests, NULL, NULL);
}
