/* What is drawn, without a terminal. `test_tui update` rewrites tests/golden/panels/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/model/window.h"
#include "tui/action.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/picture.h"

enum { TEXT_LIMIT = 64 * 1024 };

/* ---- a fixed model ---- */

struct place {
    const char *name;
    const char *file;
    uint32_t first_line;
    uint32_t line;
};

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static struct stack_id call(struct trace *trace, struct stack_id parent, struct place place) {
    struct trace_function function = {.name = text(trace, place.name),
                                      .file = text(trace, place.file),
                                      .first_line = place.first_line};
    struct trace_frame frame = {.function = trace_intern_function(trace, function),
                                .line = place.line};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

/* What the fixed model holds. */
struct scene {
    struct trace trace;
    struct table cells;
    struct table waits;
    struct view view;
};

static void spend(struct scene *scene, struct thread_ref thread, struct stack_id stack, uint64_t ms,
                  uint32_t state) {
    struct sample sample = {.weight_ns = ms * NS_PER_MS, .thread = thread, .stack = stack};
    struct window_cell cell = {thread, stack, state, 0, ms, sample.weight_ns};
    assert_int_equal(trace_add_many(&scene->trace, &sample, (uint32_t)ms, NULL), STATUS_OK);
    table_intern(&scene->cells, &cell);
}

static void wait_for(struct scene *scene, struct thread_ref waiter, struct thread_ref holder,
                     uint64_t ms) {
    standoff_add(&scene->waits, &(struct wait){waiter, holder, ms * NS_PER_MS});
}

static struct thread_ref thread_named(struct trace *trace, uint32_t tid, const char *name) {
    struct trace_thread thread = {.pid = 4242, .tid = tid, .name = text(trace, name)};
    return trace_intern_thread(trace, thread);
}

enum {
    WORKS = STATE_RUNNING | STATE_HAS_GIL,
    COLLECTS = WORKS | STATE_COLLECTING,
    BLOCKED = STATE_WAITING | STATE_WANTS_GIL,
    IDLE = STATE_WAITING,
};

/* The instruction of a newest frame in fib(), beside two others. */
static struct stack_id call_listed(struct trace *trace, struct stack_id stack) {
    static const struct {
        uint32_t offset;
        const char *opcode;
        const char *base;
        uint32_t argument;
    } listed[] = {
        {0, "RESUME", "RESUME", 0},
        {2, "LOAD_FAST", "LOAD_FAST", 1},
        {4, "BINARY_OP_ADD_INT", "BINARY_OP", 13},
    };
    struct trace_stack top = *trace_stack(trace, stack);
    struct trace_frame frame = *trace_frame(trace, top.frame);
    struct trace_code code = {.function = frame.function, .serial = 1};
    uint32_t code_id = trace_intern_code(trace, code);
    for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++) {
        struct trace_instruction row = {.code = code_id,
                                        .offset = listed[i].offset,
                                        .opcode = text(trace, listed[i].opcode),
                                        .base = text(trace, listed[i].base),
                                        .argument = listed[i].argument,
                                        .line = (uint32_t)(3 + i)};
        frame.instruction = trace_intern_instruction(trace, &row);
    }
    frame.opcode = text(trace, "BINARY_OP_ADD_INT");
    return trace_intern_stack(trace, top.parent, trace_intern_frame(trace, frame));
}

