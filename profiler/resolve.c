#include "profiler/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "target-runtime/code.h"

enum {
    CHECK_NS = 1000000,     /* how long a code object is believed unchecked */
    UNITS_CACHED = 1 << 18, /* larger bytecode has no cache of frames */
    CHECK_BATCH = 256,
};

/* A code object that was met. */
struct known {
    struct code code;
    struct function_id function;
    uint64_t checked_ns;
    uint32_t *frames; /* frame_id by instruction offset / 2, plus one for "not begun"; lazily */
};

/* The last stack of a thread, root first: what is the same in the next look need not be resolved
 * again. */
struct history {
    uint64_t serial;
    uint64_t epoch;
    struct raw_frame *raw;
    struct stack_id *stacks;
    size_t count;
    size_t raw_capacity;
    size_t stack_capacity;
};

struct resolve {
    struct runtime *runtime;
    struct trace *trace;
    struct known **slots; /* by address, open addressing */
    size_t slot_count;
    size_t known_count;
    struct history *histories; /* by walk slot */
    size_t history_count;
    size_t history_capacity;
    uint64_t epoch;           /* grows when a known code object turned out to be another one */
    uint64_t checked_ns;      /* when a whole look was last checked */
    uint64_t fresh_after_ns;  /* what was checked since then is believed */
    uint64_t code_generation; /* 3.14-: of the last look */
    struct stack_id missing;
};

/* ---- the code objects that are known ---- */

static size_t slot_of(const struct resolve *resolve, uint64_t address) {
    uint64_t mixed = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> 32) & (resolve->slot_count - 1);
    while (resolve->slots[at] != NULL && resolve->slots[at]->code.address.addr != address) {
        at = (at + 1) & (resolve->slot_count - 1);
    }
    return at;
}

static void make_room(struct resolve *resolve) {
    if (resolve->known_count * 2 < resolve->slot_count) {
        return;
    }
    struct known **old = resolve->slots;
    size_t old_count = resolve->slot_count;
    resolve->slot_count = old_count == 0 ? 1024 : old_count * 2;
    resolve->slots = memory_zeroed(resolve->slot_count, sizeof *resolve->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] != NULL) {
            resolve->slots[slot_of(resolve, old[i]->code.address.addr)] = old[i];
        }
    }
    free(old);
}

/* Reads the code object at an address into `known`; false when there is none. */
static bool learn(struct resolve *resolve, struct known *known, uint64_t address, uint64_t now_ns) {
    struct trace *trace = resolve->trace;
    if (code_fetch(resolve->runtime, (struct remote){address}, &known->code) != STATUS_OK) {
        code_free(&known->code);
        return false;
    }
    struct trace_function function = {
        trace_text(trace, known->code.name.data, known->code.name.length),
        trace_text(trace, known->code.file.data, known->code.file.length), known->code.first_line};
    known->function = trace_intern_function(trace, function);
    known->checked_ns = now_ns;
    return true;
}

static void known_free(struct known *known) {
    code_free(&known->code);
    free(known->frames);
    free(known);
}

/* Takes a code object out; those that follow it in the chain of slots are put in again. */
static void forget(struct resolve *resolve, size_t at) {
    known_free(resolve->slots[at]);
    resolve->slots[at] = NULL;
    resolve->known_count--;
    resolve->epoch++;
    size_t next = (at + 1) & (resolve->slot_count - 1);
    while (resolve->slots[next] != NULL) {
        struct known *moved = resolve->slots[next];
        resolve->slots[next] = NULL;
        resolve->slots[slot_of(resolve, moved->code.address.addr)] = moved;
        next = (next + 1) & (resolve->slot_count - 1);
    }
}

static bool is_same(const struct resolve *resolve, const struct known *known,
                    const uint8_t *fingerprint) {
    uint32_t bytes;
    code_fingerprint_place(resolve->runtime->layout, known->code.address, &bytes);
    return memcmp(known->code.fingerprint, fingerprint, bytes) == 0;
}

static bool is_still(struct resolve *resolve, struct known *known, uint64_t now_ns) {
    uint8_t fingerprint[CODE_FINGERPRINT_BYTES];
    uint32_t bytes;
    struct remote place =
        code_fingerprint_place(resolve->runtime->layout, known->code.address, &bytes);
    known->checked_ns = now_ns;
    return memory_read_one(resolve->runtime->memory, place, fingerprint, bytes) == STATUS_OK &&
           is_same(resolve, known, fingerprint);
}

