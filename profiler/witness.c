#include "profiler/witness.h"

#include "target-runtime/callsite.h"
#include "target-runtime/mentions.h"

enum {
    VERSION_CLEARED = 1, /* 0, and from 3.14 FUNC_VERSION_CLEARED, are nobody's versions */
};

/* One question, and what it takes to answer it. */
struct hearing {
    struct runtime *runtime;
    struct codes *codes;
    const struct caller *caller;
    const struct callee *callee;
    uint64_t now_ns;
    bool is_generator; /* the callee is a generator's or coroutine's code */
};

static const uint8_t *bytecode_of(const struct hearing *hearing) {
    const struct caller *caller = hearing->caller;
    return hearing->runtime->layout->opcodes != NULL
               ? codes_bytecode(hearing->codes, caller->known, caller->tlbc_index, hearing->now_ns)
               : NULL;
}

static uint32_t bytes_of(const struct hearing *hearing) {
    return (uint32_t)hearing->caller->known->code.code_bytes;
}

/* The call site at the caller's instruction, by the bytecode as it is now. */
static bool site_at(const struct hearing *hearing, struct callsite *out) {
    const uint8_t *code = hearing->caller->offset >= 0 ? bytecode_of(hearing) : NULL;
    if (code != NULL) {
        *out = callsite_at(hearing->runtime->layout->opcodes, code, bytes_of(hearing),
                           (uint32_t)hearing->caller->offset);
    }
    return code != NULL;
}

/* ---- versions ---- */

/* In 3.11 a function carries the version; it must still have this code. */
static uint32_t version_of_function(const struct hearing *hearing) {
    const struct layout *layout = hearing->runtime->layout;
    struct remote function = {hearing->callee->function};
    uint8_t code[8];
    uint8_t version[4];
    struct range ranges[2] = {
        {remote_at(function, LAYOUT_AT(layout, function, code)), code, 8, STATUS_NOT_MAPPED},
        {remote_at(function, LAYOUT_AT(layout, function, version)), version, 4, STATUS_NOT_MAPPED},
    };
    bool is_read = function.addr != 0 &&
                   memory_read(hearing->runtime->memory, ranges, 2) == STATUS_OK &&
                   ranges[0].status == STATUS_OK && ranges[1].status == STATUS_OK;
    bool is_its = is_read && load_u64(code) == hearing->callee->known->code.address.addr;
    return is_its ? load_u32(version) : 0;
}

static uint32_t version_of(const struct hearing *hearing) {
    const struct layout *layout = hearing->runtime->layout;
    uint32_t version = 0;
    if (LAYOUT_HAS(layout, code, version)) {
        version =
            code_fingerprint_u32(&hearing->callee->known->code, LAYOUT_AT(layout, code, version));
    } else if (LAYOUT_HAS(layout, function, version)) {
        version = version_of_function(hearing);
    }
    return version > VERSION_CLEARED ? version : 0;
}

/* Where the caller's bytecode, as it is now, calls this version from. */
static int64_t offset_of_version(const struct hearing *hearing, uint32_t version) {
    const struct opcode_table *table = hearing->runtime->layout->opcodes;
    const uint8_t *code = bytecode_of(hearing);
    uint32_t offset = hearing->caller->offset < 0 ? 0 : (uint32_t)hearing->caller->offset;
    struct callsite site;
    if (code == NULL) {
        return WITNESS_NOWHERE;
    }
    site = callsite_at(table, code, bytes_of(hearing), offset);
    if (site.kind == CALLSITE_NAMED && site.callee_version == version) {
        return hearing->caller->offset;
    }
    uint32_t count = callsite_of_callee(table, code, bytes_of(hearing), offset, version, &site);
    return count > 0 ? (int64_t)site.offset : WITNESS_NOWHERE;
}

/* Opcode and version are two writes, so only what two readings say counts. */
static int64_t hear_versions(const struct hearing *hearing, uint32_t version) {
    if (hearing->callee->is_from_c || hearing->is_generator || version == 0) {
        return WITNESS_NOWHERE;
    }
    int64_t offset = offset_of_version(hearing, version);
    codes_forget_bytecode(hearing->caller->known);
    return offset_of_version(hearing, version) == offset ? offset : WITNESS_NOWHERE;
}

/* ---- names ---- */

static uint64_t name_of(const struct hearing *hearing) {
    const struct code *code = &hearing->callee->known->code;
    uint32_t place = LAYOUT_AT(hearing->runtime->layout, code, name);
    return code_fingerprint_u32(code, place) | (uint64_t)code_fingerprint_u32(code, place + 4)
                                                   << 32;
}