static void fill_stacks(struct scene *scene) {
    struct trace *trace = &scene->trace;
    static const struct place handle = {"Server.handle", "/srv/app/server.py", 20, 33};
    struct thread_ref main = thread_named(trace, 4242, "MainThread");
    struct thread_ref worker = thread_named(trace, 4250, "worker \xe6\x96\x87");
    struct stack_id module =
        call(trace, (struct stack_id){0}, (struct place){"<module>", "/srv/app/main.py", 1, 90});
    struct stack_id serve = call(trace, module, handle);
    struct stack_id parse = call(trace, serve, (struct place){"parse", "/srv/app/wire.py", 5, 12});
    struct stack_id late = call(trace, serve, (struct place){"parse", "/srv/app/wire.py", 5, 14});
    struct stack_id fib = call(trace, serve, (struct place){"fib", "/srv/app/fib.py", 3, 6});
    struct stack_id again = call(trace, fib, (struct place){"fib", "/srv/app/fib.py", 3, 4});
    struct stack_id pool = call(trace, (struct stack_id){0},
                                (struct place){"Thread.run", "/usr/lib/threading.py", 900, 953});
    struct stack_id hostile =
        call(trace, pool, (struct place){"\x1b[31m\nred\xe2\x80\xae", "odd\tname.py", 1, 2});
    struct stack_id wide = call(
        trace, pool, (struct place){"\xe6\x95\xb0\xe6\x8d\xae\xe5\xa4\x84", "/srv/d.py", 7, 8});
    spend(scene, main, parse, 2000, WORKS);
    spend(scene, main, late, 500, WORKS);
    spend(scene, main, call_listed(trace, fib), 200, BLOCKED);
    spend(scene, main, again, 300, COLLECTS);
    spend(scene, main, module, 10, IDLE);
    spend(scene, worker, hostile, 400, BLOCKED);
    spend(scene, worker, wide, 100, WORKS);
    wait_for(scene, worker, main, 300);
    wait_for(scene, worker, (struct thread_ref){0}, 100);
    wait_for(scene, main, worker, 200);
}

static void add_process(struct trace *trace, uint32_t pid, const char *version,
                        const char *command) {
    struct trace_process process = {.pid = pid,
                                    .start_ticks = pid,
                                    .command = text(trace, command),
                                    .python_version = text(trace, version)};
    trace_intern_process(trace, &process);
}

static const char wire_source[] = "import struct\n"
                                  "\n"
                                  "LIMIT = 1 << 20  # \xe6\x96\x87\n"
                                  "\n"
                                  "def parse(data):\n"
                                  "\t\"\"\"What came over the wire.\"\"\"\n"
                                  "\tfields = []\n"
                                  "\tat = 0\n"
                                  "\twhile at < len(data):\n"
                                  "\t\tsize = data[at]\n"
                                  "\t\tif size > 0:\n"
                                  "\t\t\tfields.append(struct.unpack_from('>H', data, at))\n"
                                  "\t\tat += size + 1\n"
                                  "\treturn b'\x1b'.join(fields)\r\n";

static void fill(struct scene *scene) {
    struct trace *trace = &scene->trace;
    table_init(&scene->cells, sizeof(struct window_cell), offsetof(struct window_cell, samples));
    table_init(&scene->waits, sizeof(struct wait), offsetof(struct wait, weight_ns));
    assert_int_equal(trace_init(trace, false, NULL), STATUS_OK);
    trace->run.pid = 4242;
    trace->run.command = text(trace, "python3 /srv/app/main.py --port 8000 --workers 4 --verbose");
    trace->run.python_version = text(trace, "3.11.2");
    trace->run.interval_ns = NS_PER_MS;
    trace->health = (struct health){.ticks = 4980,
                                    .samples = 3510,
                                    .lost = 3,
                                    .unverified = 12,
                                    .duration_ns = 5 * NS_PER_S,
                                    .cpu_ns = 150 * NS_PER_MS};
    add_process(trace, 4242, "3.11.2",
                "python3 /srv/app/main.py --port 8000 --workers 4 --verbose");
    add_process(trace, 4300, "3.11.2", "python3 -m app.worker --queue 7");
    fill_stacks(scene);
    trace_set_source(trace, text(trace, "/srv/app/wire.py"), wire_source, sizeof wire_source - 1);
}

/* A function of the fixed model. */
static struct function_id function_named(const struct trace *trace, const char *name) {
    for (uint32_t id = 1; id <= trace->functions.count; id++) {
        struct function_id function = {id};
        if (strcmp(trace_string(trace, trace_function(trace, function)->name), name) == 0) {
            return function;
        }
    }
    fail_msg("no function %s", name);
    return (struct function_id){0};
}

