/* What keys and the mouse do, without a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/text.h"
#include "tests/unit/scene.h"
#include "tui/action.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/picture.h"

static void test_keys_show_panels(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    for (int i = 0; panels[i] != NULL; i++) {
        if (i < 10) {
            action_take(&scene.view, '0' + (i + 1) % 10);
            assert_int_equal(scene.view.panel, i);
        }
        action_take(&scene.view, '1');
        action_take(&scene.view, panels[i]->key);
        assert_int_equal(scene.view.panel, i);
    }
    action_take(&scene.view, PRESS_TAB);
    assert_int_equal(scene.view.panel, 0);
    action_take(&scene.view, PRESS_BACK_TAB);
    assert_string_equal(panels[scene.view.panel]->name, "Help");
    action_take(&scene.view, PRESS_F1 + 4);
    assert_string_equal(panels[scene.view.panel]->name, "Tree");
    scene_close(&scene);
}

/* No key may be two things. */
static void test_keys_are_distinct(void **state) {
    (void)state;
    for (const struct action *a = actions; a->help != NULL; a++) {
        for (int i = 0; i < ACTION_KEYS && a->keys[i] != 0; i++) {
            for (const struct action *b = a + 1; b->help != NULL; b++) {
                for (int j = 0; j < ACTION_KEYS; j++) {
                    assert_int_not_equal(a->keys[i], b->keys[j]);
                }
            }
            for (int panel = 0; panels[panel] != NULL; panel++) {
                assert_true(panels[panel]->key != a->keys[i] ||
                            strcmp(panels[panel]->name, "Help") == 0);
            }
        }
    }
}

static void test_keys_filter(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    assert_int_equal(action_take(&scene.view, '/'), OUTCOME_FILTER);
    assert_false(view_set_filter(&scene.view, "fib("));
    scene_assert_shows(&scene.view, "parse", true);
    assert_true(view_set_filter(&scene.view, "^f.b$"));
    scene_assert_shows(&scene.view, "parse", false);
    scene_assert_shows(&scene.view, "fib.py", true);
    scene_press(&scene.view, "c");
    scene_assert_shows(&scene.view, "parse", false);
    scene_assert_shows(&scene.view, "Server.handle", true);
    assert_int_equal(action_take(&scene.view, PRESS_ESCAPE), OUTCOME_SELECT);
    scene_assert_shows(&scene.view, "parse", true);
    scene_close(&scene);
}

/* The function in the first row of the list. */
static uint64_t first_of(struct view *view) {
    struct grid grid;
    grid_init(&grid, 24, 80);
    view_list(view)->cursor = 0;
    picture_draw(view, NULL, &grid);
    grid_deinit(&grid);
    return view_list(view)->chosen;
}

static void test_keys_sort(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    uint64_t by_self = first_of(&scene.view);
    assert_string_equal(
        trace_string(&scene.trace,
                     trace_function(&scene.trace, (struct function_id){(uint32_t)by_self})->name),
        "parse");
    scene_press(&scene.view, "ss"); /* total: the root */
    assert_int_not_equal(first_of(&scene.view), by_self);
    scene_press(&scene.view, "I");
    uint64_t reversed = first_of(&scene.view);
    assert_int_not_equal(reversed, by_self);
    for (int i = 2; i < panels[0]->sort_columns; i++) {
        scene_press(&scene.view, "s");
    }
    assert_int_equal(first_of(&scene.view), by_self);
    scene_close(&scene);
}

/* At 80 columns there is no time beside the share. */
static void test_keys_sort_by_what_is_seen(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    first_of(&scene.view);
    scene_press(&scene.view, "ss");
    scene_assert_shows(&scene.view, "TOTAL\xe2\x96\xbc", true);
    scene_press(&scene.view, "cs");
    scene_assert_shows(&scene.view, "an order of its own", true);
    scene_press(&scene.view, "I");
    scene_assert_shows(&scene.view, "an order of its own", true);
    scene_press(&scene.view, "f");
    scene_assert_shows(&scene.view, "TOTAL\xe2\x96\xbc", true);
    scene_close(&scene);
}

