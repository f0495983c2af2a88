#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "reader/stopper.h"

enum { THREADS = 6 };

/* Long enough to never pass by itself, short enough to always do. */
#define LONG_NS  (60 * NS_PER_S)
#define SHORT_NS (20 * NS_PER_MS)

/* What a child and its threads share with us. */
struct board {
    atomic_ulong turns[THREADS];
    atomic_ulong children; /* short-lived threads that it has started */
    atomic_ulong signals;  /* SIGUSR1 that it has got */
};

static struct board *board;

/* ---- the child ---- */

static void *count_turns(void *number) {
    for (;;) {
        atomic_fetch_add(&board->turns[(uintptr_t)number], 1);
        sched_yield();
    }
    return NULL;
}

static void *do_nothing(void *argument) {
    return argument;
}

static void count_signal(int number) {
    (void)number;
    atomic_fetch_add(&board->signals, 1);
}

static void start(void *(*work)(void *), uintptr_t number) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, (void *)number) != 0) {
        _exit(1);
    }
    pthread_detach(thread);
}

/* One thread starts others as fast as it can, the rest count. */
static void *start_threads(void *unused) {
    (void)unused;
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, do_nothing, NULL) == 0) {
            pthread_join(thread, NULL);
        }
        atomic_fetch_add(&board->children, 1);
    }
    return NULL;
}

static void busy(void) {
    for (uintptr_t i = 1; i < THREADS; i++) {
        start(count_turns, i);
    }
    start(start_threads, 0);
    count_turns(NULL);
}

/* Its first thread ends, the others go on. */
static void headless(void) {
    for (uintptr_t i = 0; i < THREADS; i++) {
        start(count_turns, i);
    }
    pthread_exit(NULL);
}

static struct process fork_child(void (*work)(void)) {
    struct process process;
    memset(board, 0, sizeof *board);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGUSR1, count_signal);
        work();
        _exit(0);
    }
    assert_int_equal(process_open(&process, pid, NULL), STATUS_OK);
    return process;
}

static void end_child(struct process *process) {
    kill(process->pid, SIGKILL);
    assert_int_equal(waitpid(process->pid, NULL, 0), process->pid);
    process_close(process);
}

/* ---- what it does ---- */

static void doze(void) {
    clock_sleep_until_ns(clock_monotonic_ns() + 2 * NS_PER_MS);
}

static void wait_for_turns(void) {
    for (size_t i = 0; i < THREADS; i++) {
        unsigned long before = atomic_load(&board->turns[i]);
        while (atomic_load(&board->turns[i]) == before) {
            doze();
        }
    }
}

static void assert_nothing_moves(void) {
    struct board before;
    memcpy(&before, board, sizeof before);
    doze();
    assert_memory_equal(&before, board, sizeof before);
}

static bool is_traced(pid_t pid) {
    struct thread_state thread;
    return process_thread_state(pid, pid, &thread) && thread.tracer != 0;
}

/* ---- tests ---- */

static void test_stop_and_continue(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct stopper stopper;
    int policy = sched_getscheduler(0);
    prctl(PR_SET_TIMERSLACK, 1UL);
    wait_for_turns();
    assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
    for (int i = 0; i < 50; i++) {
        uint64_t pause_ns = 1;
        assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_OK);
        assert_nothing_moves();
        assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_OK);
        assert_true(pause_ns >= 2 * NS_PER_MS);
        if (i % 10 == 0) {
            wait_for_turns();
        }
    }
    /* We are what we were before. */
    assert_int_equal(sched_getscheduler(0), policy);
    assert_int_equal(prctl(PR_GET_TIMERSLACK), 1);
    uint64_t cpu_ns = 0;
    stopper_close(&stopper, &cpu_ns);
    assert_true(cpu_ns > 0);
    assert_false(is_traced(process.pid));
    wait_for_turns();
    assert_true(atomic_load(&board->children) > 0);
    /* Its parent has not heard of any of it. */
    siginfo_t news = {0};
    waitid(P_PID, (id_t)process.pid, &news, WSTOPPED | WCONTINUED | WNOHANG);
    assert_int_equal(news.si_pid, 0);
    end_child(&process);
}

static void test_first_thread_has_ended(void **state) {
    (void)state;
    struct process process = fork_child(headless);
    struct stopper stopper;
    uint64_t pause_ns;
    wait_for_turns();
    for (int round = 0; round < 2; round++) {
        assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
        assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_OK);
        assert_nothing_moves();
        assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_OK);
        wait_for_turns();
        stopper_close(&stopper, NULL);
    }
    end_child(&process);
}

/* Whoever forgets to let it go on is not waited for. */
static void test_bound(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct stopper stopper;
    uint64_t pause_ns;
    wait_for_turns();
    assert_int_equal(stopper_open(&stopper, &process, SHORT_NS, NULL), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        enum status status = stopper_stop(&stopper, &pause_ns);
        assert_true(status == STATUS_OK || status == STATUS_NOT_HELD);
        wait_for_turns();
        if (status == STATUS_OK) {
            assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_NOT_HELD);
        }
        assert_true(pause_ns >= SHORT_NS);
    }
    stopper_close(&stopper, NULL);
    end_child(&process);
}

