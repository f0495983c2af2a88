/* What panels draw, without a terminal. `test_panels update` rewrites tests/golden/panels/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "tests/unit/scene.h"
#include "tui/action.h"
#include "tui/keys.h"
#include "tui/panel.h"

enum { TEXT_LIMIT = 64 * 1024 };

static const struct {
    int rows;
    int columns;
} sizes[] = {{24, 80}, {40, 120}};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void golden_path(int panel, int size, char *out, size_t bytes) {
    char name[32];
    snprintf(name, sizeof name, "%s", panels[panel]->name);
    for (char *at = name; *at != '\0'; at++) {
        *at = *at == ' ' ? '_' : (char)tolower(*at);
    }
    snprintf(out, bytes, "tests/golden/panels/%s.%dx%d.txt", name, sizes[size].columns,
             sizes[size].rows);
}

static void draw_golden(int panel, int size, struct buffer *out) {
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene.view.panel = panel;
    scene.view.function = scene_function(&scene.trace, panels[panel]->key == 'o' ? "fib" : "parse");
    scene_picture(&scene.view, sizes[size].rows, sizes[size].columns, out);
    scene_close(&scene);
}

static void compare_golden(int panel, int size) {
    char path[96];
    static char wanted[TEXT_LIMIT];
    struct buffer drawn = {0};
    golden_path(panel, size, path, sizeof path);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("no %s: run test_panels update, and look at it", path);
    }
    wanted[fread(wanted, 1, sizeof wanted - 1, file)] = '\0';
    fclose(file);
    draw_golden(panel, size, &drawn);
    if (strcmp(drawn.data, wanted) != 0) {
        fail_msg("%s has another picture than this:\n%s", path, drawn.data);
    }
    buffer_deinit(&drawn);
}

static void test_panels_look_as_they_should(void **state) {
    (void)state;
    for (int panel = 0; panels[panel] != NULL; panel++) {
        for (int size = 0; size < SIZES; size++) {
            compare_golden(panel, size);
        }
    }
}

static int update(void) {
    for (int panel = 0; panels[panel] != NULL; panel++) {
        for (int size = 0; size < SIZES; size++) {
            char path[96];
            struct buffer drawn = {0};
            golden_path(panel, size, path, sizeof path);
            draw_golden(panel, size, &drawn);
            FILE *file = fopen(path, "w");
            if (file == NULL || fputs(drawn.data, file) < 0 || fclose(file) != 0) {
                perror(path);
                return 1;
            }
            buffer_deinit(&drawn);
        }
    }
    return 0;
}

static void test_panels_of_any_size(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    for (int panel = 0; panels[panel] != NULL; panel++) {
        scene.view.panel = panel;
        for (int columns = 1; columns < 90; columns++) {
            struct buffer drawn = {0};
            scene_picture(&scene.view, 1 + columns % 13, columns, &drawn);
            buffer_deinit(&drawn);
        }
    }
    scene_close(&scene);
}

/* Each line has room on the narrowest terminal, and where rows are missing it is said. */
static void test_help_is_told_whole(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "?");
    struct buffer wide = {0};
    struct buffer narrow = {0};
    scene_picture(&scene.view, 80, 200, &wide);
    scene_picture(&scene.view, 80, 80, &narrow);
    const char *of_wide = strstr(wide.data, "1 f  Functions");
    const char *of_narrow = strstr(narrow.data, "1 f  Functions");
    assert_non_null(of_wide);
    assert_non_null(of_narrow);
    assert_string_equal(of_narrow, of_wide);
    assert_null(strstr(wide.data, "more lines"));
    buffer_deinit(&wide);
    buffer_deinit(&narrow);
    scene_assert_shows(&scene.view, "more lines: arrow down", true);
    for (int i = 0; i < 40; i++) {
        action_take(&scene.view, PRESS_DOWN);
    }
    scene_assert_shows(&scene.view, "more lines", false);
    scene_assert_shows(&scene.view, "arrows  move", true);
    scene_close(&scene);
}

/* What is selected, and a word about the end, stay when there is room for little more. */
static void test_small_screens(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene.view.phase = WINDOW_ENDED;
    struct buffer drawn = {0};
    scene_picture(&scene.view, 5, 30, &drawn);
    assert_string_equal(drawn.data, "last 5 s \xc2\xb7 wall time  ENDED\n"
                                    " SELF\xe2\x96\xbc    TOTAL FUNCTION\n"
                                    " 71.2% \xe2\x96\xb2  71.2% parse\n"
                                    " 14.2% \xe2\x96\xb2  14.2% fib\n"
                                    "F1Help TabView F4Filter mMode\n");
    buffer_deinit(&drawn);
    scene_close(&scene);
}

