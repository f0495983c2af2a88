#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "reader/core.h"

static int first_core(const cpu_set_t *set) {
    int core = 0;
    while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, set)) {
        core++;
    }
    return core;
}

static void test_where_a_thread_runs(void **state) {
    (void)state;
    char name[16];
    cpu_set_t before;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    CPU_SET(first_core(&before), &one);
    sched_setaffinity(0, sizeof one, &one);
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, ") R 1 2"); /* a name may hold any character */
    assert_int_equal(core_of_thread(getpid(), gettid()), first_core(&before));
    assert_int_equal(core_of_thread(getpid(), 1 << 30), -1);
    prctl(PR_SET_NAME, name);
    sched_setaffinity(0, sizeof before, &before);
}

static void test_keeping_off(void **state) {
    (void)state;
    struct cores cores;
    cpu_set_t before;
    cpu_set_t now;
    sched_getaffinity(0, sizeof before, &before);
    cores_init(&cores);
    if (!cores.is_known) {
        skip();
    }
    int core = first_core(&before);
    cores_keep_off(&cores, 0, core);
    assert_int_not_equal(sched_getcpu(), core);
    sched_getaffinity(0, sizeof now, &now);
    assert_int_equal(CPU_COUNT(&now), CPU_COUNT(&before) - 1);
    assert_false(CPU_ISSET(core, &now));
    cores_keep_off(&cores, 0, -1);
    sched_getaffinity(0, sizeof now, &now);
    assert_true(CPU_EQUAL(&now, &before));
}

/* Who may use one core only goes on using it. */
static void test_no_other_core(void **state) {
    (void)state;
    struct cores cores;
    cpu_set_t before;
    cpu_set_t one;
    cpu_set_t now;
    sched_getaffinity(0, sizeof before, &before);
    CPU_ZERO(&one);
    CPU_SET(first_core(&before), &one);
    sched_setaffinity(0, sizeof one, &one);
    cores_init(&cores);
    cores_keep_off(&cores, 0, first_core(&before));
    sched_getaffinity(0, sizeof now, &now);
    assert_true(CPU_EQUAL(&now, &one));
    cores_keep_off(&(struct cores){0}, 0, first_core(&before));
    sched_getaffinity(0, sizeof now, &now);
    assert_true(CPU_EQUAL(&now, &one));
    sched_setaffinity(0, sizeof before, &before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_thread_runs),
        cmocka_unit_test(test_keeping_off),
        cmocka_unit_test(test_no_other_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
