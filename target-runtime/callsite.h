/* What a caller's bytecode says about its callee: the witness by which a call edge, (code, one of
 * its instructions, code of the callee), is proved without any timing. Pure: bytes in, values out;
 * the bytes come from the target and are not trusted. What is done with the answers is not decided
 * here.
 *
 * How it can be. From 3.11 on a call instruction that ran a few times is specialised for the Python
 * function that it met: specialize_py_call() in Python/specialize.c (and its like for properties,
 * __getattribute__ and, in 3.11, __getitem__) is called by the instruction itself with the very
 * function that it is about to call, writes that function's func_version into the inline cache,
 * then the opcode. Version numbers come from a counter that never goes back; when it is used up
 * (2^32) it stays 0, and 0 is nobody's. Who gets one:
 *   3.11   a function, when it is first specialised for (_PyFunction_GetVersionForCurrentState(),
 *          next_func_version, Objects/funcobject.c);
 *   3.12   a code object when it is made (co_version, init_code() in Objects/codeobject.c,
 *          _Py_next_func_version), and a function made by MAKE_FUNCTION has that of its code. Any
 *          other function as in 3.11, but from a counter of its own, func_state.next_version;
 *   3.13-  a code object when it is made, and through MAKE_FUNCTION its functions; nobody else.
 * A function loses it when its __code__, defaults or vectorcall are set: func_version becomes 0
 * (from 3.14 on FUNC_VERSION_CLEARED, 1). So a version stands for one code object, for the life of
 * the interpreter, even after it was freed.
 *
 * What NAMED proves. If callsite_can_prove() the callee's code, and `callee_version` is
 *   - co_version of the callee's code (code.version of the layout, from 3.12), or
 *   - in 3.11 func_version of the function whose frame the callee's is (frame.function), and that
 *     function still has the callee's code (function.code),
 * then this instruction was executed with a function of that code as what it calls: the edge is one
 * of the program's. It stays proved when the bytecode changes later.
 *   In 3.12 it is a proof but for chance: with two counters, a version can be that of a code object
 * and of some function that was changed (gh-116916). The second counter counts only functions whose
 * attributes were set, or that types.FunctionType made, and that were then called often; the first
 * has gone past several hundred before the program's own code is loaded.
 *
 * What NAMED does not prove:
 *   - that the call is going on now: caller and callee may have been read at two different moments,
 *     with other calls of the same kind between them. A chain of proved edges is a path that the
 *     program's own call instructions make, not yet a stack that stood;
 *   - that a frame was made: from 3.13 on the arguments are not looked at before specialising, and
 *     a call with too few raises TypeError without a frame;
 *   - which function of that code it was: closures made anew share the version of their code;
 *   - anything where an entry frame lies between caller and callee: that one was called by C code
 *     (a finaliser, a signal handler), whatever the instruction names.
 * And it refutes nothing. The version is a guard: when it fails, the instruction does what the
 * general one does and calls anybody, without a trace in the bytecode; and it may have been
 * specialised anew while an older callee still runs.
 *
 * One caution. Opcode and version are two writes. In between, an instruction that changes from
 * calling a function to calling a class (CALL_ALLOC_AND_ENTER_INIT keeps a type's version there)
 * names a number that is none of a function. To be sure against a reading just then, believe only
 * what two readings say alike.
 *
 * Versions are one interpreter's own from 3.13 on: callers and callees of one thread state. */
#ifndef PYROMETER_TARGET_RUNTIME_CALLSITE_H
#define PYROMETER_TARGET_RUNTIME_CALLSITE_H

#include <stdbool.h>
#include <stdint.h>

#include "target-runtime/opcodes.h"

enum callsite_kind {
    /* There is no instruction at that offset, or one that runs nothing: no frame lies above it.
     * (Two exceptions before 3.12, both through C code: the function of sys.settrace or setprofile,
     * and a finaliser, when the instruction raises an exception and the collector starts.) */
    CALLSITE_NONE,
    /* It may have a callee, and does not say whom. */
    CALLSITE_POSSIBLE,
    /* It was specialised for `callee_version`. */
    CALLSITE_NAMED,
    /* It names nobody, but a frame that it pushes is inside of a generator or coroutine, and that
     * is what the caller's value stack ends with; in 3.15 one slot lies above it
     * (3.12-: FOR_ITER_GEN, SEND_GEN, SEND). */
    CALLSITE_GENERATOR,
};

struct callsite {
    enum callsite_kind kind;
    /* From 3.11: a callee's frame may lie right on this one. If not, there is C code between them,
     * and so an entry frame, or in 3.11 the callee's is_entry is set. (This goes for the
     * instruction in all its specialised forms. Up to 3.10, where there is nothing to tell, always
     * true but for NONE.) */
    bool pushes;
    uint32_t offset;         /* bytes from the start of the code to the instruction's opcode */
    uint32_t callee_version; /* of NAMED, not 0; else 0 */
};

/* The call site of a frame of this code at `offset` (bytes from the start of the code, as
 * code_position() gives it). `code` must be all of the bytecode: in free-threaded builds from 3.14
 * on the copy that the frame runs. Where the offset lies behind an instruction that hides another
 * (opcodes.h) and nothing is certain: POSSIBLE, at `offset`. Costs a walk from the start of the
 * code; remember the answer. */
struct callsite callsite_at(const struct opcode_table *table, const uint8_t *code, uint32_t bytes,
                            uint32_t offset);

/* Whether NAMED can prove a frame of a code object with these co_flags (code.flags of the layout):
 * not that of a generator, a coroutine or an asynchronous generator. Calling one makes the object
 * and is over (RETURN_GENERATOR); its frames are pushed by whoever resumes it, from anywhere. */
bool callsite_can_prove(uint32_t code_flags);

/* Whether the call of a generator's function pushes a frame, if only one that makes the object and
 * is over: from 3.11 on, where the instruction for that is there (RETURN_GENERATOR,
 * Python/bytecodes.c; up to 3.10 _PyEval_MakeFrameVector(), Python/ceval.c, makes it). */
bool callsite_frames_making(const struct opcode_table *table);

/* How many NAMED instructions of this code name `callee_version`, and in `out` the nearest: the
 * last one at or before `near_offset`, else the first one after it. That is where a caller stood
 * whose callee is known but whose own position was read a moment too late. 0, and a site of kind
 * NONE, if there are none, and for version 0. Sites that name nobody may call it too, and are not
 * counted. */
uint32_t callsite_of_callee(const struct opcode_table *table, const uint8_t *code, uint32_t bytes,
                            uint32_t near_offset, uint32_t callee_version, struct callsite *out);

#endif
