#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/base/footprint.h"
#include "profiler/base/status.h"
#include "profiler/base/strings.h"
#include "profiler/base/table.h"

static void test_status_rows(void **state) {
    (void)state;
    assert_string_equal(status_name(STATUS_OK), "OK");
    assert_int_equal(status_exit(STATUS_OK), 0);
    assert_int_equal(status_exit(STATUS_NO_OUTPUT), 7);
    for (int i = 0; i < STATUS_COUNT; i++) {
        assert_true(strlen(status_name((enum status)i)) > 0);
        assert_true(strlen(status_sentence((enum status)i)) > 0);
        assert_non_null(status_hint((enum status)i));
        assert_int_equal(status_exit((enum status)i) == EXIT_DONE, i == STATUS_OK);
    }
}

static void test_error_set(void **state) {
    (void)state;
    struct error error = {0};
    errno = EACCES;
    assert_int_equal(error_set(&error, STATUS_NOT_PERMITTED, "pid %d", 7), STATUS_NOT_PERMITTED);
    assert_int_equal(errno, EACCES);
    assert_int_equal(error.status, STATUS_NOT_PERMITTED);
    assert_int_equal(error.os_errno, EACCES);
    assert_int_equal(error.address, 0);
    assert_string_equal(error.detail, "pid 7");

    assert_int_equal(error_set_at(&error, STATUS_TORN, 0x1234, "frame"), STATUS_TORN);
    assert_int_equal(error.address, 0x1234);
    assert_int_equal(error_set(NULL, STATUS_GONE, "nobody listens"), STATUS_GONE);
}

/* A detail that is too long must not end in half a character. */
static void test_error_detail_is_cut_between_characters(void **state) {
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x90\x8d"};
    for (size_t c = 0; c < 4; c++) {
        for (size_t pad = 0; pad < 4; pad++) {
            struct buffer text = {0};
            buffer_append(&text, "xxx", pad);
            while (text.length < 1000) {
                buffer_append(&text, characters[c], strlen(characters[c]));
            }
            struct error error;
            error_set(&error, STATUS_INTERNAL, "%s", text.data);
            size_t length = strlen(error.detail);
            assert_true(length < sizeof error.detail);
            assert_true(length + 4 >= sizeof error.detail);
            assert_int_equal((length - pad) % strlen(characters[c]), 0);
            assert_memory_equal(error.detail, text.data, length);
            buffer_deinit(&text);
        }
    }
}

static void test_arena_memory_is_zeroed_and_aligned(void **state) {
    (void)state;
    struct arena arena = {0};
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4096, 20000, 65536, 1000000};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 200; i++) {
            size_t bytes = sizes[i % (sizeof sizes / sizeof sizes[0])];
            unsigned char *memory = arena_alloc(&arena, bytes);
            assert_int_equal((uintptr_t)memory % 16, 0);
            for (size_t b = 0; b < bytes; b++) {
                assert_int_equal(memory[b], 0);
            }
            memset(memory, 0xff, bytes);
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
    assert_null(arena.newest);
    arena_release(&arena);
}

static void test_arena_pieces_do_not_overlap(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    struct arena arena = {0};
    unsigned char *pieces[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t bytes = 1 + i * 7 % 300 + (i % 500 == 0 ? 40000 : 0);
        pieces[i] = arena_alloc(&arena, bytes);
        memset(pieces[i], (int)(i & 0xff), bytes);
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t bytes = 1 + i * 7 % 300 + (i % 500 == 0 ? 40000 : 0);
        for (size_t b = 0; b < bytes; b++) {
            assert_int_equal(pieces[i][b], i & 0xff);
        }
    }
    arena_release(&arena);
}

static void want_too_much_of_arena(void) {
    struct arena arena = {0};
    arena_alloc(&arena, SIZE_MAX);
}

static void want_too_many_items(void) {
    memory_zeroed(SIZE_MAX / 2, 4);
}

static void want_too_much_growth(void) {
    size_t capacity = 0;
    memory_grow(NULL, 8, SIZE_MAX / 4, &capacity);
}

/* Runs `wish` in a child, and says how the child ended. */
static int exit_of(void (*wish)(void)) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        fclose(stderr);
        wish();
        _exit(99);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_no_memory_ends_the_program(void **state) {
    (void)state;
    assert_int_equal(exit_of(want_too_much_of_arena), EXIT_INTERNAL);
    assert_int_equal(exit_of(want_too_many_items), EXIT_INTERNAL);
    assert_int_equal(exit_of(want_too_much_growth), EXIT_INTERNAL);
}

