/* Tasks and futures of every version (task_layout.h), from the end of the object's head on. */
#include "target-runtime/task_layout.h"

#define NO_AWAITED_BY .awaited_by = TASK_NOWHERE, .awaited_by_is_set = TASK_NOWHERE
#define FUTURE        .loop = 0, .callback0 = 8, .callbacks = 24
/* fut_waiter, task_coro and task_name lie behind one another in every version. */
#define TASK(at) .waiter = (at), .coroutine = (at) + 8, .name = (at) + 16

#define BEFORE_3_14(bytes, state_at, task_at)                                                      \
    {                                                                                              \
        .body_bytes = (bytes), FUTURE, .state = (state_at), TASK(task_at), NO_AWAITED_BY,          \
        .node = TASK_NOWHERE                                                                       \
    }
#define SINCE_3_14                                                                                 \
    {                                                                                              \
        .body_bytes = 152, FUTURE, .awaited_by = 80, .state = 88, .awaited_by_is_set = 93,         \
        TASK(104), .node = 136                                                                     \
    }

const struct task_layout task_layouts_py3_8[] = {BEFORE_3_14(128, 56, 88), {0}};
const struct task_layout task_layouts_py3_9[] = {BEFORE_3_14(168, 64, 128), {0}};
const struct task_layout task_layouts_py3_10[] = {
    BEFORE_3_14(168, 64, 128), /* to 3.10.5 */
    BEFORE_3_14(176, 72, 136), /* gh-90082 */
    {0},
};
const struct task_layout task_layouts_py3_11[] = {BEFORE_3_14(160, 72, 112), {0}};
const struct task_layout task_layouts_py3_12[] = {BEFORE_3_14(160, 72, 112), {0}};
const struct task_layout task_layouts_py3_13[] = {BEFORE_3_14(128, 80, 96), {0}};
const struct task_layout task_layouts_py3_14[] = {SINCE_3_14, {0}};
const struct task_layout task_layouts_py3_15[] = {SINCE_3_14, {0}};
