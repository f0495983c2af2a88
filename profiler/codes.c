#include "profiler/codes.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

enum {
    CHECK_NS = 1000000,       /* how long a code object is believed unchecked */
    BYTECODE_NS = 5000000,    /* how long a copy of bytecode is believed to be the newest */
    BYTECODE_LIMIT = 1 << 20, /* longer bytecode is not copied */
    UNITS_CACHED = 1 << 18,   /* larger bytecode has no cache of frames */
    CHECK_BATCH = 256,
};

struct codes {
    struct runtime *runtime;
    struct trace *trace;
    struct known **slots; /* by address, open addressing */
    size_t slot_count;
    size_t known_count;
    uint64_t last_serial;
    uint64_t epoch;
    uint64_t checked_ns;      /* when a whole look was last checked */
    uint64_t fresh_after_ns;  /* what was checked since then is believed */
    uint64_t code_generation; /* 3.14-: of the last look */
};

static size_t slot_of(const struct codes *codes, uint64_t address) {
    uint64_t mixed = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> 32) & (codes->slot_count - 1);
    while (codes->slots[at] != NULL && codes->slots[at]->code.address.addr != address) {
        at = (at + 1) & (codes->slot_count - 1);
    }
    return at;
}

static void make_room(struct codes *codes) {
    if (codes->known_count * 2 < codes->slot_count) {
        return;
    }
    struct known **old = codes->slots;
    size_t old_count = codes->slot_count;
    codes->slot_count = old_count == 0 ? 1024 : old_count * 2;
    codes->slots = memory_zeroed(codes->slot_count, sizeof *codes->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i] != NULL) {
            codes->slots[slot_of(codes, old[i]->code.address.addr)] = old[i];
        }
    }
    free(old);
}

/* Reads the code object at an address into `known`; false when there is none. */
static bool learn(struct codes *codes, struct known *known, uint64_t address, uint64_t now_ns) {
    struct trace *trace = codes->trace;
    if (code_fetch(codes->runtime, (struct remote){address}, &known->code) != STATUS_OK) {
        code_free(&known->code);
        return false;
    }
    struct trace_function function = {
        trace_text(trace, known->code.name.data, known->code.name.length),
        trace_text(trace, known->code.file.data, known->code.file.length), known->code.first_line};
    known->function = trace_intern_function(trace, function);
    known->serial = ++codes->last_serial;
    known->checked_ns = now_ns;
    return true;
}

static void known_free(struct known *known) {
    code_free(&known->code);
    free(known->frames);
    free(known->bytecode);
    free(known);
}

/* Takes a code object out; those that follow it in the chain of slots are put in again. */
static void forget(struct codes *codes, size_t at) {
    known_free(codes->slots[at]);
    codes->slots[at] = NULL;
    codes->known_count--;
    codes->epoch++;
    size_t next = (at + 1) & (codes->slot_count - 1);
    while (codes->slots[next] != NULL) {
        struct known *moved = codes->slots[next];
        codes->slots[next] = NULL;
        codes->slots[slot_of(codes, moved->code.address.addr)] = moved;
        next = (next + 1) & (codes->slot_count - 1);
    }
}

static bool is_same(const struct codes *codes, const struct known *known,
                    const uint8_t *fingerprint) {
    uint32_t bytes;
    code_fingerprint_place(codes->runtime->layout, known->code.address, &bytes);
    return memcmp(known->code.fingerprint, fingerprint, bytes) == 0;
}

static bool is_still(struct codes *codes, struct known *known, uint64_t now_ns) {
    uint8_t fingerprint[CODE_FINGERPRINT_BYTES];
    uint32_t bytes;
    struct remote place =
        code_fingerprint_place(codes->runtime->layout, known->code.address, &bytes);
    known->checked_ns = now_ns;
    return memory_read_one(codes->runtime->memory, place, fingerprint, bytes) == STATUS_OK &&
           is_same(codes, known, fingerprint);
}

/* The code object at an address, read when it is not known; NULL when there is none. */
struct known *codes_find(struct codes *codes, uint64_t address, uint64_t now_ns) {
    make_room(codes);
    size_t at = slot_of(codes, address);
    struct known *known = codes->slots[at];
    if (known != NULL) {
        if (known->checked_ns >= codes->fresh_after_ns || is_still(codes, known, now_ns)) {
            return known;
        }
        forget(codes, at);
        at = slot_of(codes, address);
    }
    known = memory_zeroed(1, sizeof *known);
    if (address == 0 || !learn(codes, known, address, now_ns)) {
        free(known);
        return NULL;
    }
    codes->slots[at] = known;
    codes->known_count++;
    return known;
}

/* ---- checking a whole look ---- */

