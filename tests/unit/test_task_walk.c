/* One task read by itself, of versions whose coroutines tell that they wait (3.13 and later). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "target-runtime/tasks.h"
#include "tests/unit/python.h"

enum {
    ROOM_BYTES = 256,
    STATE_FINISHED = 2, /* Modules/_asynciomodule.c, fut_state */
    IDENT = 77,
    OUTER_CODE = 0x111000,
    INNER_CODE = 0x222000,
};

struct world {
    struct python python;
    struct runtime runtime;
    struct tasks *tasks;
    uint64_t head_bytes;
    uint64_t coroutine_type;
    uint64_t task_type;
    uint64_t future;
    uint64_t inner;
    uint64_t outer;
    uint64_t task;
    struct task_reading reading;
};

static bool tells_that_it_waits(const struct layout *layout) {
    return layout->await_shape == AWAIT_STACK_COUNT || layout->await_shape == AWAIT_STACK_POINTER ||
           layout->await_shape == AWAIT_BELOW_NULL;
}

static uint64_t make_type(struct world *world, const char *name, uint64_t size) {
    struct python *python = &world->python;
    uint64_t type = python_structure(python, "type", 0);
    uint64_t text = fake_place(&python->fake, strlen(name) + 1, 1);
    fake_write(&python->fake, text, name, strlen(name) + 1);
    python_set(python, type, LAYOUT_type_name, text);
    python_set(python, type, LAYOUT_type_basic_size, size);
    return type;
}

static uint64_t make_object(struct world *world, uint64_t type, uint64_t bytes) {
    uint64_t object = fake_place(&world->python.fake, bytes, 16);
    python_set(&world->python, object, LAYOUT_object_type, type);
    return object;
}

static uint64_t frame_of(const struct world *world, uint64_t coroutine) {
    return coroutine + LAYOUT_AT(world->python.layout, generator, iframe);
}

/* Lets a coroutine wait for an object, at an instruction of its code. */
static void set_coroutine(struct world *world, uint64_t coroutine, uint64_t code, uint64_t at,
                          uint64_t awaited) {
    struct python *python = &world->python;
    const struct layout *layout = python->layout;
    uint64_t frame = frame_of(world, coroutine);
    uint64_t slots = frame + LAYOUT_AT(layout, locals, slots);
    uint64_t above = layout->await_shape == AWAIT_BELOW_NULL ? 16 : 8;
    python_set(python, coroutine, LAYOUT_generator_state,
               (uint8_t)layout->generator_states.awaiting);
    python_set(python, frame, LAYOUT_frame_executable, code);
    python_set(python, frame, LAYOUT_frame_instr_ptr, at);
    python_set(python, frame, LAYOUT_frame_stack_count, 1);
    python_set(python, frame, LAYOUT_frame_stack_pointer, slots + above);
    fake_write_u64(&python->fake, slots, awaited);
}

static uint64_t make_coroutine(struct world *world, uint64_t code, uint64_t awaited) {
    uint64_t bytes = LAYOUT_AT(world->python.layout, generator, iframe) + ROOM_BYTES;
    uint64_t coroutine = make_object(world, world->coroutine_type, bytes);
    set_coroutine(world, coroutine, code, code + 8, awaited);
    return coroutine;
}

static void set_field(struct world *world, uint64_t task, uint16_t field, uint64_t value) {
    if (field != TASK_NOWHERE) {
        fake_write_u64(&world->python.fake, task + world->head_bytes + field, value);
    }
}

/* Its name is a number, which needs no guess how long it is. */
static uint64_t make_task(struct world *world, uint64_t number, uint64_t coroutine) {
    struct python *python = &world->python;
    const struct task_layout *row = python->layout->tasks;
    uint64_t name = python_number(python, number);
    uint64_t task = make_object(world, world->task_type, world->head_bytes + row->body_bytes);
    struct python_entry ident = {python_text(python, "_thread_id"), python_number(python, IDENT)};
    python_set(python, name, LAYOUT_object_type, make_type(world, "int", 0));
    set_field(world, task, row->loop, python_instance(python, INSTANCE_DICT, &ident, 1));
    set_field(world, task, row->coroutine, coroutine);
    set_field(world, task, row->name, name);
    return task;
}

static const struct raw_task *read_one(struct world *world, uint64_t at) {
    tasks_forget(world->tasks);
    assert_int_equal(tasks_read_one(world->tasks, at, &world->reading), STATUS_OK);
    return world->reading.look->count > 0 ? &world->reading.look->tasks[0] : NULL;
}

