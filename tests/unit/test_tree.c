#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "reader/tree.h"

static void expect_nodes(const struct tree *tree, const struct tree_node *wanted, size_t count) {
    assert_int_equal(tree->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tree->nodes[i].pid, wanted[i].pid);
        assert_int_equal(tree->nodes[i].parent, wanted[i].parent);
    }
}

static void test_nearest_come_first(void **state) {
    (void)state;
    static const struct tree_node all[] = {{1, 0},  {9, 20},  {20, 10}, {30, 20}, {10, 1},
                                           {11, 1}, {12, 11}, {15, 10}, {4, 15}};
    static const struct tree_node wanted[] = {{10, 0}, {15, 10}, {20, 10},
                                              {4, 15}, {9, 20},  {30, 20}};
    struct tree tree;
    tree_build(&tree, 10, all, sizeof all / sizeof all[0]);
    expect_nodes(&tree, wanted, sizeof wanted / sizeof wanted[0]);
    assert_false(tree.is_cut);
    tree_free(&tree);
}

static void test_alone(void **state) {
    (void)state;
    static const struct tree_node all[] = {{1, 0}, {7, 1}, {8, 1}};
    static const struct tree_node wanted[] = {{7, 0}};
    struct tree tree;
    tree_build(&tree, 7, all, 3);
    expect_nodes(&tree, wanted, 1);
    tree_free(&tree);
    tree_build(&tree, 7, NULL, 0);
    expect_nodes(&tree, wanted, 1);
    tree_free(&tree);
}

/* A process that is its own ancestor, as when a PID was used again while /proc was read. */
static void test_circles_end(void **state) {
    (void)state;
    static const struct tree_node all[] = {{7, 8}, {8, 7}, {8, 8}, {9, 9}};
    struct tree tree;
    tree_build(&tree, 7, all, 4);
    assert_true(tree.is_cut);
    assert_int_equal(tree.count, TREE_LIMIT);
    tree_free(&tree);
}

static void test_too_many_are_cut(void **state) {
    (void)state;
    struct tree_node *all = memory_zeroed(TREE_LIMIT, sizeof *all);
    struct tree tree;
    for (int i = 0; i < TREE_LIMIT; i++) {
        all[i] = (struct tree_node){2 + i, 1};
    }
    tree_build(&tree, 1, all, TREE_LIMIT - 1);
    assert_int_equal(tree.count, TREE_LIMIT);
    assert_false(tree.is_cut);
    tree_free(&tree);
    tree_build(&tree, 1, all, TREE_LIMIT);
    assert_int_equal(tree.count, TREE_LIMIT);
    assert_true(tree.is_cut);
    tree_free(&tree);
    free(all);
}

/* A child and its child, both waiting to be killed; the inner one's number comes by a pipe. */
static pid_t start_two(pid_t *inner_out) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t outer = fork();
    if (outer == 0) {
        pid_t inner = fork();
        if (inner != 0) {
            ssize_t ignored = write(ends[1], &inner, sizeof inner);
            (void)ignored;
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ends[0], inner_out, sizeof *inner_out), sizeof *inner_out);
    close(ends[0]);
    close(ends[1]);
    return outer;
}

static void test_of_real_processes(void **state) {
    (void)state;
    pid_t inner;
    pid_t outer = start_two(&inner);
    struct tree_node wanted[] = {{getpid(), 0}, {outer, getpid()}, {inner, outer}};
    struct tree tree;
    tree_read(&tree, getpid());
    kill(inner, SIGKILL);
    kill(outer, SIGKILL);
    waitpid(outer, NULL, 0);
    expect_nodes(&tree, wanted, 3);
    assert_int_equal(tree_parent(getpid()), getppid());
    assert_int_equal(tree_parent(outer), -1);
    tree_free(&tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_come_first), cmocka_unit_test(test_alone),
        cmocka_unit_test(test_circles_end),        cmocka_unit_test(test_too_many_are_cut),
        cmocka_unit_test(test_of_real_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
