#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "reader/snapshot.h"
#include "target-runtime/predict.h"
#include "tests/unit/fake_memory.h"

/* ---- helpers ---- */

#define HEAP       UINT64_C(0x550000000000)
#define HEAP_BYTES (UINT64_C(8) << 20)

enum {
    FRAME_BYTES = 80,
    MOST_BYTES = 256, /* that are looked at together: layout_check() allows no larger frame */
    AGE_TICKS = 64,
    AGED_LOOKS = 140,
};

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

struct bench {
    struct fake_memory fake;
    struct snapshot snapshot;
    struct prediction prediction;
    struct snapshot_group group;
    uint32_t bytes; /* of each look at a place */
};

/* Every 8 bytes of the heap hold their own address. */
static void bench_open(struct bench *bench, uint64_t heap_bytes) {
    *bench = (struct bench){.bytes = FRAME_BYTES};
    fake_init(&bench->fake);
    fake_map(&bench->fake, HEAP, heap_bytes);
    for (uint64_t at = HEAP; at < HEAP + heap_bytes; at += 8) {
        fake_write_u64(&bench->fake, at, at);
    }
    snapshot_init(&bench->snapshot, &bench->fake.memory);
}

static void bench_close(struct bench *bench) {
    prediction_deinit(&bench->prediction);
    snapshot_deinit(&bench->snapshot);
    fake_deinit(&bench->fake);
}

static void begin(struct bench *bench) {
    snapshot_reset(&bench->snapshot);
    bench->group = prediction_want(&bench->prediction, PREDICTION_OF_STACKS, &bench->snapshot);
    assert_int_equal(snapshot_fetch(&bench->snapshot), STATUS_OK);
}

static bool is_copy_of(const uint8_t *view, uint64_t address, uint32_t bytes) {
    for (uint32_t i = 0; i + 8 <= bytes; i += 8) {
        if (load_u64(view + i) != address + i) {
            return false;
        }
    }
    return true;
}

/* Reads one place as the walk does. */
static void look_at(struct bench *bench, uint64_t address) {
    enum status status = STATUS_OK;
    struct remote from = {address};
    const uint8_t *view =
        snapshot_view_or_read(&bench->snapshot, &bench->group, from, bench->bytes, &status);
    assert_non_null(view);
    assert_int_equal(status, STATUS_OK);
    assert_true(is_copy_of(view, address, bench->bytes));
    prediction_touch(&bench->prediction, from, bench->bytes);
}

static void finish(struct bench *bench) {
    prediction_age(&bench->prediction, &bench->snapshot, &bench->group, AGE_TICKS);
    for (size_t i = 1; i < bench->prediction.count; i++) {
        assert_true(bench->prediction.ranges[i - 1].start <= bench->prediction.ranges[i].start);
    }
}

static uint64_t look_at_all(struct bench *bench, const uint64_t *places, size_t count) {
    uint64_t before = bench->snapshot.unforeseen;
    begin(bench);
    for (size_t i = 0; i < count; i++) {
        look_at(bench, places[i]);
    }
    finish(bench);
    return bench->snapshot.unforeseen - before;
}

/* ---- the same places again and again ---- */

static void expect_foreseen(const uint64_t *places, size_t count) {
    struct bench bench;
    bench_open(&bench, HEAP_BYTES);
    look_at_all(&bench, places, count);
    for (int i = 0; i < AGED_LOOKS; i++) {
        assert_int_equal(look_at_all(&bench, places, count), 0);
        assert_true(bench.prediction.count <= count);
    }
    bench_close(&bench);
}

static void test_one_place(void **state) {
    (void)state;
    const uint64_t places[] = {HEAP + 8192};
    expect_foreseen(places, 1);
}

static void test_places_in_any_order(void **state) {
    (void)state;
    uint64_t places[200];
    uint32_t random = 7;
    for (size_t spread = 100; spread <= HEAP_BYTES - 4096; spread *= 3) {
        for (size_t i = 0; i < 200; i++) {
            places[i] = HEAP + 3200 + next_random(&random) % spread / 8 * 8;
        }
        expect_foreseen(places, 200);
    }
}