/* In every list, by every column: the order is the other way round the other way round. */
static void test_keys_sort_every_list(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    for (int panel = 0; panels[panel] != NULL; panel++) {
        scene.view.panel = panel;
        first_of(&scene.view);
        struct list *list = view_list(&scene.view);
        for (int i = 0; i < panels[panel]->sort_columns; i++) {
            scene_press(&scene.view, "s");
            uint64_t first = first_of(&scene.view);
            action_take(&scene.view, PRESS_END);
            scene_assert_shows(&scene.view, "PID", true);
            uint64_t last = list->chosen;
            assert_true(list->count > 1 && first != last);
            assert_true((list->columns >> list->sort & 1) != 0);
            scene_press(&scene.view, "I");
            assert_int_equal(list->cursor, 0);
        }
    }
    scene_close(&scene);
}

/* Rows that move take the cursor with them; at the top it stays at the top. */
static void test_the_cursor_goes_with_its_row(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "H");
    uint64_t first = first_of(&scene.view);
    struct list *list = view_list(&scene.view);
    scene_press(&scene.view, "j");
    scene_assert_shows(&scene.view, "THREAD", true);
    uint64_t chosen = list->chosen;
    assert_int_not_equal(chosen, first);
    list->is_reversed = true; /* as if the other thread were now the one that works */
    scene_assert_shows(&scene.view, "THREAD", true);
    assert_int_equal(list->cursor, 0);
    assert_int_equal(list->chosen, chosen);
    list->is_reversed = false;
    scene_assert_shows(&scene.view, "THREAD", true);
    assert_int_equal(list->cursor, 1);
    action_take(&scene.view, PRESS_HOME);
    list->is_reversed = true;
    scene_assert_shows(&scene.view, "THREAD", true);
    assert_int_equal(list->cursor, 0);
    assert_int_equal(list->chosen, chosen); /* it is the first now */
    scene_close(&scene);
}

/* One alone, and all again: the cursor is where it was. */
static void test_the_cursor_comes_back(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "A");
    first_of(&scene.view);
    scene_press(&scene.view, "jj");
    scene_assert_shows(&scene.view, "AWAITING", true);
    uint64_t chosen = view_list(&scene.view)->chosen;
    action_take(&scene.view, PRESS_ENTER);
    scene_assert_shows(&scene.view, "alone", true);
    assert_int_equal(view_list(&scene.view)->count, 1);
    action_take(&scene.view, PRESS_ENTER);
    scene_assert_shows(&scene.view, "alone", false);
    assert_int_equal(view_list(&scene.view)->cursor, 2);
    assert_int_equal(view_list(&scene.view)->chosen, chosen);
    scene_close(&scene);
}

static void test_keys_fold(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "c");
    scene_assert_shows(&scene.view, "parse", true); /* on the heaviest path */
    action_take(&scene.view, PRESS_ENTER);
    scene_assert_shows(&scene.view, "parse", false);
    action_take(&scene.view, PRESS_ENTER);
    scene_assert_shows(&scene.view, "parse", true);
    scene_press(&scene.view, "-");
    scene_assert_shows(&scene.view, "parse", false);
    scene_press(&scene.view, "+");
    scene_assert_shows(&scene.view, "parse", true);
    scene_close(&scene);
}

static void test_keys_choose_a_thread(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "H");
    scene_assert_shows(&scene.view, "MainThread", true);
    scene_press(&scene.view, "j");
    scene_assert_shows(&scene.view, "worker", true);
    assert_int_equal(action_take(&scene.view, PRESS_ENTER), OUTCOME_SELECT);
    assert_int_equal(scene.view.thread.id, 2);
    scene_assert_shows(&scene.view, "(4250) alone", true);
    action_take(&scene.view, PRESS_ENTER);
    assert_int_equal(scene.view.thread.id, 0);
    scene_close(&scene);
}

static void test_keys_choose_a_task(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "A");
    scene_assert_shows(&scene.view, "boss", true);
    assert_int_equal(action_take(&scene.view, PRESS_ENTER), OUTCOME_SELECT);
    scene_assert_shows(&scene.view, "task fetch-7 alone", true);
    scene_assert_shows(&scene.view, "boss", false);
    assert_int_equal(scene.view.task.marker.id, scene_function(&scene.trace, "<task fetch-7>").id);
    action_take(&scene.view, PRESS_ENTER);
    scene_assert_shows(&scene.view, "boss", true);
    action_take(&scene.view, PRESS_ENTER);
    action_take(&scene.view, PRESS_ESCAPE);
    assert_int_equal(scene.view.task.marker.id, 0);
    scene_close(&scene);
}