/* The code object at an address, read when it is not known; NULL when there is none. */
static struct known *find_code(struct resolve *resolve, uint64_t address, uint64_t now_ns) {
    make_room(resolve);
    size_t at = slot_of(resolve, address);
    struct known *known = resolve->slots[at];
    if (known != NULL) {
        if (known->checked_ns >= resolve->fresh_after_ns || is_still(resolve, known, now_ns)) {
            return known;
        }
        forget(resolve, at);
        at = slot_of(resolve, address);
    }
    known = memory_zeroed(1, sizeof *known);
    if (address == 0 || !learn(resolve, known, address, now_ns)) {
        free(known);
        return NULL;
    }
    resolve->slots[at] = known;
    resolve->known_count++;
    return known;
}

/* ---- checking a whole look ---- */

static enum status check_batch(struct resolve *resolve, struct known **batch, size_t count,
                               uint64_t now_ns) {
    uint8_t copies[CHECK_BATCH][CODE_FINGERPRINT_BYTES];
    struct range ranges[CHECK_BATCH];
    for (size_t i = 0; i < count; i++) {
        uint32_t bytes;
        struct remote place =
            code_fingerprint_place(resolve->runtime->layout, batch[i]->code.address, &bytes);
        ranges[i] = (struct range){place, copies[i], bytes, STATUS_NOT_MAPPED};
        batch[i]->checked_ns = now_ns;
    }
    enum status status = memory_read(resolve->runtime->memory, ranges, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (ranges[i].status != STATUS_OK || !is_same(resolve, batch[i], copies[i])) {
            forget(resolve, slot_of(resolve, batch[i]->code.address.addr));
        }
    }
    return status;
}

/* Whether it is time to check; moves the bound before which a check counts for nothing. */
static bool is_check_due(struct resolve *resolve, const struct raw_look *look, uint64_t now_ns) {
    if (!look->has_code_generation) {
        resolve->fresh_after_ns = now_ns - CHECK_NS;
        return now_ns - resolve->checked_ns >= CHECK_NS;
    }
    if (look->code_generation == resolve->code_generation) {
        return false;
    }
    resolve->code_generation = look->code_generation;
    resolve->fresh_after_ns = now_ns;
    resolve->epoch++; /* the last stacks of threads that are not in this look are doubtful too */
    return true;
}

enum status resolve_check(struct resolve *resolve, const struct raw_look *look, uint64_t now_ns) {
    struct known *batch[CHECK_BATCH];
    size_t count = 0;
    enum status status = STATUS_OK;
    if (!is_check_due(resolve, look, now_ns)) {
        return STATUS_OK;
    }
    resolve->checked_ns = now_ns;
    for (size_t i = 0; i < look->frame_count && status == STATUS_OK; i++) {
        struct known *known = resolve->slots[slot_of(resolve, look->frames[i].code)];
        if (known == NULL || known->checked_ns == now_ns) {
            continue;
        }
        known->checked_ns = now_ns;
        batch[count++] = known;
        if (count == CHECK_BATCH) {
            status = check_batch(resolve, batch, count, now_ns);
            count = 0;
        }
    }
    return status == STATUS_OK ? check_batch(resolve, batch, count, now_ns) : status;
}

/* ---- stacks ---- */

static struct frame_id make_frame(struct resolve *resolve, const struct known *known,
                                  int64_t offset) {
    const struct code *code = &known->code;
    struct source_range source = {code->first_line, 0, 0, 0};
    if (offset >= 0) {
        source = line_at(resolve->runtime->layout->line_table, code->line_table,
                         code->line_table_bytes, code->first_line, offset);
    }
    struct trace_frame frame = {known->function, source.line,       source.end_line,
                                source.column,   source.end_column, FRAME_PYTHON};
    return trace_intern_frame(resolve->trace, frame);
}

static struct frame_id frame_at(struct resolve *resolve, struct known *known, int64_t offset) {
    uint64_t units = known->code.code_bytes / 2 + 1;
    if (units > UNITS_CACHED) {
        return make_frame(resolve, known, offset);
    }
    if (known->frames == NULL) {
        known->frames = memory_zeroed(units + 1, sizeof *known->frames);
    }
    uint32_t *cached = &known->frames[offset < 0 ? 0 : offset / 2 + 1];
    if (*cached == 0) {
        *cached = make_frame(resolve, known, offset).id;
    }
    return (struct frame_id){*cached};
}

