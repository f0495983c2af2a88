#include "target-runtime/view.h"

static void reach(struct stretch *stretch, uint32_t at, uint32_t bytes) {
    uint32_t end = stretch->at + stretch->bytes;
    uint32_t new_end = end > at + bytes ? end : at + bytes;
    if (stretch->bytes == 0) {
        *stretch = (struct stretch){at, bytes};
        return;
    }
    stretch->at = stretch->at < at ? stretch->at : at;
    stretch->bytes = new_end - stretch->at;
}

struct stretch view_stretch_of(const struct layout *layout, const enum layout_field *fields,
                               size_t count) {
    struct stretch stretch = {0};
    for (size_t i = 0; i < count; i++) {
        if (layout->place[fields[i]] != 0) {
            reach(&stretch, layout->place[fields[i]] - 1, layout_field_bytes(fields[i]));
        }
    }
    return stretch;
}
