/* The targets of tests/unit/fuzz_targets.h for libFuzzer, which comes with clang; see fuzz.sh:
 *
 *   make fuzz                                what reads recordings, ten minutes
 *   tests/fuzz/fuzz.sh 600 lines             another target
 *   FUZZ_TARGET=lines build/fuzz/tests/libfuzzer FILE
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
