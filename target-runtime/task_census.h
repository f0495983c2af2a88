/* Who there is: the addresses of all tasks and greenlets, kept up to date a bit at a time, so that
 * no tick is late because of it, however many there are. Those who are new are found in every look
 * where a list has them at its end (3.14+), else with the next round through the sets, or through
 * Python's memory.
 *
 * Members come in turn, in an order that has nothing to do with where or when they came: any run of
 * them is a fair sample of all. */
#ifndef PYROMETER_TARGET_RUNTIME_TASK_CENSUS_H
#define PYROMETER_TARGET_RUNTIME_TASK_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "target-runtime/runtime.h"
#include "target-runtime/task_lists.h"

struct task_census;

/* Calls `visit` with every place where tasks are kept, as task_lists_each_place. */
typedef enum status task_census_places(void *context, const struct raw_look *threads,
                                       place_visit *visit, void *visit_context);

/* `context` is for `places`; it is borrowed and must outlive it, as the runtime's memory. */
struct task_census *task_census_create(const struct runtime *runtime, task_census_places *places,
                                       void *context);
/* Accepts NULL. */
void task_census_destroy(struct task_census *census);

/* Who is found from now on has been there since then, as far as can be known. Finds those who have
 * come last, where that costs little. GONE, NOT_PERMITTED. */
enum status task_census_catch_up(struct task_census *census, uint64_t since_ns) MUST_CHECK;
/* Goes on with the round through all places by some microseconds' work; `*is_over_out`: the round
 * ends here, and whoever was not met in it has gone. GONE, NOT_PERMITTED. */
enum status task_census_step(struct task_census *census, const struct raw_look *threads,
                             bool *is_over_out) MUST_CHECK;

size_t task_census_count(const struct task_census *census);

struct task_census_member {
    uint64_t task; /* its address; it may have ended */
    uint64_t since_ns;
    uint32_t slot;   /* small; used again when it is gone */
    uint32_t serial; /* tells those with one slot apart; not 0 */
};

/* The next in turn; false when there is nobody. */
bool task_census_next(struct task_census *census, struct task_census_member *out);
/* Whether somebody who came in turn is still one of them. */
bool task_census_has(const struct task_census *census, uint32_t slot, uint32_t serial);
/* It turned out to be no task any more. */
void task_census_drop(struct task_census *census, uint32_t slot);

#endif
