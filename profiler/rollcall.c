#include "profiler/rollcall.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/dwell.h"
#include "profiler/placing.h"

enum {
    CALL_MS = 500,
    CALL_SHARE = 20, /* calling takes one part in so many of the time */
};

/* Where a task was seen. */
struct sight {
    uint64_t at;
    uint64_t coroutine; /* another one at the same address has another of these, mostly */
    uint64_t awaited;
    struct stack_id stack;
    uint32_t state;
    uint64_t since_ns;
};

struct sights {
    struct sight *items; /* by address */
    size_t count;
    size_t capacity;
};

struct rollcall {
    struct session *session;
    struct trace *trace;
    struct tasks *tasks;
    struct placing *placing;
    struct sights now;
    struct sights before;
    struct roll_entry *entries;
    size_t capacity;
    uint64_t called_ns; /* last; 0: never */
    uint64_t due_ns;
};

/* ---- since when ---- */

static int compare_sights(const void *left, const void *right) {
    const struct sight *a = left;
    const struct sight *b = right;
    return a->at < b->at ? -1 : a->at > b->at;
}

static const struct sight *find_before(const struct rollcall *rollcall, uint64_t at) {
    struct sight key = {.at = at};
    return rollcall->before.count > 0 ? bsearch(&key, rollcall->before.items,
                                                rollcall->before.count, sizeof key, compare_sights)
                                      : NULL;
}

/* Enters where a task is, and returns since when it has been there. Who is there for the first time
 * came since the call before, in the middle of that as dwell.h has it, or was there before the
 * first. */
static uint64_t note_sight(struct rollcall *rollcall, const struct raw_task *task,
                           const struct roll_entry *entry, uint64_t now_ns) {
    struct sights *sights = &rollcall->now;
    struct sight sight = {task->at,     task->coroutine, task->awaited,
                          entry->stack, entry->state,    now_ns};
    if (rollcall->called_ns != 0) {
        sight.since_ns = dwell_change_ns(rollcall->called_ns, now_ns);
    }
    const struct sight *before = find_before(rollcall, task->at);
    if (before != NULL && before->coroutine == sight.coroutine &&
        before->awaited == sight.awaited && before->stack.id == sight.stack.id &&
        before->state == sight.state) {
        sight.since_ns = before->since_ns;
    }
    if (sights->count == sights->capacity) {
        sights->items =
            memory_grow(sights->items, sizeof *sights->items, sights->count + 1, &sights->capacity);
    }
    sights->items[sights->count++] = sight;
    return sight.since_ns;
}

static void turn_sights(struct rollcall *rollcall) {
    struct sights spare = rollcall->before;
    rollcall->before = rollcall->now;
    rollcall->now = spare;
    rollcall->now.count = 0;
    if (rollcall->before.count > 1) {
        qsort(rollcall->before.items, rollcall->before.count, sizeof *rollcall->before.items,
              compare_sights);
    }
}

/* ---- who and where ---- */

static struct task_key key_of(const struct rollcall *rollcall, struct stack_id marked,
                              const struct raw_task *task, uint64_t now_ns) {
    const struct trace *trace = rollcall->trace;
    struct frame_id marker = trace_stack(trace, marked)->frame;
    struct task_key key = {.marker = trace_frame(trace, marker)->function};
    if (task->root_code != 0) {
        key.coroutine = resolve_function(rollcall->session->resolve, task->root_code, now_ns);
    }
    return key;
}

static enum roll_state state_of(const struct raw_task *task) {
    return !task->is_confirmed ? ROLL_MOVES
           : task->is_running  ? ROLL_RUNS
           : task->is_created  ? ROLL_BEGINS
                               : ROLL_WAITS;
}

