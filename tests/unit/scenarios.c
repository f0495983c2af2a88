#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tests/unit/scenarios.h"

struct pairing {
    const struct scenario *scenario;
    const struct layout *layout;
};

static void run_pairing(void **state) {
    const struct pairing *pairing = *state;
    struct python python;
    python_init(&python, pairing->layout);
    pairing->scenario->run(&python);
    python_deinit(&python);
}

static size_t layout_count(void) {
    size_t count = 0;
    while (layouts[count] != NULL) {
        count++;
    }
    return count;
}

int scenarios_run(const char *group, const struct scenario *scenarios, size_t count) {
    size_t limit = count * layout_count();
    size_t total = 0;
    struct pairing *pairings = memory_zeroed(limit, sizeof *pairings);
    struct CMUnitTest *tests = memory_zeroed(limit, sizeof *tests);
    struct buffer *names = memory_zeroed(limit, sizeof *names);
    for (size_t i = 0; i < limit; i++) {
        struct pairing pairing = {&scenarios[i % count], layouts[i / count]};
        if (pairing.scenario->fits != NULL && !pairing.scenario->fits(pairing.layout)) {
            continue;
        }
        pairings[total] = pairing;
        buffer_printf(&names[total], "%s, %s", pairing.scenario->name, pairing.layout->label);
        tests[total] =
            (struct CMUnitTest){names[total].data, run_pairing, NULL, NULL, &pairings[total]};
        total++;
    }
    int failed = _cmocka_run_group_tests(group, tests, total, NULL, NULL);
    for (size_t i = 0; i < total; i++) {
        buffer_deinit(&names[i]);
    }
    free(names);
    free(tests);
    free(pairings);
    return failed;
}
