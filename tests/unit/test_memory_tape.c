/* What was read is noted, and read again at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reader/memory_tape.h"
#include "tests/unit/fake_memory.h"

enum { AT = 0x100000, NOTES = 8 };

struct world {
    struct fake_memory fake;
    struct memory tape;
};

static void world_init(struct world *world) {
    fake_init(&world->fake);
    fake_map(&world->fake, AT, 32 * FAKE_PAGE_BYTES);
    memory_open_tape(&world->tape, &world->fake.memory);
    memory_tape_begin(&world->tape);
}

static void world_deinit(struct world *world) {
    memory_close(&world->tape);
    fake_deinit(&world->fake);
}

static void read_bytes(struct world *world, uint64_t at, uint32_t bytes) {
    static uint8_t room[1 << 17];
    assert_int_equal(memory_read_one(&world->tape, (struct remote){at}, room, bytes), STATUS_OK);
}

static uint64_t digest(struct world *world) {
    const struct memory_note *notes;
    struct range ranges[NOTES];
    uint8_t bytes[NOTES][256];
    uint64_t digest;
    size_t count;
    assert_true(memory_tape_notes(&world->tape, &notes, &count));
    assert_in_range(count, 1, NOTES);
    for (size_t i = 0; i < count; i++) {
        ranges[i] = memory_note_range(notes[i], bytes[i]);
    }
    assert_int_equal(memory_read(&world->fake.memory, ranges, count), STATUS_OK);
    assert_true(memory_notes_digest(ranges, count, &digest));
    return digest;
}

static void notes_that_touch_are_one(void **state) {
    (void)state;
    struct world world;
    const struct memory_note *notes;
    size_t count;
    world_init(&world);
    read_bytes(&world, AT + 200, 8);
    read_bytes(&world, AT, 16);
    read_bytes(&world, AT + 16, 8);
    read_bytes(&world, AT + 4, 8);
    read_bytes(&world, AT + 200, 24);
    assert_true(memory_tape_notes(&world.tape, &notes, &count));
    assert_int_equal(count, 2);
    assert_int_equal(notes[0].from, AT);
    assert_int_equal(notes[0].bytes, 24);
    assert_int_equal(notes[1].from, AT + 200);
    assert_int_equal(notes[1].bytes, 24);
    memory_tape_begin(&world.tape);
    assert_true(memory_tape_notes(&world.tape, &notes, &count));
    assert_int_equal(count, 0);
    world_deinit(&world);
}

static void a_change_of_any_noted_byte_is_seen(void **state) {
    (void)state;
    struct world world;
    const uint32_t noted[] = {0, 7, 8, 10, 100, 112};
    const uint32_t others[] = {11, 99, 113};
    const uint8_t changed = 1;
    const uint8_t before = 0;
    world_init(&world);
    read_bytes(&world, AT, 11);
    read_bytes(&world, AT + 100, 13);
    uint64_t first = digest(&world);
    for (size_t i = 0; i < sizeof noted / sizeof noted[0]; i++) {
        fake_write(&world.fake, AT + noted[i], &changed, 1);
        assert_true(digest(&world) != first);
        fake_write(&world.fake, AT + noted[i], &before, 1);
        assert_true(digest(&world) == first);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        fake_write(&world.fake, AT + others[i], &changed, 1);
        assert_true(digest(&world) == first);
    }
    world_deinit(&world);
}

static void what_cannot_be_noted_is_said(void **state) {
    (void)state;
    struct world world;
    struct remote word;
    const struct memory_note *notes;
    size_t count;
    world_init(&world);
    read_bytes(&world, AT, 1 << 16);
    assert_false(memory_tape_notes(&world.tape, &notes, &count));
    memory_tape_begin(&world.tape);
    assert_int_equal(memory_read_remote(&world.tape, (struct remote){AT - 8}, &word),
                     STATUS_NOT_MAPPED);
    assert_false(memory_tape_notes(&world.tape, &notes, &count));
    memory_tape_begin(&world.tape);
    for (uint32_t i = 0; i < 10000; i++) {
        read_bytes(&world, AT + i * 8, 4);
    }
    assert_false(memory_tape_notes(&world.tape, &notes, &count));
    world_deinit(&world);
}

static void what_is_not_mapped_any_more_has_no_digest(void **state) {
    (void)state;
    uint64_t digest;
    uint8_t byte = 0;
    struct range range = {{AT}, &byte, 1, STATUS_NOT_MAPPED};
    assert_false(memory_notes_digest(&range, 1, &digest));
    range.status = STATUS_OK;
    assert_true(memory_notes_digest(&range, 1, &digest));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_that_touch_are_one),
        cmocka_unit_test(a_change_of_any_noted_byte_is_seen),
        cmocka_unit_test(what_cannot_be_noted_is_said),
        cmocka_unit_test(what_is_not_mapped_any_more_has_no_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