/* However it comes to its end, what it held goes on. */
static void test_end_of_the_helper(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct stopper stopper;
    uint64_t pause_ns;
    wait_for_turns();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
        assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_OK);
        if (i % 2 == 0) {
            kill(stopper.helper, SIGKILL);
            wait_for_turns();
            assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_INTERNAL);
            assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_INTERNAL);
        }
        stopper_close(&stopper, NULL);
        wait_for_turns();
    }
    end_child(&process);
}

static void test_end_of_the_process(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct process process = fork_child(busy);
        struct stopper stopper;
        uint64_t pause_ns;
        assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
        if (round == 1) {
            assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_OK);
            kill(process.pid, SIGKILL);
            assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_OK);
        }
        /* Who is traced can be waited for only when its tracer has heard of its end. */
        end_child(&process);
        assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_GONE);
        stopper_close(&stopper, NULL);
    }
}

static void test_signals_are_passed_on(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct stopper stopper;
    uint64_t pause_ns;
    wait_for_turns();
    assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
    for (unsigned long i = 0; i < 100; i++) {
        bool is_stopped = i % 2 == 0;
        if (is_stopped) {
            assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_OK);
        }
        kill(process.pid, SIGUSR1);
        if (is_stopped) {
            assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_OK);
        }
        while (atomic_load(&board->signals) == i) {
            doze();
        }
        assert_int_equal(atomic_load(&board->signals), i + 1);
    }
    stopper_close(&stopper, NULL);
    end_child(&process);
}

static void expect_news(pid_t pid, int options, int code) {
    siginfo_t news = {0};
    assert_int_equal(waitid(P_PID, (id_t)pid, &news, options), 0);
    assert_int_equal(news.si_code, code);
}

/* Who was stopped by a signal stays so, whatever we do, until it gets SIGCONT. */
static void test_stopped_by_a_signal(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct stopper stopper = {0};
    uint64_t pause_ns;
    wait_for_turns();
    for (int round = 0; round < 2; round++) {
        if (round == 1) { /* seized already when it is stopped */
            assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
        }
        kill(process.pid, SIGSTOP);
        expect_news(process.pid, WSTOPPED, CLD_STOPPED);
        if (round == 0) {
            assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
        }
        for (int i = 0; i < 5; i++) {
            assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_OK);
            assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_OK);
            assert_nothing_moves();
        }
        if (round == 1) { /* continued while we hold it: it goes on when we let go */
            assert_int_equal(stopper_stop(&stopper, &pause_ns), STATUS_OK);
            kill(process.pid, SIGCONT);
            assert_nothing_moves();
            assert_int_equal(stopper_continue(&stopper, &pause_ns), STATUS_OK);
        } else { /* stays stopped when it is no longer traced */
            stopper_close(&stopper, NULL);
            assert_nothing_moves();
            kill(process.pid, SIGCONT);
        }
        expect_news(process.pid, WCONTINUED, CLD_CONTINUED);
        wait_for_turns();
    }
    stopper_close(&stopper, NULL);
    end_child(&process);
}

static void test_traced_by_somebody_else(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct stopper first;
    struct stopper second;
    struct error error = {0};
    char helper[32];
    assert_int_equal(stopper_open(&first, &process, LONG_NS, NULL), STATUS_OK);
    assert_int_equal(stopper_open(&second, &process, LONG_NS, &error), STATUS_TRACED);
    snprintf(helper, sizeof helper, "process %d", (int)first.helper);
    assert_non_null(strstr(error.detail, helper));
    stopper_close(&second, NULL);
    stopper_close(&first, NULL);
    assert_int_equal(stopper_open(&second, &process, LONG_NS, &error), STATUS_OK);
    stopper_close(&second, NULL);
    end_child(&process);
}

static void test_nobody_there(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct process copy = process;
    struct stopper stopper;
    struct error error = {0};
    end_child(&process);
    assert_int_equal(stopper_open(&stopper, &copy, LONG_NS, &error), STATUS_GONE);
    stopper_close(&stopper, NULL);
}

/* Nothing that can be read or seen of us depends on the helper: it holds no file of ours open. */
static void test_helper_keeps_nothing_open(void **state) {
    (void)state;
    struct process process = fork_child(busy);
    struct stopper stopper;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(stopper_open(&stopper, &process, LONG_NS, NULL), STATUS_OK);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    stopper_close(&stopper, NULL);
    end_child(&process);
}

static int make_board(void **state) {
    (void)state;
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return board == MAP_FAILED;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_and_continue),
        cmocka_unit_test(test_first_thread_has_ended),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_end_of_the_helper),
        cmocka_unit_test(test_end_of_the_process),
        cmocka_unit_test(test_signals_are_passed_on),
        cmocka_unit_test(test_stopped_by_a_signal),
        cmocka_unit_test(test_traced_by_somebody_else),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_helper_keeps_nothing_open),
    };
    return cmocka_run_group_tests(tests, make_board, NULL);
}
