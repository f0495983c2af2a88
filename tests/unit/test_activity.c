/* What the kernel says of threads: of a child process of ours, which does what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/activity.h"
#include "profiler/base/clock.h"
#include "profiler/model/sample.h"
#include "reader/task.h"

enum { BOUND_S = 60 };

static uint32_t word;

static void spin(void) {
    for (;;) {
        clock_pause();
    }
}

static void sleep_long(void) {
    for (;;) {
        pause();
    }
}

static void wait_on_word(void) {
    for (;;) {
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
}

static pid_t start(void (*work)(void)) {
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        work();
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

static void end(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* ---- one thread ---- */

static bool is_bounded(uint64_t start_ns) {
    return clock_monotonic_ns() - start_ns < BOUND_S * NS_PER_S;
}

static void wait_for_sleep(struct task *task, struct task_state *out) {
    uint64_t start_ns = clock_monotonic_ns();
    do {
        assert_true(is_bounded(start_ns));
        assert_true(task_read_state(task, out));
    } while (!out->is_asleep);
}

static void test_sleeper(void **state) {
    (void)state;
    for (int is_kept = 0; is_kept < 2; is_kept++) {
        pid_t child = start(sleep_long);
        struct task task = task_of(child, child, is_kept);
        struct task_state found;
        struct task_times before;
        struct task_times after;
        wait_for_sleep(&task, &found);
        assert_int_equal(found.futex, 0);
        assert_true(task_read_times(&task, &before));
        assert_true(task_read_times(&task, &after));
        assert_int_equal(before.turns, after.turns);
        assert_int_equal(before.run_ns, after.run_ns);
        end(child);
        assert_false(task_read_state(&task, &found));
        task_close(&task);
    }
}

static void test_waiter(void **state) {
    (void)state;
    pid_t child = start(wait_on_word);
    struct task task = task_of(child, child, true);
    struct task_state found;
    uint64_t start_ns = clock_monotonic_ns();
    do {
        assert_true(is_bounded(start_ns));
        wait_for_sleep(&task, &found);
    } while (found.futex != (uint64_t)(uintptr_t)&word);
    end(child);
    task_close(&task);
}

static void test_spinner(void **state) {
    (void)state;
    pid_t child = start(spin);
    struct task task = task_of(child, child, true);
    struct task_state found;
    struct task_times first;
    struct task_times times;
    uint64_t start_ns = clock_monotonic_ns();
    assert_true(task_read_times(&task, &first));
    do {
        assert_true(is_bounded(start_ns));
        assert_true(task_read_times(&task, &times));
    } while (times.run_ns < first.run_ns + 20 * NS_PER_MS);
    assert_true(task_read_state(&task, &found));
    assert_false(found.is_asleep);
    end(child);
    task_close(&task);
}

static void test_nobody(void **state) {
    (void)state;
    struct task nobody = {0};
    struct task task = task_of(getpid(), 1, true); /* not a thread of ours */
    struct task_state found;
    struct task_times times;
    assert_false(task_read_state(&task, &found));
    assert_false(task_read_times(&task, &times));
    task_close(&task);
    task_close(&nobody);
}

/* ---- states ---- */

struct scene {
    struct activity *activity;
    struct raw_frame frame;
    struct raw_look look;
    struct raw_thread thread;
    pid_t child;
    uint64_t last_ns;
};

static void scene_open(struct scene *scene, void (*work)(void)) {
    *scene = (struct scene){.frame = {.code = 1, .position = 2},
                            .thread = {.is_new = true, .frame_count = 1, .serial = 7}};
    scene->child = start(work);
    scene->activity = activity_create(scene->child);
    scene->last_ns = clock_monotonic_ns();
}

static void scene_close(struct scene *scene) {
    end(scene->child);
    activity_destroy(scene->activity);
}

