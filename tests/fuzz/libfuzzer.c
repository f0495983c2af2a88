/* The targets of tests/unit/fuzz_targets.h for libFuzzer, which comes with clang:
 *
 *   B=build/fuzz
 *   make CC=clang SAN=fuzzer-no-link,address,undefined BUILD=$B $B/libpyrometer.a
 *   clang -g -fsanitize=fuzzer,address,undefined -I. tests/fuzz/libfuzzer.c tests/unit/[!t]*.c \
 *     $B/libpyrometer.a -lcmocka -lelf -lcjson -o $B/fuzz
 *   FUZZ_TARGET=lines $B/fuzz -max_total_time=600
 *
 * A failed assertion ends the program, as libFuzzer wants it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fuzz_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct fuzz_row *chosen_row(void) {
    const char *name = getenv("FUZZ_TARGET");
    for (const struct fuzz_row *row = fuzz_rows; row->name != NULL; row++) {
        if (name != NULL && strcmp(row->name, name) == 0) {
            return row;
        }
    }
    fputs("FUZZ_TARGET must be one of:", stderr);
    for (const struct fuzz_row *row = fuzz_rows; row->name != NULL; row++) {
        fprintf(stderr, " %s", row->name);
    }
    fputs("\n", stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const struct fuzz_row *row;
    row = row != NULL ? row : chosen_row();
    if (bytes <= 4 * row->bytes) {
        row->run(data, bytes);
    }
    return 0;
}
