/* What the files that read tasks share. */
#ifndef PYROMETER_TARGET_RUNTIME_TASK_READER_H
#define PYROMETER_TARGET_RUNTIME_TASK_READER_H

#include "target-runtime/collections.h"
#include "target-runtime/kinds.h"
#include "target-runtime/objects.h"
#include "target-runtime/runtime.h"
#include "target-runtime/task_layout.h"

struct task_reader {
    struct runtime runtime; /* the target's, but for its memory: a copy in blocks */
    struct kinds kinds;
    uint32_t head_bytes; /* of any object */
};

/* The first word behind an object's head: what a wrapper wraps. */
static inline enum status task_reader_inner(const struct task_reader *reader, struct remote object,
                                            struct remote *out) {
    return memory_read_remote(reader->runtime.memory, remote_at(object, reader->head_bytes), out);
}

static inline enum status task_reader_kind(struct task_reader *reader, struct remote object,
                                           enum object_kind *out) {
    return kinds_find(&reader->kinds, &reader->runtime, object, out, NULL);
}

/* The row of the version's task layouts for a _asyncio.Task of that size; NULL. */
static inline const struct task_layout *task_reader_row(const struct task_reader *reader,
                                                        uint64_t size) {
    const struct task_layout *row = reader->runtime.layout->tasks;
    while (row->body_bytes != 0 && row->body_bytes + reader->head_bytes != size) {
        row++;
    }
    return row->body_bytes != 0 ? row : NULL;
}

/* The place of a field of a task or future. */
static inline struct remote task_reader_place(const struct task_reader *reader,
                                              struct remote object, uint16_t field) {
    return remote_at(object, reader->head_bytes + field);
}

#endif
