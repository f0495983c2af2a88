#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "target-runtime/layout.h"

/* ---- helpers ---- */

static const struct layout *layout_named(const char *label) {
    for (size_t i = 0; layouts[i] != NULL; i++) {
        if (strcmp(layouts[i]->label, label) == 0) {
            return layouts[i];
        }
    }
    fail_msg("no layout %s", label);
    return NULL;
}

static void expect_refused(const struct layout *layout, const char *word) {
    struct error error = {0};
    assert_int_equal(layout_check(layout, &error), STATUS_BAD_LAYOUT);
    assert_int_equal(error.status, STATUS_BAD_LAYOUT);
    if (strstr(error.detail, word) == NULL || strstr(error.detail, layout->label) == NULL) {
        fail_msg("wanted %s and %s in: %s", word, layout->label, error.detail);
    }
}

/* The published words of a target whose fields are `shift` bytes further than in our table. */
static void publish(const struct layout *base, uint32_t shift, uint8_t *bytes) {
    memset(bytes, 0xff, base->published_bytes);
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT; i++) {
        uint64_t offset = (uint64_t)base->place[i] - 1 + shift;
        if (base->published[i] != 0) {
            memcpy(bytes + base->published[i], &offset, sizeof offset);
        }
    }
}

static void set_word(uint8_t *bytes, uint32_t at, uint64_t word) {
    memcpy(bytes + at, &word, sizeof word);
}

enum { PUBLISHED_SPACE = 4096 };

/* ---- the list ---- */

static void test_every_layout_is_good(void **state) {
    (void)state;
    assert_non_null(layouts[0]);
    for (size_t i = 0; layouts[i] != NULL; i++) {
        struct error error = {0};
        if (layout_check(layouts[i], &error) != STATUS_OK) {
            fail_msg("%s", error.detail);
        }
    }
}

static void test_every_layout_is_labelled_and_in_order(void **state) {
    (void)state;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        const struct layout *layout = layouts[i];
        char label[16];
        snprintf(label, sizeof label, "3.%u%s", layout->minor, layout->is_free_threaded ? "t" : "");
        assert_string_equal(layout->label, label);
        assert_true(i == 0 || layouts[i - 1]->minor <= layout->minor);
    }
}

static void test_every_version_has_its_layout(void **state) {
    (void)state;
    for (uint32_t minor = 8; minor <= 15; minor++) {
        assert_non_null(layout_for(minor, false));
        assert_int_equal(layout_for(minor, false)->minor, minor);
        assert_false(layout_for(minor, false)->is_free_threaded);
        assert_int_equal(layout_for(minor, true) != NULL, minor >= 13);
    }
    assert_ptr_equal(layout_for(13, true), layout_named("3.13t"));
    assert_null(layout_for(7, false));
    assert_null(layout_for(16, false));
    assert_null(layout_for(16, true));
}

/* A target that publishes gives every offset that can move with how it was built. */
static void test_publishers_publish(void **state) {
    (void)state;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        const struct layout *layout = layouts[i];
        bool is_published = layout->source == LAYOUT_FROM_TARGET;
        assert_int_equal(layout->published_bytes != 0, is_published);
        assert_int_equal(layout->published[LAYOUT_runtime_interpreters_head] != 0, is_published);
        assert_int_equal(layout->published[LAYOUT_interpreter_threads_head] != 0, is_published);
        for (uint32_t field = 0; field < LAYOUT_FIELD_COUNT; field++) {
            assert_true(layout->published[field] == 0 || layout->place[field] != 0);
            assert_true(layout->published[field] == 0 || is_published);
            assert_true(layout->published[field] + 8 <= layout->published_bytes || !is_published);
        }
    }
}

