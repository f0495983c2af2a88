#include "target-runtime/epoch.h"

#include <string.h>

#include "reader/remote.h"

enum {
    HOLDER_AT = 0,
    COUNT_AT = 16, /* switch_number; the condition follows */
    LOOKS_NEEDED = 2,
    KEPT_LIMIT = 32,
};

bool epoch_place(const struct layout *layout, uint32_t *at_out) {
    uint32_t to_holder = LAYOUT_AT(layout, gil, cond) - COUNT_AT - 8;
    switch (layout->gil_place) {
    case GIL_IN_RUNTIME: *at_out = LAYOUT_AT(layout, runtime, gil) + to_holder; return true;
    case GIL_IN_INTERPRETER:
        *at_out = LAYOUT_AT(layout, interpreter, own_gil) + to_holder;
        return true;
    case GIL_ABSENT: break;
    }
    return false;
}

/* `locked` does not matter: who gives the GIL back and takes it again has had it all the time. */
bool epoch_note(struct epoch *epoch, const uint8_t *bytes) {
    bool is_same = bytes != NULL && load_u64(bytes + COUNT_AT) != 0 &&
                   memcmp(bytes + HOLDER_AT, epoch->bytes + HOLDER_AT, 8) == 0 &&
                   memcmp(bytes + COUNT_AT, epoch->bytes + COUNT_AT, EPOCH_BYTES - COUNT_AT) == 0;
    if (bytes != NULL) {
        memcpy(epoch->bytes, bytes, EPOCH_BYTES);
    }
    epoch->looks = is_same ? epoch->looks + 1 : bytes != NULL;
    return is_same;
}

/* What was read in the last look was read between two that found the same. */
bool epoch_may_keep(const struct epoch *epoch) {
    return epoch->looks >= LOOKS_NEEDED && epoch->kept < KEPT_LIMIT;
}

/* One thread of the system may own several states, and go from one to the other without giving the
 * GIL away (PyThreadState_Swap(), Python/pystate.c, -3.12). */
bool epoch_rests(const struct slot *slot, const struct slot *holder) {
    bool is_known = slot->can_stay && slot->doubts == 0 && holder != NULL;
    return is_known && slot != holder && slot->raw.ident != holder->raw.ident &&
           holder->raw.ident != 0 &&
           (slot->raw.is_skipped || (slot->raw.is_complete && !slot->raw.is_cut));
}

uint64_t epoch_holder(const struct epoch *epoch) {
    return load_u64(epoch->bytes + HOLDER_AT);
}