static void enter(struct rollcall *rollcall, const struct task_look *look, size_t number,
                  uint64_t now_ns) {
    const struct raw_task *task = &look->tasks[number];
    struct roll_entry *entry = &rollcall->entries[number];
    struct stack_id marked = placing_task(rollcall->placing, look, task, now_ns);
    *entry = (struct roll_entry){
        .pid = (uint32_t)rollcall->session->process->pid,
        .state = state_of(task),
        .at = task->at,
        .key = key_of(rollcall, marked, task, now_ns),
        .name = trace_text(rollcall->trace, task_name(look, task), task->name_length),
    };
    if (entry->state == ROLL_WAITS) {
        entry->stack = placing_waiting(rollcall->placing, look, task, now_ns);
    }
    uint64_t since_ns = note_sight(rollcall, task, entry, now_ns);
    entry->since_ns = entry->state == ROLL_WAITS || entry->state == ROLL_BEGINS ? since_ns : 0;
}

/* Tells those who wait for a task that they do. */
static void enter_awaited(struct rollcall *rollcall, const struct task_look *look, size_t number) {
    const struct raw_task *task = &look->tasks[number];
    for (size_t i = 0; i < task->parent_count && task->is_confirmed; i++) {
        const struct raw_task *waiter = task_find(look, look->parents[task->first_parent + i]);
        if (waiter != NULL) {
            struct roll_entry *entry = &rollcall->entries[waiter - look->tasks];
            entry->awaited =
                entry->awaited_count == 0 ? rollcall->entries[number].name : entry->awaited;
            entry->awaited_count++;
        }
    }
}

/* ---- the whole ---- */

bool rollcall_is_due(const struct rollcall *rollcall, uint64_t now_ns) {
    return now_ns >= rollcall->due_ns;
}

/* Two looks, right after each other: what is the same in both was so in between. */
static enum status look_twice(struct rollcall *rollcall, const struct raw_look *threads,
                              const struct task_look **out) {
    enum status status = tasks_look(rollcall->tasks, threads, TASKS_ALL, out);
    if (status == STATUS_OK && (*out)->count > 0) {
        status = tasks_look(rollcall->tasks, threads, TASKS_ALL, out);
        tasks_confirm(rollcall->tasks);
    }
    return status;
}

enum status rollcall_take(struct rollcall *rollcall, const struct raw_look *threads,
                          uint64_t now_ns, const struct roll_entry **out, size_t *count_out) {
    const struct task_look *look;
    enum status status = look_twice(rollcall, threads, &look);
    *count_out = 0;
    *out = rollcall->entries;
    if (status != STATUS_OK) {
        return status;
    }
    if (look->count > rollcall->capacity) {
        rollcall->entries = memory_grow(rollcall->entries, sizeof *rollcall->entries, look->count,
                                        &rollcall->capacity);
    }
    for (size_t i = 0; i < look->count; i++) {
        enter(rollcall, look, i, now_ns);
    }
    for (size_t i = 0; i < look->count; i++) {
        enter_awaited(rollcall, look, i);
    }
    turn_sights(rollcall);
    rollcall->called_ns = now_ns;
    *out = rollcall->entries;
    *count_out = look->count;
    uint64_t cost_ns = clock_monotonic_ns() - now_ns;
    uint64_t pause_ns = CALL_MS * NS_PER_MS;
    rollcall->due_ns = now_ns + (cost_ns * CALL_SHARE > pause_ns ? cost_ns * CALL_SHARE : pause_ns);
    return STATUS_OK;
}

struct rollcall *rollcall_create(struct session *session, struct trace *trace) {
    struct rollcall *rollcall = memory_zeroed(1, sizeof *rollcall);
    rollcall->session = session;
    rollcall->trace = trace;
    rollcall->tasks = tasks_create(&session->runtime, session->process);
    rollcall->placing = placing_create(session, trace);
    return rollcall;
}

void rollcall_destroy(struct rollcall *rollcall) {
    if (rollcall == NULL) {
        return;
    }
    tasks_destroy(rollcall->tasks);
    placing_destroy(rollcall->placing);
    free(rollcall->now.items);
    free(rollcall->before.items);
    free(rollcall->entries);
    free(rollcall);
}
