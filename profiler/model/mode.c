#include "profiler/model/mode.h"

#include <stddef.h>
#include <string.h>

#include "profiler/model/sample.h"

const struct mode modes[] = {
    {"wall", "every sample counts, whatever the thread was doing", 0},
    {"cpu", "the thread was on a CPU, by the kernel's account", STATE_RUNNING},
    {"gil", "it held the GIL, or was attached where there is none", STATE_HAS_GIL},
    {"exception", "it was handling an exception, in except or finally", STATE_EXCEPTION},
    {NULL, NULL, 0},
};

const struct mode *mode_by_name(const char *name) {
    for (const struct mode *mode = modes; mode->name != NULL; mode++) {
        if (strcmp(mode->name, name) == 0) {
            return mode;
        }
    }
    return NULL;
}

bool mode_keeps(const struct mode *mode, uint32_t state) {
    return mode->states == 0 || (mode->states & state) != 0;
}
