#include "target-runtime/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "reader/memory_blocks.h"
#include "target-runtime/coroutine.h"
#include "target-runtime/greenlets.h"
#include "target-runtime/task_lists.h"
#include "target-runtime/task_parents.h"
#include "target-runtime/task_reader.h"

enum {
    CHAIN_LIMIT = 4096,  /* coroutines that await one another */
    KINDS_LOOKS = 256,   /* how long it is believed what types are */
    STATE_PENDING = 0,   /* Modules/_asynciomodule.c, fut_state */
    NOTED_LIMIT = 256,   /* tasks that run at once */
    TASK_BYTES = 256,    /* covers a TaskObj */
    WAITERS_LIMIT = 256, /* tasks that wait for one another, one after the other */
    LOOK_OF_ONE = 2,     /* of tasks.looks; the others take turns */
    LOOKS,
};

/* The loop that was asked last which thread runs it. */
struct known_loop {
    uint64_t at;
    uint64_t ident;
};

struct tasks {
    struct task_reader reader;
    struct memory *live; /* the target's, borrowed */
    struct memory blocks;
    struct task_lists lists;
    struct greenlets greenlets;
    struct memory note_blocks; /* the few that tasks_note needs */
    uint64_t noted[NOTED_LIMIT];
    size_t noted_count;
    struct memory one_blocks; /* what tasks_read_one needs */
    struct memory one;        /* notes that */
    uint8_t *one_bytes;       /* of which everything is read twice */
    size_t one_capacity;
    struct range *one_ranges;
    size_t one_range_capacity;
    struct known_loop loop;
    struct task_look looks[LOOKS];
    size_t newest; /* of them; the one that is being filled */
    uint32_t look_count;
    enum status status; /* of the look being taken */
};

/* ---- one task ---- */

/* What is read of a task first. */
struct head {
    struct remote loop;
    struct remote coroutine;
    struct remote name;
    bool is_pending;
};

static struct remote field_of(const struct task_reader *reader, const uint8_t *bytes,
                              uint16_t field) {
    return load_remote(bytes + reader->head_bytes + field);
}

static enum status read_head(const struct task_reader *reader, struct remote at, uint64_t size,
                             struct head *out) {
    const struct task_layout *row = task_reader_row(reader, size);
    uint8_t bytes[TASK_BYTES];
    if (row == NULL || size > sizeof bytes) {
        return STATUS_BAD_LAYOUT;
    }
    enum status status = memory_read_one(reader->runtime.memory, at, bytes, (uint32_t)size);
    if (status == STATUS_OK) {
        out->loop = field_of(reader, bytes, row->loop);
        out->coroutine = field_of(reader, bytes, row->coroutine);
        out->name = field_of(reader, bytes, row->name);
        out->is_pending = load_u32(bytes + reader->head_bytes + row->state) == STATE_PENDING;
    }
    return status;
}

