#include "profiler/history.h"

#include <stdlib.h>

#include "profiler/base/arena.h"

void history_deinit(struct history *history) {
    free(history->raw);
    free(history->stacks);
    *history = (struct history){0};
}

void histories_deinit(struct histories *histories) {
    for (size_t i = 0; i < histories->count; i++) {
        history_deinit(&histories->all[i]);
    }
    free(histories->all);
    *histories = (struct histories){0};
}

void history_clear(struct history *history) {
    history->count = 0;
    history->last = (struct resolved){0};
}

struct history *history_of(struct histories *histories, const struct raw_thread *thread,
                           struct stack_id base, uint64_t epoch) {
    while (histories->count <= thread->slot) {
        if (histories->count == histories->capacity) {
            histories->all = memory_grow(histories->all, sizeof *histories->all, thread->slot + 1,
                                         &histories->capacity);
        }
        histories->all[histories->count++] = (struct history){0};
    }
    struct history *history = &histories->all[thread->slot];
    if (history->serial != thread->serial || history->epoch != epoch ||
        history->base.id != base.id) {
        history_clear(history);
    }
    history->base = base;
    history->serial = thread->serial;
    history->epoch = epoch;
    return history;
}

const struct history *history_find(const struct histories *histories,
                                   const struct raw_thread *thread) {
    return thread->slot < histories->count ? &histories->all[thread->slot] : NULL;
}

void history_set(struct history *history, size_t depth, const struct raw_frame *raw,
                 struct stack_id stack) {
    if (depth >= history->raw_capacity) {
        history->raw =
            memory_grow(history->raw, sizeof *history->raw, depth + 1, &history->raw_capacity);
    }
    if (depth >= history->stack_capacity) {
        history->stacks = memory_grow(history->stacks, sizeof *history->stacks, depth + 1,
                                      &history->stack_capacity);
    }
    history->raw[depth] = *raw;
    history->stacks[depth] = stack;
    history->count = depth + 1;
}

bool history_has(const struct history *history, size_t depth, const struct raw_frame *raw) {
    if (depth >= history->count) {
        return false;
    }
    const struct raw_frame *was = &history->raw[depth];
    return was->code == raw->code && was->position == raw->position &&
           was->tlbc_index == raw->tlbc_index && was->is_from_c == raw->is_from_c;
}
