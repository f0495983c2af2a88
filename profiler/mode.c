#include "profiler/mode.h"

#include <stddef.h>
#include <string.h>

static uint64_t weigh_elapsed(uint64_t elapsed_ns) {
    return elapsed_ns;
}

const struct mode modes[] = {
    {"wall", "every sample counts, whatever the thread was doing", "wall time", weigh_elapsed},
    {NULL, NULL, NULL, NULL},
};

const struct mode *mode_by_name(const char *name) {
    for (const struct mode *mode = modes; mode->name != NULL; mode++) {
        if (strcmp(mode->name, name) == 0) {
            return mode;
        }
    }
    return NULL;
}
