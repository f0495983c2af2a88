#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "target-runtime/anchors.h"
#include "target-runtime/merge.h"

enum { FRAMES = 16 };

/* Native frames whose parts of the stack begin at 100, 200, 300, ...: newest first. */
static struct native_stack native_of(struct native_frame *frames, size_t count, bool is_whole) {
    for (size_t i = 0; i < count; i++) {
        frames[i] = (struct native_frame){.pc = 1000 + i, .sp = 100 * (i + 1), .is_call = i > 0};
    }
    return (struct native_stack){frames, count, count, is_whole};
}

/* "n0 p0 p1 n2 -": native and Python frames by index, and the gap. */
static void describe(const struct merge_item *items, size_t count, char *out, size_t room) {
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *space = i > 0 ? " " : "";
        const char *kind = items[i].kind == MERGE_PYTHON ? "p" : "n";
        int bytes = items[i].kind == MERGE_GAP ? snprintf(out + length, room - length, "%s-", space)
                                               : snprintf(out + length, room - length, "%s%s%u",
                                                          space, kind, items[i].index);
        length += (size_t)bytes;
    }
}

static void test_merge(void **state) {
    (void)state;
    static const struct {
        size_t native;
        bool is_whole;
        size_t python;
        uint64_t anchors[FRAMES];
        const char *merged;
    } cases[] = {
        /* One loop for one frame; one for two frames. */
        {4, true, 1, {250}, "n0 p0 n2 n3"},
        {4, true, 2, {ANCHOR_NONE, 250}, "n0 p0 p1 n2 n3"},
        /* The loop itself is the newest function. */
        {3, true, 1, {150}, "p0 n1 n2"},
        /* Two loops, with C between them and without. */
        {6, true, 3, {ANCHOR_NONE, 250, 450}, "n0 p0 p1 n2 p2 n4 n5"},
        {4, true, 2, {150, 250}, "p0 p1 n2 n3"},
        /* The part of a frame begins at its sp and ends before the next one's. */
        {4, true, 1, {200}, "n0 p0 n2 n3"},
        {4, true, 1, {299}, "n0 p0 n2 n3"},
        /* A newer call of the loop has no Python frame yet: it stays. */
        {6, true, 1, {450}, "n0 n1 n2 p0 n4 n5"},
        /* The unwinding ended too early: after the first loop, before any, within the last. */
        {3, false, 2, {150, 950}, "p0 n1 n2 - p1"},
        {2, false, 1, {950}, "n0 n1 - p0"},
        {2, false, 1, {250}, "n0 n1 - p0"},
        {4, false, 1, {250}, "n0 p0 n2 n3 -"},
        {0, false, 2, {150, 250}, "- p0 p1"},
        /* What does not fit is not shown: no loop, not the same order, unknown places. */
        {3, true, 2, {150, 950}, "- p0 p1"},
        {6, true, 2, {450, 250}, "- p0 p1"},
        {6, false, 2, {450, 250}, "- p0 p1"},
        {4, true, 1, {50}, "- p0"},
        {4, false, 1, {50}, "- p0"},
        {4, true, 2, {150, ANCHOR_UNKNOWN}, "- p0 p1"},
        {4, false, 2, {150, ANCHOR_UNKNOWN}, "p0 n1 n2 n3 - p1"},
        {4, true, 2, {150, ANCHOR_NONE}, "- p0 p1"},
        /* Two runs in one part of the stack. */
        {4, true, 2, {150, 160}, "- p0 p1"},
        /* No Python at all. */
        {2, true, 0, {0}, "n0 n1"},
        {0, false, 0, {0}, "-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct native_frame frames[FRAMES];
        struct merge_item items[2 * FRAMES + 1];
        char merged[200];
        struct native_stack native = native_of(frames, cases[i].native, cases[i].is_whole);
        size_t count = merge_stacks(cases[i].anchors, cases[i].python, &native, items);
        describe(items, count, merged, sizeof merged);
        if (strcmp(merged, cases[i].merged) != 0) {
            fail_msg("case %zu is \"%s\", not \"%s\"", i, merged, cases[i].merged);
        }
        assert_true(count <= cases[i].native + cases[i].python + 1);
    }
}

/* ---- anchors ---- */

static void test_entries(void **state) {
    (void)state;
    const struct layout layout = {.evaluation_mark = MARK_ENTRY};
    const struct raw_frame frames[] = {{.at = 1}, {.at = 2, .entry = 70}, {.at = 3, .entry = 90}};
    const struct raw_thread thread = {.frame_count = 3};
    const struct stack_copy stack = {0};
    uint64_t anchors[3];
    anchors_find(&layout, &thread, frames, &stack, anchors);
    assert_int_equal(anchors[0], ANCHOR_NONE);
    assert_int_equal(anchors[1], 70);
    assert_int_equal(anchors[2], 90);
}

static void test_cframes(void **state) {
    (void)state;
    struct layout layout = {.evaluation_mark = MARK_CFRAME};
    layout.place[LAYOUT_cframe_previous] = LAYOUT_PLACE(8);
    /* At 1000, 1032 and 1048; the last leads out of what was copied. */
    uint64_t words[8] = {0, 1032, 0, 0, 0, 1048, 0, 5000};
    const struct stack_copy stack = {1000, (const uint8_t *)words, sizeof words};
    const struct raw_frame frames[] = {
        {.is_from_c = true}, {.is_from_c = false}, {.is_from_c = true},
        {.is_from_c = true}, {.is_from_c = true},  {.is_from_c = true},
    };
    const struct raw_thread thread = {.cframe = 1000, .frame_count = 6};
    uint64_t anchors[6];
    anchors_find(&layout, &thread, frames, &stack, anchors);
    assert_int_equal(anchors[0], 1000);
    assert_int_equal(anchors[1], ANCHOR_NONE);
    assert_int_equal(anchors[2], 1032);
    assert_int_equal(anchors[3], 1048);
    assert_int_equal(anchors[4], 5000);
    assert_int_equal(anchors[5], ANCHOR_UNKNOWN);
}

static void find(const char *functions, bool is_whole, struct loop_parts *parts, size_t count,
                 uint64_t *anchors) {
    struct native_frame frames[FRAMES];
    uint64_t starts[FRAMES];
    struct native_stack native = native_of(frames, strlen(functions), is_whole);
    for (size_t i = 0; i < native.count; i++) {
        starts[i] = functions[i] == '?' ? 0 : (uint64_t)functions[i];
    }
    anchors_find_by_functions(&native, starts, parts, count, anchors);
}

/* L is the loop, V what calls it. */
static void test_functions(void **state) {
    (void)state;
    struct loop_parts parts = {0};
    uint64_t anchors[FRAMES];
    find("xLVLVm", true, &parts, 2, anchors); /* too few to learn from */
    assert_int_equal(parts.count, 0);
    assert_int_equal(anchors[0], ANCHOR_UNKNOWN);
    find("xLVLVLVm", false, &parts, 3, anchors); /* not the whole stack */
    assert_int_equal(parts.count, 0);
    find("xLVLVLVm", true, &parts, 3, anchors);
    assert_int_equal(parts.count, 1);
    assert_int_equal(parts.functions[0], 'L');
    assert_int_equal(anchors[0], 200);
    assert_int_equal(anchors[1], 400);
    assert_int_equal(anchors[2], 600);
    find("xL??m", true, &parts, 1, anchors);
    assert_int_equal(anchors[0], 200);
    find("xLm", true, &parts, 2, anchors); /* one of the two is not there: which? */
    assert_int_equal(anchors[0], ANCHOR_UNKNOWN);
    assert_int_equal(anchors[1], ANCHOR_UNKNOWN);
    find("xLm", false, &parts, 2, anchors); /* the older one */
    assert_int_equal(anchors[0], 200);
    assert_int_equal(anchors[1], ANCHOR_UNKNOWN);
    /* The other half of the loop, from which other calls are made. */
    find("xLVlVlVLVlVm", true, &parts, 5, anchors);
    assert_int_equal(parts.count, 2);
    assert_int_equal(parts.functions[1], 'l');
    loop_parts_add(&parts, 'l');
    loop_parts_add(&parts, 0);
    assert_int_equal(parts.count, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_cframes),
        cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
