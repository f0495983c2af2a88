/* Where samples go as they are taken: the trace, a recording, the progress line, later a live view.
 * The sampler knows only this. */
#ifndef PYROMETER_MODEL_SINK_H
#define PYROMETER_MODEL_SINK_H

#include <stdbool.h>

#include "profiler/base/status.h"
#include "profiler/model/health.h"
#include "profiler/model/sample.h"

struct sink {
    void *context;
    /* One sample. Called in order of time. A failure ends the run. May be NULL. */
    enum status (*push)(void *context, const struct sample *sample, struct error *error);
    /* The end of a tick, with the counts so far. May be NULL. Must not block. */
    void (*tick)(void *context, const struct health *health);
    bool wants_all; /* samples that do not count in the mode of the run, too */
};

#endif
