#include "profiler/verify.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/base/table.h"
#include "target-runtime/callsite.h"

enum {
    EDGE_LIMIT = 1 << 20, /* so many calls are remembered; then all are forgotten */
    /* A call counts as seen if it stood still so often, and in one of so many of its looks. */
    STEADY_LEAST = 3,
    LOOKS_PER_STEADY = 4,
    LOOKS_PER_STEADY_GENERATOR = 32, /* a link to the resuming frame stands only while it runs */
    STEADY_ENOUGH = 8,
    COUNT_LIMIT = 1 << 16, /* then both counts are halved: the past fades */
    FIRST_TRY_MS = 2,
    LAST_TRY_MS = 1000,
    VERSION_CLEARED = 1, /* 0, and from 3.14 FUNC_VERSION_CLEARED, are nobody's versions */
};

/* A call, remembered. The first members are its identity. */
struct edge {
    uint64_t caller; /* known.serial */
    uint64_t callee;
    int64_t offset;
    uint64_t is_from_c;
    /* payload */
    int64_t proved_offset; /* where the bytecode calls the callee from, or NOT_PROVED */
    uint32_t steady;       /* looks in which it was new and stood still */
    uint32_t moved;        /* looks in which it was new and did not */
    uint32_t least;        /* what steady must be at least once it has been seen moving */
    uint32_t share;        /* and one in how many of its looks */
    uint64_t try_ns;       /* when to look at the bytecode again */
    uint64_t pause_ns;
};

#define NOT_PROVED INT64_MIN

/* Whose a version is: of code that was met as somebody's callee. */
struct named {
    uint32_t version; /* identity */
    uint32_t reserved;
    uint64_t address; /* payload: of the code object */
    uint64_t serial;  /* payload: known.serial, for another may come to be at that address */
};

struct verify {
    struct runtime *runtime;
    struct codes *codes;
    struct table edges; /* struct edge */
    struct table named; /* struct named */
};

struct verify *verify_create(struct runtime *runtime, struct codes *codes) {
    struct verify *verify = memory_zeroed(1, sizeof *verify);
    verify->runtime = runtime;
    verify->codes = codes;
    table_init(&verify->edges, sizeof(struct edge), offsetof(struct edge, proved_offset));
    table_init(&verify->named, sizeof(struct named), offsetof(struct named, reserved));
    return verify;
}

void verify_destroy(struct verify *verify) {
    if (verify != NULL) {
        table_deinit(&verify->edges);
        table_deinit(&verify->named);
        free(verify);
    }
}

static struct edge *edge_of(struct verify *verify, const struct call *call) {
    struct edge edge = {
        .caller = call->caller->serial,
        .callee = call->callee->serial,
        .offset = call->offset,
        .is_from_c = call->is_from_c,
        .proved_offset = NOT_PROVED,
        .least = STEADY_LEAST,
        .share = LOOKS_PER_STEADY,
        .pause_ns = FIRST_TRY_MS * NS_PER_MS,
    };
    if (verify->edges.count >= EDGE_LIMIT) {
        table_deinit(&verify->edges);
        table_init(&verify->edges, sizeof edge, offsetof(struct edge, proved_offset));
    }
    return table_row(&verify->edges, table_intern(&verify->edges, &edge));
}

/* ---- standing still ---- */

static void count_look(struct edge *edge, enum sight sight) {
    edge->steady += sight == SIGHT_STILL;
    edge->moved += sight == SIGHT_MOVED;
    if (edge->steady + edge->moved >= COUNT_LIMIT) {
        edge->steady = (edge->steady + 1) / 2;
        edge->moved /= 2;
    }
}

/* Seen once, and never otherwise: a call that takes its time. Else a fair share is asked for. */
static bool has_stood_still(const struct edge *edge) {
    uint32_t least = edge->moved == 0 ? 1 : edge->least;
    return edge->steady >= least && edge->steady * edge->share >= edge->moved;
}

/* ---- what the bytecode says ---- */

/* The call site at an instruction, by the bytecode as it is now; false if that cannot be had. */
static bool site_at(struct verify *verify, struct known *known, int64_t offset, uint64_t now_ns,
                    struct callsite *out) {
    const struct opcode_table *table = verify->runtime->layout->opcodes;
    const uint8_t *code =
        table != NULL && offset >= 0 ? codes_bytecode(verify->codes, known, now_ns) : NULL;
    if (code != NULL) {
        *out = callsite_at(table, code, (uint32_t)known->code.code_bytes, (uint32_t)offset);
    }
    return code != NULL;
}

/* How much standing still it takes: more where the instruction was last specialised for another
 * callee or can have none right above it (no refutation: a guard may have failed), less where it
 * resumes generators, whose frames are linked to the caller only while they run. */
static void weigh_site(struct verify *verify, struct edge *edge, const struct call *call,
                       uint64_t now_ns) {
    struct callsite site;
    if (site_at(verify, call->caller, call->offset, now_ns, &site)) {
        bool is_other = site.kind == CALLSITE_NAMED || !site.pushes;
        edge->least = is_other ? STEADY_ENOUGH : STEADY_LEAST;
        edge->share =
            site.kind == CALLSITE_GENERATOR ? LOOKS_PER_STEADY_GENERATOR : LOOKS_PER_STEADY;
    }
}

