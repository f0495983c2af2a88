#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/shortcuts.h"

enum { EPOCH = 3, NOW = 1000, UNTIL = 2000 };

static const struct raw_frame frame = {.code = 0x1000, .position = 0x1020};
static const struct raw_frame callee = {.code = 0x2000, .position = 0x2020, .is_from_c = true};
static const struct stack_id below = {7};

static void test_found_as_it_was_put(void **state) {
    (void)state;
    struct shortcuts *shortcuts = shortcuts_create();
    struct passage passage = passage_of(&frame, &callee, 1, below);
    struct stack_id found = {0};
    assert_false(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    shortcuts_put(shortcuts, &passage, EPOCH, UNTIL, (struct stack_id){9});
    assert_true(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    assert_int_equal(found.id, 9);
    assert_true(shortcuts_find(shortcuts, &passage, EPOCH, UNTIL, &found));
    assert_false(shortcuts_find(shortcuts, &passage, EPOCH, UNTIL + 1, &found));
    assert_false(shortcuts_find(shortcuts, &passage, EPOCH + 1, NOW, &found));
    shortcuts_destroy(shortcuts);
}

/* Nothing that a stack depends on may be another. */
static void test_another_passage_is_not_found(void **state) {
    (void)state;
    struct raw_frame frames[] = {
        {.code = 0x1001, .position = 0x1020},
        {.code = 0x1000, .position = 0x1022},
        {.code = 0x1000, .position = 0x1020, .tlbc_index = 1},
        {.code = 0, .position = 0x1020},
    };
    struct raw_frame callees[] = {
        {.code = 0x2001, .position = 0x2020, .is_from_c = true},
        {.code = 0x2000, .position = 0x2020, .is_from_c = false},
        {.code = 0, .position = 0x2000, .is_from_c = true},
        {.code = 0, .position = 0x2020, .is_from_c = true},
    };
    struct shortcuts *shortcuts = shortcuts_create();
    struct passage passage = passage_of(&frame, &callee, 1, below);
    struct stack_id found = {0};
    shortcuts_put(shortcuts, &passage, EPOCH, UNTIL, (struct stack_id){9});
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        passage = passage_of(&frames[i], &callee, 1, below);
        assert_false(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    }
    for (size_t i = 0; i < sizeof callees / sizeof callees[0]; i++) {
        passage = passage_of(&frame, &callees[i], 1, below);
        assert_false(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    }
    passage = passage_of(&frame, NULL, 1, below);
    assert_false(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    passage = passage_of(&frame, &callee, 2, below);
    assert_false(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    passage = passage_of(&frame, &callee, 1, (struct stack_id){8});
    assert_false(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    shortcuts_destroy(shortcuts);
}

/* More than there is room for: what is found is right all the same. */
static void test_newer_ones_replace_older_ones(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    struct shortcuts *shortcuts = shortcuts_create();
    struct stack_id found;
    size_t count = 0;
    for (uint32_t i = 1; i <= COUNT; i++) {
        struct raw_frame other = {.code = i, .position = i * UINT64_C(16)};
        struct passage passage = passage_of(&other, NULL, 1, below);
        shortcuts_put(shortcuts, &passage, EPOCH, UNTIL, (struct stack_id){i});
        assert_true(shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found));
    }
    for (uint32_t i = 1; i <= COUNT; i++) {
        struct raw_frame other = {.code = i, .position = i * UINT64_C(16)};
        struct passage passage = passage_of(&other, NULL, 1, below);
        if (shortcuts_find(shortcuts, &passage, EPOCH, NOW, &found)) {
            assert_int_equal(found.id, i);
            count++;
        }
    }
    assert_in_range(count, 1000, COUNT - 1);
    shortcuts_destroy(shortcuts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_as_it_was_put),
        cmocka_unit_test(test_another_passage_is_not_found),
        cmocka_unit_test(test_newer_ones_replace_older_ones),
    };
    return cmocka_run_group_tests_name("shortcuts", tests, NULL, NULL);
}
