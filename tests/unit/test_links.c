#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "target-runtime/links.h"

static void test_links_are_found_until_others_take_their_place(void **state) {
    (void)state;
    struct links links = {0};
    assert_null(links_find(&links, 0));
    assert_null(links_find(&links, 4096));
    links_clear(&links);
    for (uint64_t at = 4096; at < 4096 + 1000 * 16; at += 16) {
        links_note(&links, &(struct link){at, at + 1, LINK_ENTRY});
        assert_int_equal(links_find(&links, at)->previous, at + 1);
        assert_null(links_find(&links, at + 16));
    }
    links_note(&links, &(struct link){4096, 5, LINK_GENERATOR});
    assert_int_equal(links_find(&links, 4096)->previous, 5);
    assert_int_equal(links_find(&links, 4096)->kind, LINK_GENERATOR);
    assert_null(links_find(&links, 0));
    links_clear(&links);
    assert_null(links_find(&links, 4096));
    links_deinit(&links);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_are_found_until_others_take_their_place),
    };
    return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