static enum status check_batch(struct codes *codes, struct known **batch, size_t count,
                               uint64_t now_ns) {
    uint8_t copies[CHECK_BATCH][CODE_FINGERPRINT_BYTES];
    struct range ranges[CHECK_BATCH];
    for (size_t i = 0; i < count; i++) {
        uint32_t bytes;
        struct remote place =
            code_fingerprint_place(codes->runtime->layout, batch[i]->code.address, &bytes);
        ranges[i] = (struct range){place, copies[i], bytes, STATUS_NOT_MAPPED};
        batch[i]->checked_ns = now_ns;
    }
    enum status status = memory_read(codes->runtime->memory, ranges, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (ranges[i].status != STATUS_OK || !is_same(codes, batch[i], copies[i])) {
            forget(codes, slot_of(codes, batch[i]->code.address.addr));
        }
    }
    return status;
}

/* Whether it is time to check; moves the bound before which a check counts for nothing. */
static bool is_check_due(struct codes *codes, const struct raw_look *look, uint64_t now_ns) {
    if (!look->has_code_generation) {
        codes->fresh_after_ns = now_ns - CHECK_NS;
        return now_ns - codes->checked_ns >= CHECK_NS;
    }
    if (look->code_generation == codes->code_generation) {
        return false;
    }
    codes->code_generation = look->code_generation;
    codes->fresh_after_ns = now_ns;
    codes->epoch++; /* the last stacks of threads that are not in this look are doubtful too */
    return true;
}

enum status codes_check(struct codes *codes, const struct raw_look *look, uint64_t now_ns) {
    struct known *batch[CHECK_BATCH];
    size_t count = 0;
    enum status status = STATUS_OK;
    if (!is_check_due(codes, look, now_ns)) {
        return STATUS_OK;
    }
    codes->checked_ns = now_ns;
    for (size_t i = 0; i < look->frame_count && status == STATUS_OK; i++) {
        struct known *known = codes->slots[slot_of(codes, look->frames[i].code)];
        if (known == NULL || known->checked_ns == now_ns) {
            continue;
        }
        known->checked_ns = now_ns;
        batch[count++] = known;
        if (count == CHECK_BATCH) {
            status = check_batch(codes, batch, count, now_ns);
            count = 0;
        }
    }
    return status == STATUS_OK ? check_batch(codes, batch, count, now_ns) : status;
}

static struct frame_id make_frame(struct codes *codes, const struct known *known, int64_t offset) {
    const struct code *code = &known->code;
    struct source_range source = {code->first_line, 0, 0, 0};
    if (offset >= 0) {
        source = line_at(codes->runtime->layout->line_table, code->line_table,
                         code->line_table_bytes, code->first_line, offset);
    }
    struct trace_frame frame = {known->function, source.line,       source.end_line,
                                source.column,   source.end_column, FRAME_PYTHON};
    return trace_intern_frame(codes->trace, frame);
}

struct frame_id codes_frame(struct codes *codes, struct known *known, int64_t offset) {
    uint64_t units = known->code.code_bytes / 2 + 1;
    if (units > UNITS_CACHED) {
        return make_frame(codes, known, offset);
    }
    if (known->frames == NULL) {
        known->frames = memory_zeroed(units + 1, sizeof *known->frames);
    }
    uint32_t *cached = &known->frames[offset < 0 ? 0 : offset / 2 + 1];
    if (*cached == 0) {
        *cached = make_frame(codes, known, offset).id;
    }
    return (struct frame_id){*cached};
}

/* ---- bytecode ---- */

const uint8_t *codes_bytecode(struct codes *codes, struct known *known, uint64_t now_ns) {
    uint64_t bytes = known->code.code_bytes;
    if (bytes == 0 || bytes > BYTECODE_LIMIT) {
        return NULL;
    }
    if (known->bytecode != NULL && now_ns - known->bytecode_ns < BYTECODE_NS) {
        return known->bytecode;
    }
    if (known->bytecode == NULL) {
        known->bytecode = memory_zeroed(bytes, 1);
    }
    known->bytecode_ns = now_ns;
    if (code_read_bytecode(codes->runtime, &known->code, known->bytecode) != STATUS_OK) {
        free(known->bytecode);
        known->bytecode = NULL;
    }
    return known->bytecode;
}

void codes_forget_bytecode(struct known *known) {
    free(known->bytecode);
    known->bytecode = NULL;
}

/* ---- life ---- */

uint64_t codes_epoch(const struct codes *codes) {
    return codes->epoch;
}

struct codes *codes_create(struct runtime *runtime, struct trace *trace) {
    struct codes *codes = memory_zeroed(1, sizeof *codes);
    codes->runtime = runtime;
    codes->trace = trace;
    make_room(codes);
    return codes;
}

void codes_destroy(struct codes *codes) {
    if (codes == NULL) {
        return;
    }
    for (size_t i = 0; i < codes->slot_count; i++) {
        if (codes->slots[i] != NULL) {
            known_free(codes->slots[i]);
        }
    }
    free(codes->slots);
    free(codes);
}