static void test_fields_have_names_and_sizes(void **state) {
    (void)state;
    assert_string_equal(layout_field_name(LAYOUT_thread_current_frame), "thread.current_frame");
    assert_int_equal(layout_field_bytes(LAYOUT_thread_current_frame), 8);
    assert_string_equal(layout_field_name(LAYOUT_dict_keys), "dict.keys");
    assert_int_equal(layout_field_bytes(LAYOUT_frame_owner), 1);
}

static void test_absent_fields_are_told_from_offset_0(void **state) {
    (void)state;
    const struct layout *layout = layout_named("3.14");
    assert_true(LAYOUT_HAS(layout, frame, executable));
    assert_int_equal(LAYOUT_AT(layout, frame, executable), 0);
    assert_false(LAYOUT_HAS(layout, frame, tlbc_index));
    assert_false(LAYOUT_HAS(layout, frame_object, back));
}

/* ---- the check ---- */

/* Fields that code asks for before it uses them, whatever the choices. */
static bool can_do_without(uint32_t field) {
    return field == LAYOUT_code_qualname || field == LAYOUT_thread_native_thread_id ||
           field == LAYOUT_interpreter_code_object_generation ||
           field == LAYOUT_thread_base_frame || field == LAYOUT_code_version ||
           field == LAYOUT_runtime_collecting || field == LAYOUT_interpreter_collecting ||
           field == LAYOUT_interpreter_collecting_frame || field == LAYOUT_thread_gil_requested;
}

static void test_each_missing_field_is_named(void **state) {
    (void)state;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        for (uint32_t field = 0; field < LAYOUT_FIELD_COUNT; field++) {
            struct layout bad = *layouts[i];
            if (bad.place[field] == 0) {
                continue;
            }
            bad.place[field] = 0;
            if (can_do_without(field)) {
                assert_int_equal(layout_check(&bad, NULL), STATUS_OK);
            } else {
                expect_refused(&bad, layout_field_name((enum layout_field)field));
            }
        }
    }
}

static void test_another_choice_needs_other_fields(void **state) {
    (void)state;
    struct layout bad = *layout_named("3.10");
    bad.frame_chain = FRAME_CHAIN_CURRENT;
    expect_refused(&bad, "thread.current_frame");
    bad = *layout_named("3.12");
    bad.entry_frames = ENTRY_FRAMES_FLAG;
    expect_refused(&bad, "frame.is_entry");
    bad = *layout_named("3.11");
    bad.dict_shape = DICT_SHAPE_SIZE;
    expect_refused(&bad, "dict_keys.size");
    bad = *layout_named("3.13");
    bad.place[LAYOUT_frame_owner] = 0;
    bad.entry_frames = ENTRY_FRAMES_NONE;
    expect_refused(&bad, "frame.owner");
    bad.entry_frames = ENTRY_FRAMES_OWNER;
    bad.frame_chain = FRAME_CHAIN_OBJECTS;
    bad.place[LAYOUT_thread_frame] = LAYOUT_PLACE(512);
    bad.place[LAYOUT_frame_object_back] = LAYOUT_PLACE(16);
    bad.place[LAYOUT_frame_object_code] = LAYOUT_PLACE(24);
    bad.place[LAYOUT_frame_object_generator] = LAYOUT_PLACE(32);
    bad.place[LAYOUT_frame_object_globals] = LAYOUT_PLACE(40);
    bad.place[LAYOUT_frame_object_executing] = LAYOUT_PLACE(48);
    expect_refused(&bad, "frame.owner");
}

static void test_each_offset_out_of_bounds_is_named(void **state) {
    (void)state;
    static const uint32_t beyond[] = {1 << 20, 1 << 24, UINT32_MAX - 8};
    for (uint32_t field = 0; field < LAYOUT_FIELD_COUNT; field++) {
        for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
            struct layout bad = *layout_named("3.15t");
            if (bad.place[field] != 0) {
                bad.place[field] = LAYOUT_PLACE(beyond[i]);
                expect_refused(&bad, layout_field_name((enum layout_field)field));
            }
        }
    }
    struct layout good = *layout_named("3.8");
    good.place[LAYOUT_type_cached_keys] = LAYOUT_PLACE((1 << 20) - 8);
    assert_int_equal(layout_check(&good, NULL), STATUS_OK);
}

