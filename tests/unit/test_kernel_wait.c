#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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
        {{true, 0, SYS_clock_nanosleep, 1}, STATE_SLEEPS},
        {{true, 0x1000, SYS_futex, 0x1000}, STATE_LOCKED},
        {{true, 0, SYS_epoll_wait, 3}, STATE_POLLS},
        {{true, 0, SYS_recvfrom, 3}, STATE_NETWORK},
        {{true, 0, SYS_read, 0}, STATE_FILE},
        {{true, 0, SYS_wait4, 77}, STATE_CHILD},
        /* of files, and of none: that is how time.sleep() did it */
        {{true, 0, SYS_select, 4}, STATE_POLLS},
        {{true, 0, SYS_select, 0}, STATE_SLEEPS},
        {{true, 0, SYS_pselect6, 0}, STATE_SLEEPS},
        {{true, 0, SYS_getpid, 0}, 0},
        {{true, 0, -1, 0}, 0},
        {{true, 0, 100000, 0}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(kernel_wait_state(&cases[i].task), cases[i].wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_a_call_waits_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
