#include "target-runtime/collections.h"

#include "target-runtime/objects.h"

enum {
    WORDS_PER_READ = 1024,
    WEAK_BATCH = 512,
};

/* Calls `visit` with the first word of every `stride` of them, where it is one; `count` strides. */
static enum status each_word(const struct runtime *runtime, struct remote first, uint64_t count,
                             uint32_t stride, element_visit *visit, void *context) {
    uint64_t words[WORDS_PER_READ];
    uint64_t batch = WORDS_PER_READ / stride;
    bool more = true;
    enum status status = STATUS_OK;
    for (uint64_t from = 0; from < count && more && status == STATUS_OK; from += batch) {
        uint64_t now = count - from < batch ? count - from : batch;
        status = memory_read_one(runtime->memory, remote_at(first, from * stride * 8), words,
                                 (uint32_t)(now * stride * 8));
        for (uint64_t i = 0; i < now && status == STATUS_OK && more; i++) {
            struct remote element = {words[i * stride]};
            /* The entry of a set that was deleted has a hash of -1 (Objects/setobject.c, dummy). */
            bool is_there =
                element.addr != 0 && (stride < 2 || words[i * stride + 1] != UINT64_MAX);
            more = !is_there || visit(context, element);
        }
    }
    return status;
}

static enum status read_word(const struct runtime *runtime, struct remote at, uint64_t *out) {
    struct remote word;
    enum status status = memory_read_remote(runtime->memory, at, &word);
    *out = word.addr;
    return status;
}

static enum status var_count(const struct runtime *runtime, struct remote object, uint64_t *out) {
    enum status status =
        read_word(runtime, remote_at(object, LAYOUT_AT(runtime->layout, object, var_count)), out);
    return status == STATUS_OK && *out > COLLECTION_LIMIT ? STATUS_TORN : status;
}

enum status list_each(const struct runtime *runtime, struct remote list, element_visit *visit,
                      void *context) {
    uint64_t count;
    struct remote items;
    enum status status = var_count(runtime, list, &count);
    if (status == STATUS_OK) {
        status = memory_read_remote(
            runtime->memory, remote_at(list, LAYOUT_AT(runtime->layout, list, items)), &items);
    }
    return status == STATUS_OK ? each_word(runtime, items, count, 1, visit, context) : status;
}

enum status tuple_each(const struct runtime *runtime, struct remote tuple, element_visit *visit,
                       void *context) {
    uint64_t count;
    struct remote items = remote_at(tuple, LAYOUT_AT(runtime->layout, tuple, items));
    enum status status = var_count(runtime, tuple, &count);
    return status == STATUS_OK ? each_word(runtime, items, count, 1, visit, context) : status;
}

enum status set_each(const struct runtime *runtime, struct remote set, element_visit *visit,
                     void *context) {
    const struct layout *layout = runtime->layout;
    uint64_t mask;
    struct remote table;
    enum status status = read_word(runtime, remote_at(set, LAYOUT_AT(layout, set, mask)), &mask);
    if (status == STATUS_OK) {
        status = memory_read_remote(runtime->memory, remote_at(set, LAYOUT_AT(layout, set, table)),
                                    &table);
    }
    if (status == STATUS_OK && mask >= COLLECTION_LIMIT) {
        return STATUS_TORN;
    }
    return status == STATUS_OK ? each_word(runtime, table, mask + 1, 2, visit, context) : status;
}

/* ---- weak references ---- */

/* References that were met, to be followed in one go. */
struct weak_walk {
    const struct runtime *runtime;
    element_visit *visit;
    void *context;
    enum status status;
    bool more;
    size_t count;
    struct range ranges[WEAK_BATCH];
    uint64_t objects[WEAK_BATCH];
};

static void follow_batch(struct weak_walk *walk) {
    walk->status = memory_read(walk->runtime->memory, walk->ranges, walk->count);
    for (size_t i = 0; i < walk->count && walk->status == STATUS_OK && walk->more; i++) {
        if (walk->ranges[i].status == STATUS_OK && walk->objects[i] != 0) {
            walk->more = walk->visit(walk->context, (struct remote){walk->objects[i]});
        }
    }
    walk->count = 0;
}

static bool visit_reference(void *context, struct remote reference) {
    struct weak_walk *walk = context;
    walk->ranges[walk->count] =
        (struct range){remote_at(reference, LAYOUT_AT(walk->runtime->layout, weakref, object)),
                       &walk->objects[walk->count], 8, STATUS_NOT_MAPPED};
    walk->count++;
    if (walk->count == WEAK_BATCH) {
        follow_batch(walk);
    }
    return walk->more && walk->status == STATUS_OK;
}

enum status weak_set_each(const struct runtime *runtime, struct remote set, element_visit *visit,
                          void *context) {
    struct weak_walk walk = {.runtime = runtime, .visit = visit, .context = context, .more = true};
    struct remote data;
    enum status status = attribute_find(runtime, set, "data", &data); /* Lib/_weakrefset.py */
    if (status == STATUS_OK) {
        status = set_each(runtime, data, visit_reference, &walk);
    }
    if (status == STATUS_OK && walk.status == STATUS_OK) {
        follow_batch(&walk);
    }
    return status == STATUS_OK ? walk.status : status;
}