static void test_unaligned_pointer_is_named(void **state) {
    (void)state;
    struct layout bad = *layout_named("3.9");
    bad.place[LAYOUT_interpreter_sysdict] += 4;
    expect_refused(&bad, "interpreter.sysdict");
    bad = *layout_named("3.9");
    bad.place[LAYOUT_code_first_line] += 2;
    expect_refused(&bad, "code.first_line");
}

static void test_overlap_is_named(void **state) {
    (void)state;
    struct layout bad = *layout_named("3.12");
    bad.place[LAYOUT_code_qualname] = bad.place[LAYOUT_code_name];
    expect_refused(&bad, "code.qualname");
    expect_refused(&bad, "code.name");
    /* One byte inside of eight. */
    bad = *layout_named("3.12");
    bad.place[LAYOUT_frame_owner] = bad.place[LAYOUT_frame_instr_ptr] + 7;
    expect_refused(&bad, "frame.owner");
    bad.place[LAYOUT_frame_owner] = bad.place[LAYOUT_frame_stack_count] + 4;
    assert_int_equal(layout_check(&bad, NULL), STATUS_OK);
    /* The same offset in two structures is no overlap: 3.12 has many. */
    assert_int_equal(bad.place[LAYOUT_bytes_count], bad.place[LAYOUT_object_var_count]);
}

/* ---- what the target publishes ---- */

static void test_fill_of_what_we_expect_changes_nothing(void **state) {
    (void)state;
    uint8_t bytes[PUBLISHED_SPACE];
    for (size_t i = 0; layouts[i] != NULL; i++) {
        struct layout filled;
        struct error error = {0};
        assert_true(layouts[i]->published_bytes <= sizeof bytes);
        publish(layouts[i], 0, bytes);
        if (layout_fill(layouts[i], bytes, &filled, &error) != STATUS_OK) {
            fail_msg("%s", error.detail);
        }
        assert_memory_equal(filled.place, layouts[i]->place, sizeof filled.place);
        assert_string_equal(filled.label, layouts[i]->label);
    }
}

/* The target says that one field lies somewhere else; the smallest distance that is accepted. 0:
 * none is. */
static uint32_t move_field(const struct layout *base, uint32_t field, struct layout *filled) {
    for (uint32_t distance = 8; distance <= 4096; distance += 8) {
        uint8_t bytes[PUBLISHED_SPACE];
        uint64_t word = base->place[field] - 1 + distance;
        publish(base, 0, bytes);
        memcpy(bytes + base->published[field], &word, sizeof word);
        if (layout_fill(base, bytes, filled, NULL) == STATUS_OK) {
            return distance;
        }
    }
    return 0;
}

static void test_fill_takes_the_targets_word(void **state) {
    (void)state;
    const struct layout *base = layout_named("3.14t");
    for (uint32_t field = 0; field < LAYOUT_FIELD_COUNT; field++) {
        struct layout filled;
        if (base->published[field] == 0) {
            continue;
        }
        uint32_t distance = move_field(base, field, &filled);
        assert_int_not_equal(distance, 0);
        for (uint32_t other = 0; other < LAYOUT_FIELD_COUNT; other++) {
            bool moves = base->published[other] == base->published[field];
            assert_int_equal(filled.place[other], base->place[other] + (moves ? distance : 0));
        }
    }
}

static void expect_unfillable(const struct layout *base, const uint8_t *bytes, const char *word) {
    struct layout filled;
    struct error error = {0};
    assert_int_equal(layout_fill(base, bytes, &filled, &error), STATUS_BAD_LAYOUT);
    if (strstr(error.detail, word) == NULL) {
        fail_msg("wanted %s in: %s", word, error.detail);
    }
}

