#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "reader/memory.h"
#include "reader/process.h"

/* ---- helpers ---- */

enum { NOBODY = 65534 };

static struct remote at(const void *address) {
    return (struct remote){(uint64_t)(uintptr_t)address};
}

/* Runs `task` in a child; it may change what the child is allowed to. 0 when all was well, else a
 * number that the task gives. */
static int in_child(int (*task)(void)) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(task());
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool be_nobody(void) {
    return geteuid() != 0 || (setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

/* ---- what both ways to read must do ---- */

enum { PAGE = 4096, PIECES = 3000 };

static bool reads_one(struct memory *memory) {
    static const char text[] = "what is read";
    char copy[sizeof text] = {0};
    const char *pointer = text;
    struct remote found;
    return memory_read_one(memory, at(text), copy, sizeof copy) == STATUS_OK &&
           memcmp(text, copy, sizeof copy) == 0 &&
           memory_read_remote(memory, at(&pointer), &found) == STATUS_OK &&
           found.addr == at(text).addr;
}

/* More ranges than one call takes. */
static bool reads_many(struct memory *memory) {
    static uint32_t from[PIECES];
    static uint32_t to[PIECES];
    static struct range ranges[PIECES];
    for (uint32_t i = 0; i < PIECES; i++) {
        from[i] = i * 2654435761U;
        ranges[i] = (struct range){at(&from[i]), &to[i], sizeof to[i], STATUS_INTERNAL};
    }
    bool is_good = memory_read(memory, ranges, PIECES) == STATUS_OK;
    for (uint32_t i = 0; i < PIECES; i++) {
        is_good = is_good && ranges[i].status == STATUS_OK && to[i] == from[i];
    }
    return is_good && memory->bytes >= sizeof from;
}

/* Three pages, of which the middle one is not there. */
static bool reads_around_a_hole(struct memory *memory) {
    static uint8_t copy[4 * PAGE];
    uint8_t *pages =
        mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return false;
    }
    memset(pages, 0x11, PAGE);
    memset(pages + 2 * PAGE, 0x33, PAGE);
    munmap(pages + PAGE, PAGE);
    const struct {
        ptrdiff_t from;
        uint32_t bytes;
        enum status status;
    } rows[] = {
        {0, PAGE, STATUS_OK},
        {PAGE - 8, 8, STATUS_OK},
        {PAGE - 8, 9, STATUS_NOT_MAPPED}, /* one byte too many */
        {PAGE - 8, 3 * PAGE / 2, STATUS_NOT_MAPPED},
        {PAGE, 1, STATUS_NOT_MAPPED},
        {2 * PAGE - 1, 2, STATUS_NOT_MAPPED}, /* one byte too soon */
        {2 * PAGE, PAGE, STATUS_OK},
        {2 * PAGE + 5, 3, STATUS_OK},
        {PAGE, 0, STATUS_OK}, /* nothing is asked for */
        {3 * PAGE - 1, 1, STATUS_OK},
    };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    struct range ranges[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        ranges[i] = (struct range){at(pages + rows[i].from), copy, rows[i].bytes, STATUS_INTERNAL};
    }
    bool is_good = memory_read(memory, ranges, ROWS) == STATUS_OK;
    for (size_t i = 0; i < ROWS; i++) {
        is_good = is_good && ranges[i].status == rows[i].status;
    }
    is_good = is_good && copy[0] == 0x33;
    munmap(pages, PAGE);
    munmap(pages + 2 * PAGE, PAGE);
    return is_good;
}

static bool reads_nothing_nowhere(struct memory *memory) {
    static const uint64_t nowhere[] = {
        0, 8, 4096, UINT64_C(1) << 47, UINT64_C(1) << 63, UINT64_MAX - 3, UINT64_MAX};
    char byte;
    struct remote found;
    bool is_good = memory_read(memory, NULL, 0) == STATUS_OK;
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        struct remote from = {nowhere[i]};
        is_good = is_good && memory_read_one(memory, from, &byte, 1) == STATUS_NOT_MAPPED &&
                  memory_read_remote(memory, from, &found) == STATUS_NOT_MAPPED && found.addr == 0;
    }
    return is_good;
}

/* GONE, as a zombie and after that. */
static bool tells_the_end(void) {
    struct memory memory;
    struct memory later;
    char byte;
    int ready[2];
    if (pipe(ready) != 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ready[1]);
        bool is_end = read(ready[0], &byte, 1) == 0;
        _exit(is_end ? 0 : 1);
    }
    close(ready[0]);
    bool is_good = memory_open_live(&memory, pid, NULL) == STATUS_OK &&
                   memory_read_one(&memory, at("x"), &byte, 1) == STATUS_OK;
    close(ready[1]);
    siginfo_t info;
    is_good = is_good && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 &&
              memory_read_one(&memory, at("x"), &byte, 1) == STATUS_GONE;
    waitpid(pid, NULL, 0);
    is_good = is_good && memory_read_one(&memory, at("x"), &byte, 1) == STATUS_GONE &&
              memory_open_live(&later, pid, NULL) == STATUS_GONE;
    memory_close(&memory);
    memory_close(&memory);
    return is_good;
}

