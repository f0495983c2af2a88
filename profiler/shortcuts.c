#include "profiler/shortcuts.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum { SHORTCUTS = 1 << 13 }; /* a megabyte hardly costs more than it is asked for */

struct shortcut {
    struct passage passage;
    uint64_t epoch;
    uint64_t until_ns; /* 0: there is none */
    struct stack_id stack;
};

struct shortcuts {
    struct shortcut rows[SHORTCUTS];
};

struct shortcuts *shortcuts_create(void) {
    return memory_zeroed(1, sizeof(struct shortcuts));
}

void shortcuts_destroy(struct shortcuts *shortcuts) {
    free(shortcuts);
}

struct passage passage_of(const struct raw_frame *frame, const struct raw_frame *callee,
                          uint64_t interpreter, struct stack_id below) {
    struct passage passage = {
        .code = frame->code,
        .position = frame->position,
        .interpreter = interpreter,
        .below = below,
        .tlbc_index = frame->tlbc_index,
    };
    if (callee != NULL) {
        passage.callee_code = callee->code;
        passage.callee_position = callee->code == 0 ? callee->position : 0;
        passage.is_from_c = callee->is_from_c;
    }
    return passage;
}

/* One word of each is enough: who stands where on what mostly settles whom he calls. */
static size_t place_of(const struct passage *passage) {
    uint64_t mixed = passage->position ^ (uint64_t)passage->below.id << 40 ^
                     (passage->callee_code + passage->callee_position) << 13;
    return (size_t)(mixed * UINT64_C(0x9e3779b97f4a7c15) >> 48) % SHORTCUTS;
}

bool shortcuts_find(const struct shortcuts *shortcuts, const struct passage *passage,
                    uint64_t epoch, uint64_t now_ns, struct stack_id *out) {
    const struct shortcut *row = &shortcuts->rows[place_of(passage)];
    if (row->epoch != epoch || row->until_ns < now_ns ||
        memcmp(&row->passage, passage, sizeof *passage) != 0) {
        return false;
    }
    *out = row->stack;
    return true;
}

void shortcuts_put(struct shortcuts *shortcuts, const struct passage *passage, uint64_t epoch,
                   uint64_t until_ns, struct stack_id stack) {
    shortcuts->rows[place_of(passage)] = (struct shortcut){*passage, epoch, until_ns, stack};
}