/* The target begins anew: who was alone stays so, as whoever has that name now. */
static void test_restarts_keep_who_is_alone(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    struct trace *trace = &scene.trace;
    uint32_t threads = trace->threads.count;
    uint32_t processes = trace->processes.count;
    scene.view.thread.id = 2;
    scene.view.pid = 4242;
    view_follow_restart(&scene.view, threads, processes);
    assert_int_equal(scene.view.thread.id, 2);
    assert_int_equal(scene.view.pid, 4242);
    struct trace_thread thread = *trace_thread(trace, scene.view.thread);
    struct trace_thread other = *trace_thread(trace, (struct thread_ref){1});
    struct trace_process process = *(const struct trace_process *)table_row(&trace->processes, 1);
    thread.pid = thread.tid = process.pid = other.pid = 5000;
    process.start_ticks++;
    struct thread_ref heir = trace_intern_thread(trace, thread);
    trace_intern_thread(trace, other);
    trace_intern_process(trace, &process);
    view_follow_restart(&scene.view, threads, processes);
    assert_int_equal(scene.view.thread.id, heir.id);
    assert_int_equal(scene.view.pid, 5000);
    view_follow_restart(&scene.view, threads, processes);
    assert_int_equal(scene.view.pid, 5000);
    scene_close(&scene);
}

static void test_keys_of_time(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_assert_shows(&scene.view, "last 5 s", true);
    scene_press(&scene.view, "t");
    scene_assert_shows(&scene.view, "last 30 s", true);
    scene_press(&scene.view, "t");
    scene_assert_shows(&scene.view, "since start", true);
    scene_press(&scene.view, "t[[");
    scene_assert_shows(&scene.view, "last 5 s, 2 s ago \xc2\xb7 wall time  PAUSED", true);
    scene_press(&scene.view, "]");
    scene_assert_shows(&scene.view, "1 s ago", true);
    scene_press(&scene.view, "{{");
    scene_assert_shows(&scene.view, "21 s ago", true);
    scene_press(&scene.view, "{");
    scene_assert_shows(&scene.view, "30 s ago", true); /* a little more is kept */
    scene_assert_shows(&scene.view, "Nothing older is kept.", true);
    scene_press(&scene.view, "tt");
    scene_assert_shows(&scene.view, "since start, 30 s ago", true);
    scene_press(&scene.view, "}}t");
    scene_assert_shows(&scene.view, "last 5 s, 10 s ago", true);
    scene_press(&scene.view, "p");
    scene_assert_shows(&scene.view, "PAUSED", false);
    assert_int_equal(scene.view.back_ns, 0);
    assert_int_equal(action_take(&scene.view, 'r'), OUTCOME_RESET);
    assert_int_equal(action_take(&scene.view, 'w'), OUTCOME_SAVE);
    assert_int_equal(action_take(&scene.view, 'q'), OUTCOME_QUIT);
    scene.view.restarts = 2;
    scene_assert_shows(&scene.view, "restarted 2 x", true);
    scene.view.phase = WINDOW_WAITS;
    scene_assert_shows(&scene.view, "ENDED, waiting", true);
    scene.view.phase = WINDOW_ENDED;
    scene_assert_shows(&scene.view, "restarted 2 x  ENDED", true);
    scene_close(&scene);
}

/* ---- the mouse ---- */

/* Clicks on the first place of the picture that shows this text. */
static void click_on(struct view *view, const char *what) {
    struct grid grid;
    bool is_there = false;
    grid_init(&grid, 24, 80);
    picture_draw(view, NULL, &grid);
    for (int row = 0; row < grid.rows && !is_there; row++) {
        struct buffer line = {0};
        grid_append_row(&grid, row, &line);
        const char *at = line.data != NULL ? strstr(line.data, what) : NULL;
        if (at != NULL) {
            char before[1024];
            snprintf(before, sizeof before, "%.*s", (int)(at - line.data), line.data);
            view->pointer_row = row;
            view->pointer_column = (int)text_columns(before);
            is_there = true;
        }
        buffer_deinit(&line);
    }
    grid_deinit(&grid);
    assert_true(is_there);
    action_take(view, PRESS_CLICK);
}

