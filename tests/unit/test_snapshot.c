#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "reader/snapshot.h"
#include "tests/unit/fake_memory.h"

/* ---- helpers ---- */

struct bench {
    struct fake_memory fake;
    struct snapshot snapshot;
    uint64_t heap; /* every 8 bytes hold their address */
};

enum { HEAP_BYTES = 1 << 17 };

static void bench_open(struct bench *bench) {
    fake_init(&bench->fake);
    bench->heap = fake_place(&bench->fake, HEAP_BYTES, 8);
    for (uint64_t i = 0; i < HEAP_BYTES; i += 8) {
        fake_write_u64(&bench->fake, bench->heap + i, bench->heap + i);
    }
    snapshot_init(&bench->snapshot, &bench->fake.memory);
}

static void bench_close(struct bench *bench) {
    snapshot_deinit(&bench->snapshot);
    fake_deinit(&bench->fake);
}

static struct remote heap_at(const struct bench *bench, uint64_t offset) {
    return (struct remote){bench->heap + offset};
}

static void expect_view(struct bench *bench, struct snapshot_group *group, uint64_t offset,
                        uint32_t bytes) {
    const uint8_t *view = snapshot_view(&bench->snapshot, group, heap_at(bench, offset), bytes);
    assert_non_null(view);
    for (uint32_t i = 0; i + 8 <= bytes; i += 8) {
        assert_int_equal(load_u64(view + i), bench->heap + offset + i);
    }
}

static void test_groups_are_fetched_at_once(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench);
    for (int round = 0; round < 3; round++) {
        snapshot_reset(&bench.snapshot);
        struct snapshot_group groups[3];
        for (size_t g = 0; g < 3; g++) {
            groups[g] = snapshot_group_begin(&bench.snapshot);
            for (uint64_t i = 20; i-- > 0;) {
                snapshot_want(&bench.snapshot, &groups[g], heap_at(&bench, 8 * g + 4096 * i),
                              64 + 8 * (uint32_t)i);
            }
        }
        uint64_t before = bench.fake.memory.calls;
        assert_int_equal(snapshot_fetch(&bench.snapshot), STATUS_OK);
        assert_int_equal(bench.fake.memory.calls - before, 1);
        for (size_t g = 0; g < 3; g++) {
            assert_int_equal(groups[g].count, 20);
            for (uint64_t i = 20; i-- > 0;) {
                expect_view(&bench, &groups[g], 8 * g + 4096 * i, 64 + 8 * (uint32_t)i);
                expect_view(&bench, &groups[g], 8 * g + 4096 * i + 56, 8);
            }
        }
    }
    bench_close(&bench);
}

static void test_views_end_where_copies_end(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench);
    struct snapshot_group group = snapshot_group_begin(&bench.snapshot);
    assert_null(snapshot_view(&bench.snapshot, &group, heap_at(&bench, 0), 8));
    snapshot_want(&bench.snapshot, &group, heap_at(&bench, 256), 64);
    snapshot_want(&bench.snapshot, &group, heap_at(&bench, 64), 64);
    assert_int_equal(snapshot_fetch(&bench.snapshot), STATUS_OK);
    static const struct {
        uint64_t offset;
        uint32_t bytes;
        bool is_there;
    } rows[] = {{64, 64, true},          {56, 8, false},  {63, 8, false},   {120, 8, true},
                {121, 8, false},         {128, 0, true},  {128, 1, false},  {64, 65, false},
                {64, UINT32_MAX, false}, {256, 64, true}, {255, 8, false},  {312, 9, false},
                {100, 200, false},       {320, 8, false}, {4096, 8, false}, {0, 8, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint8_t *view =
            snapshot_view(&bench.snapshot, &group, heap_at(&bench, rows[i].offset), rows[i].bytes);
        assert_int_equal(view != NULL, rows[i].is_there);
    }
    assert_null(snapshot_view(&bench.snapshot, &group, (struct remote){UINT64_MAX}, 8));
    assert_null(snapshot_view(&bench.snapshot, &group, (struct remote){0}, 8));
    bench_close(&bench);
}

static void test_ranges_that_are_not_mapped_are_not_there(void **state) {
    (void)state;
    struct bench bench;
    bench_open(&bench);
    struct snapshot_group group = snapshot_group_begin(&bench.snapshot);
    snapshot_want(&bench.snapshot, &group, heap_at(&bench, HEAP_BYTES - 8), 16);
    snapshot_want(&bench.snapshot, &group, heap_at(&bench, 0), 64);
    snapshot_want(&bench.snapshot, &group, (struct remote){0x1000}, 64);
    assert_int_equal(snapshot_fetch(&bench.snapshot), STATUS_OK);
    assert_null(snapshot_view(&bench.snapshot, &group, (struct remote){0x1000}, 8));
    expect_view(&bench, &group, 0, 64);
    assert_null(snapshot_view(&bench.snapshot, &group, heap_at(&bench, HEAP_BYTES - 8), 8));
    bench_close(&bench);
}

