#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/clock.h"
#include "profiler/schedule.h"

#define START    UINT64_C(1234567890123)
#define INTERVAL UINT64_C(1000000)

static uint64_t slot_of(const struct schedule *schedule, uint64_t instant_ns) {
    assert_true(instant_ns >= schedule->start_ns);
    return (instant_ns - schedule->start_ns) / schedule->interval_ns;
}

/* Whoever ticks in time, however late in a slot, gets one tick in every slot. */
static void test_every_slot_gets_one_tick(void **state) {
    (void)state;
    static const uint64_t intervals[] = {1, 2, 1000, INTERVAL, 600 * NS_PER_S};
    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        struct schedule schedule;
        uint64_t now_ns = START;
        schedule_init(&schedule, START, intervals[i], 42 + i);
        for (uint64_t slot = 0; slot < 20000; slot++) {
            uint64_t next_ns = schedule_next_ns(&schedule, now_ns);
            assert_int_equal(slot_of(&schedule, next_ns), slot);
            /* The tick takes a while, up to the end of its slot. */
            now_ns = slot % 3 == 0 ? next_ns : START + (slot + 1) * intervals[i] - 1;
        }
        assert_int_equal(schedule.missed, 0);
    }
}

static void test_before_the_start(void **state) {
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, START, INTERVAL, 1);
    assert_int_equal(slot_of(&schedule, schedule_next_ns(&schedule, 0)), 0);
    assert_int_equal(slot_of(&schedule, schedule_next_ns(&schedule, START - 1)), 1);
    assert_int_equal(schedule.missed, 0);
}

static void test_missed_slots_are_counted_and_not_made_up_for(void **state) {
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, START, INTERVAL, 1);
    schedule_next_ns(&schedule, START);
    /* Late by 7 slots: the one that now lies in is the next, those before it are missed. */
    uint64_t next_ns = schedule_next_ns(&schedule, START + 8 * INTERVAL + 5);
    assert_int_equal(slot_of(&schedule, next_ns), 8);
    assert_int_equal(schedule.missed, 7);
    next_ns = schedule_next_ns(&schedule, START + 8 * INTERVAL + 6);
    assert_int_equal(slot_of(&schedule, next_ns), 9);
    assert_int_equal(schedule.missed, 7);
    /* On the border of a slot. */
    next_ns = schedule_next_ns(&schedule, START + 11 * INTERVAL);
    assert_int_equal(slot_of(&schedule, next_ns), 11);
    assert_int_equal(schedule.missed, 8);
}

/* Every slot that is over was either ticked in or missed, whatever the clock did. */
static void test_ticks_and_missed_slots_add_up(void **state) {
    (void)state;
    struct schedule schedule;
    uint64_t now_ns = START;
    uint64_t random = 9;
    schedule_init(&schedule, START, INTERVAL, 7);
    for (uint64_t ticks = 1; ticks < 20000; ticks++) {
        uint64_t next_ns = schedule_next_ns(&schedule, now_ns);
        uint64_t slot = slot_of(&schedule, next_ns);
        assert_int_equal(slot + 1, ticks + schedule.missed);
        random = random * 6364136223846793005 + 1442695040888963407;
        uint64_t pause_ns = (random >> 60) == 0 ? random >> 40 : random >> 46;
        now_ns = (next_ns > now_ns ? next_ns : now_ns) + pause_ns;
    }
    assert_true(schedule.missed > 0);
}

/* A slot in which the clock already is past its instant: that instant, and not the next slot's. */
static void test_instant_in_the_past(void **state) {
    (void)state;
    bool was_past = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct schedule schedule;
        uint64_t now_ns = START + 3 * INTERVAL + INTERVAL / 2;
        schedule_init(&schedule, START, INTERVAL, seed);
        uint64_t next_ns = schedule_next_ns(&schedule, now_ns);
        assert_int_equal(slot_of(&schedule, next_ns), 3);
        was_past = was_past || next_ns < now_ns;
    }
    assert_true(was_past);
}

/* Equal parts of the slot get nearly equally many ticks: with 4,000 expected in each, the standard
 * deviation is about 60, and the numbers are the same in every run. */