/* A stack that is longer than a range may be. */
static void test_long_stack(void **state) {
    (void)state;
    enum { COUNT = 30000 };
    static uint64_t places[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        places[COUNT - 1 - i] = HEAP + 4096 + i * 120;
    }
    expect_foreseen(places, COUNT);
}

/* Wherever a long copy is cut in pieces, what is looked at together is together. */
static void test_large_frames(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    struct bench bench;
    static uint64_t places[COUNT];
    bench_open(&bench, HEAP_BYTES);
    bench.bytes = MOST_BYTES;
    for (uint64_t gap = 8; gap < 600; gap += 72) {
        for (size_t i = 0; i < COUNT; i++) {
            places[COUNT - 1 - i] = HEAP + 4096 + i * gap;
        }
        look_at_all(&bench, places, COUNT);
        assert_int_equal(look_at_all(&bench, places, COUNT), 0);
    }
    bench_close(&bench);
}

/* Frames of different sizes at overlapping places, as one call pattern follows another. */
static void test_overlapping_places(void **state) {
    (void)state;
    const uint64_t base = HEAP + 65536;
    const uint64_t places[] = {base,        base + 2000, base + 1104, base + 1976,
                               base + 3000, base + 2960, base + 4048, base + 3992};
    expect_foreseen(places, sizeof places / sizeof places[0]);
}

/* ---- places that change ---- */

/* What a look needed is foreseen in the next, whatever was needed before. */
static void test_next_look_is_foreseen(void **state) {
    (void)state;
    struct bench bench;
    uint32_t random = 3;
    bench_open(&bench, HEAP_BYTES);
    for (int round = 0; round < 300; round++) {
        uint64_t places[40];
        size_t count = 1 + next_random(&random) % 40;
        uint64_t spread = UINT64_C(256) << next_random(&random) % 14;
        uint64_t base = next_random(&random) % (HEAP_BYTES - spread - 8192);
        for (size_t i = 0; i < count; i++) {
            places[i] = HEAP + 4096 + (base + next_random(&random) % spread) / 8 * 8;
        }
        look_at_all(&bench, places, count);
        assert_int_equal(look_at_all(&bench, places, count), 0);
    }
    bench_close(&bench);
}

static uint64_t foreseen_bytes(const struct prediction *prediction) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < prediction->count; i++) {
        bytes += prediction->ranges[i].end - prediction->ranges[i].start;
    }
    return bytes;
}

static void test_old_places_are_forgotten(void **state) {
    (void)state;
    struct bench bench;
    uint32_t random = 5;
    const uint64_t stays[] = {HEAP + 4096};
    bench_open(&bench, HEAP_BYTES);
    for (int i = 0; i < 1000; i++) {
        uint64_t place = HEAP + 4096 + next_random(&random) % (HEAP_BYTES - 8192) / 8 * 8;
        look_at_all(&bench, &place, 1);
        assert_true(bench.prediction.count <= 130);
    }
    for (int i = 0; i < AGED_LOOKS; i++) {
        look_at_all(&bench, stays, 1);
    }
    assert_int_equal(bench.prediction.count, 1);
    assert_true(foreseen_bytes(&bench.prediction) < 1024);
    bench_close(&bench);
}

static void test_a_deep_stack_is_forgotten(void **state) {
    (void)state;
    struct bench bench;
    const uint64_t stays[] = {HEAP + 4096};
    bench_open(&bench, HEAP_BYTES);
    begin(&bench);
    for (uint64_t at = HEAP + HEAP_BYTES - 4096; at > HEAP + 4096; at -= 120) {
        look_at(&bench, at);
    }
    finish(&bench);
    for (int i = 0; i < AGED_LOOKS; i++) {
        look_at_all(&bench, stays, 1);
    }
    assert_true(foreseen_bytes(&bench.prediction) < 1024);
    bench_close(&bench);
}

/* ---- at the end of what is mapped ---- */

