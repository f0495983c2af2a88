/* Greenlets: found among the blocks of Python's allocator, and where they stand, in every version.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "target-runtime/greenlets.h"
#include "tests/unit/scenarios.h"

/* What is mapped, with a hole before the last quarter. */
#define MODULE       UINT64_C(0x6000000)
#define MODULE_BYTES UINT64_C(0x2000)
#define REGION       UINT64_C(0x7003000)
#define REGION_BYTES UINT64_C(0x100000)
#define SELVES       UINT64_C(0x9000000) /* Python objects, which may be anywhere */
#define STACK        UINT64_C(0xa000000)

enum {
    LARGE = 1 << 14,
    SMALL = 1 << 12,
    HEADER = 48,
    BLOCK = 208, /* of a greenlet, */
    MAIN = 192,  /* and of a main one */
    SELF_AT = 8, /* in a block */
    NEWEST_AT = 104,
    SELF_BYTES = 64,
    FOUND_MOST = 4096,
};

struct world {
    struct python *python;
    struct runtime runtime;
    struct greenlets greenlets;
    struct span region;
    size_t self_count;
    uint64_t found[FOUND_MOST];
    size_t found_count;
};

static void world_init(struct world *world, struct python *python) {
    *world = (struct world){.python = python,
                            .region = {REGION, REGION + REGION_BYTES},
                            .runtime = {.memory = &python->fake.memory, .layout = python->layout}};
    greenlets_init(&world->greenlets, &world->runtime, NULL);
    fake_map(&python->fake, REGION, REGION_BYTES);
    fake_unmap(&python->fake, REGION + REGION_BYTES * 3 / 4, SMALL);
    fake_map(&python->fake, SELVES, REGION_BYTES);
    struct greenlet_search *search = &world->greenlets.search;
    search->module = (struct span){MODULE, MODULE + MODULE_BYTES};
    search->regions = malloc(sizeof *search->regions);
    search->regions[0] = world->region;
    search->region_count = 1;
    search->region_capacity = 1;
}

static void world_deinit(struct world *world) {
    greenlets_deinit(&world->greenlets);
}

static void write_u32(struct world *world, uint64_t at, uint32_t value) {
    fake_write(&world->python->fake, at, &value, sizeof value);
}

static void make_pool(struct world *world, uint64_t at, uint32_t bytes, uint32_t block_bytes) {
    write_u32(world, at + 36, block_bytes / 16 - 1);
    write_u32(world, at + 40, bytes);
    write_u32(world, at + 44, bytes - block_bytes);
}

static uint64_t block_in(uint64_t pool, uint32_t block_bytes, size_t number) {
    return pool + HEADER + number * block_bytes;
}

/* A Python object and its block, which point to each other. */
static uint64_t make_greenlet(struct world *world, uint64_t block) {
    struct fake_memory *fake = &world->python->fake;
    uint64_t self = SELVES + SELF_BYTES * world->self_count++;
    fake_write_u64(fake, block, MODULE + 0x1230);
    fake_write_u64(fake, block + SELF_AT, self);
    fake_write_u64(fake, self + world->greenlets.search.implementation_at, block);
    return self;
}

static bool note_found(void *context, struct remote at) {
    struct world *world = context;
    assert_in_range(world->found_count, 0, FOUND_MOST - 1);
    world->found[world->found_count++] = at.addr;
    return true;
}

/* Searches, and expects these Python objects in any order. */
static void expect_found(struct world *world, const uint64_t *selves, size_t count) {
    world->found_count = 0;
    assert_int_equal(greenlet_search_each(&world->greenlets.search, note_found, world), STATUS_OK);
    assert_int_equal(world->found_count, count);
    for (size_t i = 0; i < count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < count; k++) {
            is_there = is_there || world->found[k] == selves[i];
        }
        assert_true(is_there);
    }
}

/* ---- finding ---- */

static void whoever_is_in_a_pool_is_found(struct python *python) {
    struct world world;
    uint64_t selves[300];
    size_t count = 0;
    world_init(&world, python);
    uint64_t pool = (REGION + LARGE) & ~UINT64_C(0x3fff);
    expect_found(&world, NULL, 0);
    make_pool(&world, pool, LARGE, BLOCK);
    make_pool(&world, pool + 5 * LARGE, LARGE, BLOCK);
    make_pool(&world, pool + 7 * LARGE, LARGE, MAIN);
    for (size_t i = 0; i < (LARGE - HEADER) / BLOCK; i++) {
        selves[count++] = make_greenlet(&world, block_in(pool, BLOCK, i));
        selves[count++] = make_greenlet(&world, block_in(pool + 5 * LARGE, BLOCK, i));
    }
    selves[count++] = make_greenlet(&world, block_in(pool + 7 * LARGE, MAIN, 3));
    expect_found(&world, selves, count);
    /* Once it is known what they are like. */
    selves[count++] = make_greenlet(&world, block_in(pool + 7 * LARGE, MAIN, 4));
    expect_found(&world, selves, count);
    fake_write_u64(&python->fake, block_in(pool + 7 * LARGE, MAIN, 4), 0);
    expect_found(&world, selves, count - 1);
    world_deinit(&world);
}

