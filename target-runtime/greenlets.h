/* Suspended greenlets (greenlet 2.0 and later): where each stands. Where the object of C++ has the
 * newest frame depends on the module's version and build: it is looked for once, as the one word of
 * it that leads to a frame object, and then believed of all others, of which the same must be so.
 */
#ifndef PYROMETER_TARGET_RUNTIME_GREENLETS_H
#define PYROMETER_TARGET_RUNTIME_GREENLETS_H

#include "profiler/base/status.h"
#include "target-runtime/greenlet_search.h"
#include "target-runtime/task_look.h"
#include "target-runtime/types.h"

struct greenlets {
    struct greenlet_search search;
    uint32_t newest_at;  /* of the pointer to the newest frame; 0: not known yet */
    uint64_t frame_type; /* of frame objects */
    struct types types;
};

void greenlets_init(struct greenlets *greenlets, const struct runtime *runtime,
                    const struct process *process);
/* Accepts zeroed ones. */
void greenlets_deinit(struct greenlets *greenlets);

/* Reads the greenlet at `task->at`, through `runtime`, into the look and the task, which is not
 * pushed; what does not say where it stands, through `beside`. One that has no frames of its own
 * now, as it runs, has not begun or is over, is told to be running. TORN when it cannot be one;
 * GONE, NOT_PERMITTED. */
enum status greenlets_read(struct greenlets *greenlets, const struct runtime *runtime,
                           struct memory *beside, struct task_look *look,
                           struct raw_task *task) MUST_CHECK;

#endif
