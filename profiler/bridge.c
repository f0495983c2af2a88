#include "profiler/bridge.h"

enum { STEP_LIMIT = 256 }; /* calls that are tried */

/* A search from the callee down. */
struct search {
    const struct verify *verify;
    struct codes *codes;
    bridge_code_at *code_at;
    const void *context;
    uint64_t now_ns;
    size_t steps;
    size_t found;
    struct calling way[BRIDGE_LIMIT]; /* the callee's call first */
    struct bridge *out;
};

static void note_bridge(struct search *search, size_t depth, size_t length) {
    search->found++;
    search->out->depth = depth;
    search->out->count = length;
    for (size_t i = 0; i < length; i++) {
        search->out->callings[i] = search->way[length - 1 - i];
    }
}

/* Tries all that call `callee`, which lies at `depth`, `length` calls below the end of the way. */
static void search_down(struct search *search, const struct known *callee, size_t depth,
                        size_t length) {
    size_t count;
    const struct calling *rows = verify_callings(search->verify, callee, &count);
    search->found += count == 0 ? 2 : 0; /* who knows: nothing can be the only one then */
    for (size_t i = 0; i < count && search->found < 2; i++) {
        if (search->steps++ >= STEP_LIMIT) {
            search->found = 2;
            return;
        }
        search->way[length] = rows[i];
        if (search->code_at(search->context, depth - 1) == rows[i].code) {
            note_bridge(search, depth - 1, length + 1);
            continue;
        }
        const struct known *caller = codes_find(search->codes, rows[i].code, search->now_ns);
        if (caller != NULL && caller->serial == rows[i].serial && depth > 1 &&
            length + 1 < BRIDGE_LIMIT) {
            search_down(search, caller, depth - 1, length + 1);
        }
    }
}

bool bridge_find(const struct verify *verify, struct codes *codes, const struct known *callee,
                 size_t depth, bridge_code_at *code_at, const void *context, uint64_t now_ns,
                 struct bridge *out) {
    struct search search = {
        .verify = verify,
        .codes = codes,
        .code_at = code_at,
        .context = context,
        .now_ns = now_ns,
        .out = out,
    };
    if (depth > 0) {
        search_down(&search, callee, depth, 0);
    }
    return search.found == 1;
}
