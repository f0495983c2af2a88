/* How long tasks wait, from sights of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/model/dwell.h"

struct world {
    struct trace trace;
    struct dwell *dwell;
    struct frame_id query;
    struct frame_id lock;
};

static struct frame_id frame(struct trace *trace, const char *name) {
    struct trace_function function = {.name = trace_text(trace, name, strlen(name))};
    struct trace_frame row = {.function = trace_intern_function(trace, function), .line = 7};
    return trace_intern_frame(trace, row);
}

static void world_init(struct world *world) {
    assert_int_equal(trace_init(&world->trace, false, NULL), STATUS_OK);
    world->dwell = dwell_create();
    world->query = frame(&world->trace, "query");
    world->lock = frame(&world->trace, "lock");
}

static void world_deinit(struct world *world) {
    dwell_destroy(world->dwell);
    trace_deinit(&world->trace);
}

/* What is told of a place when these still wait; zeroed when nothing is. */
static struct trace_dwell tell(struct world *world, struct frame_id place,
                               const struct dwell_wait *waits, size_t count, uint64_t now_ns) {
    dwell_tell_begin(world->dwell);
    for (size_t i = 0; i < count; i++) {
        dwell_tell_wait(world->dwell, &waits[i], now_ns);
    }
    dwell_tell_end(world->dwell, &world->trace);
    uint32_t id = table_find(&world->trace.dwells, &place);
    return id != 0 ? *(const struct trace_dwell *)table_row(&world->trace.dwells, id)
                   : (struct trace_dwell){.waits = 0};
}

/* Elsewhere at 100, there at 200 and 300, elsewhere at 500: from 150 to 400. */
static void a_wait_begins_and_ends_between_two_sights(void **state) {
    struct world world;
    struct dwell_wait wait = {.seen_ns = 50, .is_new = true};
    (void)state;
    world_init(&world);
    dwell_leave(world.dwell, &wait, 100);
    dwell_see(world.dwell, &wait, world.query, 1, 200);
    dwell_see(world.dwell, &wait, world.query, 1, 300);
    dwell_see(world.dwell, &wait, world.lock, 1, 500);
    struct trace_dwell query = tell(&world, world.query, &wait, 1, 600);
    assert_int_equal(query.waits, 1);
    assert_int_equal(query.going_on, 0);
    assert_int_equal(query.sum_ns, 250);
    assert_int_equal(query.longest_ns, 250);
    struct trace_dwell lock = tell(&world, world.lock, &wait, 1, 600);
    assert_int_equal(lock.waits, 1);
    assert_int_equal(lock.going_on, 1);
    assert_int_equal(lock.sum_ns, 200);
    world_deinit(&world);
}

static void who_is_new_has_waited_since_then(void **state) {
    struct world world;
    struct dwell_wait wait = {.seen_ns = 1000, .is_new = true};
    (void)state;
    world_init(&world);
    dwell_see(world.dwell, &wait, world.query, 1, 3000);
    dwell_leave(world.dwell, &wait, 3000);
    assert_int_equal(tell(&world, world.query, NULL, 0, 3000).sum_ns, 2000);
    /* And for the next wait it is nobody new. */
    dwell_see(world.dwell, &wait, world.query, 1, 4000);
    dwell_leave(world.dwell, &wait, 4000);
    assert_int_equal(tell(&world, world.query, NULL, 0, 4000).sum_ns, 2500);
    world_deinit(&world);
}

static void another_thing_waited_for_is_another_wait(void **state) {
    struct world world;
    struct dwell_wait wait = {.seen_ns = 0, .is_new = true};
    (void)state;
    world_init(&world);
    for (uint64_t i = 0; i < 10; i++) {
        dwell_see(world.dwell, &wait, world.query, i / 2, i * 100);
    }
    struct trace_dwell query = tell(&world, world.query, &wait, 1, 1000);
    assert_int_equal(query.waits, 5);
    assert_int_equal(query.going_on, 1);
    assert_int_equal(query.sum_ns, 1000);
    assert_int_equal(query.most, 1);
    world_deinit(&world);
}

static void those_who_wait_at_once_are_counted(void **state) {
    enum { COUNT = 20 };
    struct world world;
    struct dwell_wait waits[COUNT];
    (void)state;
    world_init(&world);
    for (size_t i = 0; i < COUNT; i++) {
        waits[i] = (struct dwell_wait){.seen_ns = 100, .is_new = true};
        dwell_see(world.dwell, &waits[i], world.query, 0, 100);
    }
    for (size_t i = 0; i < COUNT - 1; i++) {
        dwell_leave(world.dwell, &waits[i], 100 + 200);
    }
    struct trace_dwell query = tell(&world, world.query, waits, COUNT, 10100);
    assert_int_equal(query.most, COUNT);
    assert_int_equal(query.waits, COUNT);
    assert_int_equal(query.going_on, 1);
    assert_int_equal(query.longest_ns, 10000);
    /* 19 of 20 are no longer: up to an eighth is the histogram's. */
    assert_in_range(query.long_ns, 100, 112);
    /* What is told again has not grown. */
    assert_int_equal(tell(&world, world.query, waits, COUNT, 10100).waits, COUNT);
    world_deinit(&world);
}

static void who_waits_nowhere_is_no_wait(void **state) {
    struct world world;
    struct dwell_wait wait = {.seen_ns = 100};
    (void)state;
    world_init(&world);
    dwell_leave(world.dwell, &wait, 200);
    dwell_leave(world.dwell, &wait, 300);
    assert_int_equal(tell(&world, world.query, &wait, 1, 400).waits, 0);
    assert_int_equal(world.trace.dwells.count, 0);
    world_deinit(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_begins_and_ends_between_two_sights),
        cmocka_unit_test(who_is_new_has_waited_since_then),
        cmocka_unit_test(another_thing_waited_for_is_another_wait),
        cmocka_unit_test(those_who_wait_at_once_are_counted),
        cmocka_unit_test(who_waits_nowhere_is_no_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