static void open_scene(struct scene *scene, const struct glyphs *glyphs) {
    *scene = (struct scene){0};
    fill(scene);
    view_init(&scene->view, &scene->trace, glyphs);
    scene->view.cells = &scene->cells;
    scene->view.waits = &scene->waits;
    scene->view.uptime_s = 93784;
    scene->view.history_count = 40;
    for (int i = 0; i < 40; i++) {
        scene->view.history[i] =
            (struct pulse){i % 10 / 8.0, (i + 5) % 10 / 10.0, i % 8 == 0 ? 0.2 : 0};
    }
    view_note_threads(&scene->view);
    view_note_shares(&scene->view);
}

static void close_scene(struct scene *scene) {
    view_deinit(&scene->view);
    table_deinit(&scene->cells);
    table_deinit(&scene->waits);
    trace_deinit(&scene->trace);
}

/* The whole picture as text. */
static void picture_text(struct view *view, int rows, int columns, struct buffer *out) {
    struct grid grid;
    grid_init(&grid, rows, columns);
    picture_draw(view, NULL, &grid);
    for (int row = 0; row < rows; row++) {
        size_t from = out->length;
        grid_append_row(&grid, row, out);
        assert_true(text_columns(out->data + from) <= (size_t)columns);
        buffer_append(out, "\n", 1);
    }
    grid_deinit(&grid);
}

static void assert_shows(struct view *view, const char *what, bool is_there) {
    struct buffer seen = {0};
    picture_text(view, 24, 80, &seen);
    if ((strstr(seen.data, what) != NULL) != is_there) {
        fail_msg("'%s' is %sthere:\n%s", what, is_there ? "not " : "", seen.data);
    }
    buffer_deinit(&seen);
}

static void press(struct view *view, const char *keys) {
    for (; *keys != '\0'; keys++) {
        action_take(view, *keys);
    }
}

/* ---- the grid ---- */

static void assert_row(const struct grid *grid, int row, const char *wanted) {
    struct buffer found = {0};
    grid_append_row(grid, row, &found);
    assert_string_equal(found.data != NULL ? found.data : "", wanted);
    buffer_deinit(&found);
}

static void test_grid_clips(void **state) {
    (void)state;
    struct grid grid;
    grid_init(&grid, 2, 6);
    assert_int_equal(grid_print(&grid, 0, 2, 99, STYLE_HOT, "abcdefgh"), 6);
    assert_row(&grid, 0, "  abcd");
    assert_int_equal(grid_print(&grid, 1, 0, 3, STYLE_PLAIN, "abcdefgh"), 3);
    assert_row(&grid, 1, "abc");
    grid_print(&grid, 2, 0, 3, STYLE_PLAIN, "x");
    grid_print(&grid, -1, 0, 3, STYLE_PLAIN, "x");
    grid_print(&grid, 0, -3, 9, STYLE_PLAIN, "xyz");
    grid_fill(&grid, 0, -5, 8, STYLE_HOT);
    assert_row(&grid, 0, "   bcd");
    grid_fill(&grid, 5, 0, 1, STYLE_HOT);
    grid_paint(&grid, 1, -1, 99, STYLE_BAD);
    assert_int_equal(grid_cell(&grid, 1, 5)->style, STYLE_BAD);
    grid_deinit(&grid);
}

static void test_grid_of_wide_text(void **state) {
    (void)state;
    struct grid grid;
    grid_init(&grid, 1, 5);
    assert_int_equal(
        grid_print(&grid, 0, 0, 5, STYLE_PLAIN, "\xe6\x95\xb0\xe6\x8d\xae\xe5\xa4\x84"), 4);
    assert_row(&grid, 0, "\xe6\x95\xb0\xe6\x8d\xae");
    grid_print(&grid, 0, 1, 1, STYLE_PLAIN, "x"); /* half of the first */
    assert_row(&grid, 0, " x\xe6\x8d\xae");
    grid_print(&grid, 0, 2, 1, STYLE_PLAIN, "y"); /* half of the other */
    assert_row(&grid, 0, " xy");
    grid_print(&grid, 0, 0, 5, STYLE_PLAIN, "e\xcc\x81\xcc\x82\xcc\x83-");
    assert_row(&grid, 0, "e\xcc\x81\xcc\x82-y");
    grid_deinit(&grid);
}