static void test_each_bad_published_offset_is_named(void **state) {
    (void)state;
    static const uint64_t wrong[] = {1 << 20, UINT64_C(1) << 32, UINT64_MAX, UINT64_MAX - 7};
    uint8_t bytes[PUBLISHED_SPACE];
    const struct layout *base = layout_named("3.13");
    for (uint32_t field = 0; field < LAYOUT_FIELD_COUNT; field++) {
        for (size_t i = 0; base->published[field] != 0 && i < sizeof wrong / sizeof wrong[0]; i++) {
            publish(base, 0, bytes);
            set_word(bytes, base->published[field], wrong[i]);
            /* Fields that share a word are refused by the name of the first. */
            uint32_t first = 0;
            while (base->published[first] != base->published[field]) {
                first++;
            }
            expect_unfillable(base, bytes, layout_field_name((enum layout_field)first));
        }
    }
}

static void test_what_was_published_is_checked_as_a_whole(void **state) {
    (void)state;
    uint8_t bytes[PUBLISHED_SPACE];
    const struct layout *base = layout_named("3.15");
    publish(base, 0, bytes);
    set_word(bytes, base->published[LAYOUT_thread_current_frame], 12);
    expect_unfillable(base, bytes, "thread.current_frame");
    set_word(bytes, base->published[LAYOUT_thread_current_frame], 8);
    expect_unfillable(base, bytes, "overlaps thread.next");
}

/* A mistake in a version file must not make us read past what the target gave. */
static void test_fill_stays_within_what_is_published(void **state) {
    (void)state;
    uint8_t bytes[PUBLISHED_SPACE];
    struct layout base = *layout_named("3.14");
    publish(&base, 0, bytes);
    base.published[LAYOUT_dict_values] = (uint16_t)(base.published_bytes - 7);
    set_word(bytes, base.published[LAYOUT_dict_values], 64);
    expect_unfillable(&base, bytes, "dict.values");
}

static void test_published_head(void **state) {
    (void)state;
    uint8_t bytes[PUBLISHED_HEAD_BYTES] = "xdebugpy";
    struct published_head head;
    set_word(bytes, 8, 0x030e00f0);
    set_word(bytes, 16, 1);
    assert_true(layout_published_head(bytes, &head));
    assert_int_equal(head.version_hex, 0x030e00f0);
    assert_true(head.is_free_threaded);
    set_word(bytes, 16, 0);
    assert_true(layout_published_head(bytes, &head));
    assert_false(head.is_free_threaded);
    bytes[7] = 'Y';
    assert_false(layout_published_head(bytes, &head));
    memset(bytes, 0, sizeof bytes);
    assert_false(layout_published_head(bytes, &head));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layout_is_good),
        cmocka_unit_test(test_every_layout_is_labelled_and_in_order),
        cmocka_unit_test(test_every_version_has_its_layout),
        cmocka_unit_test(test_publishers_publish),
        cmocka_unit_test(test_fields_have_names_and_sizes),
        cmocka_unit_test(test_absent_fields_are_told_from_offset_0),
        cmocka_unit_test(test_each_missing_field_is_named),
        cmocka_unit_test(test_another_choice_needs_other_fields),
        cmocka_unit_test(test_each_offset_out_of_bounds_is_named),
        cmocka_unit_test(test_unaligned_pointer_is_named),
        cmocka_unit_test(test_overlap_is_named),
        cmocka_unit_test(test_fill_of_what_we_expect_changes_nothing),
        cmocka_unit_test(test_fill_takes_the_targets_word),
        cmocka_unit_test(test_each_bad_published_offset_is_named),
        cmocka_unit_test(test_what_was_published_is_checked_as_a_whole),
        cmocka_unit_test(test_fill_stays_within_what_is_published),
        cmocka_unit_test(test_published_head),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
