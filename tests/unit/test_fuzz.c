/* Random bytes for every target in fuzz_targets.h. The bytes follow from the number of the
 * iteration, so a failure is the same every time.
 *
 *   test_fuzz                       as a unit test: some iterations of each
 *   test_fuzz TARGET FIRST COUNT    iterations FIRST to FIRST + COUNT - 1 of one
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "tests/unit/fuzz_targets.h"

static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Few bytes often, many seldom. */
static void iterate(const struct fuzz_row *row, uint64_t number) {
    uint64_t random = number * UINT64_C(0xd1342543de82ef95);
    size_t limit = number % 4 == 0 ? row->bytes : 1 + row->bytes / 4;
    size_t bytes = next_random(&random) % (limit + 1);
    uint8_t *data = memory_zeroed(bytes, 1);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)next_random(&random);
    }
    row->run(data, bytes);
    free(data);
}

static void run_row(void **state) {
    const struct fuzz_row *row = *state;
    for (uint64_t number = 0; number < row->iterations; number++) {
        iterate(row, number);
    }
}

static int run_one(const char *name, uint64_t first, uint64_t count) {
    for (const struct fuzz_row *row = fuzz_rows; row->name != NULL; row++) {
        for (uint64_t i = 0; strcmp(row->name, name) == 0 && i < count; i++) {
            fprintf(stderr, "\r%s %llu ", name, (unsigned long long)(first + i));
            iterate(row, first + i);
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    enum { ROWS_LIMIT = 32 };
    struct CMUnitTest tests[ROWS_LIMIT];
    size_t count = 0;
    if (argc == 4) {
        return run_one(argv[1], strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    }
    for (; fuzz_rows[count].name != NULL && count < ROWS_LIMIT; count++) {
        void *row = (void *)(uintptr_t)&fuzz_rows[count];
        tests[count] = (struct CMUnitTest){fuzz_rows[count].name, run_row, NULL, NULL, row};
    }
    return _cmocka_run_group_tests("fuzz", tests, count, NULL, NULL);
}