static void test_grid_escapes(void **state) {
    (void)state;
    struct grid grid;
    grid_init(&grid, 1, 20);
    grid_print(&grid, 0, 0, 20, STYLE_PLAIN, "a\x1b[2J\n\xe2\x80\xae");
    assert_row(&grid, 0, "a\\x1b[2J\\n\\u202e");
    grid_deinit(&grid);
}

/* ---- panels ---- */

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
    open_scene(&scene, &glyphs_unicode);
    scene.view.panel = panel;
    scene.view.function = function_named(&scene.trace, panels[panel]->key == 'o' ? "fib" : "parse");
    picture_text(&scene.view, sizes[size].rows, sizes[size].columns, out);
    close_scene(&scene);
}

static void compare_golden(int panel, int size) {
    char path[96];
    static char wanted[TEXT_LIMIT];
    struct buffer drawn = {0};
    golden_path(panel, size, path, sizeof path);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("no %s: run test_tui update, and look at it", path);
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
    open_scene(&scene, &glyphs_unicode);
    for (int panel = 0; panels[panel] != NULL; panel++) {
        scene.view.panel = panel;
        for (int columns = 1; columns < 90; columns++) {
            struct buffer drawn = {0};
            picture_text(&scene.view, 1 + columns % 13, columns, &drawn);
            buffer_deinit(&drawn);
        }
    }
    close_scene(&scene);
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
        assert_shows(&view, "attaching...", true);
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
    open_scene(&scene, &glyphs_ascii);
    for (int panel = 0; panels[panel] != NULL; panel++) {
        struct buffer drawn = {0};
        scene.view.panel = panel;
        picture_text(&scene.view, 24, 80, &drawn);
        for (size_t i = 0; i < drawn.length; i++) {
            bool is_name = memcmp(drawn.data + i, "\xe6\x96\x87", 3) == 0 ||
                           (unsigned char)drawn.data[i] >= 0xe4; /* what the program is called */
            i += is_name ? 2 : 0;
            assert_true(is_name || isascii(drawn.data[i]));
        }
        buffer_deinit(&drawn);
    }
    close_scene(&scene);
}

/* ---- keys ---- */

