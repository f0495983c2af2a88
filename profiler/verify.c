#include "profiler/verify.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/base/table.h"
#include "profiler/witness.h"

enum {
    EDGE_LIMIT = 1 << 20, /* so many calls are remembered; then all are forgotten */
    /* A call counts as seen if it stood still so often, and in one of so many of its looks. */
    STEADY_FIRST = 2, /* while it has never been seen moving */
    STEADY_LEAST = 3,
    LOOKS_PER_STEADY = 4,
    LOOKS_PER_STEADY_LIKELY = 32, /* the name speaks for it, or a generator, whose link to the
                                     resuming frame stands only while it runs */
    STEADY_ENOUGH = 8,
    /* The same of a call that was seen moving, if the caller's code speaks against it: only a
     * signal's handler, a finaliser, or what an attribute turned out to be. */
    STEADY_REFUTED = 64,
    COUNT_LIMIT = 1 << 16, /* then both counts are halved: the past fades */
    FIRST_TRY_MS = 2,
    LAST_TRY_MS = 1000,
    LAST_TRY_ELSEWHERE_MS = 64000, /* of a call that was proved from another instruction: rarely is
                                      there more to be found, and each try is ten reads */
    ASK_AGAIN_MS = 1000,
    LEARN_AGAIN_MS = 64000, /* all calls of a code: dozens of reads */
};

/* A call, remembered. The first members are its identity. */
struct edge {
    uint64_t caller; /* known.serial */
    uint64_t callee;
    int64_t offset;
    uint64_t is_from_c;
    /* payload */
    int64_t proved_offset; /* where the caller calls the callee from, or WITNESS_NOWHERE */
    uint32_t steady;       /* looks in which it was new and stood still */
    uint32_t moved;        /* looks in which it was new and did not */
    uint32_t least;        /* what steady must be at least once it has been seen moving */
    uint32_t share;        /* and one in how many of its looks */
    bool is_alike;         /* the name speaks for it */
    bool is_other;         /* the instruction names somebody else, or can have no callee */
    bool is_refuted;       /* the names speak against it */
    bool is_noted;         /* among the callings of its callee */
    uint64_t try_ns;       /* when to look at the bytecode again */
    uint64_t pause_ns;
};

/* Whose a version is: of code that was met as somebody's callee. */
struct named {
    uint64_t interpreter; /* identity: versions are one interpreter's own from 3.13 on */
    uint64_t version;
    uint64_t reserved;
    uint64_t address; /* payload: of the code object */
    uint64_t serial;  /* payload: known.serial, for another may come to be at that address */
};

/* Whom a statement calls by name. */
struct spot {
    uint64_t caller;  /* identity: known.serial */
    int64_t offset;   /* WITNESS_NOWHERE: all its statements, when they were asked */
    uint64_t address; /* payload: of the code object; 0: nobody, or not clear who */
    uint64_t callee;  /* payload: known.serial */
    uint64_t asked_ns;
};

/* Who calls a callee. */
struct callings {
    uint64_t callee; /* identity: known.serial */
    /* payload */
    struct calling rows[CALLINGS];
    size_t count; /* CALLINGS + 1: too many to tell */
};

struct verify {
    struct runtime *runtime;
    struct codes *codes;
    struct table edges;    /* struct edge */
    struct table named;    /* struct named */
    struct table spots;    /* struct spot */
    struct table callings; /* struct callings */
};

struct verify *verify_create(struct runtime *runtime, struct codes *codes) {
    struct verify *verify = memory_zeroed(1, sizeof *verify);
    verify->runtime = runtime;
    verify->codes = codes;
    table_init(&verify->edges, sizeof(struct edge), offsetof(struct edge, proved_offset));
    table_init(&verify->named, sizeof(struct named), offsetof(struct named, reserved));
    table_init(&verify->spots, sizeof(struct spot), offsetof(struct spot, address));
    table_init(&verify->callings, sizeof(struct callings), offsetof(struct callings, rows));
    return verify;
}

void verify_destroy(struct verify *verify) {
    if (verify != NULL) {
        table_deinit(&verify->edges);
        table_deinit(&verify->named);
        table_deinit(&verify->spots);
        table_deinit(&verify->callings);
        free(verify);
    }
}

static struct edge new_edge(const struct call *call) {
    return (struct edge){
        .caller = call->caller.known->serial,
        .callee = call->callee.known->serial,
        .offset = call->caller.offset,
        .is_from_c = call->callee.is_from_c,
        .proved_offset = WITNESS_NOWHERE,
        .least = STEADY_LEAST,
        .share = LOOKS_PER_STEADY,
        .pause_ns = FIRST_TRY_MS * NS_PER_MS,
    };
}

