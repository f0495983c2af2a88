/* What of the target's structures is copied in a look: stretches that hold the fields that matter,
 * not whole structures; and views of the copies. */
#ifndef PYROMETER_TARGET_RUNTIME_VIEW_H
#define PYROMETER_TARGET_RUNTIME_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "reader/snapshot.h"
#include "target-runtime/layout.h"

/* A stretch of a structure that holds some of its fields. */
struct stretch {
    uint32_t at;
    uint32_t bytes;
};

/* The least stretch that holds all of these fields that the layout has. */
struct stretch view_stretch_of(const struct layout *layout, const enum layout_field *fields,
                               size_t count);
#define STRETCH_OF(layout, ...)                                                                    \
    view_stretch_of(layout, (const enum layout_field[]){__VA_ARGS__},                              \
                    sizeof((const enum layout_field[]){__VA_ARGS__}) / sizeof(enum layout_field))

/* A stretch of a structure that was copied: fields are read from it by their place. */
struct view {
    const uint8_t *bytes;
    uint32_t at;
};

static inline uint64_t view_u64(const struct view *view, uint32_t place) {
    return load_u64(view->bytes + (place - view->at));
}

#define VIEW_U64(view, layout, structure, field) view_u64(view, LAYOUT_AT(layout, structure, field))

/* The copy of a range of the snapshot, by its index; NULL if it could not be read. */
static inline const uint8_t *view_copy(const struct snapshot *snapshot, size_t index) {
    const struct range *range = &snapshot->ranges[index];
    return range->status == STATUS_OK ? range->to : NULL;
}

/* What an 8-byte range of the snapshot holds; 0 if it could not be read. */
static inline uint64_t view_copy_u64(const struct snapshot *snapshot, size_t index) {
    const uint8_t *bytes = view_copy(snapshot, index);
    return bytes != NULL ? load_u64(bytes) : 0;
}

/* Queues one range outside of any group and gives its index. */
static inline size_t view_want_one(struct snapshot *snapshot, struct remote from, uint32_t bytes) {
    struct snapshot_group group = snapshot_group_begin(snapshot);
    snapshot_want(snapshot, &group, from, bytes);
    return group.first;
}

#endif
