/* Code objects: what a frame's code address means. Read once, while the target runs, and checked
 * again later, because a code object can be freed and its address used for another one. */
#ifndef PYROMETER_TARGET_RUNTIME_CODE_H
#define PYROMETER_TARGET_RUNTIME_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "target-runtime/lines.h"
#include "target-runtime/runtime.h"

/* What tells a code object from one that comes after it at the same address: a stretch of it that
 * does not change in its life (pointers to names, file and tables, first line), and the beginnings
 * of the strings with its name and file, for what is freed together is often made again together,
 * at the same addresses. */
#define CODE_FINGERPRINT_BYTES 160
#define CODE_FINGERPRINT_TEXT  256
enum { CODE_FINGERPRINT_PARTS = 3 };

struct code_fingerprint {
    struct remote from[CODE_FINGERPRINT_PARTS];
    uint32_t bytes[CODE_FINGERPRINT_PARTS];
    uint8_t object[CODE_FINGERPRINT_BYTES];
    uint8_t name[CODE_FINGERPRINT_TEXT];
    uint8_t file[CODE_FINGERPRINT_TEXT];
};

struct code {
    struct remote address;
    struct code_fingerprint fingerprint;
    struct buffer name; /* qualified from 3.11 on; UTF-8 */
    struct buffer file; /* UTF-8 */
    uint32_t first_line;
    uint64_t code_bytes; /* length of the bytecode */
    bool is_hidden; /* a frame of it is none of the program's: the shim of a class call (3.13-) */
    uint8_t *line_table;
    size_t line_table_bytes;
};

/* The ranges to read to check a fingerprint, into `copy`, which then compares. */
void code_fingerprint_ranges(const struct code_fingerprint *fingerprint,
                             struct code_fingerprint *copy,
                             struct range ranges[CODE_FINGERPRINT_PARTS]);
bool code_fingerprint_matches(const struct code_fingerprint *fingerprint,
                              const struct code_fingerprint *copy);
/* A 4-byte field of the code object that lies in its fingerprint; 0 if it does not. */
uint32_t code_fingerprint_u32(const struct code *code, uint32_t place);

/* Reads a code object and all it points to. TORN when there is none at that address (any more).
 * `out` is to be given to code_free even then. */
enum status code_fetch(struct runtime *runtime, struct remote address, struct code *out) MUST_CHECK;
void code_free(struct code *code);

/* Where the threads' own copies of a code object's bytecode begin, by raw_frame.tlbc_index: in
 * free-threaded builds from 3.14 on each thread specialises a copy of its own, made when it first
 * runs the code. 0: not made, or the code object's own (index 0). */
struct code_copies {
    uint64_t *at;
    uint32_t count;
};

/* Reads them anew; replaces what `copies` holds, which is to be freed by code_free_copies. TORN
 * when that cannot be a list of copies. */
enum status code_read_copies(const struct runtime *runtime, const struct code *code,
                             struct code_copies *copies) MUST_CHECK;
void code_free_copies(struct code_copies *copies);

/* Copies the bytecode as it is now, specialised instructions and inline caches included, into
 * `out`, which has room for code->code_bytes: a thread's copy of it that begins at `copy`, or with
 * 0 the code object's own. That lies in the code object from 3.11 on; before, in a bytes object. */
enum status code_read_bytecode(const struct runtime *runtime, const struct code *code,
                               uint64_t copy, uint8_t *out) MUST_CHECK;

/* Offset of a frame's instruction from the start of the bytecode, in bytes; -1 when the frame has
 * not begun. False when the position does not lie in this code: then frame and code do not belong
 * together. `copy` as above. */
bool code_position(const struct layout *layout, const struct code *code, uint64_t position,
                   uint64_t copy, int64_t *offset_out);

#endif
