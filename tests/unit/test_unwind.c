#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "reader/functions.h"
#include "reader/memory.h"
#include "reader/modules.h"
#include "reader/rest.h"
#include "reader/stopper.h"
#include "reader/unwind.h"

enum { DEPTH = 5, COPY_BYTES = 1 << 16 };

/* ---- the child: one thread waits in the kernel, one turns in a loop, both DEPTH calls deep ----
 */

struct board {
    atomic_int waiting; /* kernel ids, 0 while it is not there yet */
    atomic_int turning;
    atomic_ulong turns;
};

static struct board *board;

#ifdef __clang__
#define DEEP __attribute__((noinline))
#else
#define DEEP __attribute__((noinline, noclone))
#endif

static DEEP int wait_below(int depth) {
    if (depth == 0) {
        atomic_store(&board->waiting, (int)syscall(SYS_gettid));
        pause();
        return 1;
    }
    return wait_below(depth - 1) + (int)atomic_load(&board->turns);
}

static DEEP int turn_below(int depth) {
    if (depth == 0) {
        atomic_store(&board->turning, (int)syscall(SYS_gettid));
        while (atomic_load(&board->turning) != 0) {
            atomic_fetch_add(&board->turns, 1);
        }
        return 1;
    }
    return turn_below(depth - 1) + (int)atomic_load(&board->turns);
}

static void *turn(void *unused) {
    turn_below(DEPTH - 1);
    return unused;
}

static void child(void) {
    pthread_t thread;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pthread_create(&thread, NULL, turn, NULL) == 0) {
        wait_below(DEPTH - 1);
    }
    _exit(0);
}

/* ---- what looks at it ---- */

struct bench {
    struct process process;
    struct memory memory;
    struct unwinder *unwinder;
    struct stopper stopper;
    struct native_stack stack;
    uint8_t copy[COPY_BYTES];
};

static void doze(void) {
    clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
}

static int open_bench(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    memset(board, 0, sizeof *board);
    pid_t pid = fork();
    if (pid == 0) {
        child();
    }
    while (atomic_load(&board->waiting) == 0 || atomic_load(&board->turning) == 0) {
        doze();
    }
    assert_int_equal(process_open(&bench->process, pid, NULL), STATUS_OK);
    assert_int_equal(memory_open_live(&bench->memory, pid, NULL), STATUS_OK);
    bench->unwinder = unwinder_create(&bench->process, &bench->memory);
    assert_non_null(bench->unwinder);
    assert_int_equal(stopper_open(&bench->stopper, &bench->process, 60 * NS_PER_S, NULL),
                     STATUS_OK);
    *state = bench;
    return 0;
}

static int close_bench(void **state) {
    struct bench *bench = *state;
    stopper_close(&bench->stopper, NULL);
    unwinder_destroy(bench->unwinder);
    memory_close(&bench->memory);
    kill(bench->process.pid, SIGKILL);
    waitpid(bench->process.pid, NULL, 0);
    process_close(&bench->process);
    free(bench->stack.frames);
    free(bench);
    return 0;
}

/* On a busy machine the thread may not get a core in time. */
static void stop(struct bench *bench, pid_t tid, struct registers *out) {
    uint64_t pause_ns;
    enum status status;
    do {
        status = stopper_stop_thread(&bench->stopper, tid, out, &pause_ns);
    } while (status == STATUS_NOT_HELD);
    assert_int_equal(status, STATUS_OK);
}

/* Unwinds from those registers and a copy of `limit` bytes of the stack at most. */
static void unwind(struct bench *bench, const struct registers *registers, uint32_t limit) {
    uint64_t from = registers->value[REGISTER_SP];
    const struct mapping *mapping = modules_mapping(unwinder_modules(bench->unwinder), from);
    assert_non_null(mapping);
    uint32_t bytes = mapping->end - from < limit ? (uint32_t)(mapping->end - from) : limit;
    assert_int_equal(memory_read_one(&bench->memory, (struct remote){from}, bench->copy, bytes),
                     STATUS_OK);
    const struct stack_copy copy = {from, bench->copy, bytes};
    unwinder_unwind(bench->unwinder, registers, &copy, &bench->stack);
}

/* How many of the frames are of that function, by the symbols of its file. */
static size_t frames_of(struct bench *bench, const char *name) {
    size_t found = 0;
    struct functions functions = {0};
    const struct module *known = NULL;
    for (size_t i = 0; i < bench->stack.count; i++) {
        const struct native_frame *frame = &bench->stack.frames[i];
        uint64_t at = frame->pc - (frame->is_call ? 1 : 0);
        const struct module *module = modules_find(unwinder_modules(bench->unwinder), at);
        if (module != NULL && module != known) {
            functions_free(&functions);
            functions_read(&functions, &bench->process, &bench->memory, module);
            known = module;
        }
        const struct function *function =
            module != NULL ? functions_find(&functions, at - module->bias) : NULL;
        found += function != NULL && strcmp(function->name, name) == 0;
    }
    functions_free(&functions);
    return found;
}

static void assert_stack(struct bench *bench, const char *function) {
    const struct native_stack *stack = &bench->stack;
    assert_int_equal(frames_of(bench, function), DEPTH);
    for (size_t i = 1; i < stack->count; i++) {
        assert_true(stack->frames[i].sp > stack->frames[i - 1].sp);
        assert_true(stack->frames[i].is_call);
    }
}

/* ---- tests ---- */