static void pools_may_be_small(struct python *python) {
    struct world world;
    world_init(&world, python);
    make_pool(&world, REGION + SMALL, SMALL, BLOCK);
    make_pool(&world, REGION + 9 * SMALL, SMALL, BLOCK);
    uint64_t selves[] = {make_greenlet(&world, block_in(REGION + SMALL, BLOCK, 0)),
                         make_greenlet(&world, block_in(REGION + 9 * SMALL, BLOCK, 18))};
    expect_found(&world, selves, 2);
    expect_found(&world, selves, 2);
    world_deinit(&world);
}

static void what_only_looks_like_one_is_not(struct python *python) {
    struct world world;
    world_init(&world, python);
    uint64_t pool = (REGION + LARGE) & ~UINT64_C(0x3fff);
    make_pool(&world, pool, LARGE, BLOCK);
    uint64_t self = make_greenlet(&world, block_in(pool, BLOCK, 0));
    fake_write_u64(&python->fake, self + world.greenlets.search.implementation_at, pool);
    make_greenlet(&world, block_in(pool, BLOCK, 1));
    fake_write_u64(&python->fake, block_in(pool, BLOCK, 1), MODULE + MODULE_BYTES);
    make_greenlet(&world, block_in(pool, BLOCK, 2) + 8);
    fake_write_u64(&python->fake, block_in(pool, BLOCK, 4), MODULE);
    fake_write_u64(&python->fake, block_in(pool, BLOCK, 4) + SELF_AT, UINT64_C(0x123456789ab0));
    /* Where no pool is: at an address that none can have, or with a size that cannot be. */
    make_pool(&world, pool + LARGE + SMALL, LARGE, BLOCK);
    make_greenlet(&world, block_in(pool + LARGE + SMALL, BLOCK, 0));
    make_pool(&world, pool + 3 * LARGE, LARGE, BLOCK);
    write_u32(&world, pool + 3 * LARGE + 44, LARGE);
    make_greenlet(&world, block_in(pool + 3 * LARGE, BLOCK, 0));
    make_pool(&world, pool + 4 * LARGE, LARGE, 512);
    make_greenlet(&world, block_in(pool + 4 * LARGE, 512, 0));
    write_u32(&world, pool + 5 * LARGE + 36, UINT32_MAX);
    write_u32(&world, pool + 5 * LARGE + 44, 16);
    expect_found(&world, NULL, 0);
    world_deinit(&world);
}

static void its_end_is_told(struct python *python) {
    struct world world;
    world_init(&world, python);
    make_pool(&world, REGION + SMALL, SMALL, BLOCK);
    make_greenlet(&world, block_in(REGION + SMALL, BLOCK, 0));
    for (uint64_t read = 1; read < 60; read++) {
        fake_restart(&python->fake);
        world.greenlets.search.region = 0;
        world.greenlets.search.at = 0;
        world.greenlets.search.pool_count = 0;
        python->fake.fail_at = read;
        python->fake.fail_status = STATUS_GONE;
        assert_int_equal(greenlet_search_each(&world.greenlets.search, note_found, &world),
                         STATUS_GONE);
    }
    world_deinit(&world);
}

static void threads_are_told_by_their_stacks(struct python *python) {
    struct world world;
    world_init(&world, python);
    struct greenlet_search *search = &world.greenlets.search;
    uint64_t idents[] = {STACK + 77, world.region.start + 0x8000, world.region.start + 0x4000};
    search->idents = idents;
    search->ident_count = 3;
    search->main_ident = STACK + 77;
    search->stack = (struct span){STACK, STACK + 0x100};
    uint64_t words[] = {0, 5, world.region.start + 0x9000, world.region.start + 0x7000, STACK};
    assert_int_equal(greenlet_search_thread(search, words, 3), 0);
    assert_int_equal(greenlet_search_thread(search, words, 4), idents[1]);
    assert_int_equal(greenlet_search_thread(search, words + 4, 1), idents[0]);
    words[0] = world.region.start + 0x3000;
    assert_int_equal(greenlet_search_thread(search, words, 4), idents[2]);
    search->idents = NULL;
    world_deinit(&world);
}

/* ---- reading ---- */

static uint64_t make_type(struct python *python, const char *name) {
    uint64_t type = python_structure(python, "type", 0);
    uint64_t text = fake_place(&python->fake, strlen(name) + 1, 1);
    fake_write(&python->fake, text, name, strlen(name) + 1);
    python_set(python, type, LAYOUT_type_name, text);
    return type;
}

