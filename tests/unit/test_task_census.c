/* Who there is, found a bit at a time in sets and lists that change meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "target-runtime/task_census.h"
#include "tests/unit/python.h"

enum { SLOTS = 1024, TASKS_MOST = 2000 };

struct world {
    struct python python;
    struct runtime runtime;
    struct task_place places[2];
    size_t place_count;
    struct task_census *census;
    uint64_t table; /* of the set */
    uint64_t set;
    uint64_t head; /* of the list */
};

static const struct layout *newest(void) {
    const struct layout *layout = NULL;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        layout = layouts[i]->tasks->node != TASK_NOWHERE ? layouts[i] : layout;
    }
    return layout;
}

static enum status each_place(void *context, const struct raw_look *threads, place_visit *visit,
                              void *visit_context) {
    const struct world *world = context;
    (void)threads;
    for (size_t i = 0; i < world->place_count; i++) {
        if (!visit(visit_context, &world->places[i])) {
            break;
        }
    }
    return STATUS_OK;
}

static void world_init(struct world *world) {
    *world = (struct world){.place_count = 0};
    python_init(&world->python, newest());
    world->runtime =
        (struct runtime){.layout = world->python.layout, .memory = &world->python.fake.memory};
    world->census = task_census_create(&world->runtime, each_place, world);
}

static void world_deinit(struct world *world) {
    task_census_destroy(world->census);
    python_deinit(&world->python);
}

/* One round, and how many steps it took. */
static size_t go_round(struct world *world) {
    bool is_over = false;
    size_t steps = 0;
    for (; !is_over; steps++) {
        assert_in_range(steps, 0, 10000);
        assert_int_equal(task_census_step(world->census, NULL, &is_over), STATUS_OK);
    }
    return steps;
}

/* How often each of the tasks AT(0), AT(1), ... comes in as many turns as there are members. */
#define AT(number) (UINT64_C(0x5000000) + (uint64_t)(number)*0x100)

static void expect_turns(struct world *world, size_t from, size_t to) {
    size_t turns[TASKS_MOST] = {0};
    struct task_census_member member;
    assert_int_equal(task_census_count(world->census), to - from);
    for (size_t i = from; i < to; i++) {
        assert_true(task_census_next(world->census, &member));
        assert_true(task_census_has(world->census, member.slot, member.serial));
        turns[(member.task - AT(0)) / 0x100]++;
    }
    for (size_t i = 0; i < TASKS_MOST; i++) {
        assert_int_equal(turns[i], i >= from && i < to);
    }
}

/* ---- sets ---- */

static void make_set(struct world *world, bool is_weak) {
    struct python *python = &world->python;
    world->set = python_structure(python, "set", 0);
    world->table = fake_place(&python->fake, SLOTS * 16, 16);
    python_set(python, world->set, LAYOUT_set_mask, SLOTS - 1);
    python_set(python, world->set, LAYOUT_set_table, world->table);
    struct python_entry data = {python_text(python, "data"), world->set};
    uint64_t weak = python_instance(python, INSTANCE_DICT, &data, 1);
    world->places[world->place_count++] = (struct task_place){
        is_weak ? TASKS_IN_REFERENCES : TASKS_IN_SET, {is_weak ? weak : world->set}, NULL};
}

static void put_key(struct world *world, size_t slot, uint64_t key) {
    fake_write_u64(&world->python.fake, world->table + slot * 16, key);
    fake_write_u64(&world->python.fake, world->table + slot * 16 + 8, key != 0 ? slot : UINT64_MAX);
}

static uint64_t reference_to(struct world *world, uint64_t task) {
    uint64_t reference = python_structure(&world->python, "weakref", 0);
    python_set(&world->python, reference, LAYOUT_weakref_object, task);
    return reference;
}

static void everybody_in_a_set_comes_in_turn(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    make_set(&world, false);
    for (size_t i = 0; i < 300; i++) {
        put_key(&world, i * 3, AT(i));
    }
    put_key(&world, 1, 0); /* deleted */
    go_round(&world);
    go_round(&world);
    expect_turns(&world, 0, 300);
    expect_turns(&world, 0, 300);
    world_deinit(&world);
}

