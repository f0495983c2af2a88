/* The instructions of each CPython: what the bytes of a code object are.
 *
 * A version is data: one `const struct opcode_table` in target-runtime/opcodes/py3_N.c, named in
 * OPCODE_TABLES and by the layouts of that version. The numbers do not change within a minor
 * version (the magic number of .pyc files stands for them, Lib/importlib/_bootstrap_external.py).
 *
 * An instruction is a unit of two bytes, opcode and argument, and behind it as many units of inline
 * cache as its opcode says (from 3.11). EXTENDED_ARG units may come before it. What runs is not
 * always what was compiled: from 3.11 on the interpreter overwrites the opcode with a specialised
 * one (Python/specialize.c), from 3.12 on with one that reports to a tool (Python/
 * instrumentation.c), from 3.13 on with the entrance to compiled code (Python/optimizer.c).
 *
 * Pure: bytes in, values out; the bytes come from the target and are not trusted. */
#ifndef PYROMETER_TARGET_RUNTIME_OPCODES_H
#define PYROMETER_TARGET_RUNTIME_OPCODES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    OPCODE_UNIT_BYTES = 2,
    OPCODE_MOST_CACHE_UNITS = 10, /* of any opcode of any version */
};

/* What is true of an opcode. PUSHES and QUIET are true of a base opcode and of everything made from
 * it alike, because an instruction may be specialised anew while a frame above it still runs. */
enum opcode_flag {
    /* Runs no Python code: it neither calls, nor drops a reference, nor looks whether a signal or
     * the collector is waiting. */
    OPCODE_QUIET = 1,
    /* May push the frame of a Python function right onto its own, with no C code in between. Up to
     * 3.10 all Python code is called by C code and this marks whatever is not QUIET. */
    OPCODE_PUSHES = 2,
    /* The frame it pushes is the one inside of the generator or coroutine on its value stack. */
    OPCODE_GENERATOR = 4,
    /* Stands in for another instruction, which is kept elsewhere (co_monitoring, co_executors) and
     * whose cache follows it: how many units that are is not known. */
    OPCODE_HIDDEN = 8,
    /* EXTENDED_ARG. */
    OPCODE_PREFIX = 16,
    /* The version at version_unit is one unit wide instead of two. */
    OPCODE_SHORT_VERSION = 32,
};

struct opcode {
    const char *name;     /* NULL where the version has no such opcode */
    uint8_t base;         /* what it was made from: of CALL_PY_EXACT_ARGS, CALL; else itself */
    uint8_t cache_units;  /* that follow the instruction */
    uint8_t flags;        /* enum opcode_flag */
    uint8_t version_unit; /* which unit of its cache, from 1, begins the version of the Python
                             function that it was specialised for (func_version); 0 if none does */
};

struct opcode_table {
    const char *version; /* "3.11" */
    /* The index in co_names is the argument without so many low bits: of LOAD_GLOBAL, of LOAD_ATTR.
     */
    uint8_t global_shift;
    uint8_t attribute_shift;
    struct opcode rows[256];
};

/* X(name of the file), oldest version first. */
#define OPCODE_TABLES(X)                                                                           \
    X(py3_8)                                                                                       \
    X(py3_9)                                                                                       \
    X(py3_10)                                                                                      \
    X(py3_11)                                                                                      \
    X(py3_12)                                                                                      \
    X(py3_13)                                                                                      \
    X(py3_14)                                                                                      \
    X(py3_15)

#define OPCODE_DECLARE(file) extern const struct opcode_table opcodes_##file;
OPCODE_TABLES(OPCODE_DECLARE)
#undef OPCODE_DECLARE

/* The same, NULL-terminated. */
extern const struct opcode_table *const opcode_tables[];

/* "CALL_PY_EXACT_ARGS"; NULL where the version has no such opcode. */
const char *opcode_name(const struct opcode_table *table, uint8_t opcode);
/* The opcode that it was made from, which is what dis shows; an unknown one is its own base. */
uint8_t opcode_base(const struct opcode_table *table, uint8_t opcode);

/* Offsets are bytes from the start of the bytecode. */
struct instruction {
    uint32_t begin; /* of its first EXTENDED_ARG, or `start` */
    uint32_t start; /* of the unit that holds its opcode */
    uint32_t end;   /* behind its cache; behind the opcode's unit if that is OPCODE_HIDDEN */
    uint8_t opcode;
};

/* Goes from instruction to instruction. Behind one that is OPCODE_HIDDEN a few units can be either
 * cache or instructions; they are left out, up to the first unit that begins an instruction
 * whichever way they are read. A byte that is no opcode of the version counts as an instruction
 * without a cache. */
struct opcode_walk {
    const struct opcode_table *table;
    const uint8_t *code;
    uint32_t unit_count;
    uint32_t next;  /* unit */
    uint32_t ahead; /* bit k: an instruction may begin k units after `next` */
};

/* Walks `bytes` bytes of bytecode from its start. All are borrowed. An odd last byte is left out.
 */
struct opcode_walk opcode_walk_begin(const struct opcode_table *table, const uint8_t *code,
                                     uint32_t bytes);
/* False at the end. */
bool opcode_walk_next(struct opcode_walk *walk, struct instruction *out);

/* The instruction whose EXTENDED_ARGs, opcode or cache the offset lies in: in 3.11 and 3.12 a frame
 * that has called another one points to the end of its instruction's cache (prev_instr, Python/
 * ceval.c), up to 3.10 to its first EXTENDED_ARG. False if the offset is past the end, or in units
 * that the walk leaves out. Costs a walk from the start. */
bool opcode_instruction_at(const struct opcode_table *table, const uint8_t *code, uint32_t bytes,
                           uint32_t offset, struct instruction *out);

#endif
