#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader/births.h"

static void test_the_newest_id_is_the_last_number(void **state) {
    (void)state;
    assert_int_equal(births_parse("0.29 0.40 0.61 2/99 5811\n"), 5811);
    assert_int_equal(births_parse("0.00 0.00 0.00 1/1 1"), 1);
    assert_int_equal(births_parse(""), 0);
    assert_int_equal(births_parse("5811\n"), 0);
    assert_int_equal(births_parse("what is this"), 0);
}

/* Who is looked for, and how often they came, with which parent. */
struct search {
    pid_t wanted;
    pid_t parent;
    int times;
};

static void note(void *context, pid_t pid, pid_t parent) {
    struct search *search = context;
    if (pid == search->wanted) {
        search->parent = parent;
        search->times++;
    }
}

/* Others may start a lot meanwhile: then the test asks again, with another child. */
static bool meets_a_child(void) {
    struct births births;
    births_open(&births);
    struct search search = {.wanted = fork()};
    if (search.wanted == 0) {
        for (;;) {
            pause();
        }
    }
    bool is_whole = births_next(&births, note, &search);
    is_whole = births_next(&births, note, &search) && is_whole;
    kill(search.wanted, SIGKILL);
    waitpid(search.wanted, NULL, 0);
    births_close(&births);
    if (is_whole) {
        assert_int_equal(search.times, 1);
        assert_int_equal(search.parent, getpid());
    }
    return is_whole;
}

static void test_a_child_is_met_once(void **state) {
    (void)state;
    bool is_met = false;
    for (int tries = 0; tries < 100 && !is_met; tries++) {
        is_met = meets_a_child();
    }
    assert_true(is_met);
}

static void *wait_for_end(void *end) {
    char byte;
    ssize_t ignored = read(*(int *)end, &byte, 1);
    (void)ignored;
    return NULL;
}

static void refuse_ours(void *context, pid_t pid, pid_t parent) {
    (void)context;
    assert_true(parent != getpid() || pid == getpid());
}

static void test_a_thread_is_no_child(void **state) {
    (void)state;
    int ends[2];
    pthread_t thread;
    struct births births;
    assert_int_equal(pipe(ends), 0);
    births_open(&births);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &ends[0]), 0);
    births_next(&births, refuse_ours, NULL);
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    births_close(&births);
}

static void fail_to_meet(void *context, pid_t pid, pid_t parent) {
    (void)context;
    (void)pid;
    (void)parent;
    fail();
}

static void test_who_was_away_for_long_is_told(void **state) {
    (void)state;
    struct births births;
    births_open(&births);
    births.last = -100000; /* as if so many had been started since */
    assert_false(births_next(&births, fail_to_meet, NULL));
    births.last = INT32_MAX / 2; /* as if ids had begun anew */
    assert_false(births_next(&births, fail_to_meet, NULL));
    births_close(&births);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_id_is_the_last_number),
        cmocka_unit_test(test_a_child_is_met_once),
        cmocka_unit_test(test_a_thread_is_no_child),
        cmocka_unit_test(test_who_was_away_for_long_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