/* Nothing sampled yet, not even a process known. */
static void test_panels_of_nothing(void **state) {
    (void)state;
    struct trace trace;
    struct view view;
    assert_int_equal(trace_init(&trace, false, NULL), STATUS_OK);
    view_init(&view, &trace, &glyphs_ascii);
    view_note_threads(&view);
    view_note_shares(&view);
    for (int panel = 0; panels[panel] != NULL; panel++) {
        view.panel = panel;
        scene_assert_shows(&view, "attaching...", true);
        scene_assert_shows(&view, "Nothing was sampled", false);
        for (int key = 1; key < 128; key++) {
            action_take(&view, key);
        }
    }
    view_deinit(&view);
    trace_deinit(&trace);
}

static void test_panels_in_ascii(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_ascii);
    for (int panel = 0; panels[panel] != NULL; panel++) {
        struct buffer drawn = {0};
        scene.view.panel = panel;
        scene_picture(&scene.view, 24, 80, &drawn);
        for (size_t i = 0; i < drawn.length; i++) {
            bool is_name = memcmp(drawn.data + i, "\xe6\x96\x87", 3) == 0 ||
                           (unsigned char)drawn.data[i] >= 0xe4; /* what the program is called */
            i += is_name ? 2 : 0;
            assert_true(is_name || isascii(drawn.data[i]));
        }
        buffer_deinit(&drawn);
    }
    scene_close(&scene);
}

/* ---- what panels wish for, and say when they have nothing ---- */

static void test_source_follows_the_function(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "v");
    scene_assert_shows(&scene.view, "Choose a function first.", true);
    scene.view.function = scene_function(&scene.trace, "parse");
    scene_assert_shows(&scene.view, "fields.append", true);
    assert_true(scene.view.wants_source);
    assert_int_equal(view_list(&scene.view)->cursor, 11); /* its hottest line */
    scene.view.function = scene_function(&scene.trace, "Server.handle");
    scene_assert_shows(&scene.view, "cannot be read", true);
    scene_assert_shows(&scene.view, "    33", true);
    scene_close(&scene);
}

static void test_machine_code_has_neither_source_nor_bytecode(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene.view.function = scene_function(&scene.trace, "Server.handle");
    struct trace_function *row = table_row(&scene.trace.functions, scene.view.function.id);
    row->is_native = 1;
    scene_press(&scene.view, "v");
    scene_assert_shows(&scene.view, "(machine code)", true);
    scene_assert_shows(&scene.view, "cannot be read", false);
    scene_press(&scene.view, "o");
    scene_assert_shows(&scene.view, "It is machine code.", true);
    scene_assert_shows(&scene.view, "not known yet", false);
    scene_close(&scene);
}

static void test_unknown_states_are_told(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_assert_shows(&scene.view, "GIL   50%", true);
    for (uint32_t i = 1; i <= scene.cells.count; i++) {
        ((struct window_cell *)table_row(&scene.cells, i))->state = 0;
    }
    scene_assert_shows(&scene.view, "GIL   50%", false);
    scene_press(&scene.view, "G");
    scene_assert_shows(&scene.view, "It is not known yet who has the GIL.", true);
    scene_close(&scene);
}

static void test_tasks_are_asked_for(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene.roll.time_ns = 0;
    scene.roll.count = 0;
    scene_assert_shows(&scene.view, "Tasks 4", false);
    assert_false(scene.view.wants_tasks);
    scene_press(&scene.view, "A");
    scene_assert_shows(&scene.view, "Asking for the tasks.", true);
    assert_true(scene.view.wants_tasks);
    scene.roll.time_ns = NS_PER_S;
    scene_assert_shows(&scene.view, "There are no tasks of asyncio.", true);
    scene_close(&scene);
}

static void test_tasks_say_what_they_wait_for(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_assert_shows(&scene.view, "Tasks 4", true);
    scene_press(&scene.view, "A");
    scene_assert_shows(&scene.view, "  75 s waits  boss ", true);
    scene_assert_shows(&scene.view, " 3 min waits  fetch-7 ", true);
    scene_assert_shows(&scene.view, " task fetch-7 and 1 more", true);
    scene_assert_shows(&scene.view, "       runs   hopper", true);
    scene_assert_shows(&scene.view, "   0 s begins late", true);
    scene_assert_shows(&scene.view, " awaits Queue.get (queues.py:158)",
                       true); /* of the first one */
    assert_true(view_set_filter(&scene.view, "^boss$"));
    scene_assert_shows(&scene.view, "hopper", false);
    scene_close(&scene);
}

