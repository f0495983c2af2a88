/* Whether a stack can have existed, although the target ran on while it was read.
 *
 * A stack is a chain of calls: a caller, the instruction it is at, and a callee. Each kind of call
 * is judged once and remembered:
 *   - proved: the caller's code says so (witness.h): the instruction carries the version of the
 *     callee, or its statement names a global that is the callee.
 *   - seen standing still: caller and callee were the same in two copies made one after the other,
 *     and still on the stack then. Once may be chance (both went and came back), so it must have
 *     been so in a fair share of the looks in which this call was new on the stack: a true call is
 *     seen so now and then however short it is; a splice of two moments hardly ever. Less is asked
 *     for where the statement mentions an attribute of the callee's name, more where the
 *     instruction names somebody else.
 *   - mended: the caller has moved on since, but its bytecode has a call of this very callee.
 * What is none of these is not shown as if it had been. */
#ifndef PYROMETER_PROFILER_VERIFY_H
#define PYROMETER_PROFILER_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/codes.h"
#include "profiler/witness.h"

/* What was seen of a call in this look. */
enum sight {
    SIGHT_NONE,  /* it was not watched */
    SIGHT_MOVED, /* something moved */
    SIGHT_STILL, /* it stood still */
};

struct call {
    struct caller caller;
    struct callee callee;
    enum sight sight;
};

enum verdict {
    VERDICT_GOOD,
    VERDICT_SEEN,    /* good, so far by having been seen standing still a few times only */
    VERDICT_MENDED,  /* good, with the offset given */
    VERDICT_UNKNOWN, /* nothing speaks for it yet */
};

struct verify;

/* Both are borrowed and must outlive it. */
struct verify *verify_create(struct runtime *runtime, struct codes *codes);
/* Accepts NULL. */
void verify_destroy(struct verify *verify);

/* Takes note of a call that was seen, on a stack or not. */
void verify_see(struct verify *verify, const struct call *call);

/* Judges a call that is new on a stack. `*offset_out` is where the caller called from. */
enum verdict verify_call(struct verify *verify, const struct call *call, uint64_t now_ns,
                         int64_t *offset_out);

/* Whether it has been proved that the call comes from the very place where its caller stands: then
 * it stays good as long as both are what they are. */
bool verify_is_proved(const struct verify *verify, const struct call *call);

/* The callee that the caller's instruction is known to call, for a newest frame that returned
 * before it could be read; NULL when that is not certain. The caller may be forgotten then. */
struct known *verify_callee(struct verify *verify, const struct caller *caller, uint64_t now_ns);

/* The same by names alone, which stay what they are for longer than what an instruction is
 * specialised for. */
struct known *verify_named_callee(struct verify *verify, const struct caller *caller,
                                  uint64_t now_ns);

/* Where a callee is known to be called from. What one line does is one calling: an `await` has the
 * callee above several of its instructions. */
struct calling {
    uint64_t code; /* address of the caller's */
    uint64_t serial;
    int64_t offset;
    uint32_t line;
    struct frame_id frame;
};
enum { CALLINGS = 8 };
/* All the calls of this callee that are known so far, borrowed until the next verify_call or
 * _learn;
 * `*count_out` is 0 when there are more than CALLINGS. */
const struct calling *verify_callings(const struct verify *verify, const struct known *callee,
                                      size_t *count_out);

/* Whether any call of this callee is known so far. */
bool verify_has_callings(const struct verify *verify, const struct known *callee);

/* Takes note of all that the caller's code calls by name, whether it has been seen calling or not:
 * a callee that returns at once may never be seen together with its caller. Done once a minute for
 * each caller. The caller may be forgotten then. */
void verify_learn(struct verify *verify, const struct caller *caller, uint64_t now_ns);

/* Whether the caller's instruction can have no callee right above it: a newest frame that was there
 * has returned, and its caller is what runs now. */
bool verify_is_alone(struct verify *verify, const struct caller *caller, uint64_t now_ns);

#endif
