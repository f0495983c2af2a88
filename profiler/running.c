#include "profiler/running.h"

/* Index of the frame of the task's coroutine, counted from the leaf; the thread's frame_count if it
 * is not there. At its address there may be another one by now, most likely of other code. */
static size_t index_of(const struct raw_look *look, const struct raw_thread *thread,
                       const struct raw_task *task) {
    const struct raw_frame *frames = look->frames + thread->first_frame;
    for (size_t i = 0; i < thread->frame_count && task->root_frame != 0; i++) {
        if (frames[i].at == task->root_frame) {
            return frames[i].code == task->root_code ? i : thread->frame_count;
        }
    }
    return thread->frame_count;
}

/* How many frames from the leaf on are above `limit` and belong to another running task. */
static size_t count_above(const struct raw_look *look, const struct task_look *tasks,
                          const struct raw_thread *thread, size_t limit) {
    size_t above = 0;
    for (size_t i = 0; i < tasks->count; i++) {
        const struct raw_task *other = &tasks->tasks[i];
        size_t at = index_of(look, thread, other);
        above = at < limit && at + 1 > above ? at + 1 : above;
    }
    return above;
}

bool running_part(const struct raw_look *look, const struct task_look *tasks,
                  const struct raw_task *task, struct raw_thread *out) {
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        size_t root = index_of(look, thread, task);
        if (root < thread->frame_count) {
            size_t above = count_above(look, tasks, thread, root);
            *out = *thread;
            out->first_frame += above;
            out->frame_count = root + 1 - above;
            out->is_complete = true;
            out->below = 0;
            out->is_cut = thread->is_cut && above == 0;
            out->is_collecting =
                thread->is_collecting && above == 0 && thread->collected_above <= out->frame_count;
            return true;
        }
    }
    return false;
}

size_t running_below(const struct raw_look *look, const struct raw_thread *part) {
    size_t part_end = part->first_frame + part->frame_count;
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        size_t end = thread->first_frame + thread->frame_count;
        if (thread->first_frame <= part->first_frame && part_end <= end) {
            return end - part_end;
        }
    }
    return 0;
}

const struct raw_task *running_newest(const struct raw_look *look, const struct task_look *tasks,
                                      const struct raw_thread *thread, size_t *frames_out) {
    const struct raw_task *newest = NULL;
    size_t root = thread->frame_count;
    for (size_t i = 0; i < tasks->count; i++) {
        size_t at = index_of(look, thread, &tasks->tasks[i]);
        if (at < root) {
            root = at;
            newest = &tasks->tasks[i];
        }
    }
    *frames_out = newest != NULL ? root + 1 : 0;
    return newest;
}
