#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reader/process.h"
#include "reader/symbols.h"

/* ---- helpers ---- */

static struct process self(void) {
    struct process process;
    assert_int_equal(process_open(&process, getpid(), NULL), STATUS_OK);
    return process;
}

static struct remote at(const void *address) {
    return (struct remote){(uint64_t)(uintptr_t)address};
}

/* A child that does nothing until it is ended with end_child(). */
static pid_t idle_child(void) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            pause();
        }
    }
    assert_true(pid > 0);
    return pid;
}

static void wait_until_zombie(pid_t pid) {
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void reap(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* ---- process_open ---- */

static void test_process_that_is_not_there(void **state) {
    (void)state;
    static const pid_t pids[] = {0, -1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct process process;
        struct error error = {0};
        assert_int_equal(process_open(&process, pids[i], &error), STATUS_NO_PROCESS);
        assert_int_equal(error.status, STATUS_NO_PROCESS);
        assert_true(strlen(error.detail) > 0);
        process_close(&process);
    }
}

static void test_zombie(void **state) {
    (void)state;
    struct process process;
    struct error error = {0};
    pid_t pid = idle_child();
    kill(pid, SIGKILL);
    wait_until_zombie(pid);
    assert_int_equal(process_open(&process, pid, &error), STATUS_GONE);
    assert_non_null(strstr(error.detail, "zombie"));
    /* It has no arguments any more. */
    struct buffer command = {0};
    const struct process zombie = {.pid = pid, .pidfd = -1};
    process_command(&zombie, &command);
    assert_string_equal(command.data, "[test_reader]");
    buffer_deinit(&command);
    reap(pid);
    assert_int_equal(process_open(&process, pid, &error), STATUS_NO_PROCESS);
}

static void test_own_process(void **state) {
    (void)state;
    struct process process = self();
    assert_int_equal(process.pid, getpid());
    assert_true(process.start_ticks > 0);
    assert_true(process_is_alive(&process));
    assert_int_not_equal(process_image_mark(&process), 0);
    assert_int_equal(process_image_mark(&process), process_image_mark(&process));
    process_close(&process);
    process_close(&process);
}

/* By its pidfd, and by the start time where there is none. */
static void test_end_of_a_process(void **state) {
    (void)state;
    for (int has_pidfd = 0; has_pidfd < 2; has_pidfd++) {
        struct process process;
        pid_t pid = idle_child();
        assert_int_equal(process_open(&process, pid, NULL), STATUS_OK);
        if (!has_pidfd) {
            process_close(&process);
        }
        assert_true(process_is_alive(&process));
        kill(pid, SIGKILL);
        wait_until_zombie(pid);
        assert_false(process_is_alive(&process));
        reap(pid);
        assert_false(process_is_alive(&process));
        process_close(&process);
    }
}

static void test_another_process_with_the_same_pid(void **state) {
    (void)state;
    struct process process = self();
    process_close(&process);
    process.start_ticks--;
    assert_false(process_is_alive(&process));
}

/* A program that waits for the end of its standard input. */
static void test_execution_of_another_program(void **state) {
    (void)state;
    int go[2];
    int ready[2];
    char byte;
    struct process process;
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(go[0], STDIN_FILENO);
        execl("/bin/cat", "cat", (char *)NULL);
        _exit(99);
    }
    close(go[0]);
    close(ready[1]);
    assert_int_equal(process_open(&process, pid, NULL), STATUS_OK);
    assert_int_equal(read(ready[0], &byte, 1), 0); /* closed by the execution */
    uint64_t mark = process_image_mark(&process);
    struct process ours = self();
    assert_int_not_equal(mark, process_image_mark(&ours));
    assert_int_equal(mark, process_image_mark(&process));
    close(go[1]);
    close(ready[0]);
    reap(pid);
    process_close(&process);
    process_close(&ours);
}

static void test_names(void **state) {
    (void)state;
    struct process process = self();
    struct buffer name = {0};
    char before[16];
    prctl(PR_GET_NAME, before);
    prctl(PR_SET_NAME, "odd ) name");
    process_name(&process, &name);
    assert_string_equal(name.data, "odd ) name");
    assert_true(process_is_alive(&process));
    process_thread_name(&process, getpid(), &name);
    assert_string_equal(name.data, "odd ) nameodd ) name");
    buffer_clear(&name);
    process_thread_name(&process, INT32_MAX, &name);
    assert_string_equal(name.data, "?");
    /* The fields behind such a name are found nevertheless. */
    struct process again = self();
    assert_int_equal(again.start_ticks, process.start_ticks);
    prctl(PR_SET_NAME, before);
    buffer_clear(&name);
    process_command(&process, &name);
    assert_non_null(strstr(name.data, "test_reader"));
    buffer_deinit(&name);
    process_close(&again);
    process_close(&process);
}

/* ---- threads ---- */

struct helper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pid_t tid;
    bool may_end;
};

