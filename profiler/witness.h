/* What the target's own code says about a call: the bytecode of the caller, and what the names in
 * it stand for. Asks and remembers nothing; what to make of it is decided in verify.h.
 *
 * A call is proved where
 *   - the instruction was specialised for the callee (callsite.h), or
 *   - the statement that it ends mentions a global which is at present a function with the callee's
 *     code (mentions.h, names.h). That goes for a call, for what a call hands to C code to be
 *     called back, and for a generator that the statement made and goes on with. */
#ifndef PYROMETER_PROFILER_WITNESS_H
#define PYROMETER_PROFILER_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/codes.h"

/* A frame that may have called another. */
struct caller {
    struct known *known;
    int64_t offset;       /* of its instruction; -1: it has not begun */
    uint64_t globals;     /* raw_frame.globals */
    uint64_t interpreter; /* raw_thread.interpreter */
    uint32_t tlbc_index;  /* raw_frame.tlbc_index */
};

struct callee {
    struct known *known;
    uint64_t function; /* raw_frame.function */
    bool is_from_c;    /* raw_frame.is_from_c */
};

#define WITNESS_NOWHERE INT64_MIN

struct testimony {
    int64_t offset;    /* where the caller's code calls this callee from: its instruction if that
                          can be, else the nearest; or WITNESS_NOWHERE */
    uint32_t version;  /* of the callee; 0 if it has none */
    bool is_weak;      /* that is so but for chance, and wants to be seen once as well */
    bool is_alike;     /* the statement at the caller's instruction mentions the callee's name */
    bool is_other;     /* that instruction names another callee, or can have none */
    bool is_refuted;   /* that instruction calls what is known, and it is not this callee */
    bool is_generator; /* that instruction goes on with a generator or coroutine */
};

void witness_ask(struct runtime *runtime, struct codes *codes, const struct caller *caller,
                 const struct callee *callee, uint64_t now_ns, struct testimony *out);

/* The version that the caller's instruction was specialised for; 0 if for none. */
uint32_t witness_version(struct runtime *runtime, struct codes *codes, const struct caller *caller,
                         uint64_t now_ns);

/* Address of the code of the only function that the caller's statement mentions, when its
 * instruction is a call or goes on with the generator of that code; else 0. */
uint64_t witness_mentioned(struct runtime *runtime, struct codes *codes,
                           const struct caller *caller, uint64_t now_ns);

/* Whether a frame of a code object with these co_flags can lie above an instruction that goes on
 * with a generator (`is_resumed`), or else above one that calls. */
bool witness_can_be(const struct runtime *runtime, uint32_t code_flags, bool is_resumed);

/* A call by name. */
struct named_call {
    uint64_t code; /* address of the function's code object */
    int64_t offset;
    bool resumes; /* it goes on with a generator that has this code, else it calls the function */
};
enum { NAMED_CALLS = 64 };
/* What the statements of the caller call where they mention one function and no other; at most
 * NAMED_CALLS, their number. Whether a function is a generator's is left to who asks. */
size_t witness_named_calls(struct runtime *runtime, struct codes *codes,
                           const struct caller *caller, uint64_t now_ns, struct named_call *out);

/* Whether the caller's instruction can have no callee right above it, or it has not come to one. */
bool witness_is_alone(struct runtime *runtime, struct codes *codes, const struct caller *caller,
                      uint64_t now_ns);

#endif