/* The process goes on when it executes another program: its memory is another's, not gone. */
static bool survives_an_execution(void) {
    struct memory memory;
    int go[2];
    int done[2];
    char byte = 0;
    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        int input = dup(go[0]); /* not closed by the execution */
        dup2(input, STDIN_FILENO);
        close(go[1]);
        if (read(STDIN_FILENO, &byte, 1) == 1) {
            execl("/bin/cat", "cat", (char *)NULL);
        }
        _exit(99);
    }
    close(go[0]);
    close(done[1]);
    bool is_good = memory_open_live(&memory, pid, NULL) == STATUS_OK &&
                   memory_read_one(&memory, at("x"), &byte, 1) == STATUS_OK;
    is_good = is_good && write(go[1], "x", 1) == 1 && read(done[0], &byte, 1) == 0;
    enum status status = memory_read_one(&memory, (struct remote){8}, &byte, 1);
    is_good = is_good && status == STATUS_NOT_MAPPED;
    close(go[1]);
    close(done[0]);
    waitpid(pid, NULL, 0);
    memory_close(&memory);
    return is_good;
}

/* 0, or the number of the first check that failed. */
static int check_live(void) {
    struct memory memory;
    if (memory_open_live(&memory, getpid(), NULL) != STATUS_OK) {
        return 1;
    }
    bool (*const checks[])(struct memory *) = {reads_one, reads_many, reads_around_a_hole,
                                               reads_nothing_nowhere};
    int failed = 0;
    for (int i = 0; i < 4 && failed == 0; i++) {
        failed = checks[i](&memory) ? 0 : i + 2;
    }
    memory_close(&memory);
    return failed != 0 ? failed : !tells_the_end() ? 6 : !survives_an_execution() ? 7 : 0;
}

static void test_live_memory(void **state) {
    (void)state;
    assert_int_equal(check_live(), 0);
}

static void test_one_call_for_many_ranges(void **state) {
    (void)state;
    struct memory memory;
    uint64_t words[100] = {0};
    uint64_t copies[100];
    struct range ranges[100];
    assert_int_equal(memory_open_live(&memory, getpid(), NULL), STATUS_OK);
    for (size_t i = 0; i < 100; i++) {
        ranges[i] = (struct range){at(&words[i]), &copies[i], 8, STATUS_INTERNAL};
    }
    uint64_t before = memory.calls;
    assert_int_equal(memory_read(&memory, ranges, 100), STATUS_OK);
    assert_int_equal(memory.calls - before, 1);
    assert_int_equal(memory.bytes, 800);
    memory_close(&memory);
}

/* As a container's seccomp filter does it. Here for x86-64, like the rest. */
static bool forbid_process_vm_readv(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int check_live_by_file(void) {
    char byte;
    struct memory memory;
    if (!forbid_process_vm_readv()) {
        return 98;
    }
    /* One call a range shows that it is the other way. */
    if (memory_open_live(&memory, getpid(), NULL) != STATUS_OK) {
        return 97;
    }
    struct range ranges[2] = {{at("a"), &byte, 1, STATUS_INTERNAL},
                              {at("b"), &byte, 1, STATUS_INTERNAL}};
    bool is_by_file = memory_read(&memory, ranges, 2) == STATUS_OK && memory.calls == 2;
    memory_close(&memory);
    return is_by_file ? check_live() : 96;
}

static void test_live_memory_by_file(void **state) {
    (void)state;
    assert_int_equal(in_child(check_live_by_file), 0);
}

/* Process 1 is not nobody's. */
static int check_forbidden(void) {
    struct memory memory;
    struct error error = {0};
    if (!be_nobody()) {
        return 99;
    }
    enum status status = memory_open_live(&memory, 1, &error);
    return status == STATUS_NOT_PERMITTED && error.status == status && error.os_errno == EPERM &&
                   memory.ops == NULL
               ? 0
               : 1;
}

static int check_forbidden_by_file(void) {
    return be_nobody() && forbid_process_vm_readv() ? check_forbidden() : 98;
}

static int check_forbidden_maps(void) {
    struct process process;
    struct maps maps;
    struct error error = {0};
    if (!be_nobody() || process_open(&process, 1, NULL) != STATUS_OK) {
        return 99;
    }
    enum status status = maps_read(&process, &maps, &error);
    process_close(&process);
    return status == STATUS_NOT_PERMITTED && error.status == status ? 0 : 1;
}

static void test_forbidden_memory(void **state) {
    (void)state;
    assert_int_equal(in_child(check_forbidden), 0);
    assert_int_equal(in_child(check_forbidden_by_file), 0);
    assert_int_equal(in_child(check_forbidden_maps), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_memory),
        cmocka_unit_test(test_one_call_for_many_ranges),
        cmocka_unit_test(test_live_memory_by_file),
        cmocka_unit_test(test_forbidden_memory),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