static void *idle_thread(void *context) {
    struct helper *helper = context;
    pthread_mutex_lock(&helper->lock);
    helper->tid = (pid_t)syscall(SYS_gettid);
    pthread_cond_broadcast(&helper->changed);
    while (!helper->may_end) {
        pthread_cond_wait(&helper->changed, &helper->lock);
    }
    pthread_mutex_unlock(&helper->lock);
    return NULL;
}

static void helper_start(struct helper *helper) {
    pthread_mutex_init(&helper->lock, NULL);
    pthread_cond_init(&helper->changed, NULL);
    assert_int_equal(pthread_create(&helper->thread, NULL, idle_thread, helper), 0);
    pthread_mutex_lock(&helper->lock);
    while (helper->tid == 0) {
        pthread_cond_wait(&helper->changed, &helper->lock);
    }
    pthread_mutex_unlock(&helper->lock);
}

static void helper_end(struct helper *helper) {
    pthread_mutex_lock(&helper->lock);
    helper->may_end = true;
    pthread_cond_broadcast(&helper->changed);
    pthread_mutex_unlock(&helper->lock);
    pthread_join(helper->thread, NULL);
}

static bool has_thread(const struct thread_ids *ids, size_t count, pid_t tid) {
    for (size_t i = 0; i < count; i++) {
        if (ids[i].outer == tid) {
            assert_int_equal(ids[i].inner, tid); /* no pid namespace between us */
            return true;
        }
    }
    return false;
}

static void test_threads(void **state) {
    (void)state;
    enum { HELPERS = 5 };
    struct helper helpers[HELPERS] = {0};
    struct process process = self();
    struct thread_ids *ids;
    for (size_t i = 0; i < HELPERS; i++) {
        helper_start(&helpers[i]);
    }
    size_t count = process_threads(&process, &ids);
    assert_true(count >= HELPERS + 1);
    assert_true(has_thread(ids, count, getpid()));
    for (size_t i = 0; i < HELPERS; i++) {
        assert_true(has_thread(ids, count, helpers[i].tid));
        helper_end(&helpers[i]);
    }
    free(ids);
    process_close(&process);
}

static void test_threads_of_a_process_that_is_gone(void **state) {
    (void)state;
    struct process process;
    struct thread_ids *ids;
    pid_t pid = idle_child();
    assert_int_equal(process_open(&process, pid, NULL), STATUS_OK);
    kill(pid, SIGKILL);
    reap(pid);
    assert_int_equal(process_threads(&process, &ids), 0);
    free(ids);
    process_close(&process);
}

/* ---- maps ---- */

static const struct mapping *mapping_of(const struct maps *maps, const void *address) {
    for (size_t i = 0; i < maps->count; i++) {
        if (maps->items[i].start <= at(address).addr && at(address).addr < maps->items[i].end) {
            return &maps->items[i];
        }
    }
    return NULL;
}

static void test_own_maps(void **state) {
    (void)state;
    struct process process = self();
    struct maps maps;
    struct stat program;
    char path[4096] = {0};
    int on_stack = 0;
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    assert_true(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    assert_int_equal(stat("/proc/self/exe", &program), 0);
    for (size_t i = 0; i < maps.count; i++) {
        assert_true(maps.items[i].start < maps.items[i].end);
        assert_true(i == 0 || maps.items[i - 1].end <= maps.items[i].start);
    }
    const struct mapping *code = mapping_of(&maps, (const void *)(uintptr_t)test_own_maps);
    assert_non_null(code);
    assert_true(code->is_executable);
    assert_false(code->is_writable);
    assert_string_equal(code->path, path);
    assert_int_equal(code->inode, program.st_ino);
    assert_int_equal(process_program_inode(&process), program.st_ino);
    const struct mapping *stack = mapping_of(&maps, &on_stack);
    assert_non_null(stack);
    assert_true(stack->is_writable);
    assert_int_equal(stack->inode, 0);
    maps_free(&maps);
    maps_free(&maps);
    process_close(&process);
}

static int new_file(char *path, const char *content) {
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    return fd;
}

static void expect_opened(const struct process *process, const struct mapping *mapping,
                          const char *content) {
    char text[64] = {0};
    int fd = process_open_mapped(process, mapping);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text - 1), strlen(content));
    assert_string_equal(text, content);
    close(fd);
}