static void test_clicks(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    click_on(&scene.view, "FUNCTION");
    scene_assert_shows(&scene.view, "FUNCTION\xe2\x96\xb2", true);
    click_on(&scene.view, "FUNCTION");
    scene_assert_shows(&scene.view, "FUNCTION\xe2\x96\xbc", true);
    click_on(&scene.view, "fib.py");
    struct function_id fib = scene_function(&scene.trace, "fib");
    scene_assert_shows(&scene.view, "FUNCTION", true);
    assert_int_equal(scene.view.function.id, fib.id);
    click_on(&scene.view, "fib.py"); /* again: as Enter does */
    assert_string_equal(panels[scene.view.panel]->name, "Source");
    click_on(&scene.view, "9GIL");
    assert_string_equal(panels[scene.view.panel]->name, "GIL");
    click_on(&scene.view, "tWindow");
    scene_assert_shows(&scene.view, "last 30 s", true);
    scene.view.pointer_row = 500;
    assert_int_equal(action_take(&scene.view, PRESS_CLICK), 0);
    scene_press(&scene.view, "f");
    action_take(&scene.view, PRESS_HOME);
    scene_assert_shows(&scene.view, "FUNCTION", true);
    action_take(&scene.view, PRESS_WHEEL_DOWN);
    assert_int_equal(view_list(&scene.view)->cursor, 3);
    action_take(&scene.view, PRESS_WHEEL_UP);
    assert_int_equal(view_list(&scene.view)->cursor, 0);
    scene_close(&scene);
}

static void test_modes_and_processes(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    assert_int_equal(action_take(&scene.view, 'm'), OUTCOME_SELECT);
    scene_assert_shows(&scene.view, "cpu time", true);
    scene_press(&scene.view, "mm");
    scene_assert_shows(&scene.view, "exception time", true);
    scene_press(&scene.view, "m");
    scene_assert_shows(&scene.view, "wall time", true);
    assert_int_equal(action_take(&scene.view, 'R'), OUTCOME_RATE);
    scene_press(&scene.view, "P");
    scene_assert_shows(&scene.view, "app.worker", true);
    assert_int_equal(action_take(&scene.view, PRESS_ENTER), OUTCOME_SELECT);
    scene_assert_shows(&scene.view, "process 4242 alone", true);
    action_take(&scene.view, PRESS_ESCAPE);
    assert_int_equal(scene.view.pid, 0);
    scene_close(&scene);
}

/* ---- lists ---- */

static void test_list_keeps_the_cursor_in_sight(void **state) {
    (void)state;
    struct list list = {0};
    list_fit(&list, 100, 10);
    list_key(&list, PRESS_END);
    assert_int_equal(list.cursor, 99);
    assert_int_equal(list.top, 90);
    list_key(&list, PRESS_PAGE_UP);
    assert_int_equal(list.cursor, 89);
    assert_int_equal(list.top, 89);
    list_fit(&list, 5, 10);
    assert_int_equal(list.cursor, 4);
    list_fit(&list, 0, 10);
    assert_int_equal(list.cursor, 0);
    list_key(&list, PRESS_UP);
    assert_int_equal(list.cursor, 0);
    assert_false(list_key(&list, 'z'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_show_panels),
        cmocka_unit_test(test_keys_are_distinct),
        cmocka_unit_test(test_keys_filter),
        cmocka_unit_test(test_keys_sort),
        cmocka_unit_test(test_keys_sort_by_what_is_seen),
        cmocka_unit_test(test_keys_sort_every_list),
        cmocka_unit_test(test_the_cursor_goes_with_its_row),
        cmocka_unit_test(test_the_cursor_comes_back),
        cmocka_unit_test(test_keys_fold),
        cmocka_unit_test(test_keys_choose_a_thread),
        cmocka_unit_test(test_keys_choose_a_task),
        cmocka_unit_test(test_restarts_keep_who_is_alone),
        cmocka_unit_test(test_keys_of_time),
        cmocka_unit_test(test_clicks),
        cmocka_unit_test(test_modes_and_processes),
        cmocka_unit_test(test_list_keeps_the_cursor_in_sight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