static void references_lead_to_tasks(void **state) {
    (void)state;
    struct world world;
    uint64_t references[20];
    world_init(&world);
    make_set(&world, true);
    for (size_t i = 0; i < 20; i++) {
        references[i] = reference_to(&world, AT(i));
        put_key(&world, i * 50, references[i]);
    }
    go_round(&world);
    go_round(&world);
    expect_turns(&world, 0, 20);
    /* Who is known is not followed again. */
    for (size_t i = 0; i < 20; i++) {
        python_set(&world.python, references[i], LAYOUT_weakref_object, AT(500));
    }
    go_round(&world);
    expect_turns(&world, 0, 20);
    world_deinit(&world);
}

static void who_comes_and_goes_is_seen_in_the_next_round(void **state) {
    (void)state;
    struct world world;
    struct task_census_member member;
    world_init(&world);
    make_set(&world, false);
    for (size_t i = 0; i < 100; i++) {
        put_key(&world, i, AT(i));
    }
    go_round(&world);
    go_round(&world);
    expect_turns(&world, 0, 100);
    assert_true(task_census_next(world.census, &member));
    for (size_t i = 0; i < 200; i++) {
        put_key(&world, i, i < 100 ? 0 : AT(i));
    }
    go_round(&world);
    expect_turns(&world, 100, 200);
    assert_false(task_census_has(world.census, member.slot, member.serial));
    world_deinit(&world);
}

/* The table is replaced by another one in the middle of a round. */
static void a_set_may_be_resized(void **state) {
    (void)state;
    struct world world;
    bool is_over;
    world_init(&world);
    make_set(&world, false);
    for (size_t i = 0; i < 500; i++) {
        put_key(&world, 2 * i, AT(i));
    }
    go_round(&world);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(task_census_step(world.census, NULL, &is_over), STATUS_OK);
    }
    world.table = fake_place(&world.python.fake, SLOTS * 16, 16);
    for (size_t i = 0; i < 500; i++) {
        put_key(&world, SLOTS - 1 - i, AT(i));
    }
    python_set(&world.python, world.set, LAYOUT_set_table, world.table);
    go_round(&world);
    expect_turns(&world, 0, 500);
    world_deinit(&world);
}

static void a_set_that_cannot_be_is_left(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    make_set(&world, false);
    put_key(&world, 5, AT(5));
    go_round(&world);
    go_round(&world);
    python_set(&world.python, world.set, LAYOUT_set_mask, UINT64_MAX);
    go_round(&world);
    /* Nobody is taken for gone because of that. */
    assert_int_equal(task_census_count(world.census), 1);
    python_set(&world.python, world.set, LAYOUT_set_mask, SLOTS - 1);
    python_set(&world.python, world.set, LAYOUT_set_table, 8);
    go_round(&world);
    world_deinit(&world);
}

/* ---- lists ---- */

static uint64_t node_of(const struct world *world, uint64_t task) {
    return task + LAYOUT_AT(world->python.layout, object, type) + 8 +
           world->python.layout->tasks->node;
}

/* Links tasks `from` to `to` behind the head: each node has next and previous. */
static void make_list(struct world *world, size_t from, size_t to) {
    struct fake_memory *fake = &world->python.fake;
    if (world->head == 0) {
        world->head = fake_place(fake, 16, 8);
        world->places[world->place_count++] =
            (struct task_place){TASKS_IN_LIST, {world->head}, NULL};
        fake_map(fake, AT(0), TASKS_MOST * 0x100);
    }
    uint64_t last = world->head;
    for (size_t i = from; i < to; i++) {
        uint64_t node = node_of(world, AT(i));
        fake_write_u64(fake, last, node);
        fake_write_u64(fake, node + 8, last);
        last = node;
    }
    fake_write_u64(fake, last, world->head);
    fake_write_u64(fake, world->head + 8, last);
}

static void everybody_in_a_list_comes_in_turn(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    make_list(&world, 0, 1000);
    go_round(&world);
    assert_true(go_round(&world) > 10);
    expect_turns(&world, 0, 1000);
    make_list(&world, 1000, 1003);
    go_round(&world);
    expect_turns(&world, 1000, 1003);
    world_deinit(&world);
}