static void test_stopped(void **state) {
    struct bench *bench = *state;
    struct registers registers;
    uint64_t pause_ns;
    pid_t tid = atomic_load(&board->turning);
    stop(bench, tid, &registers);
    unsigned long before = atomic_load(&board->turns);
    unwind(bench, &registers, COPY_BYTES);
    doze();
    assert_int_equal(atomic_load(&board->turns), before);
    assert_int_equal(stopper_continue(&bench->stopper, &pause_ns), STATUS_OK);
    assert_true(pause_ns > 0);
    assert_stack(bench, "turn_below");
    assert_true(bench->stack.is_whole);
    while (atomic_load(&board->turns) == before) {
        doze();
    }
}

/* The others run on. */
static void test_one_alone(void **state) {
    struct bench *bench = *state;
    struct registers registers;
    uint64_t pause_ns;
    pid_t tid = atomic_load(&board->waiting);
    stop(bench, tid, &registers);
    unsigned long before = atomic_load(&board->turns);
    while (atomic_load(&board->turns) == before) {
        doze();
    }
    unwind(bench, &registers, COPY_BYTES);
    assert_int_equal(stopper_continue(&bench->stopper, &pause_ns), STATUS_OK);
    assert_stack(bench, "wait_below");
    assert_int_equal(stopper_stop_thread(&bench->stopper, getpid(), &registers, &pause_ns),
                     STATUS_NOT_HELD);
}

static void test_cut_copy(void **state) {
    struct bench *bench = *state;
    struct registers registers;
    uint64_t pause_ns;
    pid_t tid = atomic_load(&board->turning);
    stop(bench, tid, &registers);
    for (uint32_t bytes = 0; bytes <= 256; bytes += 8) {
        unwind(bench, &registers, bytes);
        assert_in_range(bench->stack.count, 1, DEPTH + 20);
    }
    unwind(bench, &registers, 8);
    assert_false(bench->stack.is_whole);
    registers.known = 0;
    unwind(bench, &registers, COPY_BYTES);
    assert_false(bench->stack.is_whole);
    assert_int_equal(bench->stack.count, 0);
    assert_int_equal(stopper_continue(&bench->stopper, &pause_ns), STATUS_OK);
}

/* A thread that waits has not run, and its stack is had without stopping it, as far as the tables
 * need no other register. */
static void test_resting(void **state) {
    struct bench *bench = *state;
    struct rest rest;
    struct registers registers;
    uint64_t before;
    uint64_t after;
    rest_init(&rest, bench->process.pid, atomic_load(&board->waiting));
    while (!rest_place(&rest, &registers)) {
        doze();
    }
    if (!rest_turns(&rest, &before)) {
        rest_deinit(&rest);
        skip(); /* this kernel does not count */
    }
    unwind(bench, &registers, COPY_BYTES);
    assert_true(rest_turns(&rest, &after));
    assert_int_equal(before, after);
    assert_true(bench->stack.count > 0);
    int fd = rest.turns_fd;
    rest.turns_fd = -1; /* as when there are no descriptors left */
    assert_true(rest_turns(&rest, &after));
    assert_int_equal(before, after);
    rest.turns_fd = fd;
    rest_deinit(&rest);
    rest_init(&rest, bench->process.pid, 1);
    assert_false(rest_turns(&rest, &after));
    assert_false(rest_place(&rest, &registers));
    rest_deinit(&rest);
}

/* Who is stopped and let go has had another turn. */
static void test_turns(void **state) {
    struct bench *bench = *state;
    struct rest rest;
    struct registers registers;
    uint64_t pause_ns;
    uint64_t before;
    uint64_t after = 0;
    pid_t tid = atomic_load(&board->turning);
    rest_init(&rest, bench->process.pid, tid);
    stop(bench, tid, &registers);
    bool is_counted = rest_turns(&rest, &before);
    doze();
    assert_true(!is_counted || (rest_turns(&rest, &after) && after == before));
    unsigned long turns = atomic_load(&board->turns);
    assert_int_equal(stopper_continue(&bench->stopper, &pause_ns), STATUS_OK);
    while (atomic_load(&board->turns) == turns) {
        doze();
    }
    assert_true(!is_counted || (rest_turns(&rest, &after) && after > before));
    rest_deinit(&rest);
}

static void test_modules(void **state) {
    struct bench *bench = *state;
    const struct modules *modules = unwinder_modules(bench->unwinder);
    const struct module *ours = modules_find(modules, (uint64_t)(uintptr_t)wait_below);
    assert_non_null(ours);
    assert_true(ours->unwind_count > 0);
    assert_ptr_equal(modules_find(modules, (uint64_t)(uintptr_t)turn_below), ours);
    assert_null(modules_find(modules, 0));
    assert_null(modules_find(modules, UINT64_MAX));
    assert_null(modules_mapping(modules, 0));
    for (size_t i = 1; i < modules->count; i++) {
        assert_true(modules->items[i].start > modules->items[i - 1].start);
    }
    assert_true(unwinder_function(bench->unwinder, (uint64_t)(uintptr_t)wait_below + 1) != 0);
    assert_int_equal(unwinder_function(bench->unwinder, 16), 0);
    assert_false(unwinder_refresh(bench->unwinder, 0));
    assert_true(unwinder_refresh(bench->unwinder, clock_monotonic_ns() + NS_PER_S));
}

int main(void) {
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stopped, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_one_alone, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_cut_copy, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_resting, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_turns, open_bench, close_bench),
        cmocka_unit_test_setup_teardown(test_modules, open_bench, close_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
