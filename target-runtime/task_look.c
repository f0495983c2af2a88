#include "target-runtime/task_look.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

void task_look_deinit(struct task_look *look) {
    free(look->tasks);
    free(look->frames);
    free(look->parents);
    free(look->index);
    buffer_deinit(&look->texts);
}

static size_t place_of(const struct task_look *look, uint64_t at) {
    size_t place =
        (size_t)((at >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (look->index_count - 1);
    while (look->index[place] != 0 && look->tasks[look->index[place] - 1].at != at) {
        place = (place + 1) & (look->index_count - 1);
    }
    return place;
}

static void index_again(struct task_look *look) {
    for (size_t i = 0; i < look->count; i++) {
        look->index[place_of(look, look->tasks[i].at)] = (uint32_t)i + 1;
    }
}

void task_look_reset(struct task_look *look) {
    look->count = 0;
    look->frame_count = 0;
    look->parent_count = 0;
    buffer_clear(&look->texts);
    if (look->index_count == 0) {
        look->index_count = 256;
        look->index = memory_zeroed(look->index_count, sizeof *look->index);
    } else {
        memset(look->index, 0, look->index_count * sizeof *look->index);
    }
}

static void make_room(struct task_look *look) {
    if (look->count == look->capacity) {
        look->tasks =
            memory_grow(look->tasks, sizeof *look->tasks, look->count + 1, &look->capacity);
    }
    if (look->count * 2 >= look->index_count) {
        free(look->index);
        look->index_count *= 2;
        look->index = memory_zeroed(look->index_count, sizeof *look->index);
        index_again(look);
    }
}

void task_look_push(struct task_look *look, const struct raw_task *task) {
    make_room(look);
    look->tasks[look->count] = *task;
    look->index[place_of(look, task->at)] = (uint32_t)++look->count;
}

void task_look_push_frame(struct task_look *look, const struct raw_frame *frame) {
    if (look->frame_count == look->frame_capacity) {
        look->frames = memory_grow(look->frames, sizeof *look->frames, look->frame_count + 1,
                                   &look->frame_capacity);
    }
    look->frames[look->frame_count++] = *frame;
}

const struct raw_task *task_find(const struct task_look *look, uint64_t at) {
    uint32_t found = look->index_count > 0 ? look->index[place_of(look, at)] : 0;
    return found != 0 ? &look->tasks[found - 1] : NULL;
}

const char *task_name(const struct task_look *look, const struct raw_task *task) {
    return look->texts.data + task->name_at;
}

/* ---- two looks ---- */

static bool same_frames(const struct task_look *a, const struct raw_task *one,
                        const struct task_look *b, const struct raw_task *other) {
    if (one->frame_count != other->frame_count) {
        return false;
    }
    for (size_t i = 0; i < one->frame_count; i++) {
        const struct raw_frame *first = &a->frames[one->first_frame + i];
        const struct raw_frame *second = &b->frames[other->first_frame + i];
        if (first->at != second->at || first->code != second->code ||
            first->position != second->position) {
            return false;
        }
    }
    return true;
}

static bool same_parents(const struct task_look *a, const struct raw_task *one,
                         const struct task_look *b, const struct raw_task *other) {
    return one->parent_count == other->parent_count &&
           (one->parent_count == 0 ||
            memcmp(a->parents + one->first_parent, b->parents + other->first_parent,
                   one->parent_count * sizeof *a->parents) == 0);
}

bool task_look_same(const struct task_look *a, const struct raw_task *one,
                    const struct task_look *b, const struct raw_task *other) {
    return one->loop == other->loop && one->coroutine == other->coroutine &&
           one->awaited == other->awaited && one->is_running == other->is_running &&
           one->is_created == other->is_created && one->name_length == other->name_length &&
           (one->name_length == 0 ||
            memcmp(task_name(a, one), task_name(b, other), one->name_length) == 0) &&
           same_frames(a, one, b, other) && same_parents(a, one, b, other);
}