/* A greenlet that was left in what the thread is in; returns its Python object. */
static uint64_t make_suspended(struct world *world, const struct python_thread *thread,
                               uint64_t *object_out) {
    struct python *python = world->python;
    uint64_t head_bytes = LAYOUT_AT(python->layout, object, type) + 8;
    uint64_t newest = thread->frames[thread->count - 1].address;
    uint64_t object = newest;
    if (python->layout->frame_chain != FRAME_CHAIN_OBJECTS) {
        object = fake_place(&python->fake, head_bytes + 16, 16);
        fake_write_u64(&python->fake, object + head_bytes + 8, newest);
    }
    python_set(python, object, LAYOUT_object_type, make_type(python, "frame"));
    uint64_t block = REGION + 0x1000;
    uint64_t self = make_greenlet(world, block);
    python_set(python, self, LAYOUT_object_type, make_type(python, "greenlet.greenlet"));
    fake_write_u64(&python->fake, block + NEWEST_AT - 16, self); /* another object */
    fake_write_u64(&python->fake, block + NEWEST_AT, object);
    *object_out = object;
    return self;
}

static void start_thread(struct python *python, struct python_thread *thread) {
    python_thread_start(python, thread, python->interpreter);
    python_enter(python, thread);
    for (size_t i = 0; i < 5; i++) {
        python_call(python, thread, python_function(python, "helper"), 2);
        if (i == 2) {
            python_enter(python, thread);
        }
    }
}

static enum status read_one(struct world *world, uint64_t self, struct task_look *look,
                            struct raw_task *task) {
    *task = (struct raw_task){.at = self};
    task_look_reset(look);
    return greenlets_read(&world->greenlets, &world->runtime, world->runtime.memory, look, task);
}

static void frames_come_oldest_first(struct python *python) {
    struct world world;
    struct python_thread thread;
    struct task_look look = {0};
    struct raw_task task;
    uint64_t object;
    world_init(&world, python);
    start_thread(python, &thread);
    uint64_t self = make_suspended(&world, &thread, &object);
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_OK);
    assert_true(task.is_greenlet && !task.is_running);
    assert_int_equal(task.awaited, object);
    size_t at = task.first_frame;
    for (size_t i = 0; i < thread.count; i++) {
        if (thread.frames[i].code != 0) {
            assert_int_equal(look.frames[at].at, thread.frames[i].address);
            assert_int_equal(look.frames[at].code, thread.frames[i].code);
            at++;
        }
    }
    assert_int_equal(at - task.first_frame, task.frame_count);
    /* While it runs it has none. */
    fake_write_u64(&python->fake, REGION + 0x1000 + NEWEST_AT, 0);
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_OK);
    assert_true(task.is_running);
    assert_int_equal(task.frame_count, 0);
    task_look_deinit(&look);
    python_thread_free(&thread);
    world_deinit(&world);
}

static void what_cannot_be_is_torn(struct python *python) {
    struct world world;
    struct python_thread thread;
    struct task_look look = {0};
    struct raw_task task;
    uint64_t object;
    world_init(&world, python);
    start_thread(python, &thread);
    uint64_t self = make_suspended(&world, &thread, &object);
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_OK);
    enum layout_field link = python->layout->frame_chain == FRAME_CHAIN_OBJECTS
                                 ? LAYOUT_frame_object_back
                                 : LAYOUT_frame_previous;
    uint64_t oldest = thread.frames[1].address;
    uint64_t newest = thread.frames[thread.count - 1].address;
    python_set(python, oldest, link, newest); /* a circle */
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_TORN);
    python_set(python, oldest, link, 0x123450);
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_TORN);
    fake_write_u64(&python->fake, REGION + 0x1000 + NEWEST_AT, self); /* no frame object */
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_TORN);
    fake_write_u64(&python->fake, self + world.greenlets.search.implementation_at, 0x123450);
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_TORN);
    python->fake.fail_at = python->fake.reads + 1;
    python->fake.fail_status = STATUS_GONE;
    assert_int_equal(read_one(&world, self, &look, &task), STATUS_GONE);
    task_look_deinit(&look);
    python_thread_free(&thread);
    world_deinit(&world);
}

int main(void) {
    const struct scenario scenarios[] = {
        SCENARIO(whoever_is_in_a_pool_is_found),    SCENARIO(pools_may_be_small),
        SCENARIO(what_only_looks_like_one_is_not),  SCENARIO(its_end_is_told),
        SCENARIO(threads_are_told_by_their_stacks), SCENARIO(frames_come_oldest_first),
        SCENARIO(what_cannot_be_is_torn),
    };
    return scenarios_run("greenlets", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
