/* What tasks are read through: copies of blocks, and the check of what _asyncio publishes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reader/memory_blocks.h"
#include "target-runtime/layout.h"
#include "target-runtime/task_layout.h"
#include "tests/unit/fake_memory.h"

enum { AT = 0x100000, HEAD = 16 };

struct world {
    struct fake_memory fake;
    struct memory blocks;
};

static void world_init(struct world *world) {
    fake_init(&world->fake);
    fake_map(&world->fake, AT, 2 * FAKE_PAGE_BYTES);
    memory_open_blocks(&world->blocks, &world->fake.memory);
}

static void world_deinit(struct world *world) {
    memory_close(&world->blocks);
    fake_deinit(&world->fake);
}

static uint64_t word_at(struct world *world, uint64_t at) {
    struct remote word = {0};
    assert_int_equal(memory_read_remote(&world->blocks, (struct remote){at}, &word), STATUS_OK);
    return word.addr;
}

static void a_block_is_read_once_a_look(void **state) {
    (void)state;
    struct world world;
    world_init(&world);
    fake_write_u64(&world.fake, AT + 8, 1);
    fake_write_u64(&world.fake, AT + 16, 2);
    assert_int_equal(word_at(&world, AT + 8), 1);
    fake_write_u64(&world.fake, AT + 16, 3);
    assert_int_equal(word_at(&world, AT + 16), 2);
    assert_int_equal(world.fake.reads, 1);
    assert_int_equal(memory_blocks_renew(&world.blocks), STATUS_OK);
    assert_int_equal(world.fake.reads, 2);
    assert_int_equal(word_at(&world, AT + 16), 3);
    assert_int_equal(world.fake.reads, 2);
    world_deinit(&world);
}

static void a_range_may_span_pages(void **state) {
    (void)state;
    struct world world;
    uint64_t value = UINT64_C(0x1122334455667788);
    world_init(&world);
    fake_write(&world.fake, AT + FAKE_PAGE_BYTES - 3, &value, sizeof value);
    assert_true(word_at(&world, AT + FAKE_PAGE_BYTES - 3) == value);
    world_deinit(&world);
}

static void what_is_not_mapped_is_not_read(void **state) {
    (void)state;
    struct world world;
    struct remote word;
    uint8_t large[5 * FAKE_PAGE_BYTES];
    world_init(&world);
    uint64_t end = AT + 2 * FAKE_PAGE_BYTES;
    assert_int_equal(memory_read_remote(&world.blocks, (struct remote){end - 4}, &word),
                     STATUS_NOT_MAPPED);
    assert_int_equal(memory_read_remote(&world.blocks, (struct remote){UINT64_MAX - 3}, &word),
                     STATUS_NOT_MAPPED);
    assert_int_equal(memory_read_one(&world.blocks, (struct remote){AT}, large, sizeof large),
                     STATUS_NOT_MAPPED);
    assert_int_equal(word_at(&world, end - 8), 0);
    fake_unmap(&world.fake, AT, 2 * FAKE_PAGE_BYTES);
    assert_int_equal(memory_blocks_renew(&world.blocks), STATUS_OK);
    assert_int_equal(memory_read_remote(&world.blocks, (struct remote){end - 8}, &word),
                     STATUS_NOT_MAPPED);
    world_deinit(&world);
}

static void the_end_of_the_target_is_told(void **state) {
    (void)state;
    struct world world;
    struct remote word;
    world_init(&world);
    assert_int_equal(word_at(&world, AT), 0);
    world.fake.fail_at = world.fake.reads + 1;
    world.fake.fail_status = STATUS_GONE;
    assert_int_equal(
        memory_read_remote(&world.blocks, (struct remote){AT + FAKE_PAGE_BYTES}, &word),
        STATUS_GONE);
    assert_int_equal(memory_blocks_renew(&world.blocks), STATUS_GONE);
    world_deinit(&world);
}

/* ---- layouts ---- */

static bool is_inside(const struct task_layout *row, uint16_t field, uint32_t bytes) {
    return field == TASK_NOWHERE || field + bytes <= row->body_bytes;
}

static void every_version_has_rows(void **state) {
    (void)state;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        const struct task_layout *row = layouts[i]->tasks;
        assert_non_null(row);
        assert_true(row->body_bytes > 0);
        for (; row->body_bytes > 0; row++) {
            assert_true(is_inside(row, row->state, 4) && is_inside(row, row->waiter, 8));
            assert_true(is_inside(row, row->name, 8) && is_inside(row, row->node, 16));
            assert_true(is_inside(row, row->awaited_by, 8));
        }
    }
}

static struct asyncio_published published_of(const struct task_layout *row) {
    struct asyncio_published published = {
        .task = {row->body_bytes + HEAD, row->name + HEAD, row->awaited_by + HEAD, 0,
                 row->awaited_by_is_set + HEAD, row->coroutine + HEAD, row->node + HEAD},
        .interpreter = {1000, 64},
        .thread = {1000, 8, 16, 24},
    };
    return published;
}

static void what_is_published_must_agree(void **state) {
    (void)state;
    const struct task_layout *row = task_layouts_py3_14;
    struct asyncio_published published = published_of(row);
    assert_true(task_layout_agrees(row, &published, HEAD));
    published.task.coroutine += 8;
    assert_false(task_layout_agrees(row, &published, HEAD));
    published = published_of(row);
    published.thread.running_task = 1000;
    assert_false(task_layout_agrees(row, &published, HEAD));
    published = published_of(row);
    published.interpreter.tasks_head = 63;
    assert_false(task_layout_agrees(row, &published, HEAD));
    published = published_of(row);
    published.interpreter.size = UINT64_MAX;
    assert_false(task_layout_agrees(row, &published, HEAD));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_read_once_a_look),
        cmocka_unit_test(a_range_may_span_pages),
        cmocka_unit_test(what_is_not_mapped_is_not_read),
        cmocka_unit_test(the_end_of_the_target_is_told),
        cmocka_unit_test(every_version_has_rows),
        cmocka_unit_test(what_is_published_must_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