/* From 3.12 a code object carries its version. */
static uint32_t version_of_code(const struct layout *layout, const struct known *callee) {
    return code_fingerprint_u32(&callee->code, LAYOUT_AT(layout, code, version));
}

/* In 3.11 only functions do; a function may have been given other code since. */
static uint32_t version_of_function(const struct runtime *runtime, const struct call *call) {
    const struct layout *layout = runtime->layout;
    struct remote function = {call->function};
    uint8_t code[8];
    uint8_t version[4];
    struct range ranges[2] = {
        {remote_at(function, LAYOUT_AT(layout, function, code)), code, 8, STATUS_NOT_MAPPED},
        {remote_at(function, LAYOUT_AT(layout, function, version)), version, 4, STATUS_NOT_MAPPED},
    };
    bool is_read = function.addr != 0 && memory_read(runtime->memory, ranges, 2) == STATUS_OK &&
                   ranges[0].status == STATUS_OK && ranges[1].status == STATUS_OK;
    return is_read && load_u64(code) == call->callee->code.address.addr ? load_u32(version) : 0;
}

static uint32_t version_of(const struct runtime *runtime, const struct call *call) {
    return LAYOUT_HAS(runtime->layout, code, version)
               ? version_of_code(runtime->layout, call->callee)
           : LAYOUT_HAS(runtime->layout, function, version) ? version_of_function(runtime, call)
                                                            : 0;
}

/* Where the caller's bytecode, as it is now, calls this version from: at the caller's instruction
 * if it can be, else at the nearest call that does; -1 if nowhere. */
static int64_t named_offset(struct verify *verify, const struct call *call, uint32_t version,
                            uint64_t now_ns) {
    const struct opcode_table *table = verify->runtime->layout->opcodes;
    const uint8_t *code = codes_bytecode(verify->codes, call->caller, now_ns);
    uint32_t bytes = (uint32_t)call->caller->code.code_bytes;
    uint32_t offset = call->offset < 0 ? 0 : (uint32_t)call->offset;
    if (code == NULL) {
        return -1;
    }
    struct callsite site = callsite_at(table, code, bytes, offset);
    if (site.kind == CALLSITE_NAMED && site.callee_version == version) {
        return call->offset;
    }
    return callsite_of_callee(table, code, bytes, offset, version, &site) > 0 ? (int64_t)site.offset
                                                                              : -1;
}

/* Looks for a proof. Opcode and version are two writes, so only what two readings say counts. */
static void prove(struct verify *verify, struct edge *edge, const struct call *call,
                  uint64_t now_ns) {
    if (verify->runtime->layout->opcodes == NULL || call->is_from_c || now_ns < edge->try_ns) {
        return;
    }
    edge->try_ns = now_ns + edge->pause_ns;
    edge->pause_ns =
        edge->pause_ns * 2 < LAST_TRY_MS * NS_PER_MS ? edge->pause_ns * 2 : LAST_TRY_MS * NS_PER_MS;
    weigh_site(verify, edge, call, now_ns);
    uint32_t flags =
        code_fingerprint_u32(&call->callee->code, LAYOUT_AT(verify->runtime->layout, code, flags));
    uint32_t version =
        callsite_can_prove(flags) ? version_of(verify->runtime, call) : VERSION_CLEARED;
    if (version <= VERSION_CLEARED) {
        return;
    }
    struct named named = {version, 0, call->callee->code.address.addr, call->callee->serial};
    *(struct named *)table_row(&verify->named, table_intern(&verify->named, &named)) = named;
    int64_t offset = named_offset(verify, call, version, now_ns);
    codes_forget_bytecode(call->caller);
    if (offset < 0 || named_offset(verify, call, version, now_ns) != offset) {
        return;
    }
    edge->proved_offset = offset;
}

struct known *verify_callee(struct verify *verify, struct known *caller, int64_t offset,
                            uint64_t now_ns) {
    struct callsite site;
    uint32_t id = 0;
    if (site_at(verify, caller, offset, now_ns, &site) && site.kind == CALLSITE_NAMED) {
        id = table_find(&verify->named, &site.callee_version);
    }
    if (id == 0) {
        return NULL;
    }
    const struct named *named = table_row(&verify->named, id);
    struct known *known = codes_find(verify->codes, named->address, now_ns);
    return known != NULL && known->serial == named->serial ? known : NULL;
}

bool verify_is_alone(struct verify *verify, struct known *caller, int64_t offset, uint64_t now_ns) {
    struct callsite site;
    return site_at(verify, caller, offset, now_ns, &site) && !site.pushes;
}

/* ---- the judgement ---- */

enum verdict verify_call(struct verify *verify, const struct call *call, uint64_t now_ns,
                         int64_t *offset_out) {
    struct edge *edge = edge_of(verify, call);
    *offset_out = call->offset;
    count_look(edge, call->sight);
    if (edge->proved_offset != call->offset) {
        prove(verify, edge, call, now_ns);
    }
    if (edge->proved_offset == call->offset) {
        return VERDICT_GOOD;
    }
    if (has_stood_still(edge) && edge->steady >= STEADY_ENOUGH) {
        return VERDICT_GOOD;
    }
    if (edge->proved_offset != NOT_PROVED) {
        *offset_out = edge->proved_offset;
        return VERDICT_MENDED;
    }
    if (has_stood_still(edge)) {
        return VERDICT_SEEN;
    }
    return VERDICT_UNKNOWN;
}
