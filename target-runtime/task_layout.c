#include "target-runtime/task_layout.h"

/* Far beyond any interpreter state (3.15: 226,240 bytes). */
#define STRUCTURE_LIMIT (UINT64_C(1) << 20)

static bool is_inside(uint64_t offset, uint64_t size) {
    return size <= STRUCTURE_LIMIT && offset % 8 == 0 && offset + 8 <= size;
}

bool task_layout_agrees(const struct task_layout *row, const struct asyncio_published *published,
                        uint64_t head_bytes) {
    return published->task.size == row->body_bytes + head_bytes &&
           published->task.name == row->name + head_bytes &&
           published->task.awaited_by == row->awaited_by + head_bytes &&
           published->task.awaited_by_is_set == row->awaited_by_is_set + head_bytes &&
           published->task.coroutine == row->coroutine + head_bytes &&
           published->task.node == row->node + head_bytes &&
           is_inside(published->interpreter.tasks_head, published->interpreter.size) &&
           is_inside(published->thread.running_loop, published->thread.size) &&
           is_inside(published->thread.running_task, published->thread.size) &&
           is_inside(published->thread.tasks_head, published->thread.size);
}