/* Puts one frame on top of `parent`. False when frame and code do not belong together. */
static bool put_frame(struct resolve *resolve, const struct raw_frame *raw, uint64_t now_ns,
                      struct stack_id *stack) {
    int64_t offset;
    struct known *known = find_code(resolve, raw->code, now_ns);
    if (known == NULL || !code_position(resolve->runtime->layout, &known->code, raw->position,
                                        raw->tlbc_index, &offset)) {
        return false;
    }
    if (!known->code.is_hidden) {
        *stack = trace_intern_stack(resolve->trace, *stack, frame_at(resolve, known, offset));
    }
    return true;
}

/* What stands at the root of a stack whose own root could not be read. */
static struct stack_id missing_root(struct resolve *resolve) {
    if (resolve->missing.id == 0) {
        struct trace_function function = {
            trace_text(resolve->trace, "<missing frames>", 16), {0}, 0};
        struct trace_frame frame = {
            trace_intern_function(resolve->trace, function), 0, 0, 0, 0, FRAME_MISSING};
        resolve->missing = trace_intern_stack(resolve->trace, (struct stack_id){0},
                                              trace_intern_frame(resolve->trace, frame));
    }
    return resolve->missing;
}

static struct history *history_of(struct resolve *resolve, const struct raw_thread *thread) {
    while (resolve->history_count <= thread->slot) {
        if (resolve->history_count == resolve->history_capacity) {
            resolve->histories = memory_grow(resolve->histories, sizeof *resolve->histories,
                                             thread->slot + 1, &resolve->history_capacity);
        }
        resolve->histories[resolve->history_count++] = (struct history){0};
    }
    struct history *history = &resolve->histories[thread->slot];
    if (history->serial != thread->serial || history->epoch != resolve->epoch) {
        history->count = 0;
    }
    history->serial = thread->serial;
    history->epoch = resolve->epoch;
    return history;
}

static void history_set(struct history *history, size_t depth, const struct raw_frame *raw,
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

static bool same_frame(const struct raw_frame *a, const struct raw_frame *b) {
    return a->code == b->code && a->position == b->position && a->tlbc_index == b->tlbc_index;
}

/* How many frames from the root are those of the history; `stack` becomes their stack. */
static size_t shared_depth(const struct history *history, const struct raw_frame *leaf,
                           size_t count, struct stack_id *stack) {
    size_t depth = 0;
    while (depth < count && depth < history->count &&
           same_frame(&history->raw[depth], &leaf[count - 1 - depth])) {
        depth++;
    }
    if (depth > 0) {
        *stack = history->stacks[depth - 1];
    }
    return depth;
}

struct resolved resolve_stack(struct resolve *resolve, const struct raw_look *look,
                              const struct raw_thread *thread, uint64_t now_ns) {
    const struct raw_frame *leaf = look->frames + thread->first_frame;
    size_t count = thread->frame_count;
    struct history *history = history_of(resolve, thread);
    struct resolved resolved = {{0}, thread->is_steady ? 0 : SAMPLE_UNVERIFIED};
    if (!thread->is_complete) {
        history->count = 0;
        resolved.flags |= SAMPLE_TRUNCATED | SAMPLE_UNVERIFIED;
        resolved.stack = count > 0 ? missing_root(resolve) : resolved.stack;
    }
    size_t depth = shared_depth(history, leaf, count, &resolved.stack);
    history->count = depth;
    for (; depth < count; depth++) {
        const struct raw_frame *raw = &leaf[count - 1 - depth];
        if (!put_frame(resolve, raw, now_ns, &resolved.stack)) {
            resolved.flags |= SAMPLE_UNVERIFIED;
            break;
        }
        if (thread->is_complete) {
            history_set(history, depth, raw, resolved.stack);
        }
    }
    /* A code object was found to be another one meanwhile: what is shared may name the old one. */
    if (history->epoch != resolve->epoch) {
        history->count = 0;
    }
    return resolved;
}

struct resolve *resolve_create(struct runtime *runtime, struct trace *trace) {
    struct resolve *resolve = memory_zeroed(1, sizeof *resolve);
    resolve->runtime = runtime;
    resolve->trace = trace;
    make_room(resolve);
    return resolve;
}

void resolve_destroy(struct resolve *resolve) {
    if (resolve == NULL) {
        return;
    }
    for (size_t i = 0; i < resolve->slot_count; i++) {
        if (resolve->slots[i] != NULL) {
            known_free(resolve->slots[i]);
        }
    }
    for (size_t i = 0; i < resolve->history_count; i++) {
        free(resolve->histories[i].raw);
        free(resolve->histories[i].stacks);
    }
    free(resolve->slots);
    free(resolve->histories);
    free(resolve);
}