static void test_file_with_an_odd_name(void **state) {
    (void)state;
    char path[] = "/tmp/pyrometer odd\nname XXXXXX";
    struct process process = self();
    struct maps maps;
    int fd = new_file(path, "content");
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(mapped != MAP_FAILED);
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    const struct mapping *mapping = mapping_of(&maps, mapped);
    assert_non_null(mapping);
    assert_non_null(strstr(mapping->path, "/tmp/pyrometer odd\\012name "));
    expect_opened(&process, mapping, "content");
    munmap(mapped, 4096);
    close(fd);
    unlink(path);
    maps_free(&maps);
    process_close(&process);
}

/* A path counts only if it is still the same file. */
static void test_file_that_was_replaced(void **state) {
    (void)state;
    char path[] = "/tmp/pyrometer-XXXXXX";
    char other[] = "/tmp/pyrometer-XXXXXX";
    struct process process = self();
    struct maps maps;
    int fd = new_file(path, "content");
    int other_fd = new_file(other, "other");
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(mapped != MAP_FAILED);
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    assert_int_equal(rename(other, path), 0);
    const struct mapping *mapping = mapping_of(&maps, mapped);
    assert_non_null(mapping);
    int opened = process_open_mapped(&process, mapping);
    if (opened >= 0) { /* by /proc/PID/map_files, which takes privileges */
        close(opened);
        expect_opened(&process, mapping, "content");
    }
    munmap(mapped, 4096);
    close(fd);
    close(other_fd);
    unlink(path);
    maps_free(&maps);
    process_close(&process);
}

static void test_maps_of_a_process_that_is_gone(void **state) {
    (void)state;
    struct process process;
    struct maps maps;
    struct error error = {0};
    pid_t pid = idle_child();
    assert_int_equal(process_open(&process, pid, NULL), STATUS_OK);
    kill(pid, SIGKILL);
    reap(pid);
    assert_int_equal(maps_read(&process, &maps, &error), STATUS_GONE);
    assert_int_equal(error.status, STATUS_GONE);
    maps_free(&maps);
    process_close(&process);
}

/* ---- symbols ---- */

int test_reader_symbol = 1;
static int in_a_section __attribute__((used, section(".pyrometer_test"))) = 2;

static void expect_located(const struct process *process, const struct maps *maps, const void *in,
                           const char *symbol, const char *section, const void *expected) {
    struct remote found = {0};
    const struct mapping *file = mapping_of(maps, in);
    assert_non_null(file);
    assert_int_equal(symbols_locate(process, maps, file, symbol, section, NULL, &found), STATUS_OK);
    assert_int_equal(found.addr, at(expected).addr);
}

static void test_symbols_of_the_program(void **state) {
    (void)state;
    struct process process = self();
    struct maps maps;
    struct remote found;
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    expect_located(&process, &maps, &test_reader_symbol, "test_reader_symbol", NULL,
                   &test_reader_symbol);
    expect_located(&process, &maps, &test_reader_symbol, NULL, ".pyrometer_test", &in_a_section);
    expect_located(&process, &maps, &test_reader_symbol, "no_such_symbol", ".pyrometer_test",
                   &in_a_section);
    const struct mapping *program = mapping_of(&maps, &test_reader_symbol);
    assert_int_equal(symbols_locate(&process, &maps, program, "no_such_symbol", ".no_such_section",
                                    NULL, &found),
                     STATUS_NOT_FOUND);
    assert_int_equal(symbols_locate(&process, &maps, program, NULL, NULL, NULL, &found),
                     STATUS_NOT_FOUND);
    maps_free(&maps);
    process_close(&process);
}

