#include "profiler/codes.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

enum {
    CHECK_NS = 20000000,      /* so long a code object is believed unchecked, if it is not young */
    YOUNG_NS = 300000000,     /* code that comes and goes seldom lives longer */
    NAMES_NS = 200000000,     /* how long globals are believed to be what they were */
    BYTECODE_NS = 5000000,    /* how long a copy of bytecode is believed to be the newest */
    BYTECODE_LIMIT = 1 << 20, /* longer bytecode is not copied */
    LISTED_FRESH = 1 << 14,   /* shorter bytecode is listed as it is in the very sample */
    UNITS_CACHED = 1 << 18,   /* larger bytecode has no cache of frames */
    CHECK_BATCH = 64,
};

struct codes {
    struct runtime *runtime;
    struct trace *trace;
    struct known **slots; /* by address, open addressing */
    size_t slot_count;
    size_t known_count;
    uint64_t *places; /* their addresses, sorted */
    size_t place_capacity;
    uint64_t last_serial;
    uint64_t epoch;
    bool lists_opcodes;
    bool has_generation;      /* the target counts the code objects it frees (3.14-) */
    uint64_t code_generation; /* that count in the last look */
    uint64_t changed_ns;      /* when it last changed: what was checked since then is believed */
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

/* Index of the first place above an address. */
static size_t place_above(const struct codes *codes, uint64_t address) {
    size_t begin = 0;
    size_t end = codes->known_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (codes->places[middle] <= address) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

static void add_place(struct codes *codes, uint64_t address) {
    size_t at = place_above(codes, address);
    if (codes->known_count == codes->place_capacity) {
        codes->places = memory_grow(codes->places, sizeof *codes->places, codes->known_count + 1,
                                    &codes->place_capacity);
    }
    memmove(codes->places + at + 1, codes->places + at,
            (codes->known_count - at) * sizeof *codes->places);
    codes->places[at] = address;
}

static void remove_place(struct codes *codes, uint64_t address) {
    size_t behind = place_above(codes, address);
    memmove(codes->places + behind - 1, codes->places + behind,
            (codes->known_count - behind) * sizeof *codes->places);
}

/* Reads the code object at an address into `known`; false when there is none. */
static bool learn(struct codes *codes, struct known *known, uint64_t address, uint64_t now_ns) {
    struct trace *trace = codes->trace;
    if (code_fetch(codes->runtime, (struct remote){address}, &known->code) != STATUS_OK) {
        code_free(&known->code);
        return false;
    }
    struct trace_function function = {
        .name = trace_text(trace, known->code.name.data, known->code.name.length),
        .file = trace_text(trace, known->code.file.data, known->code.file.length),
        .first_line = known->code.first_line,
    };
    known->function = trace_intern_function(trace, function);
    known->serial = ++codes->last_serial;
    known->learned_ns = now_ns;
    known->checked_ns = now_ns;
    return true;
}

static void known_free(struct known *known) {
    code_free(&known->code);
    free(known->frames);
    free(known->bytecode);
    code_free_copies(&known->copies);
    names_free(&known->names);
    listing_destroy(known->listing);
    free(known);
}

/* Takes a code object out; those that follow it in the chain of slots are put in again. */
static void forget(struct codes *codes, size_t at) {
    remove_place(codes, codes->slots[at]->code.address.addr);
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

/* Whether a code object is believed to be what it was. A young one is looked at in every look: in
 * its place another one may be before long. */
static bool is_fresh(const struct codes *codes, const struct known *known, uint64_t now_ns) {
    uint64_t believed_ns = now_ns - known->learned_ns < YOUNG_NS ? 0 : CHECK_NS;
    return codes->has_generation ? known->checked_ns >= codes->changed_ns
                                 : now_ns - known->checked_ns <= believed_ns;
}

static bool is_still(struct codes *codes, struct known *known, uint64_t now_ns) {
    struct code_fingerprint copy;
    struct range ranges[CODE_FINGERPRINT_PARTS];
    code_fingerprint_ranges(&known->code.fingerprint, &copy, ranges);
    known->checked_ns = now_ns;
    bool is_read = memory_read(codes->runtime->memory, ranges, CODE_FINGERPRINT_PARTS) == STATUS_OK;
    for (int i = 0; i < CODE_FINGERPRINT_PARTS; i++) {
        is_read = is_read && (ranges[i].status == STATUS_OK || ranges[i].bytes == 0);
    }
    return is_read && code_fingerprint_matches(&known->code.fingerprint, &copy);
}

struct known *codes_find(struct codes *codes, uint64_t address, uint64_t now_ns) {
    make_room(codes);
    size_t at = slot_of(codes, address);
    struct known *known = codes->slots[at];
    if (known != NULL) {
        if (is_fresh(codes, known, now_ns) || is_still(codes, known, now_ns)) {
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
    add_place(codes, address);
    codes->slots[at] = known;
    codes->known_count++;
    return known;
}

struct known *codes_find_instruction(struct codes *codes, uint64_t address, uint64_t now_ns) {
    size_t above = place_above(codes, address);
    uint64_t place = above > 0 ? codes->places[above - 1] : 0;
    const struct known *known = place != 0 ? codes->slots[slot_of(codes, place)] : NULL;
    int64_t ignored;
    bool is_in =
        known != NULL && code_position(codes->runtime->layout, &known->code, address, 0, &ignored);
    return is_in ? codes_find(codes, place, now_ns) : NULL;
}

/* ---- checking a whole look ---- */

static enum status check_batch(struct codes *codes, struct known **batch, size_t count) {
    struct code_fingerprint copies[CHECK_BATCH];
    struct range ranges[CHECK_BATCH * CODE_FINGERPRINT_PARTS];
    for (size_t i = 0; i < count; i++) {
        code_fingerprint_ranges(&batch[i]->code.fingerprint, &copies[i],
                                ranges + i * CODE_FINGERPRINT_PARTS);
    }
    enum status status =
        memory_read(codes->runtime->memory, ranges, count * CODE_FINGERPRINT_PARTS);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        bool is_read = true;
        for (size_t part = 0; part < CODE_FINGERPRINT_PARTS; part++) {
            const struct range *range = &ranges[i * CODE_FINGERPRINT_PARTS + part];
            is_read = is_read && (range->status == STATUS_OK || range->bytes == 0);
        }
        if (!is_read || !code_fingerprint_matches(&batch[i]->code.fingerprint, &copies[i])) {
            forget(codes, slot_of(codes, batch[i]->code.address.addr));
        }
    }
    return status;
}

/* Notes whether code objects were freed since the last look, where the target says so. */
static void note_generation(struct codes *codes, const struct raw_look *look, uint64_t now_ns) {
    codes->has_generation = look->has_code_generation;
    if (look->has_code_generation && look->code_generation != codes->code_generation) {
        codes->code_generation = look->code_generation;
        codes->changed_ns = now_ns;
        codes->epoch++; /* the last stacks of threads that are not in this look are doubtful too */
    }
}

enum status codes_check(struct codes *codes, const struct raw_look *look, uint64_t now_ns) {
    struct known *batch[CHECK_BATCH];
    size_t count = 0;
    enum status status = STATUS_OK;
    note_generation(codes, look, now_ns);
    if (codes->has_generation && codes->changed_ns != now_ns) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < look->frame_count && status == STATUS_OK; i++) {
        struct known *known = codes->slots[slot_of(codes, look->frames[i].code)];
        if (known == NULL || known->checked_ns == now_ns || is_fresh(codes, known, now_ns)) {
            continue;
        }
        known->checked_ns = now_ns;
        batch[count++] = known;
        if (count == CHECK_BATCH) {
            status = check_batch(codes, batch, count);
            count = 0;
        }
    }
    return status == STATUS_OK && count > 0 ? check_batch(codes, batch, count) : status;
}

static struct frame_id make_frame(struct codes *codes, const struct known *known, int64_t offset) {
    const struct code *code = &known->code;
    struct source_range source = {code->first_line, 0, 0, 0};
    if (offset >= 0) {
        source = line_at(codes->runtime->layout->line_table, code->line_table,
                         code->line_table_bytes, code->first_line, offset);
    }
    struct trace_frame frame = {.function = known->function,
                                .line = source.line,
                                .end_line = source.end_line,
                                .column = source.column,
                                .end_column = source.end_column,
                                .kind = FRAME_PYTHON};
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

uint32_t codes_line(struct codes *codes, struct known *known, int64_t offset) {
    return trace_frame(codes->trace, codes_frame(codes, known, offset))->line;
}

/* ---- bytecode ---- */

/* Where a thread's own copy of the bytecode begins; 0 where it is not known, or has index 0. */
static uint64_t copy_of(const struct known *known, uint32_t tlbc_index) {
    bool is_listed = tlbc_index != 0 && tlbc_index < known->copies.count;
    return is_listed ? known->copies.at[tlbc_index] : 0;
}

/* Reads the list of copies again, at most once a look. A copy stays until its code object is freed
 * or, its thread having ended, caches are cleared (Objects/codeobject.c, 3.14). */
static bool refresh_copies(struct codes *codes, struct known *known, uint64_t now_ns) {
    if (known->copies_ns == now_ns) {
        return false;
    }
    known->copies_ns = now_ns;
    return code_read_copies(codes->runtime, &known->code, &known->copies) == STATUS_OK;
}

static bool is_position(const struct codes *codes, const struct known *known,
                        const struct raw_frame *frame, int64_t *offset_out) {
    uint64_t copy = copy_of(known, frame->tlbc_index);
    return (frame->tlbc_index == 0 || copy != 0) &&
           code_position(codes->runtime->layout, &known->code, frame->position, copy, offset_out);
}

bool codes_position(struct codes *codes, struct known *known, const struct raw_frame *frame,
                    uint64_t now_ns, int64_t *offset_out) {
    if (is_position(codes, known, frame, offset_out)) {
        return true;
    }
    return frame->tlbc_index != 0 && refresh_copies(codes, known, now_ns) &&
           is_position(codes, known, frame, offset_out);
}

/* The bytecode as it was at most `age_ns` ago. */
static const uint8_t *recent_bytecode(struct codes *codes, struct known *known, uint32_t tlbc_index,
                                      uint64_t age_ns, uint64_t now_ns) {
    uint64_t bytes = known->code.code_bytes;
    uint64_t copy = copy_of(known, tlbc_index);
    if (tlbc_index != 0 && copy == 0 && refresh_copies(codes, known, now_ns)) {
        copy = copy_of(known, tlbc_index);
    }
    if (bytes == 0 || bytes > BYTECODE_LIMIT || (tlbc_index != 0 && copy == 0)) {
        return NULL;
    }
    bool is_same = known->bytecode != NULL && known->bytecode_index == tlbc_index;
    if (is_same && now_ns - known->bytecode_ns <= age_ns) {
        return known->bytecode;
    }
    if (known->bytecode == NULL) {
        known->bytecode = memory_zeroed(bytes, 1);
    }
    known->bytecode_ns = now_ns;
    known->bytecode_index = tlbc_index;
    if (code_read_bytecode(codes->runtime, &known->code, copy, known->bytecode) != STATUS_OK) {
        free(known->bytecode);
        known->bytecode = NULL;
    }
    return known->bytecode;
}

const uint8_t *codes_bytecode(struct codes *codes, struct known *known, uint32_t tlbc_index,
                              uint64_t now_ns) {
    return recent_bytecode(codes, known, tlbc_index, BYTECODE_NS, now_ns);
}

void codes_forget_bytecode(struct known *known) {
    free(known->bytecode);
    known->bytecode = NULL;
}

const struct names *codes_names(struct codes *codes, struct known *known, uint64_t globals,
                                uint64_t now_ns) {
    struct names names;
    if (known->names.rows != NULL && now_ns - known->names_ns < NAMES_NS) {
        return &known->names;
    }
    if (names_read(codes->runtime, known->code.address, (struct remote){globals}, &names) ==
        STATUS_OK) {
        names_free(&known->names);
        known->names = names;
        known->names_ns = now_ns;
    } else {
        names_free(&names);
    }
    return known->names.rows != NULL ? &known->names : NULL;
}

/* ---- listings ---- */

void codes_list_opcodes(struct codes *codes) {
    codes->lists_opcodes = true;
}

bool codes_lists_opcodes(const struct codes *codes) {
    return codes->lists_opcodes;
}

/* Up to 3.10 bytecode never changes. */
static uint64_t age_to_list_ns(const struct codes *codes, const struct known *known) {
    if (!LAYOUT_HAS(codes->runtime->layout, code, adaptive)) {
        return UINT64_MAX;
    }
    return known->code.code_bytes <= LISTED_FRESH ? 0 : BYTECODE_NS;
}

/* Brings the listing up to date; NULL when the bytecode was never to be had. */
static const struct listing *listing_now(struct codes *codes, struct known *known,
                                         uint32_t tlbc_index, uint64_t age_ns, uint64_t now_ns) {
    struct trace *trace = codes->trace;
    const uint8_t *bytecode = recent_bytecode(codes, known, tlbc_index, age_ns, now_ns);
    if (bytecode == NULL) {
        return known->listing;
    }
    if (known->listing == NULL) {
        struct trace_code code = {.function = known->function, .serial = trace->codes.count + 1};
        known->listing = listing_create(trace, codes->runtime->layout, &known->code,
                                        trace_intern_code(trace, code));
    } else if (known->listed_ns == known->bytecode_ns) {
        return known->listing;
    }
    known->listed_ns = known->bytecode_ns;
    listing_update(known->listing, bytecode);
    return known->listing;
}

struct frame_id codes_newest_frame(struct codes *codes, struct known *known, int64_t offset,
                                   uint32_t tlbc_index, uint64_t now_ns) {
    struct frame_id plain = codes_frame(codes, known, offset);
    const struct listing *listing =
        codes->lists_opcodes && offset >= 0
            ? listing_now(codes, known, tlbc_index, age_to_list_ns(codes, known), now_ns)
            : NULL;
    if (listing == NULL) {
        return plain;
    }
    struct trace_frame frame = *trace_frame(codes->trace, plain);
    frame.instruction = listing_at(listing, offset, &frame.opcode);
    return trace_intern_frame(codes->trace, frame);
}

/* What was specialised since the last sample of it. */
static void finish_listing(struct codes *codes, struct known *known, uint64_t now_ns) {
    if (known->listing != NULL && is_still(codes, known, now_ns)) {
        listing_now(codes, known, known->bytecode_index, 0, now_ns);
    }
}

/* ---- life ---- */

uint64_t codes_believed_until_ns(const struct codes *codes, const struct known *known) {
    bool is_young = known->checked_ns - known->learned_ns < YOUNG_NS;
    return codes->has_generation ? UINT64_MAX : is_young ? 0 : known->checked_ns + CHECK_NS;
}

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
            finish_listing(codes, codes->slots[i], clock_monotonic_ns());
            known_free(codes->slots[i]);
        }
    }
    free(codes->slots);
    free(codes->places);
    free(codes);
}