static void who_is_last_in_a_list_is_found_at_once(void **state) {
    (void)state;
    struct world world;
    struct task_census_member member;
    world_init(&world);
    make_list(&world, 0, 100);
    go_round(&world);
    go_round(&world);
    make_list(&world, 0, 110);
    assert_int_equal(task_census_catch_up(world.census, 77), STATUS_OK);
    expect_turns(&world, 0, 110);
    uint64_t newcomers = 0;
    for (size_t i = 0; i < 110; i++) {
        assert_true(task_census_next(world.census, &member));
        newcomers += member.since_ns == 77;
    }
    assert_int_equal(newcomers, 10);
    world_deinit(&world);
}

/* A node that was taken out leads nowhere; one that leads round and round has an end, too. */
static void a_broken_list_has_an_end(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    make_list(&world, 0, 200);
    go_round(&world);
    go_round(&world);
    uint64_t node = node_of(&world, AT(100));
    fake_write_u64(&world.python.fake, node + 8, 0);
    go_round(&world);
    assert_int_equal(task_census_count(world.census), 200);
    fake_write_u64(&world.python.fake, node + 8, node_of(&world, AT(150)));
    bool is_over = false;
    for (int i = 0; i < 1 << 16 && !is_over; i++) {
        assert_int_equal(task_census_step(world.census, NULL, &is_over), STATUS_OK);
    }
    assert_true(is_over);
    world_deinit(&world);
}

/* ---- members ---- */

static void a_slot_is_used_again_by_another(void **state) {
    (void)state;
    struct world world;
    struct task_census_member member;
    world_init(&world);
    make_set(&world, false);
    put_key(&world, 3, AT(3));
    go_round(&world);
    go_round(&world);
    assert_true(task_census_next(world.census, &member));
    task_census_drop(world.census, member.slot);
    task_census_drop(world.census, member.slot);
    assert_int_equal(task_census_count(world.census), 0);
    assert_false(task_census_next(world.census, &member));
    go_round(&world);
    struct task_census_member again;
    assert_true(task_census_next(world.census, &again));
    assert_int_equal(again.slot, member.slot);
    assert_true(again.serial != member.serial);
    assert_true(again.task == member.task);
    world_deinit(&world);
}

/* However few come in turn, they are no neighbours of one another. */
static void the_order_is_drawn_by_lot(void **state) {
    (void)state;
    struct world world;
    struct task_census_member member;
    size_t low = 0;
    world_init(&world);
    make_list(&world, 0, 2000);
    go_round(&world);
    go_round(&world);
    for (size_t i = 0; i < 200; i++) {
        assert_true(task_census_next(world.census, &member));
        low += member.task < AT(1000);
    }
    /* 100 give or take 7; the order is the same in every run. */
    assert_in_range(low, 70, 130);
    world_deinit(&world);
}

static void a_step_reads_little(void **state) {
    (void)state;
    struct world world;
    bool is_over;
    world_init(&world);
    make_list(&world, 0, 2000);
    make_set(&world, false);
    for (size_t i = 0; i < 300; i++) {
        put_key(&world, i * 3, AT(i));
    }
    for (int i = 0; i < 300; i++) {
        uint64_t before = world.python.fake.reads;
        assert_int_equal(task_census_step(world.census, NULL, &is_over), STATUS_OK);
        assert_in_range(world.python.fake.reads - before, 0, 150);
    }
    world_deinit(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_in_a_set_comes_in_turn),
        cmocka_unit_test(references_lead_to_tasks),
        cmocka_unit_test(who_comes_and_goes_is_seen_in_the_next_round),
        cmocka_unit_test(a_set_may_be_resized),
        cmocka_unit_test(a_set_that_cannot_be_is_left),
        cmocka_unit_test(everybody_in_a_list_comes_in_turn),
        cmocka_unit_test(who_is_last_in_a_list_is_found_at_once),
        cmocka_unit_test(a_broken_list_has_an_end),
        cmocka_unit_test(a_slot_is_used_again_by_another),
        cmocka_unit_test(the_order_is_drawn_by_lot),
        cmocka_unit_test(a_step_reads_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