static void world_init(struct world *world, const struct layout *layout) {
    *world = (struct world){.head_bytes = 0};
    python_init(&world->python, layout);
    world->runtime = (struct runtime){.layout = layout, .memory = &world->python.fake.memory};
    world->head_bytes = LAYOUT_AT(layout, object, type) + 8;
    world->tasks = tasks_create(&world->runtime, NULL);
    world->coroutine_type = make_type(world, "coroutine", 0);
    world->task_type =
        make_type(world, "_asyncio.Task", world->head_bytes + layout->tasks->body_bytes);
    world->future = make_object(world, make_type(world, "_asyncio.Future", 0), ROOM_BYTES);
    world->inner = make_coroutine(world, INNER_CODE, world->future);
    world->outer = make_coroutine(world, OUTER_CODE, world->inner);
    world->task = make_task(world, 17, world->outer);
    read_one(world, world->task); /* from now on its types are known */
}

static void world_deinit(struct world *world) {
    tasks_destroy(world->tasks);
    python_deinit(&world->python);
}

/* ---- what is there ---- */

static void see_a_waiting_task(struct world *world) {
    const struct raw_task *task = read_one(world, world->task);
    const struct task_look *look = world->reading.look;
    assert_non_null(task);
    assert_int_equal(look->count, 1);
    assert_int_equal(task->name_length, 7);
    assert_memory_equal(task_name(look, task), "Task-17", 7);
    assert_int_equal(task->loop_ident, IDENT);
    assert_int_equal(task->awaited, world->future);
    assert_int_equal(task->frame_count, 2);
    assert_int_equal(look->frames[task->first_frame].code, OUTER_CODE);
    assert_int_equal(look->frames[task->first_frame].position, OUTER_CODE + 8);
    assert_int_equal(look->frames[task->first_frame + 1].code, INNER_CODE);
    assert_false(task->is_running || task->is_created);
    assert_true(world->reading.is_whole && !world->reading.is_moving);
}

static void see_one_that_runs(struct world *world) {
    python_set(&world->python, world->inner, LAYOUT_generator_state,
               (uint8_t)world->python.layout->generator_states.executing);
    const struct raw_task *task = read_one(world, world->task);
    assert_non_null(task);
    assert_true(task->is_running);
    assert_int_equal(task->frame_count, 0);
}