static void test_memory_grow(void **state) {
    (void)state;
    uint64_t *items = NULL;
    size_t capacity = 0;
    size_t moves = 0;
    for (size_t i = 0; i < 100000; i++) {
        size_t before = capacity;
        items = memory_grow(items, sizeof *items, i + 1, &capacity);
        assert_true(capacity > i);
        moves += capacity != before;
        items[i] = i;
    }
    assert_true(moves < 40); /* doubling, not one by one */
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(items[i], i);
    }
    free(items);
    void *nothing = memory_zeroed(0, 0);
    assert_non_null(nothing);
    free(nothing);
}

struct pair {
    uint32_t left;
    uint32_t right;
    uint64_t payload;
};

static void test_table_ids_count_up_and_rows_stay(void **state) {
    (void)state;
    enum { COUNT = 50000 };
    struct table table;
    table_init(&table, sizeof(struct pair), offsetof(struct pair, payload));
    struct pair missing = {.left = 1};
    assert_int_equal(table_find(&table, &missing), 0);
    struct pair **rows = memory_zeroed(COUNT, sizeof *rows);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct pair pair = {.left = i / 7, .right = i % 7, .payload = i};
        assert_int_equal(table_intern(&table, &pair), i + 1);
        rows[i] = table_row(&table, i + 1);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        struct pair pair = {.left = i / 7, .right = i % 7, .payload = 123};
        assert_int_equal(table_intern(&table, &pair), i + 1);
        assert_int_equal(table_find(&table, &pair), i + 1);
        assert_ptr_equal(table_row(&table, i + 1), rows[i]);
        assert_int_equal(rows[i]->payload, i);
    }
    missing.left = COUNT;
    assert_int_equal(table_find(&table, &missing), 0);
    assert_int_equal(table.count, COUNT);
    free(rows);
    table_deinit(&table);
    table_deinit(&table);
}

/* Keys of every length, equal but for the last byte. */
static void test_table_keys_of_any_length(void **state) {
    (void)state;
    for (size_t bytes = 1; bytes <= 40; bytes++) {
        struct table table;
        table_init(&table, bytes, bytes);
        for (unsigned last = 0; last < 256; last++) {
            unsigned char row[40] = {0};
            row[bytes - 1] = (unsigned char)last;
            assert_int_equal(table_intern(&table, row), last + 1);
        }
        for (unsigned last = 0; last < 256; last++) {
            unsigned char row[40] = {0};
            row[bytes - 1] = (unsigned char)last;
            assert_int_equal(table_find(&table, row), last + 1);
        }
        table_deinit(&table);
    }
}

/* Small counting keys, which every table here has, must not share many low hash bits. */
static void test_hash_spreads_counting_keys(void **state) {
    (void)state;
    enum { BUCKETS = 1024, PER_BUCKET = 16 };
    uint32_t buckets[BUCKETS] = {0};
    for (uint32_t i = 0; i < BUCKETS * PER_BUCKET; i++) {
        uint32_t key[2] = {i % 128, i / 128};
        buckets[hash_bytes(key, sizeof key) % BUCKETS]++;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        assert_in_range(buckets[i], 1, PER_BUCKET * 4);
    }
}