/* Of a task made in Python; while it is pending its state is an attribute of the class. */
static enum status read_python_head(const struct task_reader *reader, struct remote at,
                                    struct head *out) {
    const struct runtime *runtime = &reader->runtime;
    struct remote state;
    enum status status = attribute_find(runtime, at, "_coro", &out->coroutine);
    if (status == STATUS_OK) {
        status = attribute_find(runtime, at, "_loop", &out->loop);
    }
    if (status == STATUS_OK) {
        status = attribute_find(runtime, at, "_name", &out->name);
    }
    if (status == STATUS_OK) {
        status = attribute_find(runtime, at, "_state", &state);
        out->is_pending = status == STATUS_NOT_FOUND;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_name(struct task_reader *reader, struct remote name, struct buffer *out) {
    enum object_kind kind;
    uint64_t number;
    enum status status = task_reader_kind(reader, name, &kind);
    if (status != STATUS_OK) {
        return status;
    }
    if (kind != KIND_INTEGER) {
        return object_text(&reader->runtime, name, out);
    }
    status = object_integer(&reader->runtime, name, &number);
    if (status == STATUS_OK) {
        buffer_printf(out, "Task-%llu", (unsigned long long)number);
    }
    return status;
}

/* The thread that runs a loop (Lib/asyncio/base_events.py, run_forever), where the loop is one of
 * asyncio's own kind. */
static uint64_t ident_of_loop(struct tasks *tasks, struct remote loop) {
    struct runtime runtime = tasks->reader.runtime;
    struct remote value;
    uint64_t ident = 0;
    if (loop.addr != tasks->loop.at) {
        runtime.memory = &tasks->blocks; /* it is no part of the task */
        bool is_known = attribute_find(&runtime, loop, "_thread_id", &value) == STATUS_OK &&
                        object_integer(&runtime, value, &ident) == STATUS_OK;
        tasks->loop = (struct known_loop){loop.addr, is_known ? ident : 0};
    }
    return tasks->loop.ident;
}

/* Whether a coroutine is in a handler: it keeps NULL else, or None once it has left one (-3.11). */
static enum status is_in_handler(struct tasks *tasks, const struct coroutine *coroutine,
                                 bool *out) {
    enum object_kind kind = KIND_NONE;
    enum status status = coroutine->handled.addr != 0
                             ? task_reader_kind(&tasks->reader, coroutine->handled, &kind)
                             : STATUS_OK;
    *out = kind != KIND_NONE && kind != KIND_UNREADABLE;
    return status;
}

/* One coroutine of the chain; where it leads is in `*object`, NULL at the end. */
static enum status follow_coroutine(struct tasks *tasks, struct raw_task *task, bool is_root,
                                    struct remote *object) {
    struct coroutine coroutine;
    bool has_exception = false;
    enum status status = coroutine_read(&tasks->reader.runtime, *object, &coroutine);
    if (status == STATUS_OK) {
        status = is_in_handler(tasks, &coroutine, &has_exception);
    }
    if (status != STATUS_OK) {
        return status;
    }
    task->has_exception = task->has_exception || has_exception;
    if (is_root) {
        task->root_frame = coroutine.frame.at;
        task->root_code = coroutine.frame.code;
        task->is_created = coroutine.state == COROUTINE_CREATED;
    }
    task->is_running = task->is_running || coroutine.state == COROUTINE_RUNNING;
    if (coroutine.state != COROUTINE_RUNNING && coroutine.state != COROUTINE_ENDED) {
        task_look_push_frame(&tasks->looks[tasks->newest], &coroutine.frame);
    }
    object->addr = coroutine.awaited.addr;
    return STATUS_OK;
}

/* Follows what the task's coroutine awaits, from one to the next, to what is no coroutine. */
static enum status follow_chain(struct tasks *tasks, struct raw_task *task) {
    struct task_look *look = &tasks->looks[tasks->newest];
    struct remote object = {task->coroutine};
    enum status status = STATUS_OK;
    task->first_frame = look->frame_count;
    for (int i = 0; i < CHAIN_LIMIT && object.addr != 0 && status == STATUS_OK; i++) {
        enum object_kind kind;
        status = task_reader_kind(&tasks->reader, object, &kind);
        if (status == STATUS_OK && kind == KIND_GENERATOR) {
            status = follow_coroutine(tasks, task, i == 0, &object);
        } else if (status == STATUS_OK && kind == KIND_WRAPPER) {
            status = task_reader_inner(&tasks->reader, object, &object);
        } else if (status == STATUS_OK) {
            task->awaited = object.addr;
            if (kind == KIND_FUTURE_ITERATOR) {
                status = task_reader_inner(&tasks->reader, object, &object);
                task->awaited = object.addr;
            }
            object.addr = 0;
        }
    }
    task->frame_count = task->is_running ? 0 : look->frame_count - task->first_frame;
    look->frame_count = task->first_frame + task->frame_count;
    return status;
}

struct parent_visit {
    struct task_look *look;
    const struct raw_task *task;
};

static bool add_parent(void *context, struct remote parent) {
    struct parent_visit *visit = context;
    struct task_look *look = visit->look;
    for (size_t i = visit->task->first_parent; i < look->parent_count; i++) {
        if (look->parents[i] == parent.addr) {
            return true;
        }
    }
    if (look->parent_count == look->parent_capacity) {
        look->parents = memory_grow(look->parents, sizeof *look->parents, look->parent_count + 1,
                                    &look->parent_capacity);
    }
    look->parents[look->parent_count++] = parent.addr;
    return true;
}

static enum status add_parents(struct tasks *tasks, struct raw_task *task) {
    struct task_look *look = &tasks->looks[tasks->newest];
    struct parent_visit visit = {look, task};
    task->first_parent = look->parent_count;
    enum status status =
        task_parents_each(&tasks->reader, (struct remote){task->at}, add_parent, &visit);
    task->parent_count = look->parent_count - task->first_parent;
    return status;
}

/* One that has no frames of its own now is of interest only to who asks for that very one. */
static enum status read_greenlet(struct tasks *tasks, struct raw_task *task) {
    struct task_look *look = &tasks->looks[tasks->newest];
    bool is_one = tasks->newest == LOOK_OF_ONE;
    enum status status = greenlets_read(&tasks->greenlets, &tasks->reader.runtime,
                                        is_one ? &tasks->one_blocks : &tasks->blocks, look, task);
    if (status == STATUS_OK && (!task->is_running || is_one)) {
        task->first_parent = look->parent_count;
        task_look_push(look, task);
    }
    return status;
}

static enum status read_task(struct tasks *tasks, struct remote at) {
    struct task_look *look = &tasks->looks[tasks->newest];
    struct raw_task task = {.at = at.addr, .name_at = look->texts.length};
    struct head head = {.is_pending = false};
    enum object_kind kind;
    uint64_t size;
    enum status status = kinds_find(&tasks->reader.kinds, &tasks->reader.runtime, at, &kind, &size);
    if (status == STATUS_OK && kind == KIND_TASK) {
        status = read_head(&tasks->reader, at, size, &head);
    } else if (status == STATUS_OK && kind == KIND_PYTHON_TASK) {
        status = read_python_head(&tasks->reader, at, &head);
    } else if (status == STATUS_OK && kind == KIND_GREENLET) {
        return read_greenlet(tasks, &task);
    }
    if (status != STATUS_OK || !head.is_pending) {
        return status;
    }
    task.loop = head.loop.addr;
    task.loop_ident = ident_of_loop(tasks, head.loop);
    task.coroutine = head.coroutine.addr;
    status = read_name(&tasks->reader, head.name, &look->texts);
    task.name_length = look->texts.length - task.name_at;
    if (status == STATUS_OK) {
        status = follow_chain(tasks, &task);
    }
    if (status == STATUS_OK) {
        status = add_parents(tasks, &task);
    }
    if (status == STATUS_OK) {
        task_look_push(look, &task);
    }
    return status;
}

static bool visit_task(void *context, struct remote at) {
    struct tasks *tasks = context;
    if (task_find(&tasks->looks[tasks->newest], at.addr) == NULL) {
        enum status status = read_task(tasks, at);
        bool is_fatal = status == STATUS_GONE || status == STATUS_NOT_PERMITTED;
        tasks->status = is_fatal ? status : tasks->status;
    }
    return tasks->status == STATUS_OK;
}

static void visit_noted(struct tasks *tasks) {
    for (size_t i = 0; i < tasks->noted_count && tasks->status == STATUS_OK; i++) {
        visit_task(tasks, (struct remote){tasks->noted[i]});
    }
}

/* The tasks that wait for those that are there, and so on. */
static void visit_waiters(struct tasks *tasks) {
    struct task_look *look = &tasks->looks[tasks->newest];
    for (size_t i = 0; i < look->parent_count && tasks->status == STATUS_OK; i++) {
        visit_task(tasks, (struct remote){look->parents[i]});
    }
}

static bool note_task(void *context, struct remote at) {
    struct tasks *tasks = context;
    if (tasks->noted_count < NOTED_LIMIT) {
        tasks->noted[tasks->noted_count++] = at.addr;
    }
    return tasks->noted_count < NOTED_LIMIT;
}

enum status tasks_note(struct tasks *tasks, const struct raw_look *threads) {
    tasks->noted_count = 0;
    if (threads == NULL) {
        return STATUS_OK;
    }
    tasks->reader.runtime.memory = &tasks->note_blocks;
    enum status status = memory_blocks_renew(&tasks->note_blocks);
    if (status == STATUS_OK) {
        status = task_lists_each_running(&tasks->lists, &tasks->reader, threads, note_task, tasks);
    }
    tasks->reader.runtime.memory = &tasks->blocks;
    return status;
}

enum status tasks_look(struct tasks *tasks, const struct raw_look *threads, enum tasks_scope scope,
                       const struct task_look **out) {
    tasks->newest = 1 - tasks->newest;
    tasks->loop = (struct known_loop){0};
    task_look_reset(&tasks->looks[tasks->newest]);
    *out = &tasks->looks[tasks->newest];
    if (tasks->look_count++ % KINDS_LOOKS == 0) {
        kinds_clear(&tasks->reader.kinds);
    }
    tasks->status = memory_blocks_renew(&tasks->blocks);
    if (tasks->status != STATUS_OK) {
        return tasks->status;
    }
    enum status status =
        scope != TASKS_RUNNING
            ? task_lists_each(&tasks->lists, &tasks->reader, threads, visit_task, tasks)
            : task_lists_each_running(&tasks->lists, &tasks->reader, threads, visit_task, tasks);
    if (scope == TASKS_RUNNING) {
        visit_noted(tasks);
    }
    struct greenlet_search *search = &tasks->greenlets.search;
    if (scope == TASKS_AND_GREENLETS && status == STATUS_OK &&
        greenlet_search_is_worth(search, threads)) {
        status = greenlet_search_each(search, visit_task, tasks);
    }
    visit_waiters(tasks);
    return status != STATUS_OK ? status : tasks->status;
}

/* ---- one task ---- */

/* The task that waits first for the last one of the look; false if there is none. */
static bool visit_first_waiter(struct tasks *tasks) {
    const struct task_look *look = &tasks->looks[tasks->newest];
    size_t count = look->count;
    const struct raw_task last = look->tasks[count - 1];
    for (size_t i = 0; i < last.parent_count && look->count == count; i++) {
        uint64_t parent = look->parents[last.first_parent + i];
        if (task_find(look, parent) != NULL || !visit_task(tasks, (struct remote){parent})) {
            return false;
        }
    }
    return look->count > count;
}

static void fill_one(struct tasks *tasks, uint64_t at) {
    struct task_look *look = &tasks->looks[LOOK_OF_ONE];
    size_t turn = tasks->newest;
    tasks->newest = LOOK_OF_ONE;
    tasks->reader.runtime.memory = &tasks->one;
    tasks->status = STATUS_OK;
    task_look_reset(look);
    memory_tape_begin(&tasks->one);
    visit_task(tasks, (struct remote){at});
    while (look->count > 0 && look->count < WAITERS_LIMIT && visit_first_waiter(tasks)) {
    }
    tasks->reader.runtime.memory = &tasks->blocks;
    tasks->newest = turn;
}

/* Reads what the notes tell of from `memory`. */
static enum status digest_notes(struct tasks *tasks, struct memory *memory,
                                const struct task_reading *reading, bool *is_there_out,
                                uint64_t *out) {
    size_t bytes = 0;
    for (size_t i = 0; i < reading->note_count; i++) {
        bytes += reading->notes[i].bytes;
    }
    tasks->one_bytes = memory_grow(tasks->one_bytes, 1, bytes + 1, &tasks->one_capacity);
    tasks->one_ranges = memory_grow(tasks->one_ranges, sizeof *tasks->one_ranges,
                                    reading->note_count + 1, &tasks->one_range_capacity);
    bytes = 0;
    for (size_t i = 0; i < reading->note_count; i++) {
        tasks->one_ranges[i] = memory_note_range(reading->notes[i], tasks->one_bytes + bytes);
        bytes += reading->notes[i].bytes;
    }
    enum status status = memory_read(memory, tasks->one_ranges, reading->note_count);
    *is_there_out =
        status == STATUS_OK && memory_notes_digest(tasks->one_ranges, reading->note_count, out);
    return status;
}

enum status tasks_read_one(struct tasks *tasks, uint64_t at, struct task_reading *out) {
    uint64_t again = 0;
    bool was_there = false;
    bool is_there = false;
    *out = (struct task_reading){.look = &tasks->looks[LOOK_OF_ONE]};
    fill_one(tasks, at);
    if (tasks->status != STATUS_OK) {
        return tasks->status;
    }
    out->is_whole = memory_tape_notes(&tasks->one, &out->notes, &out->note_count);
    enum status status = digest_notes(tasks, &tasks->one_blocks, out, &was_there, &out->digest);
    if (status == STATUS_OK) {
        status = digest_notes(tasks, tasks->live, out, &is_there, &again);
    }
    out->is_moving = status == STATUS_OK && (!was_there || !is_there || again != out->digest);
    if (out->is_moving) {
        task_look_reset(&tasks->looks[LOOK_OF_ONE]);
        memory_blocks_forget(&tasks->one_blocks);
    }
    return status;
}

void tasks_forget(struct tasks *tasks) {
    memory_blocks_forget(&tasks->one_blocks);
}

enum status tasks_each_place(struct tasks *tasks, const struct raw_look *threads,
                             place_visit *visit, void *context) {
    return task_lists_each_place(&tasks->lists, &tasks->reader, threads, visit, context);
}

/* ---- two looks ---- */

bool tasks_confirm(struct tasks *tasks) {
    struct task_look *now = &tasks->looks[tasks->newest];
    const struct task_look *before = &tasks->looks[1 - tasks->newest];
    bool is_all = now->count == before->count;
    for (size_t i = 0; i < now->count; i++) {
        const struct raw_task *other = task_find(before, now->tasks[i].at);
        now->tasks[i].is_confirmed =
            other != NULL && task_look_same(now, &now->tasks[i], before, other);
        is_all = is_all && now->tasks[i].is_confirmed;
    }
    return is_all;
}

/* ---- life ---- */

struct tasks *tasks_create(const struct runtime *runtime, const struct process *process) {
    struct tasks *tasks = memory_zeroed(1, sizeof *tasks);
    tasks->reader.runtime = *runtime;
    tasks->live = runtime->memory;
    memory_open_blocks(&tasks->blocks, runtime->memory);
    memory_open_blocks(&tasks->note_blocks, runtime->memory);
    memory_open_blocks(&tasks->one_blocks, runtime->memory);
    memory_open_tape(&tasks->one, &tasks->one_blocks);
    tasks->reader.runtime.memory = &tasks->blocks;
    tasks->reader.head_bytes = LAYOUT_AT(runtime->layout, object, type) + 8;
    tasks->lists.process = process;
    greenlets_init(&tasks->greenlets, runtime, process);
    tasks->lists.search = &tasks->greenlets.search;
    for (size_t i = 0; i < LOOKS; i++) {
        task_look_reset(&tasks->looks[i]);
    }
    return tasks;
}

void tasks_destroy(struct tasks *tasks) {
    if (tasks == NULL) {
        return;
    }
    for (size_t i = 0; i < LOOKS; i++) {
        task_look_deinit(&tasks->looks[i]);
    }
    free(tasks->one_bytes);
    free(tasks->one_ranges);
    task_lists_deinit(&tasks->lists);
    greenlets_deinit(&tasks->greenlets);
    kinds_deinit(&tasks->reader.kinds);
    memory_close(&tasks->blocks);
    memory_close(&tasks->note_blocks);
    memory_close(&tasks->one);
    memory_close(&tasks->one_blocks);
    free(tasks);
}
