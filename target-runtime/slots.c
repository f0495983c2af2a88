#include "target-runtime/slots.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

struct copies copies_moved(const struct copies *copies, size_t ranges) {
    struct copies moved = *copies;
    moved.anchor += ranges;
    moved.extent += ranges;
    moved.heads.first += ranges;
    moved.frames.first += ranges;
    moved.again.first += ranges;
    return moved;
}

void slots_deinit(struct slots *slots) {
    for (size_t i = 0; i < slots->count; i++) {
        prediction_deinit(&slots->all[i].heads);
        prediction_deinit(&slots->all[i].frames);
        prediction_deinit(&slots->all[i].doubted);
        links_deinit(&slots->all[i].links);
    }
    free(slots->all);
    free(slots->index);
    free(slots->order);
    free(slots->new_order);
}

/* Where a thread state is in the index of slots, or would be. */
static size_t index_at(const struct slots *slots, uint64_t state) {
    uint64_t mixed = (state >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> 32) & (slots->index_count - 1);
    while (slots->index[at] != 0 && slots->all[slots->index[at] - 1].state.addr != state) {
        at = (at + 1) & (slots->index_count - 1);
    }
    return at;
}

/* Makes the index anew from the slots in use, with room for more. */
static void rebuild_index(struct slots *slots) {
    size_t wanted = 64;
    while (wanted < slots->count * 4 + 4) {
        wanted *= 2;
    }
    free(slots->index);
    slots->index = memory_zeroed(wanted, sizeof *slots->index);
    slots->index_count = wanted;
    for (size_t i = 0; i < slots->count; i++) {
        if (slots->all[i].is_used) {
            slots->index[index_at(slots, slots->all[i].state.addr)] = i + 1;
        }
    }
}

static size_t slot_new(struct slots *slots, struct remote state) {
    size_t number = slots->first_free;
    while (number < slots->count && slots->all[number].is_used) {
        number++;
    }
    slots->first_free = number + 1;
    if (number == slots->count) {
        if (slots->count == slots->capacity) {
            slots->all =
                memory_grow(slots->all, sizeof *slots->all, slots->count + 1, &slots->capacity);
        }
        slots->all[slots->count++] = (struct slot){0};
    }
    struct slot *slot = &slots->all[number];
    prediction_clear(&slot->heads);
    prediction_clear(&slot->frames);
    prediction_clear(&slot->doubted);
    links_clear(&slot->links);
    *slot = (struct slot){.state = state,
                          .is_used = true,
                          .doubts = DOUBT_LOOKS,
                          .heads = slot->heads,
                          .links = slot->links,
                          .frames = slot->frames,
                          .doubted = slot->doubted};
    if (slots->count * 2 > slots->index_count) {
        rebuild_index(slots);
    } else {
        slots->index[index_at(slots, state.addr)] = number + 1;
    }
    return number;
}

void slots_begin_anew(struct slot *slot) {
    links_clear(&slot->links);
    memset(slot->bottoms, 0, sizeof slot->bottoms);
    slot->bottom = 0;
    slot->next_bottom = 0;
    slot->bottom_votes = 0;
    slot->top_count = 0;
    slot->is_skipped = false;
    slot->doubts = DOUBT_LOOKS;
    slot->doubt_depth = 0;
}

/* The order of threads hardly changes, so it is nearly always the next one after the last that was
 * found. */
size_t slots_find(struct slots *slots, uint64_t state, size_t *cursor, bool *is_new_out) {
    size_t at = (*cursor)++;
    *is_new_out = false;
    if (at < slots->order_count && slots->all[slots->order[at]].state.addr == state) {
        return slots->order[at];
    }
    size_t found = slots->index_count > 0 ? slots->index[index_at(slots, state)] : 0;
    if (found != 0) {
        return found - 1;
    }
    *cursor = at; /* those after it are where they were */
    *is_new_out = true;
    return slot_new(slots, (struct remote){state});
}

void slots_note_order(struct slots *slots, size_t number) {
    if (slots->new_order_count == slots->new_order_capacity) {
        slots->new_order = memory_grow(slots->new_order, sizeof *slots->new_order,
                                       slots->new_order_count + 1, &slots->new_order_capacity);
    }
    slots->new_order[slots->new_order_count++] = number;
}

void slots_finish_order(struct slots *slots) {
    size_t *old = slots->order;
    size_t old_capacity = slots->order_capacity;
    bool has_gone = false;
    for (size_t i = 0; i < slots->order_count; i++) {
        struct slot *slot = &slots->all[slots->order[i]];
        slot->is_used = slot->is_seen;
        has_gone |= !slot->is_seen;
        if (!slot->is_seen && slots->order[i] < slots->first_free) {
            slots->first_free = slots->order[i];
        }
    }
    if (has_gone) {
        rebuild_index(slots);
    }
    slots->order = slots->new_order;
    slots->order_count = slots->new_order_count;
    slots->order_capacity = slots->new_order_capacity;
    slots->new_order = old;
    slots->new_order_count = 0;
    slots->new_order_capacity = old_capacity;
}