static void test_reads_on_the_spot(void **state) {
    (void)state;
    struct bench bench;
    enum status status = STATUS_OK;
    bench_open(&bench);
    struct snapshot_group group = snapshot_group_begin(&bench.snapshot);
    snapshot_want(&bench.snapshot, &group, heap_at(&bench, 65536), 64);
    assert_int_equal(snapshot_fetch(&bench.snapshot), STATUS_OK);
    /* In the middle, at the very end, at the very beginning: none of it beyond what is mapped. */
    static const uint64_t offsets[] = {65536, 70000, 69992, HEAP_BYTES - 8, HEAP_BYTES - 64, 0, 8};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        const uint8_t *view =
            snapshot_view_or_read(&bench.snapshot, &group, heap_at(&bench, offsets[i]), 8, &status);
        assert_non_null(view);
        assert_int_equal(load_u64(view), bench.heap + offsets[i]);
        assert_int_equal(status, STATUS_OK);
    }
    /* 65536 was foreseen, 69992 came along with 70000. */
    assert_true(bench.snapshot.unforeseen >= 3 && bench.snapshot.unforeseen <= 5);
    assert_null(snapshot_view_or_read(&bench.snapshot, &group, heap_at(&bench, HEAP_BYTES - 7), 8,
                                      &status));
    assert_null(snapshot_view_or_read(&bench.snapshot, &group, (struct remote){0}, 8, &status));
    assert_null(
        snapshot_view_or_read(&bench.snapshot, &group, (struct remote){UINT64_MAX}, 8, &status));
    assert_int_equal(status, STATUS_OK);
    /* Longer than what is read around an address. */
    const uint8_t *view =
        snapshot_view_or_read(&bench.snapshot, &group, heap_at(&bench, 0), 20000, &status);
    assert_non_null(view);
    assert_int_equal(load_u64(view + 19992), bench.heap + 19992);
    bench_close(&bench);
}

static void test_what_is_about_all_is_told(void **state) {
    (void)state;
    static const enum status statuses[] = {STATUS_GONE, STATUS_NOT_PERMITTED};
    for (size_t i = 0; i < 2; i++) {
        struct bench bench;
        enum status status = STATUS_OK;
        bench_open(&bench);
        struct snapshot_group group = snapshot_group_begin(&bench.snapshot);
        snapshot_want(&bench.snapshot, &group, heap_at(&bench, 0), 64);
        bench.fake.fail_at = 1;
        bench.fake.fail_status = statuses[i];
        assert_int_equal(snapshot_fetch(&bench.snapshot), statuses[i]);
        assert_null(snapshot_view(&bench.snapshot, &group, heap_at(&bench, 0), 8));
        assert_null(
            snapshot_view_or_read(&bench.snapshot, &group, heap_at(&bench, 8000), 8, &status));
        assert_int_equal(status, statuses[i]);
        bench_close(&bench);
    }
}

/* Copies stay where they are while more is fetched, and room is used again after a reset. */
static void test_room_for_much(void **state) {
    (void)state;
    enum { WANTED = 400, BYTES = 20000 };
    struct bench bench;
    bench_open(&bench);
    size_t blocks = 0;
    for (int round = 0; round < 4; round++) {
        snapshot_reset(&bench.snapshot);
        struct snapshot_group group = snapshot_group_begin(&bench.snapshot);
        for (uint64_t i = WANTED; i-- > 0;) {
            snapshot_want(&bench.snapshot, &group, heap_at(&bench, 16 * i),
                          BYTES + 8 * (uint32_t)(i % 2));
        }
        struct snapshot_group large = snapshot_group_begin(&bench.snapshot);
        snapshot_want(&bench.snapshot, &large, heap_at(&bench, 0), HEAP_BYTES);
        assert_int_equal(snapshot_fetch(&bench.snapshot), STATUS_OK);
        const uint8_t *first = snapshot_view(&bench.snapshot, &group, heap_at(&bench, 0), 16);
        for (uint64_t i = 0; i < WANTED; i++) {
            expect_view(&bench, &group, 16 * i, BYTES);
        }
        expect_view(&bench, &large, 0, HEAP_BYTES);
        assert_ptr_equal(first, snapshot_view(&bench.snapshot, &group, heap_at(&bench, 0), 16));
        assert_true(round == 0 || blocks == bench.snapshot.capacity);
        blocks = bench.snapshot.capacity;
    }
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_are_fetched_at_once),
        cmocka_unit_test(test_views_end_where_copies_end),
        cmocka_unit_test(test_ranges_that_are_not_mapped_are_not_there),
        cmocka_unit_test(test_reads_on_the_spot),
        cmocka_unit_test(test_what_is_about_all_is_told),
        cmocka_unit_test(test_room_for_much),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
