#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/syscall.h>

#include "profiler/kernel_wait.h"
#include "profiler/model/sample.h"

static void test_what_a_call_waits_for(void **state) {
    (void)state;
    const struct {
        struct task_state task;
        uint32_t wanted;
    } cases[] = {
        {{true, 0, SYS_clock_nanosleep, 1, ""}, STATE_SLEEPS},
        {{true, 0x1000, SYS_futex, 0x1000, ""}, STATE_LOCKED},
        {{true, 0, SYS_epoll_wait, 3, ""}, STATE_POLLS},
        {{true, 0, SYS_recvfrom, 3, ""}, STATE_NETWORK},
        {{true, 0, SYS_read, 0, ""}, STATE_FILE},
        {{true, 0, SYS_wait4, 77, ""}, STATE_CHILD},
        /* of files, and of none: that is how time.sleep() did it */
        {{true, 0, SYS_select, 4, ""}, STATE_POLLS},
        {{true, 0, SYS_select, 0, ""}, STATE_SLEEPS},
        {{true, 0, SYS_pselect6, 0, ""}, STATE_SLEEPS},
        {{true, 0, SYS_getpid, 0, ""}, 0},
        {{true, 0, -1, 0, ""}, 0},
        /* the call is known: what the function is called says nothing */
        {{true, 0, SYS_getpid, 0, "do_wait"}, 0},
        {{true, 0, 100000, 0, ""}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(kernel_wait_state(&cases[i].task), cases[i].wanted);
    }
}

static void test_what_a_function_waits_for(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t wanted;
    } cases[] = {
        {"hrtimer_nanosleep", STATE_SLEEPS},
        {"futex_wait_queue_me", STATE_LOCKED},
        {"futex_do_wait", STATE_LOCKED},
        {"poll_schedule_timeout.constprop.0", STATE_POLLS},
        {"ep_poll", STATE_POLLS},
        {"inet_csk_accept", STATE_NETWORK},
        {"unix_stream_read_generic", STATE_NETWORK},
        {"anon_pipe_read", STATE_FILE},
        {"do_wait", STATE_CHILD},
        {"do_wait.part.0", STATE_CHILD},
        {"do_wait_intr_irq", STATE_FILE},
        {"", 0},
        {"do_", 0},
        {"wait_woken", 0},
        {"something_else", 0},
        /* of the longest that there is room for */
        {"futex_wait_for_something_with_a_long_na", STATE_LOCKED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct task_state task = {.is_asleep = true, .syscall = -1};
        strcpy(task.wait, cases[i].name);
        assert_int_equal(kernel_wait_state(&task), cases[i].wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_a_call_waits_for),
                                       cmocka_unit_test(test_what_a_function_waits_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
