#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/output.h"

/* ---- helpers ---- */

enum { NOBODY = 65534, SMALL_BYTES = 4096 };

static char folder[64];
static char paths[4][128];

/* A path in the folder of this test, borrowed until the fourth call after this one. */
static const char *in_folder(const char *name) {
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state) {
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/pyrometer-XXXXXX",
             temporary != NULL && strlen(temporary) < 30 ? temporary : "/tmp");
    umask(022);
    return mkdtemp(folder) != NULL && chmod(folder, 0755) == 0 ? 0 : -1;
}

static size_t files_in_folder(void) {
    size_t count = 0;
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(list);
    return count;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void expect_content(const char *path, const char *expected) {
    char text[256] = {0};
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_int_equal(bytes, strlen(expected));
    assert_string_equal(text, expected);
}

static enum status write_text(const void *context, FILE *out, struct error *error) {
    (void)error;
    fputs(context, out);
    return STATUS_OK;
}

static enum status write_then_fail(const void *context, FILE *out, struct error *error) {
    fputs(context, out);
    fflush(out);
    return error_set(error, STATUS_INTERNAL, "not what was wanted");
}

static enum status write_much(const void *context, FILE *out, struct error *error) {
    (void)error;
    for (int i = 0; i < 100000; i++) {
        fputs(context, out);
    }
    return STATUS_OK;
}

static void expect_written(const char *path, const char *text) {
    struct error error = {0};
    if (output_write(path, write_text, text, &error) != STATUS_OK) {
        fail_msg("%s: %s", path, error.detail);
    }
}

static void expect_refused(const char *path, output_content *content, int os_errno) {
    struct error error = {0};
    assert_int_equal(output_write(path, content, "new", &error), STATUS_NO_OUTPUT);
    assert_int_equal(error.status, STATUS_NO_OUTPUT);
    assert_non_null(strstr(error.detail, path));
    if (os_errno != 0) {
        assert_int_equal(error.os_errno, os_errno);
    }
}

/* Runs `task` in a child as nobody; 0 when all was well. */
static int as_nobody(int (*task)(void)) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        bool is_nobody = geteuid() != 0 || (setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
        _exit(is_nobody ? task() : 99);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- regular files ---- */

static void test_new_file(void **state) {
    (void)state;
    expect_written(in_folder("new.txt"), "hello");
    expect_content(in_folder("new.txt"), "hello");
    expect_written(in_folder("empty.txt"), "");
    expect_content(in_folder("empty.txt"), "");
    assert_int_equal(files_in_folder(), 2);
}

static void test_mode_follows_the_umask(void **state) {
    (void)state;
    static const mode_t masks[] = {022, 027, 077, 0};
    for (size_t i = 0; i < 4; i++) {
        struct stat info;
        mode_t before = umask(masks[i]);
        expect_written(in_folder("masked.txt"), "x");
        umask(before);
        assert_int_equal(stat(in_folder("masked.txt"), &info), 0);
        assert_int_equal(info.st_mode & 0777, 0666 & ~masks[i]);
    }
}

/* Who has the old file open goes on reading the old file. */
static void test_old_file_is_replaced_whole(void **state) {
    (void)state;
    char text[16] = {0};
    put(in_folder("x.txt"), "old");
    int old = open(in_folder("x.txt"), O_RDONLY);
    expect_written(in_folder("x.txt"), "a longer text");
    expect_content(in_folder("x.txt"), "a longer text");
    assert_int_equal(read(old, text, sizeof text), 3);
    assert_string_equal(text, "old");
    close(old);
    assert_int_equal(files_in_folder(), 1);
}

static void test_old_file_stays_when_the_content_fails(void **state) {
    (void)state;
    struct error error = {0};
    put(in_folder("x.txt"), "old");
    assert_int_equal(output_write(in_folder("x.txt"), write_then_fail, "half", &error),
                     STATUS_INTERNAL);
    assert_string_equal(error.detail, "not what was wanted");
    expect_content(in_folder("x.txt"), "old");
    assert_int_equal(output_write(in_folder("y.txt"), write_then_fail, "half", &error),
                     STATUS_INTERNAL);
    assert_int_equal(access(in_folder("y.txt"), F_OK), -1);
    assert_int_equal(files_in_folder(), 1);
}

static void limit_file_size(rlim_t bytes, struct rlimit *before) {
    assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
    struct rlimit limit = {bytes, before->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The limit on the size of files stands for a full disk. */
static void test_old_file_stays_when_the_disk_is_full(void **state) {
    (void)state;
    struct rlimit before;
    put(in_folder("x.txt"), "old");
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit_file_size(SMALL_BYTES, &before);
    struct error error = {0};
    enum status much = output_write(in_folder("x.txt"), write_much, "much", &error);
    int code = error.os_errno;
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(much, STATUS_NO_OUTPUT);
    assert_int_equal(code, EFBIG);
    expect_content(in_folder("x.txt"), "old");
    assert_int_equal(files_in_folder(), 1);
}

/* So little is written that it fails at the very end. */
static void test_failure_at_the_flush(void **state) {
    (void)state;
    struct rlimit before;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit_file_size(1, &before);
    struct error error = {0};
    enum status little = output_write(in_folder("x.txt"), write_text, "little", &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(little, STATUS_NO_OUTPUT);
    assert_int_equal(files_in_folder(), 0);
}

static void test_long_names(void **state) {
    (void)state;
    char name[256];
    memset(name, 'n', sizeof name);
    name[255] = '\0';
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    expect_written(path, "long");
    expect_content(path, "long");
    assert_int_equal(files_in_folder(), 1);
    free(path);
}

static void test_name_without_a_folder(void **state) {
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    struct error error = {0};
    enum status checked = output_check("plain.txt", &error);
    enum status written = output_write("plain.txt", write_text, "plain", &error);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(checked, STATUS_OK);
    assert_int_equal(written, STATUS_OK);
    expect_content(in_folder("plain.txt"), "plain");
}

/* What an earlier run with the same PID (in a container, each has) left when it was killed. */
static void test_left_over_part(void **state) {
    (void)state;
    char name[64];
    snprintf(name, sizeof name, ".x.txt.%d.part", (int)getpid());
    put(in_folder(name), "half of it");
    expect_written(in_folder("x.txt"), "all of it");
    expect_content(in_folder("x.txt"), "all of it");
}

/* ---- links ---- */

static void test_symbolic_link_is_followed(void **state) {
    (void)state;
    struct stat info;
    assert_int_equal(mkdir(in_folder("real"), 0755), 0);
    put(in_folder("real/target.txt"), "old");
    assert_int_equal(symlink("real/target.txt", in_folder("link.txt")), 0);
    expect_written(in_folder("link.txt"), "new");
    assert_int_equal(lstat(in_folder("link.txt"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    expect_content(in_folder("real/target.txt"), "new");
    assert_int_equal(files_in_folder(), 2);
}

/* /data/newest.html -> /data/2026/profile.html, which this run is to make. */
static void test_symbolic_link_to_what_is_not_there_yet(void **state) {
    (void)state;
    struct stat info;
    assert_int_equal(mkdir(in_folder("real"), 0755), 0);
    assert_int_equal(symlink("real/target.txt", in_folder("link.txt")), 0);
    expect_written(in_folder("link.txt"), "new");
    assert_int_equal(lstat(in_folder("link.txt"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    expect_content(in_folder("real/target.txt"), "new");
}

static void test_chain_of_links(void **state) {
    (void)state;
    assert_int_equal(mkdir(in_folder("a"), 0755), 0);
    assert_int_equal(mkdir(in_folder("a/b"), 0755), 0);
    assert_int_equal(symlink("a/second", in_folder("first")), 0);
    assert_int_equal(symlink("b/third", in_folder("a/second")), 0);
    assert_int_equal(symlink(in_folder("last.txt"), in_folder("a/b/third")), 0);
    expect_written(in_folder("first"), "new");
    expect_content(in_folder("last.txt"), "new");
    assert_int_equal(files_in_folder(), 3);
}

static void test_links_in_a_circle(void **state) {
    (void)state;
    assert_int_equal(symlink("b", in_folder("a")), 0);
    assert_int_equal(symlink("a", in_folder("b")), 0);
    struct error error = {0};
    enum status status = output_write(in_folder("a"), write_text, "new", &error);
    /* Either it is refused, or one of the two is a file then; it ends. */
    assert_true(status == STATUS_OK || status == STATUS_NO_OUTPUT);
    assert_int_equal(files_in_folder(), 2);
}

/* ---- what is no regular file ---- */

/* A file that is open stays the one that it is, as with a shell's `> file`. */
static void test_open_file_is_written_to(void **state) {
    (void)state;
    struct stat before;
    struct stat after;
    struct error error = {0};
    char path[32];
    put(in_folder("open.txt"), "");
    int file = open(in_folder("open.txt"), O_WRONLY);
    assert_int_equal(fstat(file, &before), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", file);
    assert_int_equal(output_check(path, &error), STATUS_OK);
    expect_written(path, "through the descriptor");
    expect_content(in_folder("open.txt"), "through the descriptor");
    assert_int_equal(stat(in_folder("open.txt"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    close(file);
}

static void test_devices_are_written_to(void **state) {
    (void)state;
    struct stat info;
    struct error error = {0};
    assert_int_equal(output_check("/dev/null", &error), STATUS_OK);
    expect_written("/dev/null", "away");
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    expect_refused("/dev/full", write_text, ENOSPC);
    expect_refused("/dev/full", write_much, ENOSPC);
}

static void test_pipe_is_written_to(void **state) {
    (void)state;
    char text[16] = {0};
    struct stat info;
    const char *path = in_folder("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    expect_written(path, "through");
    assert_int_equal(read(reader, text, sizeof text), 7);
    assert_string_equal(text, "through");
    close(reader);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(files_in_folder(), 1);
}

static void test_standard_output(void **state) {
    (void)state;
    struct error error = {0};
    put(in_folder("out.txt"), "");
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    int file = open(in_folder("out.txt"), O_WRONLY);
    dup2(file, STDOUT_FILENO);
    enum status first = output_write("-", write_text, "one ", &error);
    enum status second = output_write("-", write_text, "two", &error);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(file);
    assert_int_equal(first, STATUS_OK);
    assert_int_equal(second, STATUS_OK);
    assert_int_equal(output_check("-", &error), STATUS_OK);
    expect_content(in_folder("out.txt"), "one two");
}

/* ---- where nothing can be written ---- */

static void test_folder_is_no_file(void **state) {
    (void)state;
    struct error error = {0};
    assert_int_equal(output_check(folder, &error), STATUS_NO_OUTPUT);
    assert_int_equal(error.os_errno, EISDIR);
    assert_non_null(strstr(error.detail, folder));
    expect_refused(folder, write_text, EISDIR);
}

static void test_folder_that_is_not_there(void **state) {
    (void)state;
    struct error error = {0};
    const char *path = in_folder("not/there.txt");
    assert_int_equal(output_check(path, &error), STATUS_NO_OUTPUT);
    assert_int_equal(error.os_errno, ENOENT);
    assert_non_null(strstr(error.detail, path));
    expect_refused(path, write_text, ENOENT);
}

static int write_where_forbidden(void) {
    struct error error = {0};
    struct error later = {0};
    enum status checked = output_check(in_folder("x.txt"), &error);
    enum status written = output_write(in_folder("x.txt"), write_text, "new", &later);
    return checked == STATUS_NO_OUTPUT && error.os_errno == EACCES && written == STATUS_NO_OUTPUT &&
                   later.os_errno == EACCES
               ? 0
               : 1;
}

static void test_folder_that_is_not_ours(void **state) {
    (void)state;
    put(in_folder("x.txt"), "old");
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(as_nobody(write_where_forbidden), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    expect_content(in_folder("x.txt"), "old");
}

static void test_check_makes_nothing(void **state) {
    (void)state;
    struct error error = {0};
    assert_int_equal(output_check(in_folder("x.txt"), &error), STATUS_OK);
    assert_int_equal(files_in_folder(), 0);
}

/* ---- names ---- */

static void expect_expanded(const char *path, const char *expected) {
    struct buffer out = {0};
    uint64_t wall_ns = UINT64_C(1795366209) * NS_PER_S + 999999999; /* 2026-11-22 16:50:09 UTC */
    output_expand_path(path, 4711, wall_ns, &out);
    assert_string_equal(out.data != NULL ? out.data : "", expected);
    buffer_deinit(&out);
}

static void test_expansion(void **state) {
    (void)state;
    setenv("TZ", "UTC0", 1);
    tzset();
    expect_expanded("plain.html", "plain.html");
    expect_expanded("", "");
    expect_expanded("a-%p.txt", "a-4711.txt");
    expect_expanded("%t", "20261122T165009");
    expect_expanded("%p%p/%t.x", "47114711/20261122T165009.x");
    expect_expanded("100%%", "100%");
    expect_expanded("%%p", "%p");
    expect_expanded("%x%", "%x%");
    expect_expanded("%%%", "%%");
    setenv("TZ", "XYZ-02:00", 1);
    tzset();
    expect_expanded("%t", "20261122T185009");
    unsetenv("TZ");
    tzset();
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_new_file),
        IN_FOLDER(test_mode_follows_the_umask),
        IN_FOLDER(test_old_file_is_replaced_whole),
        IN_FOLDER(test_old_file_stays_when_the_content_fails),
        IN_FOLDER(test_old_file_stays_when_the_disk_is_full),
        IN_FOLDER(test_failure_at_the_flush),
        IN_FOLDER(test_long_names),
        IN_FOLDER(test_name_without_a_folder),
        IN_FOLDER(test_left_over_part),
        IN_FOLDER(test_symbolic_link_is_followed),
        IN_FOLDER(test_symbolic_link_to_what_is_not_there_yet),
        IN_FOLDER(test_chain_of_links),
        IN_FOLDER(test_links_in_a_circle),
        IN_FOLDER(test_open_file_is_written_to),
        IN_FOLDER(test_devices_are_written_to),
        IN_FOLDER(test_pipe_is_written_to),
        IN_FOLDER(test_standard_output),
        IN_FOLDER(test_folder_is_no_file),
        IN_FOLDER(test_folder_that_is_not_there),
        IN_FOLDER(test_folder_that_is_not_ours),
        IN_FOLDER(test_check_makes_nothing),
        cmocka_unit_test(test_expansion),
    };
    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
