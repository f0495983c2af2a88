#include "tests/unit/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "tui/action.h"
#include "tui/picture.h"

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

/* A task of the fixed model: its marker and, if it waits, its awaits on that. */
static struct roll_entry make_task(struct trace *trace, const char *name, const char *marker,
                                   enum roll_state state, uint64_t seconds) {
    struct trace_function function = {.name = text(trace, marker)};
    struct trace_frame frame = {.function = trace_intern_function(trace, function),
                                .kind = FRAME_TASK};
    struct stack_id stack =
        trace_intern_stack(trace, (struct stack_id){0}, trace_intern_frame(trace, frame));
    stack = call(trace, stack, (struct place){"serve", "/srv/app/server.py", 50, 61});
    struct function_id coroutine = trace_frame(trace, trace_stack(trace, stack)->frame)->function;
    stack = call(trace, stack, (struct place){"Queue.get", "/usr/lib/asyncio/queues.py", 140, 158});
    return (struct roll_entry){
        .pid = 4242,
        .state = state,
        .at = function.name.id,
        .key = {frame.function, coroutine},
        .name = text(trace, name),
        .stack = state == ROLL_WAITS ? stack : (struct stack_id){0},
        .since_ns = state != ROLL_RUNS ? (1000 - seconds) * NS_PER_S : 0,
    };
}

static void fill_roll(struct scene *scene) {
    struct trace *trace = &scene->trace;
    struct roll_entry tasks[] = {
        make_task(trace, "boss", "<task boss>", ROLL_WAITS, 75),
        make_task(trace, "fetch-7", "<task fetch-7>", ROLL_WAITS, 200),
        make_task(trace, "hopper", "<task hopper>", ROLL_RUNS, 0),
        make_task(trace, "late", "<task late>", ROLL_BEGINS, 0),
    };
    tasks[0].awaited = tasks[1].name;
    tasks[0].awaited_count = 2;
    roll_replace(&scene->roll, 4242, tasks, sizeof tasks / sizeof tasks[0], 1000 * NS_PER_S);
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
    fill_roll(scene);
    trace_set_source(trace, text(trace, "/srv/app/wire.py"), wire_source, sizeof wire_source - 1);
}

struct function_id scene_function(const struct trace *trace, const char *name) {
    for (uint32_t id = 1; id <= trace->functions.count; id++) {
        struct function_id function = {id};
        if (strcmp(trace_string(trace, trace_function(trace, function)->name), name) == 0) {
            return function;
        }
    }
    fail_msg("no function %s", name);
    return (struct function_id){0};
}

void scene_open(struct scene *scene, const struct glyphs *glyphs) {
    *scene = (struct scene){0};
    fill(scene);
    view_init(&scene->view, &scene->trace, glyphs);
    scene->view.cells = &scene->cells;
    scene->view.waits = &scene->waits;
    scene->view.roll = &scene->roll;
    scene->view.uptime_s = 93784;
    scene->view.known_ns = 30 * NS_PER_S + NS_PER_S / 2;
    scene->view.history_count = 40;
    for (int i = 0; i < 40; i++) {
        scene->view.history[i] =
            (struct pulse){i % 10 / 8.0, (i + 5) % 10 / 10.0, i % 8 == 0 ? 0.2 : 0};
    }
    view_note_threads(&scene->view);
    view_note_shares(&scene->view);
}

void scene_close(struct scene *scene) {
    view_deinit(&scene->view);
    table_deinit(&scene->cells);
    table_deinit(&scene->waits);
    roll_deinit(&scene->roll);
    trace_deinit(&scene->trace);
}

void scene_picture(struct view *view, int rows, int columns, struct buffer *out) {
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

void scene_assert_shows(struct view *view, const char *what, bool is_there) {
    struct buffer seen = {0};
    scene_picture(view, 24, 80, &seen);
    if ((strstr(seen.data, what) != NULL) != is_there) {
        fail_msg("'%s' is %sthere:\n%s", what, is_there ? "not " : "", seen.data);
    }
    buffer_deinit(&seen);
}

void scene_press(struct view *view, const char *keys) {
    for (; *keys != '\0'; keys++) {
        action_take(view, *keys);
    }
}