static int compare_hashes(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static size_t count_equal(const uint32_t *hashes, size_t count) {
    uint32_t *sorted = memory_zeroed(count, sizeof *sorted);
    size_t equal = 0;
    memcpy(sorted, hashes, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_hashes);
    for (size_t i = 1; i < count; i++) {
        equal += sorted[i] == sorted[i - 1];
    }
    free(sorted);
    return equal;
}

/* Enough different keys that some have the same hash: they must not be taken for each other. */
static void test_equal_hashes_are_different_keys(void **state) {
    (void)state;
    enum { COUNT = 500000 };
    struct table table;
    struct strings strings;
    uint32_t *hashes = memory_zeroed(COUNT, sizeof *hashes);
    table_init(&table, sizeof(uint64_t), sizeof(uint64_t));
    strings_init(&strings);
    for (uint32_t i = 0; i < COUNT; i++) {
        char text[16];
        int length = snprintf(text, sizeof text, "%u", i);
        uint64_t key = i;
        assert_int_equal(table_intern(&table, &key), i + 1);
        assert_int_equal(strings_intern(&strings, text, (size_t)length), i + 1);
        hashes[i] = hash_bytes(text, (size_t)length);
    }
    assert_true(count_equal(table.hashes, COUNT) > 0);
    assert_true(count_equal(hashes, COUNT) > 0);
    free(hashes);
    strings_deinit(&strings);
    table_deinit(&table);
}

static void test_strings(void **state) {
    (void)state;
    struct strings strings;
    strings_init(&strings);
    assert_int_equal(strings_intern(&strings, "", 0), 0);
    assert_int_equal(strings_intern(&strings, NULL, 0), 0);
    uint32_t plain = strings_intern(&strings, "ab", 2);
    uint32_t with_nul = strings_intern(&strings, "ab\0c", 4);
    assert_int_equal(plain, 1);
    assert_int_equal(with_nul, 2);
    const char *first = strings_text(&strings, plain, NULL);
    for (int i = 0; i < 20000; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "name %d", i);
        assert_int_equal(strings_intern(&strings, text, (size_t)length), (uint32_t)i + 3);
    }
    assert_int_equal(strings_intern(&strings, "name 77", 7), 80);
    assert_int_equal(strings_intern(&strings, "ab", 2), plain);
    assert_ptr_equal(strings_text(&strings, plain, NULL), first);
    size_t bytes = 99;
    assert_memory_equal(strings_text(&strings, with_nul, &bytes), "ab\0c", 5);
    assert_int_equal(bytes, 4);
    assert_string_equal(strings_text(&strings, 0, &bytes), "");
    assert_int_equal(bytes, 0);
    strings_deinit(&strings);
    strings_deinit(&strings);
}

static void test_buffer_append_and_printf(void **state) {
    (void)state;
    struct buffer buffer = {0};
    buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer.data, "");
    for (int i = 0; i < 1000; i++) {
        buffer_printf(&buffer, "%d,", i);
        buffer_append(&buffer, ".", 1);
        assert_int_equal(strlen(buffer.data), buffer.length);
    }
    assert_int_equal(strncmp(buffer.data, "0,.1,.2,.", 9), 0);
    assert_string_equal(buffer.data + buffer.length - 5, "999,.");
    buffer_clear(&buffer);
    assert_int_equal(buffer.length, 0);
    assert_string_equal(buffer.data, "");
    buffer_deinit(&buffer);
    buffer_clear(&buffer);
    buffer_deinit(&buffer);
}

struct utf8_case {
    const char *in;
    size_t bytes;
    const char *out; /* NULL: as it came */
};

static void test_buffer_append_utf8(void **state) {
    (void)state;
    static const struct utf8_case cases[] = {
        {"plain", 5, NULL},
        {"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x90\x8d", 11, NULL},
        {"\x7f\x01\n", 3, NULL},
        {"\xc2\x80", 2, NULL},
        {"\xdf\xbf", 2, NULL},
        {"\xe0\xa0\x80", 3, NULL},
        {"\xed\x9f\xbf", 3, NULL},
        {"\xee\x80\x80", 3, NULL},
        {"\xef\xbf\xbf", 3, NULL},
        {"\xf0\x90\x80\x80", 4, NULL},
        {"\xf4\x8f\xbf\xbf", 4, NULL},
        {"a\xff\xfe", 3, "a\\xff\\xfe"},
        {"\x80", 1, "\\x80"},
        {"\xc0\xaf", 2, "\\xc0\\xaf"},                   /* overlong '/' */
        {"\xc1\xbf", 2, "\\xc1\\xbf"},                   /* overlong */
        {"\xe0\x9f\xbf", 3, "\\xe0\\x9f\\xbf"},          /* overlong */
        {"\xf0\x8f\xbf\xbf", 4, "\\xf0\\x8f\\xbf\\xbf"}, /* overlong */
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},          /* first surrogate */
        {"\xed\xbf\xbf", 3, "\\xed\\xbf\\xbf"},          /* last surrogate */
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"}, /* U+110000 */
        {"\xf5\x80\x80\x80", 4, "\\xf5\\x80\\x80\\x80"}, /* past it */
        {"\xe4\xb8", 2, "\\xe4\\xb8"},                   /* cut short */
        {"\xe4\xb8z", 3, "\\xe4\\xb8z"},                 /* broken off */
        {"\xf0\x9f\x90z", 4, "\\xf0\\x9f\\x90z"},        /* broken off */
        {"\xe4\xe4\xb8\xad", 4, "\\xe4\xe4\xb8\xad"},    /* one starts over */
        {"\xc3\xa9\xff\xc3\xa9", 5, "\xc3\xa9\\xff\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* An exact copy on the heap, so that a sanitizer sees a read past the end. */
        char *in = memory_zeroed(cases[i].bytes, 1);
        memcpy(in, cases[i].in, cases[i].bytes);
        struct buffer buffer = {0};
        buffer_append_utf8(&buffer, in, cases[i].bytes);
        const char *out = cases[i].out ? cases[i].out : cases[i].in;
        assert_string_equal(buffer.data, out);
        assert_int_equal(buffer.length, strlen(out));
        buffer_deinit(&buffer);
        free(in);
    }
}