static void test_where_a_thread_is(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "H");
    scene_assert_shows(&scene.view, "parse (wire.py:12)", true); /* not 14, where it is seldom */
    assert_true(view_set_filter(&scene.view, "wire"));
    scene_assert_shows(&scene.view, "MainThread", true);
    scene_assert_shows(&scene.view, "4250", false);
    assert_true(view_set_filter(&scene.view, "nowhere"));
    static const char lists[] = "flHAGP";
    for (const char *key = lists; *key != '\0'; key++) {
        char keys[] = {*key, '\0'};
        scene_press(&scene.view, keys);
        scene_assert_shows(&scene.view, "Nothing passes the filter", true);
    }
    assert_true(view_set_filter(&scene.view, "^4300$"));
    scene_assert_shows(&scene.view, "app.worker", true);
    scene_assert_shows(&scene.view, "  4242        2 3.11.2", false); /* the other process */
    scene_close(&scene);
}

/* Processes are told apart where there are several. */
static void test_threads_of_several_processes(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_press(&scene.view, "H");
    scene_assert_shows(&scene.view, "    PID     TID THREAD", true);
    table_deinit(&scene.trace.processes);
    table_init(&scene.trace.processes, sizeof(struct trace_process), sizeof(struct trace_process));
    scene_assert_shows(&scene.view, "STATE         TID THREAD", true);
    scene_close(&scene);
}

/* A function that only calls is shown where it begins, not at the start of its file. */
static void test_source_of_what_only_calls(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene.view.function = scene_function(&scene.trace, "<module>");
    scene_press(&scene.view, "v");
    scene_assert_shows(&scene.view, "    90", true);
    table_deinit(&scene.trace.tallies); /* nothing of it was sampled of late */
    table_init(&scene.trace.tallies, sizeof(struct trace_tally),
               offsetof(struct trace_tally, samples));
    scene.view.function = scene_function(&scene.trace, "parse");
    scene_assert_shows(&scene.view, "def parse", true);
    assert_int_equal(view_list(&scene.view)->cursor, 4);
    scene_close(&scene);
}

/* ---- trends ---- */

static void test_trends_follow_and_fade(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    struct function_id hot = scene_function(&scene.trace, "parse");
    scene.view.now_ns += 60 * NS_PER_S;
    view_note_shares(&scene.view);
    assert_true(view_trend(&scene.view, hot, 0.9) > 0.1);
    assert_true(view_trend(&scene.view, hot, 0.1) < -0.1);
    table_deinit(&scene.trace.tallies);
    table_init(&scene.trace.tallies, sizeof(struct trace_tally),
               offsetof(struct trace_tally, samples));
    scene.view.now_ns += 60 * NS_PER_S;
    view_note_shares(&scene.view);
    assert_true(view_trend(&scene.view, hot, 0) > -0.001);
    scene_close(&scene);
}

/* While the window fills, nothing rises: there was nothing to compare with. */
static void test_trends_wait_for_a_window(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene, &glyphs_unicode);
    scene_assert_shows(&scene.view, "71.2% \xe2\x96\xb2", true);
    scene_close(&scene);
    scene_open(&scene, &glyphs_unicode);
    scene.trace.health.duration_ns = NS_PER_S;
    view_note_shares(&scene.view);
    scene_assert_shows(&scene.view, "71.2% \xe2\x96\xb2", false);
    scene_close(&scene);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_panels_look_as_they_should),
        cmocka_unit_test(test_panels_of_any_size),
        cmocka_unit_test(test_help_is_told_whole),
        cmocka_unit_test(test_small_screens),
        cmocka_unit_test(test_panels_of_nothing),
        cmocka_unit_test(test_panels_in_ascii),
        cmocka_unit_test(test_source_follows_the_function),
        cmocka_unit_test(test_machine_code_has_neither_source_nor_bytecode),
        cmocka_unit_test(test_unknown_states_are_told),
        cmocka_unit_test(test_tasks_are_asked_for),
        cmocka_unit_test(test_tasks_say_what_they_wait_for),
        cmocka_unit_test(test_where_a_thread_is),
        cmocka_unit_test(test_threads_of_several_processes),
        cmocka_unit_test(test_source_of_what_only_calls),
        cmocka_unit_test(test_trends_follow_and_fade),
        cmocka_unit_test(test_trends_wait_for_a_window),
    };
    if (argc == 2 && strcmp(argv[1], "update") == 0) {
        return update();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