static uint32_t state_of(struct scene *scene) {
    uint64_t now_ns = clock_monotonic_ns();
    scene->look.frames = &scene->frame;
    uint32_t state = activity_state(scene->activity, &scene->look, &scene->thread,
                                    (uint32_t)scene->child, now_ns, now_ns - scene->last_ns);
    scene->thread.is_new = false;
    scene->last_ns = now_ns;
    return state;
}

static void wait_for_state(struct scene *scene, uint32_t wanted) {
    uint64_t start_ns = clock_monotonic_ns();
    while (state_of(scene) != wanted) {
        assert_true(is_bounded(start_ns));
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS / 4);
    }
}

static void test_state_of_a_sleeper(void **state) {
    struct scene scene;
    (void)state;
    scene_open(&scene, sleep_long);
    wait_for_state(&scene, STATE_WAITING | STATE_SLEEPS);
    scene.thread.has_exception = true;
    assert_int_equal(state_of(&scene), STATE_WAITING | STATE_SLEEPS | STATE_EXCEPTION);
    scene.frame.position = 4; /* asked again */
    assert_int_equal(state_of(&scene), STATE_WAITING | STATE_SLEEPS | STATE_EXCEPTION);
    scene_close(&scene);
}

/* It is on a CPU for as long as the kernel says so: if there is another for us, all the time. */
static void test_state_of_a_spinner(void **state) {
    struct scene scene;
    (void)state;
    scene_open(&scene, spin);
    wait_for_state(&scene, STATE_RUNNING);
    scene.thread.has_gil = true;
    wait_for_state(&scene, STATE_RUNNING | STATE_HAS_GIL);
    scene_close(&scene);
}

/* A process that is stopped wants nothing of the CPU, and one that goes on is noticed. */
static void test_end_of_a_sleep_is_noticed(void **state) {
    struct scene scene;
    (void)state;
    scene_open(&scene, spin);
    wait_for_state(&scene, STATE_RUNNING);
    kill(scene.child, SIGSTOP);
    wait_for_state(&scene, STATE_WAITING);
    kill(scene.child, SIGCONT);
    wait_for_state(&scene, STATE_RUNNING);
    scene_close(&scene);
}

static void test_state_of_one_who_waits_for_the_gil(void **state) {
    struct scene scene;
    (void)state;
    scene_open(&scene, wait_on_word);
    scene.thread.gil_lock.addr = (uint64_t)(uintptr_t)&word - GIL_LOCK_BYTES + 1;
    wait_for_state(&scene, STATE_WAITING | STATE_WANTS_GIL);
    scene.thread.has_gil = true; /* a moment ago */
    assert_int_equal(state_of(&scene), STATE_WAITING | STATE_HAS_GIL);
    scene.thread.has_gil = false;
    scene.thread.gil_lock.addr = (uint64_t)(uintptr_t)&word - GIL_LOCK_BYTES;
    scene.frame.position = 4; /* asked again */
    wait_for_state(&scene, STATE_WAITING | STATE_LOCKED);
    scene_close(&scene);
}

static void test_states_that_memory_tells(void **state) {
    struct scene scene;
    (void)state;
    scene_open(&scene, sleep_long);
    pid_t child = scene.child;
    scene.child = 0; /* its id is not known */
    scene.thread.is_collecting = true;
    scene.thread.has_gil = true;
    assert_int_equal(state_of(&scene), STATE_HAS_GIL | STATE_COLLECTING);
    scene.child = child;
    end(child);
    assert_int_equal(state_of(&scene), STATE_HAS_GIL | STATE_COLLECTING);
    activity_destroy(scene.activity);
    activity_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleeper),
        cmocka_unit_test(test_waiter),
        cmocka_unit_test(test_spinner),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_state_of_a_sleeper),
        cmocka_unit_test(test_state_of_a_spinner),
        cmocka_unit_test(test_end_of_a_sleep_is_noticed),
        cmocka_unit_test(test_state_of_one_who_waits_for_the_gil),
        cmocka_unit_test(test_states_that_memory_tells),
    };
    return cmocka_run_group_tests_name("activity", tests, NULL, NULL);
}
