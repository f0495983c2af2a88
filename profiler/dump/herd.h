/* All Pythons of a tree of processes, and which of their threads are in the same stack. */
#ifndef PYROMETER_PROFILER_DUMP_HERD_H
#define PYROMETER_PROFILER_DUMP_HERD_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/dump/take.h"
#include "profiler/model/trace.h"
#include "reader/process.h"

struct herd {
    uint32_t root;                    /* PID */
    struct dumped_process *processes; /* nearest to the root first */
    size_t count;
    size_t other_count; /* processes that are no Pythons, or cannot be read */
};

/* Looks at the process and all below it, one after the other. `out` is to be given to herd_free
 * even when that fails. NOT_PYTHON when there is no Python among them, or NOT_PERMITTED and others
 * of take_process when that is why. */
enum status herd_take(const struct process *root, struct trace *trace, const struct take_plan *plan,
                      struct herd *out, struct error *error) MUST_CHECK;
/* Looks at the process alone. Statuses as of take_process, and ABOVE_PYTHON when it is no Python
 * but some below it are. */
enum status herd_take_one(const struct process *root, struct trace *trace,
                          const struct take_plan *plan, struct herd *out,
                          struct error *error) MUST_CHECK;
/* Accepts a zeroed one. */
void herd_free(struct herd *herd);

/* A thread of a herd. */
struct herd_member {
    const struct dumped_process *process;
    const struct dumped_thread *thread;
};

/* Threads in one stack: `count` members from `first` on. */
struct herd_group {
    size_t first;
    size_t count;
    size_t process_count;
};

struct herd_groups {
    struct herd_member *members;
    struct herd_group *groups; /* the smallest first: whoever is alone with what it does */
    size_t count;
};

/* Borrows the herd. */
void herd_group(const struct herd *herd, struct herd_groups *out);
void herd_groups_free(struct herd_groups *groups);

#endif