static void test_edge_is_learned(void **state) {
    (void)state;
    struct bench bench;
    const uint64_t places[] = {HEAP + 16384 - FRAME_BYTES, HEAP + 16384 - 3 * FRAME_BYTES};
    bench_open(&bench, 16384);
    look_at_all(&bench, places, 2);
    for (int i = 0; i < AGED_LOOKS; i++) {
        look_at_all(&bench, places, 2);
    }
    for (int i = 0; i < 2 * AGED_LOOKS; i++) {
        assert_int_equal(look_at_all(&bench, places, 2), 0);
    }
    bench_close(&bench);
}

static void test_memory_that_goes(void **state) {
    (void)state;
    struct bench bench;
    const uint64_t both[] = {HEAP + 4096, HEAP + 65536 + 4096};
    bench_open(&bench, 131072);
    look_at_all(&bench, both, 2);
    fake_unmap(&bench.fake, HEAP + 65536, 65536);
    for (int i = 0; i < AGED_LOOKS; i++) {
        assert_int_equal(look_at_all(&bench, both, 1), 0);
    }
    assert_int_equal(bench.prediction.count, 1);
    bench_close(&bench);
}

static void test_zeroed_and_cleared_predictions_foresee_nothing(void **state) {
    (void)state;
    struct bench bench;
    const uint64_t places[] = {HEAP + 4096};
    bench_open(&bench, 65536);
    begin(&bench);
    assert_int_equal(bench.group.count, 0);
    assert_int_equal(bench.fake.memory.bytes, 0);
    look_at_all(&bench, places, 1);
    prediction_clear(&bench.prediction);
    begin(&bench);
    assert_int_equal(bench.group.count, 0);
    bench_close(&bench);
}

/* ---- in which order ---- */

/* Pieces cost time each, so the lower ones are longer. */
static void test_a_deep_stack_is_few_pieces(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench, HEAP_BYTES);
    for (int look = 0; look < 3; look++) {
        begin(&bench);
        for (uint64_t at = HEAP + 65536; at > HEAP; at -= 128) {
            look_at(&bench, at - 128);
        }
        finish(&bench);
    }
    begin(&bench);
    assert_in_range(bench.group.count, 2, 10);
    const struct range *first = &bench.snapshot.ranges[bench.group.first];
    assert_in_range(first->from.addr, HEAP + 65536 - 4096 - 512, HEAP + 65536 - 128);
    assert_in_range(first->bytes, 128, 4096 + 512);
    bench_close(&bench);
}

/* The newest frame is copied first, wherever it lies, and everything is found all the same. */
static void test_what_was_touched_first_goes_first(void **state) {
    (void)state;
    enum { COUNT = 5, APART = 8192 };
    for (uint64_t newest = 0; newest < COUNT; newest++) {
        uint64_t places[COUNT];
        struct bench bench;
        bench_open(&bench, HEAP_BYTES);
        for (uint64_t i = 0; i < COUNT; i++) {
            places[i] = HEAP + (newest + i) % COUNT * APART;
        }
        for (int i = 0; i < AGED_LOOKS; i++) {
            assert_int_equal(look_at_all(&bench, places, COUNT), i == 0 ? COUNT : 0);
        }
        begin(&bench);
        assert_int_equal(bench.snapshot.ranges[bench.group.first].from.addr, places[0]);
        bench_close(&bench);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_place),
        cmocka_unit_test(test_places_in_any_order),
        cmocka_unit_test(test_long_stack),
        cmocka_unit_test(test_large_frames),
        cmocka_unit_test(test_overlapping_places),
        cmocka_unit_test(test_next_look_is_foreseen),
        cmocka_unit_test(test_old_places_are_forgotten),
        cmocka_unit_test(test_a_deep_stack_is_forgotten),
        cmocka_unit_test(test_edge_is_learned),
        cmocka_unit_test(test_memory_that_goes),
        cmocka_unit_test(test_zeroed_and_cleared_predictions_foresee_nothing),
        cmocka_unit_test(test_a_deep_stack_is_few_pieces),
        cmocka_unit_test(test_what_was_touched_first_goes_first),
    };
    return cmocka_run_group_tests_name("predict", tests, NULL, NULL);
}
