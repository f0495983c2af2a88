#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "reader/functions.h"
#include "reader/perf_map.h"

static const char *name_at(const struct functions *functions, uint64_t address) {
    const struct function *found = functions_find(functions, address);
    return found != NULL ? found->name : "-";
}

static void test_find(void **state) {
    (void)state;
    struct functions functions = {0};
    functions_sort(&functions);
    assert_null(functions_find(&functions, 5));
    functions_add(&functions, 300, 10, "last", 0);
    functions_add(&functions, 100, 50, "first", 0);
    functions_add(&functions, 200, 0, "endless", 2);
    functions_sort(&functions);
    assert_string_equal(name_at(&functions, 99), "-");
    assert_string_equal(name_at(&functions, 100), "first");
    assert_string_equal(name_at(&functions, 149), "first");
    assert_string_equal(name_at(&functions, 150), "-");
    assert_string_equal(name_at(&functions, 299), "endless");
    assert_string_equal(name_at(&functions, 300), "last");
    assert_string_equal(name_at(&functions, 310), "-");
    assert_string_equal(name_at(&functions, UINT64_MAX), "-");
    functions_free(&functions);
}

static void test_several_names(void **state) {
    (void)state;
    struct functions functions = {0};
    functions_add(&functions, 100, 0, "__GI___read", 2);
    functions_add(&functions, 100, 20, "__read", 1);
    functions_add(&functions, 100, 20, "read", 1);
    functions_add(&functions, 200, 0, "wait", 0);
    functions_add(&functions, 200, 8, "a_local_one", 2);
    functions_sort(&functions);
    assert_int_equal(functions.count, 2);
    assert_string_equal(name_at(&functions, 119), "read");
    assert_string_equal(name_at(&functions, 207), "wait");
    assert_string_equal(name_at(&functions, 208), "-"); /* another name says how long it is */
    functions_free(&functions);
}

static void test_names(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"malloc", "malloc"},
        {"_PyEval_EvalFrameDefault.cold", "_PyEval_EvalFrameDefault"},
        {"list_sort.constprop.0.isra.3", "list_sort"},
        {"memcpy@@GLIBC_2.14", "memcpy"},
        {"_ZN3foo3barEi", "foo::bar"},
        {"_ZN3foo3barEi.part.0", "foo::bar"},
        {"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back"},
        {"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"},
        {"_RNvC6_123foo3bar", "123foo::bar"},
        {"_ZNot a name", "_ZNot a name"},
        {".cold", ".cold"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer text = {0};
        buffer_append(&text, "", 0);
        functions_append_name(cases[i][0], &text);
        assert_string_equal(text.data != NULL ? text.data : "", cases[i][1]);
        buffer_deinit(&text);
    }
}

/* A name may be of any length; demangling recurses. */
static void test_long_names(void **state) {
    (void)state;
    enum { LENGTH = 1 << 20 };
    struct functions functions = {0};
    struct buffer text = {0};
    char *name = malloc(LENGTH + 1);
    assert_non_null(name);
    memcpy(name, "_Z1fI", 5);
    memset(name + 5, 'P', LENGTH - 5);
    name[LENGTH] = '\0';
    functions_add(&functions, 1, 1, name, 0);
    functions_append_name(name, &text);
    assert_in_range(text.length, 1, 4096);
    assert_in_range(strlen(functions.items[0].name), 1, 4096);
    free(name);
    buffer_deinit(&text);
    functions_free(&functions);
}

static void add_line(struct functions *functions, const char *text) {
    char line[200];
    strncpy(line, text, sizeof line - 1);
    line[sizeof line - 1] = '\0';
    perf_map_add_line(functions, line);
}

static void test_perf_map(void **state) {
    (void)state;
    struct functions map = {0};
    add_line(&map, "7f0000000100 20 py::work:/srv/a b.py\n");
    add_line(&map, "0x7f0000000200 0x10 LazyCompile\n");
    add_line(&map, "7f0000000300 0 empty\n");
    add_line(&map, "7f0000000400 10\n");
    add_line(&map, "7f0000000500 10 \n");
    add_line(&map, "ffffffffffffffff 10 wraps\n");
    add_line(&map, "nothing\n");
    add_line(&map, "\n");
    add_line(&map, "");
    functions_sort(&map);
    assert_int_equal(map.count, 2);
    assert_string_equal(name_at(&map, 0x7f000000011f), "py::work:/srv/a b.py");
    assert_string_equal(name_at(&map, 0x7f0000000120), "-");
    assert_string_equal(name_at(&map, 0x7f0000000200), "LazyCompile");
    functions_free(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),     cmocka_unit_test(test_several_names),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_perf_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
