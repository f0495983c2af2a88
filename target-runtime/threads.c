#include "target-runtime/threads.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "target-runtime/objects.h"

enum {
    /* struct pthread.tid of glibc 2.31 to 2.41 on x86-64 (nptl/descr.h). Other C libraries: looked
     * for in the first bytes of the structure. */
    GLIBC_TID_OFFSET = 720,
    PTHREAD_BYTES = 2304,
};

static bool is_task(uint32_t id, const struct thread_ids *tasks, size_t task_count) {
    for (size_t i = 0; i < task_count; i++) {
        if (tasks[i].inner == (pid_t)id) {
            return id != 0;
        }
    }
    return false;
}

/* Looks for the id of a task in a thread's structure. */
static int32_t learn_offset(const struct runtime *runtime, uint64_t pthread,
                            const struct thread_ids *tasks, size_t task_count) {
    uint8_t bytes[PTHREAD_BYTES];
    uint32_t have = sizeof bytes;
    /* The structure may end before a whole page does. */
    while (have > 64 &&
           memory_read_one(runtime->memory, (struct remote){pthread}, bytes, have) != STATUS_OK) {
        have /= 2;
    }
    if (have <= 64) {
        return -1;
    }
    if (have >= GLIBC_TID_OFFSET + 4 &&
        is_task(load_u32(bytes + GLIBC_TID_OFFSET), tasks, task_count)) {
        return GLIBC_TID_OFFSET;
    }
    for (uint32_t at = 0; at + 4 <= have; at += 4) {
        if (is_task(load_u32(bytes + at), tasks, task_count)) {
            return (int32_t)at;
        }
    }
    return -1;
}

uint64_t thread_native_id(const struct runtime *runtime, const struct raw_thread *thread,
                          const struct thread_ids *tasks, size_t task_count,
                          struct thread_id_place *place) {
    uint8_t bytes[4];
    if (thread->native_id != 0 || LAYOUT_HAS(runtime->layout, thread, native_thread_id)) {
        return thread->native_id;
    }
    if (place->offset < 0) {
        place->offset = learn_offset(runtime, thread->ident, tasks, task_count);
    }
    if (place->offset < 0 ||
        memory_read_one(runtime->memory,
                        remote_at((struct remote){thread->ident}, (uint64_t)place->offset), bytes,
                        sizeof bytes) != STATUS_OK) {
        return 0;
    }
    return is_task(load_u32(bytes), tasks, task_count) ? load_u32(bytes) : 0;
}

struct active_list {
    const struct runtime *runtime;
    struct active_thread *items;
    size_t count;
    size_t capacity;
};

static bool collect_active(void *context, struct remote key, struct remote value) {
    struct active_list *list = context;
    uint64_t ident;
    if (object_integer(list->runtime, key, &ident) != STATUS_OK) {
        return true;
    }
    if (list->count == list->capacity) {
        list->items =
            memory_grow(list->items, sizeof *list->items, list->count + 1, &list->capacity);
    }
    list->items[list->count++] = (struct active_thread){ident, value};
    return true;
}

/* sys.modules["threading"].__dict__["_active"], Lib/threading.py: ident -> Thread. */
static enum status find_active(const struct runtime *runtime, struct remote interpreter,
                               struct dict_entries *out) {
    const struct layout *layout = runtime->layout;
    struct remote modules;
    struct remote module;
    struct remote dict;
    struct remote active;
    enum status status = memory_read_remote(
        runtime->memory, remote_at(interpreter, LAYOUT_AT(layout, interpreter, modules)), &modules);
    if (status == STATUS_OK) {
        status = modules.addr == 0 ? STATUS_NOT_FOUND
                                   : dict_find(runtime, modules, "threading", &module);
    }
    if (status == STATUS_OK) {
        status = memory_read_remote(runtime->memory,
                                    remote_at(module, LAYOUT_AT(layout, module, dict)), &dict);
    }
    if (status == STATUS_OK) {
        status = dict_find(runtime, dict, "_active", &active);
    }
    return status == STATUS_OK ? dict_entries_of(runtime, active, out) : status;
}

enum status threads_active(const struct runtime *runtime, struct remote interpreter,
                           struct active_thread **out, size_t *count_out) {
    struct active_list list = {.runtime = runtime};
    struct dict_entries entries;
    enum status status = find_active(runtime, interpreter, &entries);
    if (status == STATUS_OK) {
        status = dict_each(runtime, &entries, collect_active, &list);
    }
    *out = list.items;
    *count_out = list.count;
    return status;
}

enum status thread_object_name(const struct runtime *runtime, struct remote object,
                               struct buffer *out) {
    struct remote name;
    enum status status = attribute_find(runtime, object, "_name", &name);
    return status == STATUS_OK ? object_text(runtime, name, out) : status;
}

enum status thread_object_native_id(const struct runtime *runtime, struct remote object,
                                    uint64_t *out) {
    struct remote id;
    enum status status = attribute_find(runtime, object, "_native_id", &id);
    return status == STATUS_OK ? object_integer(runtime, id, out) : status;
}
