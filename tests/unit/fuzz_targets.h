/* What is fed with bytes that nobody can foresee: each target takes any bytes, and must neither
 * crash nor go on for ever nor fail the test. Run by test_fuzz.c with random bytes, and by
 * tests/fuzz/libfuzzer.c with bytes that libFuzzer finds. */
#ifndef PYROMETER_TESTS_UNIT_FUZZ_TARGETS_H
#define PYROMETER_TESTS_UNIT_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

typedef void fuzz_target(const uint8_t *data, size_t bytes);

struct fuzz_row {
    const char *name;
    fuzz_target *run;
    size_t bytes;        /* how many are worth giving it, at most */
    uint32_t iterations; /* in the unit tests: about a second */
};

/* Every target; ends with a row whose name is NULL. */
extern const struct fuzz_row fuzz_rows[];

#endif