/* Every code point goes out as UTF-8 that comes back in unchanged. */
static void test_buffer_append_code_point(void **state) {
    (void)state;
    struct buffer one = {0};
    struct buffer again = {0};
    for (uint32_t code = 1; code <= 0x10ffff; code++) {
        bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
        buffer_clear(&one);
        buffer_clear(&again);
        buffer_append_code_point(&one, code);
        buffer_append_utf8(&again, one.data, one.length);
        size_t bytes = is_surrogate     ? 6
                       : code < 0x80    ? 1
                       : code < 0x800   ? 2
                       : code < 0x10000 ? 3
                                        : 4;
        assert_int_equal(one.length, bytes);
        assert_string_equal(one.data, again.data);
    }
    buffer_clear(&one);
    buffer_append_code_point(&one, 0x4e2d);
    buffer_append_code_point(&one, 0xd800);
    buffer_append_code_point(&one, 0x110000);
    buffer_append_code_point(&one, 0x1f40d);
    assert_string_equal(one.data, "\xe4\xb8\xad\\ud800\\u110000\xf0\x9f\x90\x8d");
    buffer_deinit(&one);
    buffer_deinit(&again);
}

static void test_clock(void **state) {
    (void)state;
    uint64_t before_ns = clock_monotonic_ns();
    clock_sleep_until_ns(before_ns + 2 * NS_PER_MS);
    assert_true(clock_monotonic_ns() >= before_ns + 2 * NS_PER_MS);
    clock_sleep_until_ns(before_ns); /* past: no wait */
    uint64_t cpu_ns = clock_cpu_ns();
    while (clock_cpu_ns() == cpu_ns) {
    }
    assert_true(clock_cpu_ns() > cpu_ns);
    uint64_t seconds = (uint64_t)time(NULL);
    assert_in_range(clock_wall_ns() / NS_PER_S, seconds - 1, seconds + 60);
}

static void on_alarm(int signal_number) {
    (void)signal_number;
}

/* Only the signal ends this sleep: a sleep that ignored it would never return. */
static void test_clock_sleep_ends_with_a_signal(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction old;
    sigaction(SIGALRM, &action, &old);
    timer_t timer;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
    struct itimerspec often = {.it_interval.tv_nsec = 5000000, .it_value.tv_nsec = 5000000};
    assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
    uint64_t deadline_ns = clock_monotonic_ns() + 3600 * NS_PER_S;
    clock_sleep_until_ns(deadline_ns);
    assert_true(clock_monotonic_ns() < deadline_ns);
    timer_delete(timer);
    sigaction(SIGALRM, &old, NULL);
}

/* What was resident once counts, also when it has been given back. */
static void test_footprint_is_the_peak(void **state) {
    (void)state;
    const size_t bytes = 64 << 20;
    uint8_t *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(block, MAP_FAILED);
    memset(block, 1, bytes);
    munmap(block, bytes);
    assert_true(footprint_peak_bytes() >= bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_rows),
        cmocka_unit_test(test_error_set),
        cmocka_unit_test(test_error_detail_is_cut_between_characters),
        cmocka_unit_test(test_arena_memory_is_zeroed_and_aligned),
        cmocka_unit_test(test_arena_pieces_do_not_overlap),
        cmocka_unit_test(test_no_memory_ends_the_program),
        cmocka_unit_test(test_memory_grow),
        cmocka_unit_test(test_table_ids_count_up_and_rows_stay),
        cmocka_unit_test(test_table_keys_of_any_length),
        cmocka_unit_test(test_hash_spreads_counting_keys),
        cmocka_unit_test(test_equal_hashes_are_different_keys),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_buffer_append_and_printf),
        cmocka_unit_test(test_buffer_append_utf8),
        cmocka_unit_test(test_buffer_append_code_point),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_clock_sleep_ends_with_a_signal),
        cmocka_unit_test(test_footprint_is_the_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