/* The mention of a global that is the callee; NULL if there is none. */
static const struct mention *mention_of(const struct hearing *hearing,
                                        const struct mention_walk *walk,
                                        const struct names *names) {
    uint64_t wanted = hearing->callee->known->code.address.addr;
    for (uint32_t i = 0; i < walk->count; i++) {
        const struct mention *mention = &walk->mentions[i];
        if (mention->is_global && mention->name < names->count &&
            names->rows[mention->name].code == wanted) {
            return mention;
        }
    }
    return NULL;
}

static bool mentions_text(const struct mention_walk *walk, const struct names *names,
                          uint64_t text) {
    for (uint32_t i = 0; i < walk->count; i++) {
        uint32_t name = walk->mentions[i].name;
        if (name < names->count && names->rows[name].text == text) {
            return true;
        }
    }
    return false;
}

/* Whether a statement mentions functions and nothing else. */
static bool mentions_functions(const struct mention_walk *walk, const struct names *names) {
    for (uint32_t i = 0; i < walk->count; i++) {
        const struct mention *mention = &walk->mentions[i];
        if (!mention->is_global || mention->name >= names->count ||
            names->rows[mention->name].code == 0) {
            return false;
        }
    }
    return walk->count > 0;
}

static uint32_t line_of(const struct hearing *hearing, uint32_t offset) {
    const struct code *code = &hearing->caller->known->code;
    return line_at(hearing->runtime->layout->line_table, code->line_table, code->line_table_bytes,
                   code->first_line, offset)
        .line;
}

/* Whether an instruction behind a mention of the callee is what calls it, and not an argument's
 * call in between: the call of a function has the line on which the function is named. */
static bool is_its_call(const struct hearing *hearing, const struct mention *mention,
                        const struct instruction *instruction, enum mention_role role) {
    enum mention_role wanted = hearing->is_generator ? MENTION_RESUMES : MENTION_CALLS;
    return mention != NULL && role == wanted &&
           line_of(hearing, mention->offset) == line_of(hearing, instruction->start);
}

/* Where the statements of the caller mention the callee: at the caller's own instruction
 * (`is_here_out`), or at the call nearest to it. */
static int64_t hear_names(const struct hearing *hearing, const struct names *names,
                          const uint8_t *code, struct testimony *out) {
    struct mention_walk walk =
        mention_walk_begin(hearing->runtime->layout->opcodes, code, bytes_of(hearing));
    struct instruction instruction;
    enum mention_role role;
    int64_t here = hearing->caller->offset;
    int64_t nearest = WITNESS_NOWHERE;
    while (mention_walk_next(&walk, &instruction, &role)) {
        const struct mention *mention = mention_of(hearing, &walk, names);
        if (here >= instruction.begin && here < instruction.end) {
            out->is_alike = mentions_text(&walk, names, name_of(hearing));
            if (mention != NULL && (role == MENTION_CALLS || role == MENTION_RESUMES)) {
                return here;
            }
            out->is_other |= role == MENTION_LOADS;
            out->is_refuted = (role == MENTION_CALLS || role == MENTION_RESUMES) &&
                              mentions_functions(&walk, names);
        }
        if ((nearest == WITNESS_NOWHERE || instruction.start <= here) &&
            is_its_call(hearing, mention, &instruction, role)) {
            nearest = instruction.start;
        }
    }
    return nearest;
}

/* ---- the questions ---- */

void witness_ask(struct runtime *runtime, struct codes *codes, const struct caller *caller,
                 const struct callee *callee, uint64_t now_ns, struct testimony *out) {
    const struct layout *layout = runtime->layout;
    uint32_t flags = code_fingerprint_u32(&callee->known->code, LAYOUT_AT(layout, code, flags));
    struct hearing hearing = {runtime, codes, caller, callee, now_ns, !callsite_can_prove(flags)};
    struct callsite site = {.kind = CALLSITE_POSSIBLE, .pushes = true};
    bool has_site = site_at(&hearing, &site);
    bool names_one = site.kind == CALLSITE_NAMED && !callee->is_from_c;
    *out = (struct testimony){
        .offset = WITNESS_NOWHERE,
        .version = version_of(&hearing),
        .is_other = names_one || site.kind == CALLSITE_NONE || (!site.pushes && !callee->is_from_c),
        .is_generator = site.kind == CALLSITE_GENERATOR,
    };
    const struct names *names =
        has_site ? codes_names(codes, caller->known, caller->globals, now_ns) : NULL;
    const uint8_t *code = names != NULL ? bytecode_of(&hearing) : NULL;
    int64_t by_name = code != NULL ? hear_names(&hearing, names, code, out) : WITNESS_NOWHERE;
    int64_t by_version = hear_versions(&hearing, out->version);
    /* Of a call that names another callee a name proves nothing: it may be that of an argument. */
    bool is_argument = by_name == caller->offset && names_one && !hearing.is_generator;
    bool is_by_name = by_name != WITNESS_NOWHERE && by_version != caller->offset && !is_argument;
    out->offset = is_by_name ? by_name : by_version;
    out->is_weak = !is_by_name && layout->has_colliding_versions && !out->is_alike;
}