static void test_symbols_of_a_library(void **state) {
    (void)state;
    struct process process = self();
    struct maps maps;
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    /* As the library sees itself: our own may be elsewhere, the linker's or a sanitizer's. */
    const struct mapping *library = NULL;
    for (size_t i = 0; i < maps.count && library == NULL; i++) {
        library = strstr(maps.items[i].path, "/libcmocka.so") != NULL ? &maps.items[i] : NULL;
    }
    assert_non_null(library);
    struct remote found = {0};
    assert_int_equal(
        symbols_locate(&process, &maps, library, "_cmocka_run_group_tests", NULL, NULL, &found),
        STATUS_OK);
    const struct mapping *there = mapping_of(&maps, (const void *)(uintptr_t)found.addr);
    assert_non_null(there);
    assert_true(there->is_executable);
    assert_int_equal(there->inode, library->inode);
    maps_free(&maps);
    process_close(&process);
}

/* What was found once is found again without looking, in the same file only. */
static void test_symbols_that_are_remembered(void **state) {
    (void)state;
    struct process process = self();
    struct maps maps;
    struct remote found = {0};
    struct remote again = {0};
    struct symbols_memo *memo = symbols_memo_create();
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    const struct mapping *program = mapping_of(&maps, &test_reader_symbol);
    assert_int_equal(
        symbols_locate(&process, &maps, program, "test_reader_symbol", NULL, memo, &found),
        STATUS_OK);
    /* Only who does not look finds a symbol that is not there. */
    assert_int_equal(symbols_locate(&process, &maps, program, "no_such_symbol", NULL, memo, &again),
                     STATUS_OK);
    assert_int_equal(again.addr, found.addr);
    for (size_t i = 0; i < maps.count; i++) {
        bool is_other = maps.items[i].inode != 0 && maps.items[i].inode != program->inode;
        assert_true(!is_other || symbols_locate(&process, &maps, &maps.items[i], "no_such_symbol",
                                                NULL, memo, &again) == STATUS_NOT_FOUND);
    }
    symbols_memo_destroy(memo);
    maps_free(&maps);
    process_close(&process);
}

/* A program may read its own file through a mapping that lies below the one it runs from. */
static void test_program_that_is_mapped_twice(void **state) {
    (void)state;
    struct process process = self();
    struct maps maps;
    int fd = open("/proc/self/exe", O_RDONLY);
    void *low = mmap((void *)(uintptr_t)0x10000000, 65536, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(low != MAP_FAILED);
    assert_true(at(low).addr < at(&test_reader_symbol).addr);
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    expect_located(&process, &maps, &test_reader_symbol, "test_reader_symbol", NULL,
                   &test_reader_symbol);
    expect_located(&process, &maps, low, "test_reader_symbol", NULL, &test_reader_symbol);
    munmap(low, 65536);
    close(fd);
    maps_free(&maps);
    process_close(&process);
}

static void test_file_without_symbols(void **state) {
    (void)state;
    char path[] = "/tmp/pyrometer-XXXXXX";
    struct process process = self();
    struct maps maps;
    struct remote found;
    int fd = new_file(path, "\177ELF but no more than that");
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(mapped != MAP_FAILED);
    assert_int_equal(maps_read(&process, &maps, NULL), STATUS_OK);
    assert_int_equal(
        symbols_locate(&process, &maps, mapping_of(&maps, mapped), "main", ".text", NULL, &found),
        STATUS_NOT_FOUND);
    munmap(mapped, 4096);
    close(fd);
    unlink(path);
    maps_free(&maps);
    process_close(&process);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_that_is_not_there),
        cmocka_unit_test(test_zombie),
        cmocka_unit_test(test_own_process),
        cmocka_unit_test(test_end_of_a_process),
        cmocka_unit_test(test_another_process_with_the_same_pid),
        cmocka_unit_test(test_execution_of_another_program),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_threads_of_a_process_that_is_gone),
        cmocka_unit_test(test_own_maps),
        cmocka_unit_test(test_file_with_an_odd_name),
        cmocka_unit_test(test_file_that_was_replaced),
        cmocka_unit_test(test_maps_of_a_process_that_is_gone),
        cmocka_unit_test(test_symbols_of_the_program),
        cmocka_unit_test(test_symbols_of_a_library),
        cmocka_unit_test(test_symbols_that_are_remembered),
        cmocka_unit_test(test_program_that_is_mapped_twice),
        cmocka_unit_test(test_file_without_symbols),
    };
    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