/* In a handler of its outer coroutine; None is what is left of one (-3.11). */
static void see_one_in_a_handler(struct world *world) {
    uint64_t exception = make_object(world, make_type(world, "KeyError", 0), ROOM_BYTES);
    uint64_t none = make_object(world, make_type(world, "NoneType", 0), ROOM_BYTES);
    uint64_t value = world->outer + LAYOUT_AT(world->python.layout, exc_item, value);
    const struct {
        uint64_t handled;
        bool has_exception;
    } rows[] = {{0, false}, {exception, true}, {none, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        python_set(&world->python, value, LAYOUT_generator_exc_state, rows[i].handled);
        const struct raw_task *task = read_one(world, world->task);
        assert_non_null(task);
        assert_int_equal(task->has_exception, rows[i].has_exception);
    }
}

/* An ended task, and one that was freed. */
static void see_none(struct world *world) {
    const struct task_layout *row = world->python.layout->tasks;
    uint32_t finished = STATE_FINISHED;
    fake_write(&world->python.fake, world->task + world->head_bytes + row->state, &finished, 4);
    assert_null(read_one(world, world->task));
    assert_false(world->reading.is_moving);
    assert_null(read_one(world, world->future));
    assert_false(world->reading.is_moving);
    assert_null(read_one(world, 0x10));
}

static void see_who_waits_first(struct world *world) {
    const struct task_layout *row = world->python.layout->tasks;
    uint64_t parent_coroutine = make_coroutine(world, OUTER_CODE + 0x100, world->task);
    uint64_t parent = make_task(world, 18, parent_coroutine);
    set_field(world, world->task, row->awaited_by, parent);
    const struct raw_task *task = read_one(world, world->task);
    size_t wanted = row->awaited_by != TASK_NOWHERE ? 2 : 1;
    assert_non_null(task);
    assert_int_equal(world->reading.look->count, wanted);
    assert_true(wanted == 1 || world->reading.look->tasks[1].at == parent);
    /* Two who wait for each other have an end, too. */
    set_field(world, parent, row->awaited_by, world->task);
    assert_non_null(read_one(world, world->task));
    assert_int_equal(world->reading.look->count, wanted);
}

static void see_what_it_was_made_of(struct world *world) {
    assert_non_null(read_one(world, world->task));
    uint64_t digest = world->reading.digest;
    assert_non_null(read_one(world, world->task));
    assert_true(world->reading.digest == digest);
    set_coroutine(world, world->outer, OUTER_CODE, OUTER_CODE + 10, world->inner);
    assert_non_null(read_one(world, world->task));
    assert_true(world->reading.digest != digest);
    set_coroutine(world, world->outer, OUTER_CODE, OUTER_CODE + 8, world->inner);
    assert_non_null(read_one(world, world->task));
    assert_true(world->reading.digest == digest);
}

/* ---- while it changes ---- */

/* At one of the reads the task goes on from one wait to another. */
struct change {
    struct world *world;
    uint64_t other;
    uint64_t at_read;
};

static void go_on(void *context, uint64_t number) {
    const struct change *change = context;
    struct world *world = change->world;
    if (number == change->at_read) {
        set_coroutine(world, world->outer, OUTER_CODE, OUTER_CODE + 20, change->other);
        set_coroutine(world, world->inner, INNER_CODE, INNER_CODE + 30, world->task);
    }
}

static bool is_chain(const struct task_look *look, uint64_t outer_at, uint64_t inner_code,
                     uint64_t inner_at) {
    const struct raw_frame *frames = look->frames + look->tasks[0].first_frame;
    return look->tasks[0].frame_count == 2 && frames[0].position == outer_at &&
           frames[1].code == inner_code && frames[1].position == inner_at;
}

/* Whenever it goes on, it is told as it was before, or after, or not at all; never of both. */
static void see_no_mixture(struct world *world) {
    struct change change = {.world = world,
                            .other = make_coroutine(world, 0x333000, world->future)};
    size_t befores = 0;
    size_t afters = 0;
    size_t moving = 0;
    for (uint64_t at_read = 1; at_read < 60; at_read++) {
        set_coroutine(world, world->outer, OUTER_CODE, OUTER_CODE + 8, world->inner);
        set_coroutine(world, world->inner, INNER_CODE, INNER_CODE + 8, world->future);
        fake_restart(&world->python.fake);
        change.at_read = at_read;
        world->python.fake.before_read = go_on;
        world->python.fake.context = &change;
        const struct raw_task *task = read_one(world, world->task);
        world->python.fake.before_read = NULL;
        if (task == NULL) {
            assert_true(world->reading.is_moving);
            moving++;
            continue;
        }
        const struct task_look *look = world->reading.look;
        bool is_before = is_chain(look, OUTER_CODE + 8, INNER_CODE, INNER_CODE + 8);
        bool is_after = is_chain(look, OUTER_CODE + 20, 0x333000, 0x333000 + 8);
        assert_true(is_before != is_after);
        befores += is_before;
        afters += is_after;
    }
    assert_true(befores > 0 && afters > 0 && moving > 0);
}

static void is_gone(struct world *world) {
    world->python.fake.fail_at = world->python.fake.reads + 3;
    world->python.fake.fail_status = STATUS_GONE;
    tasks_forget(world->tasks);
    assert_int_equal(tasks_read_one(world->tasks, world->task, &world->reading), STATUS_GONE);
}

/* ---- over the versions ---- */

static void over_versions(void (*test)(struct world *)) {
    size_t tried = 0;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        struct world world;
        if (!tells_that_it_waits(layouts[i])) {
            continue;
        }
        world_init(&world, layouts[i]);
        test(&world);
        world_deinit(&world);
        tried++;
    }
    assert_true(tried >= 3);
}

static void a_waiting_task(void **state) {
    (void)state;
    over_versions(see_a_waiting_task);
}

static void a_task_that_runs(void **state) {
    (void)state;
    over_versions(see_one_that_runs);
}

static void a_task_in_a_handler(void **state) {
    (void)state;
    over_versions(see_one_in_a_handler);
}

static void no_task(void **state) {
    (void)state;
    over_versions(see_none);
}

static void the_first_who_waits(void **state) {
    (void)state;
    over_versions(see_who_waits_first);
}

static void what_it_was_made_of(void **state) {
    (void)state;
    over_versions(see_what_it_was_made_of);
}

static void a_task_that_goes_on_meanwhile(void **state) {
    (void)state;
    over_versions(see_no_mixture);
}

static void a_target_that_ends(void **state) {
    (void)state;
    over_versions(is_gone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_waiting_task),
        cmocka_unit_test(a_task_that_runs),
        cmocka_unit_test(a_task_in_a_handler),
        cmocka_unit_test(no_task),
        cmocka_unit_test(the_first_who_waits),
        cmocka_unit_test(what_it_was_made_of),
        cmocka_unit_test(a_task_that_goes_on_meanwhile),
        cmocka_unit_test(a_target_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