uint32_t witness_version(struct runtime *runtime, struct codes *codes, const struct caller *caller,
                         uint64_t now_ns) {
    struct hearing hearing = {runtime, codes, caller, NULL, now_ns, false};
    struct callsite site;
    return site_at(&hearing, &site) && site.kind == CALLSITE_NAMED ? site.callee_version : 0;
}

/* The functions that the statement at the caller's instruction mentions, at most MENTION_LIMIT;
 * their number. */
static uint32_t functions_mentioned(const struct hearing *hearing, uint64_t *codes_out,
                                    enum mention_role *role_out) {
    const struct caller *caller = hearing->caller;
    const uint8_t *code = caller->offset >= 0 ? bytecode_of(hearing) : NULL;
    const struct names *names =
        code == NULL ? NULL
                     : codes_names(hearing->codes, caller->known, caller->globals, hearing->now_ns);
    struct instruction instruction;
    uint32_t count = 0;
    if (names == NULL) {
        return 0;
    }
    struct mention_walk walk =
        mention_walk_begin(hearing->runtime->layout->opcodes, code, bytes_of(hearing));
    if (!mention_walk_to(&walk, (uint32_t)caller->offset, &instruction, role_out)) {
        return 0;
    }
    for (uint32_t i = 0; i < walk.count; i++) {
        const struct mention *mention = &walk.mentions[i];
        if (mention->is_global && mention->name < names->count &&
            names->rows[mention->name].code != 0) {
            codes_out[count++] = names->rows[mention->name].code;
        }
    }
    return count;
}

bool witness_can_be(const struct runtime *runtime, uint32_t code_flags, bool is_resumed) {
    if (callsite_can_prove(code_flags)) {
        return !is_resumed;
    }
    return is_resumed || callsite_frames_making(runtime->layout->opcodes);
}

uint64_t witness_mentioned(struct runtime *runtime, struct codes *codes,
                           const struct caller *caller, uint64_t now_ns) {
    struct hearing hearing = {runtime, codes, caller, NULL, now_ns, false};
    uint64_t functions[MENTION_LIMIT];
    enum mention_role role = MENTION_NOTHING;
    uint32_t count = functions_mentioned(&hearing, functions, &role);
    uint64_t found = 0;
    if (role != MENTION_CALLS && role != MENTION_RESUMES) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        /* From here on the caller's own code object may have been forgotten. */
        struct known *known = codes_find(codes, functions[i], now_ns);
        if (known == NULL || functions[i] == found) {
            continue;
        }
        uint32_t flags =
            code_fingerprint_u32(&known->code, LAYOUT_AT(runtime->layout, code, flags));
        if (found != 0 || !witness_can_be(runtime, flags, role == MENTION_RESUMES)) {
            return 0;
        }
        found = functions[i];
    }
    return found;
}

/* The code of the only function that was mentioned; 0 if there is none, or another one too. */
static uint64_t only_function(const struct mention_walk *walk, const struct names *names) {
    uint64_t found = 0;
    for (uint32_t i = 0; i < walk->count; i++) {
        const struct mention *mention = &walk->mentions[i];
        bool is_known = mention->is_global && mention->name < names->count;
        uint64_t code = is_known ? names->rows[mention->name].code : 0;
        if (found != 0 && code != 0 && code != found) {
            return 0;
        }
        found = code != 0 ? code : found;
    }
    return found;
}

size_t witness_named_calls(struct runtime *runtime, struct codes *codes,
                           const struct caller *caller, uint64_t now_ns, struct named_call *out) {
    struct hearing hearing = {runtime, codes, caller, NULL, now_ns, false};
    const uint8_t *code = bytecode_of(&hearing);
    const struct names *names =
        code != NULL ? codes_names(codes, caller->known, caller->globals, now_ns) : NULL;
    struct instruction instruction;
    enum mention_role role;
    size_t count = 0;
    if (names == NULL) {
        return 0;
    }
    struct mention_walk walk =
        mention_walk_begin(runtime->layout->opcodes, code, bytes_of(&hearing));
    while (count < NAMED_CALLS && mention_walk_next(&walk, &instruction, &role)) {
        uint64_t function = only_function(&walk, names);
        if (function != 0 && (role == MENTION_CALLS || role == MENTION_RESUMES)) {
            out[count++] =
                (struct named_call){function, instruction.start, role == MENTION_RESUMES};
        }
    }
    return count;
}

bool witness_is_alone(struct runtime *runtime, struct codes *codes, const struct caller *caller,
                      uint64_t now_ns) {
    struct hearing hearing = {runtime, codes, caller, NULL, now_ns, false};
    struct callsite site;
    return caller->offset < 0 || (site_at(&hearing, &site) && !site.pushes);
}