static void test_keys_show_panels(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    for (int i = 0; panels[i] != NULL; i++) {
        action_take(&scene.view, '0' + (i + 1) % 10);
        assert_int_equal(scene.view.panel, i);
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
    close_scene(&scene);
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
    open_scene(&scene, &glyphs_unicode);
    assert_int_equal(action_take(&scene.view, '/'), OUTCOME_FILTER);
    assert_false(view_set_filter(&scene.view, "fib("));
    assert_shows(&scene.view, "parse", true);
    assert_true(view_set_filter(&scene.view, "^f.b$"));
    assert_shows(&scene.view, "parse", false);
    assert_shows(&scene.view, "fib.py", true);
    press(&scene.view, "c");
    assert_shows(&scene.view, "parse", false);
    assert_shows(&scene.view, "Server.handle", true);
    assert_int_equal(action_take(&scene.view, PRESS_ESCAPE), OUTCOME_SELECT);
    assert_shows(&scene.view, "parse", true);
    close_scene(&scene);
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
    open_scene(&scene, &glyphs_unicode);
    uint64_t by_self = first_of(&scene.view);
    assert_string_equal(
        trace_string(&scene.trace,
                     trace_function(&scene.trace, (struct function_id){(uint32_t)by_self})->name),
        "parse");
    press(&scene.view, "ss"); /* total: the root */
    assert_int_not_equal(first_of(&scene.view), by_self);
    press(&scene.view, "I");
    uint64_t reversed = first_of(&scene.view);
    assert_int_not_equal(reversed, by_self);
    for (int i = 2; i < panels[0]->sort_columns; i++) {
        press(&scene.view, "s");
    }
    assert_int_equal(first_of(&scene.view), by_self);
    close_scene(&scene);
}

static void test_keys_fold(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    press(&scene.view, "c");
    assert_shows(&scene.view, "parse", true); /* on the heaviest path */
    action_take(&scene.view, PRESS_ENTER);
    assert_shows(&scene.view, "parse", false);
    action_take(&scene.view, PRESS_ENTER);
    assert_shows(&scene.view, "parse", true);
    press(&scene.view, "-");
    assert_shows(&scene.view, "parse", false);
    press(&scene.view, "+");
    assert_shows(&scene.view, "parse", true);
    close_scene(&scene);
}

static void test_keys_choose_a_thread(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    press(&scene.view, "H");
    assert_shows(&scene.view, "MainThread", true);
    press(&scene.view, "j");
    assert_shows(&scene.view, "worker", true);
    assert_int_equal(action_take(&scene.view, PRESS_ENTER), OUTCOME_SELECT);
    assert_int_equal(scene.view.thread.id, 2);
    assert_shows(&scene.view, "(4250) alone", true);
    action_take(&scene.view, PRESS_ENTER);
    assert_int_equal(scene.view.thread.id, 0);
    close_scene(&scene);
}

static void test_keys_of_time(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    assert_shows(&scene.view, "last 5 s", true);
    press(&scene.view, "t");
    assert_shows(&scene.view, "last 30 s", true);
    press(&scene.view, "t");
    assert_shows(&scene.view, "since start", true);
    press(&scene.view, "t[[");
    assert_shows(&scene.view, "last 5 s, 2 s ago \xc2\xb7 wall time  PAUSED", true);
    press(&scene.view, "]");
    assert_shows(&scene.view, "1 s ago", true);
    press(&scene.view, "p");
    assert_shows(&scene.view, "PAUSED", false);
    assert_int_equal(scene.view.back_ns, 0);
    assert_int_equal(action_take(&scene.view, 'r'), OUTCOME_RESET);
    assert_int_equal(action_take(&scene.view, 'w'), OUTCOME_SAVE);
    assert_int_equal(action_take(&scene.view, 'q'), OUTCOME_QUIT);
    scene.view.restarts = 2;
    assert_shows(&scene.view, "restarted 2 x", true);
    scene.view.phase = WINDOW_WAITS;
    assert_shows(&scene.view, "ENDED, waiting", true);
    scene.view.phase = WINDOW_ENDED;
    assert_shows(&scene.view, "restarted 2 x  ENDED", true);
    close_scene(&scene);
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
    open_scene(&scene, &glyphs_unicode);
    click_on(&scene.view, "FUNCTION");
    assert_shows(&scene.view, "FUNCTION\xe2\x96\xb2", true);
    click_on(&scene.view, "FUNCTION");
    assert_shows(&scene.view, "FUNCTION\xe2\x96\xbc", true);
    click_on(&scene.view, "fib.py");
    struct function_id fib = function_named(&scene.trace, "fib");
    assert_shows(&scene.view, "FUNCTION", true);
    assert_int_equal(scene.view.function.id, fib.id);
    click_on(&scene.view, "fib.py"); /* again: as Enter does */
    assert_string_equal(panels[scene.view.panel]->name, "Source");
    click_on(&scene.view, "8GIL");
    assert_string_equal(panels[scene.view.panel]->name, "GIL");
    click_on(&scene.view, "tWindow");
    assert_shows(&scene.view, "last 30 s", true);
    scene.view.pointer_row = 500;
    assert_int_equal(action_take(&scene.view, PRESS_CLICK), 0);
    press(&scene.view, "f");
    action_take(&scene.view, PRESS_HOME);
    assert_shows(&scene.view, "FUNCTION", true);
    action_take(&scene.view, PRESS_WHEEL_DOWN);
    assert_int_equal(view_list(&scene.view)->cursor, 3);
    action_take(&scene.view, PRESS_WHEEL_UP);
    assert_int_equal(view_list(&scene.view)->cursor, 0);
    close_scene(&scene);
}

/* ---- what panels wish for, and say when they have nothing ---- */

static void test_source_follows_the_function(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    press(&scene.view, "v");
    assert_shows(&scene.view, "Choose a function first.", true);
    scene.view.function = function_named(&scene.trace, "parse");
    assert_shows(&scene.view, "fields.append", true);
    assert_true(scene.view.wants_source);
    assert_int_equal(view_list(&scene.view)->cursor, 11); /* its hottest line */
    scene.view.function = function_named(&scene.trace, "Server.handle");
    assert_shows(&scene.view, "cannot be read", true);
    assert_shows(&scene.view, "    33", true);
    close_scene(&scene);
}

static void test_unknown_states_are_told(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    assert_shows(&scene.view, "GIL   50%", true);
    for (uint32_t i = 1; i <= scene.cells.count; i++) {
        ((struct window_cell *)table_row(&scene.cells, i))->state = 0;
    }
    assert_shows(&scene.view, "GIL   50%", false);
    press(&scene.view, "G");
    assert_shows(&scene.view, "It is not known yet who has the GIL.", true);
    close_scene(&scene);
}

static void test_modes_and_processes(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    assert_int_equal(action_take(&scene.view, 'm'), OUTCOME_SELECT);
    assert_shows(&scene.view, "cpu time", true);
    press(&scene.view, "mm");
    assert_shows(&scene.view, "exception time", true);
    press(&scene.view, "m");
    assert_shows(&scene.view, "wall time", true);
    assert_int_equal(action_take(&scene.view, 'R'), OUTCOME_RATE);
    press(&scene.view, "P");
    assert_shows(&scene.view, "app.worker", true);
    assert_int_equal(action_take(&scene.view, PRESS_ENTER), OUTCOME_SELECT);
    assert_shows(&scene.view, "process 4242 alone", true);
    action_take(&scene.view, PRESS_ESCAPE);
    assert_int_equal(scene.view.pid, 0);
    close_scene(&scene);
}

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

static void test_trends_follow_and_fade(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    struct function_id hot = {(uint32_t)first_of(&scene.view)};
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
    close_scene(&scene);
}

/* While the window fills, nothing rises: there was nothing to compare with. */
static void test_trends_wait_for_a_window(void **state) {
    (void)state;
    struct scene scene;
    open_scene(&scene, &glyphs_unicode);
    assert_shows(&scene.view, "71.2% \xe2\x96\xb2", true);
    close_scene(&scene);
    open_scene(&scene, &glyphs_unicode);
    scene.trace.health.duration_ns = NS_PER_S;
    view_note_shares(&scene.view);
    assert_shows(&scene.view, "71.2% \xe2\x96\xb2", false);
    close_scene(&scene);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid_clips),
        cmocka_unit_test(test_grid_of_wide_text),
        cmocka_unit_test(test_grid_escapes),
        cmocka_unit_test(test_panels_look_as_they_should),
        cmocka_unit_test(test_panels_of_any_size),
        cmocka_unit_test(test_panels_of_nothing),
        cmocka_unit_test(test_panels_in_ascii),
        cmocka_unit_test(test_keys_show_panels),
        cmocka_unit_test(test_keys_are_distinct),
        cmocka_unit_test(test_keys_filter),
        cmocka_unit_test(test_keys_sort),
        cmocka_unit_test(test_keys_fold),
        cmocka_unit_test(test_keys_choose_a_thread),
        cmocka_unit_test(test_keys_of_time),
        cmocka_unit_test(test_clicks),
        cmocka_unit_test(test_source_follows_the_function),
        cmocka_unit_test(test_unknown_states_are_told),
        cmocka_unit_test(test_modes_and_processes),
        cmocka_unit_test(test_list_keeps_the_cursor_in_sight),
        cmocka_unit_test(test_trends_follow_and_fade),
        cmocka_unit_test(test_trends_wait_for_a_window),
    };
    if (argc == 2 && strcmp(argv[1], "update") == 0) {
        return update();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