static void test_instants_are_uniform(void **state) {
    (void)state;
    enum { PARTS = 25, PER_PART = 4000, ALLOWED = 300 };
    static const uint64_t seeds[] = {0, 1, UINT64_MAX, UINT64_C(0x123456789abcdef)};
    for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++) {
        int counts[PARTS] = {0};
        int pairs[PARTS] = {0}; /* of one instant and the next */
        uint64_t last_part = 0;
        struct schedule schedule;
        schedule_init(&schedule, START, INTERVAL, seeds[s]);
        for (uint64_t slot = 0; slot < PARTS * PER_PART; slot++) {
            uint64_t next_ns = schedule_next_ns(&schedule, START + slot * INTERVAL);
            uint64_t part = (next_ns - START) % INTERVAL * PARTS / INTERVAL;
            counts[part]++;
            pairs[(part + last_part) % PARTS]++;
            last_part = part;
        }
        for (int i = 0; i < PARTS; i++) {
            assert_true(abs(counts[i] - PER_PART) < ALLOWED);
            assert_true(abs(pairs[i] - PER_PART) < ALLOWED);
        }
    }
}

static void test_seed_decides(void **state) {
    (void)state;
    struct schedule one;
    struct schedule same;
    struct schedule other;
    int different = 0;
    schedule_init(&one, START, INTERVAL, 5);
    schedule_init(&same, START, INTERVAL, 5);
    schedule_init(&other, START, INTERVAL, 6);
    for (uint64_t slot = 0; slot < 100; slot++) {
        uint64_t next_ns = schedule_next_ns(&one, START + slot * INTERVAL);
        assert_int_equal(next_ns, schedule_next_ns(&same, START + slot * INTERVAL));
        different += next_ns != schedule_next_ns(&other, START + slot * INTERVAL);
    }
    assert_true(different > 90);
}

/* Ticks that take three intervals, and two more for every look beyond the first. */
static void test_looks_are_taken_at_once(void **state) {
    (void)state;
    struct schedule schedule;
    uint64_t now_ns = START;
    schedule_init(&schedule, START, INTERVAL, 3);
    assert_int_equal(schedule.ahead, 1);
    for (int i = 0; i < 100; i++) {
        (void)schedule_next_ns(&schedule, now_ns);
        uint64_t spent_ns = (3 + (schedule.ahead - 1) / 2) * INTERVAL;
        schedule_note(&schedule, schedule.ahead, spent_ns);
        now_ns += spent_ns;
    }
    assert_int_equal(schedule.ahead, 4); /* then a tick takes as long as its looks may */
    uint64_t missed = schedule.missed;
    (void)schedule_next_ns(&schedule, now_ns);
    assert_int_equal(schedule.missed, missed);
}

static void test_one_long_tick_is_no_reason(void **state) {
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, START, INTERVAL, 3);
    schedule_note(&schedule, 1, 1000 * INTERVAL);
    assert_int_equal(schedule.ahead, 2);
    schedule_note(&schedule, 2, INTERVAL / 2);
    assert_int_equal(schedule.ahead, 1);
    for (int i = 0; i < 1000; i++) {
        schedule_note(&schedule, schedule.ahead, 1000 * INTERVAL);
    }
    assert_in_range(schedule.ahead, 8, 64);
}

static void test_years(void **state) {
    (void)state;
    struct schedule schedule;
    uint64_t ten_years_ns = UINT64_C(10) * 366 * 86400 * NS_PER_S;
    schedule_init(&schedule, START, 1000, 3);
    uint64_t next_ns = schedule_next_ns(&schedule, START + ten_years_ns);
    assert_true(next_ns >= START + ten_years_ns && next_ns < START + ten_years_ns + 1000);
    assert_int_equal(schedule.missed, ten_years_ns / 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_slot_gets_one_tick),
        cmocka_unit_test(test_before_the_start),
        cmocka_unit_test(test_missed_slots_are_counted_and_not_made_up_for),
        cmocka_unit_test(test_ticks_and_missed_slots_add_up),
        cmocka_unit_test(test_instant_in_the_past),
        cmocka_unit_test(test_instants_are_uniform),
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_looks_are_taken_at_once),
        cmocka_unit_test(test_one_long_tick_is_no_reason),
        cmocka_unit_test(test_years),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
