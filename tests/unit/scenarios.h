/* Runs the same tests against a Python of every layout, each as a test of its own. */
#ifndef PYROMETER_TESTS_UNIT_SCENARIOS_H
#define PYROMETER_TESTS_UNIT_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/unit/python.h"

struct scenario {
    const char *name;
    void (*run)(struct python *python);        /* with a Python that was just made */
    bool (*fits)(const struct layout *layout); /* NULL: every layout does */
};

#define SCENARIO(function)           ((struct scenario){#function, function, NULL})
#define SCENARIO_FOR(function, fits) ((struct scenario){#function, function, fits})

/* One test for each scenario and layout that fits it, called "NAME, LABEL". Returns how many
 * failed. */
int scenarios_run(const char *group, const struct scenario *scenarios, size_t count);

#endif