static struct edge *edge_of(struct verify *verify, const struct call *call) {
    struct edge edge = new_edge(call);
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

/* Never seen otherwise: a call that takes its time. Else a fair share is asked for. */
static bool has_stood_still(const struct edge *edge) {
    if (edge->is_refuted) {
        uint32_t enough = edge->moved == 0 ? STEADY_ENOUGH : STEADY_REFUTED;
        return edge->steady >= enough * (edge->moved + 1);
    }
    uint32_t least = edge->moved == 0 && !edge->is_other ? STEADY_FIRST : edge->least;
    least = edge->is_alike ? 1 : least;
    return edge->steady >= least && edge->steady * edge->share >= edge->moved;
}

/* ---- who calls whom ---- */

static void note_calling(struct verify *verify, struct known *caller, int64_t offset,
                         const struct known *callee) {
    struct callings key = {.callee = callee->serial};
    if (verify->callings.count >= EDGE_LIMIT) {
        table_deinit(&verify->callings);
        table_init(&verify->callings, sizeof key, offsetof(struct callings, rows));
    }
    struct callings *callings = table_row(&verify->callings, table_intern(&verify->callings, &key));
    uint32_t line = codes_line(verify->codes, caller, offset);
    for (size_t i = 0; i < callings->count && i < CALLINGS; i++) {
        if (callings->rows[i].serial == caller->serial && callings->rows[i].line == line) {
            return;
        }
    }
    if (callings->count < CALLINGS) {
        callings->rows[callings->count] =
            (struct calling){caller->code.address.addr, caller->serial, offset, line,
                             codes_frame(verify->codes, caller, offset)};
    }
    callings->count += callings->count <= CALLINGS;
}

/* ---- what the bytecode says ---- */

/* Notes whose version that is, to name a callee that has gone. */
static void note_version(struct verify *verify, const struct call *call, uint32_t version) {
    const struct known *callee = call->callee.known;
    struct named named = {call->caller.interpreter, version, 0, callee->code.address.addr,
                          callee->serial};
    *(struct named *)table_row(&verify->named, table_intern(&verify->named, &named)) = named;
}

/* Looks for a proof, ever more seldom. */
static void prove(struct verify *verify, struct edge *edge, const struct call *call,
                  uint64_t now_ns) {
    struct testimony told;
    if (now_ns < edge->try_ns) {
        return;
    }
    edge->try_ns = now_ns + edge->pause_ns;
    bool is_elsewhere = edge->proved_offset != WITNESS_NOWHERE;
    uint64_t last_ns = (is_elsewhere ? LAST_TRY_ELSEWHERE_MS : LAST_TRY_MS) * NS_PER_MS;
    edge->pause_ns = edge->pause_ns * 2 < last_ns ? edge->pause_ns * 2 : last_ns;
    witness_ask(verify->runtime, verify->codes, &call->caller, &call->callee, now_ns, &told);
    if (told.version != 0) {
        note_version(verify, call, told.version);
    }
    edge->is_alike = told.is_alike;
    edge->is_refuted = told.is_refuted;
    edge->is_other = told.is_other;
    edge->least = told.is_alike ? 1 : told.is_other ? STEADY_ENOUGH : STEADY_LEAST;
    edge->share = told.is_generator || told.is_alike ? LOOKS_PER_STEADY_LIKELY : LOOKS_PER_STEADY;
    if (told.offset != WITNESS_NOWHERE && (!told.is_weak || edge->steady > 0)) {
        edge->proved_offset = told.offset;
    }
}

static struct known *find_same(struct verify *verify, uint64_t address, uint64_t serial,
                               uint64_t now_ns) {
    struct known *known = codes_find(verify->codes, address, now_ns);
    return known != NULL && known->serial == serial ? known : NULL;
}

static void put_spot(struct verify *verify, const struct spot *spot) {
    if (verify->spots.count >= EDGE_LIMIT) {
        table_deinit(&verify->spots);
        table_init(&verify->spots, sizeof *spot, offsetof(struct spot, address));
    }
    *(struct spot *)table_row(&verify->spots, table_intern(&verify->spots, spot)) = *spot;
}

/* By the names in the caller's statement; asked again from time to time, for globals change. */
static struct known *callee_by_name(struct verify *verify, const struct caller *caller,
                                    uint64_t now_ns) {
    struct spot spot = {caller->known->serial, caller->offset, 0, 0, 0};
    uint32_t id = table_find(&verify->spots, &spot);
    const struct spot *found = id != 0 ? table_row(&verify->spots, id) : NULL;
    if (found != NULL && now_ns - found->asked_ns < ASK_AGAIN_MS * NS_PER_MS) {
        return found->address != 0 ? find_same(verify, found->address, found->callee, now_ns)
                                   : NULL;
    }
    spot.asked_ns = now_ns;
    spot.address = witness_mentioned(verify->runtime, verify->codes, caller, now_ns);
    struct known *known =
        spot.address != 0 ? codes_find(verify->codes, spot.address, now_ns) : NULL;
    spot.callee = known != NULL ? known->serial : 0;
    put_spot(verify, &spot);
    return known;
}

struct known *verify_named_callee(struct verify *verify, const struct caller *caller,
                                  uint64_t now_ns) {
    return caller->offset >= 0 ? callee_by_name(verify, caller, now_ns) : NULL;
}

struct known *verify_callee(struct verify *verify, const struct caller *caller, uint64_t now_ns) {
    struct named key = {
        .interpreter = caller->interpreter,
        .version = witness_version(verify->runtime, verify->codes, caller, now_ns),
    };
    uint32_t id = key.version != 0 ? table_find(&verify->named, &key) : 0;
    if (id != 0) {
        const struct named *named = table_row(&verify->named, id);
        return find_same(verify, named->address, named->serial, now_ns);
    }
    return verify_named_callee(verify, caller, now_ns);
}

/* `address` and `serial` are the caller's, which may have been forgotten. */
static void note_named_call(struct verify *verify, uint64_t address, uint64_t serial,
                            const struct named_call *call, uint64_t now_ns) {
    const struct layout *layout = verify->runtime->layout;
    struct known *callee = codes_find(verify->codes, call->code, now_ns);
    struct known *caller =
        call->code == address ? callee : find_same(verify, address, serial, now_ns);
    if (callee == NULL || caller == NULL || caller->serial != serial) {
        return;
    }
    uint32_t flags = code_fingerprint_u32(&callee->code, LAYOUT_AT(layout, code, flags));
    if (witness_can_be(verify->runtime, flags, call->resumes)) {
        note_calling(verify, caller, call->offset, callee);
    }
}

void verify_learn(struct verify *verify, const struct caller *caller, uint64_t now_ns) {
    struct named_call calls[NAMED_CALLS];
    uint64_t address = caller->known->code.address.addr;
    struct spot spot = {caller->known->serial, WITNESS_NOWHERE, 0, 0, now_ns};
    uint32_t id = table_find(&verify->spots, &spot);
    const struct spot *found = id != 0 ? table_row(&verify->spots, id) : NULL;
    if (found != NULL && now_ns - found->asked_ns < LEARN_AGAIN_MS * NS_PER_MS) {
        return;
    }
    put_spot(verify, &spot);
    size_t count = witness_named_calls(verify->runtime, verify->codes, caller, now_ns, calls);
    for (size_t i = 0; i < count; i++) {
        note_named_call(verify, address, spot.caller, &calls[i], now_ns);
    }
}

bool verify_is_alone(struct verify *verify, const struct caller *caller, uint64_t now_ns) {
    return witness_is_alone(verify->runtime, verify->codes, caller, now_ns);
}

/* ---- the judgement ---- */

void verify_see(struct verify *verify, const struct call *call) {
    count_look(edge_of(verify, call), call->sight);
}

const struct calling *verify_callings(const struct verify *verify, const struct known *callee,
                                      size_t *count_out) {
    struct callings key = {.callee = callee->serial};
    uint32_t id = table_find(&verify->callings, &key);
    const struct callings *callings = id != 0 ? table_row(&verify->callings, id) : NULL;
    *count_out = callings != NULL && callings->count <= CALLINGS ? callings->count : 0;
    return *count_out > 0 ? callings->rows : NULL;
}

bool verify_has_callings(const struct verify *verify, const struct known *callee) {
    struct callings key = {.callee = callee->serial};
    return table_find(&verify->callings, &key) != 0;
}

static enum verdict judge(struct verify *verify, struct edge *edge, const struct call *call,
                          uint64_t now_ns, int64_t *offset_out) {
    if (edge->proved_offset != call->caller.offset) {
        prove(verify, edge, call, now_ns);
    }
    if (edge->proved_offset == call->caller.offset) {
        return VERDICT_GOOD;
    }
    /* What C code calls back may be called from another call than the one that names it. */
    bool is_called_back = call->callee.is_from_c && edge->proved_offset != WITNESS_NOWHERE;
    bool is_known_well = edge->steady >= STEADY_ENOUGH || (is_called_back && edge->moved == 0);
    if (has_stood_still(edge) && is_known_well) {
        return VERDICT_GOOD;
    }
    if (edge->proved_offset != WITNESS_NOWHERE) {
        *offset_out = edge->proved_offset;
        return VERDICT_MENDED;
    }
    if (has_stood_still(edge)) {
        return VERDICT_SEEN;
    }
    return VERDICT_UNKNOWN;
}

enum verdict verify_call(struct verify *verify, const struct call *call, uint64_t now_ns,
                         int64_t *offset_out) {
    struct edge *edge = edge_of(verify, call);
    *offset_out = call->caller.offset;
    count_look(edge, call->sight);
    enum verdict verdict = judge(verify, edge, call, now_ns, offset_out);
    if (!edge->is_noted && (verdict == VERDICT_GOOD || verdict == VERDICT_MENDED)) {
        edge->is_noted = true;
        note_calling(verify, call->caller.known, *offset_out, call->callee.known);
    }
    return verdict;
}

bool verify_is_proved(const struct verify *verify, const struct call *call) {
    struct edge key = new_edge(call);
    uint32_t id = table_find(&verify->edges, &key);
    const struct edge *edge = id != 0 ? table_row(&verify->edges, id) : NULL;
    return edge != NULL && edge->proved_offset == call->caller.offset;
}
