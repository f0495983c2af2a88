/* The CPython inside a process: found, told apart by version, and checked.
 *
 * This is the only place where version numbers are compared. */
#ifndef PYROMETER_TARGET_RUNTIME_RUNTIME_H
#define PYROMETER_TARGET_RUNTIME_RUNTIME_H

#include "profiler/base/status.h"
#include "reader/memory.h"
#include "reader/process.h"
#include "reader/symbols.h"
#include "target-runtime/layout.h"

struct runtime {
    struct memory *memory;       /* borrowed */
    const struct layout *layout; /* a table, or `filled` */
    struct layout filled;        /* for versions that publish their own offsets */
    struct remote address;       /* _PyRuntime */
    char version[16];            /* "3.11.2" */
    /* The type of code objects, learned from the first one that is read (code.c); NULL before. */
    struct remote code_type;
};

/* Finds the Python in a process: `_PyRuntime` by symbol, else the section `.PyRuntime`, in any file
 * that is mapped; then the layout, by what the target publishes (3.13-) or by trying each table and
 * asking the target for sys.hexversion through it, so that no file name is believed.
 * NOT_PYTHON when there is none, NOT_READY when there is one without an interpreter in it (starting
 * or ending), BAD_LAYOUT when what is published cannot be right, GONE, NOT_PERMITTED. `out` must
 * not move afterwards. `memo` (borrowed, may be NULL) remembers which files define _PyRuntime. */
enum status runtime_attach(struct runtime *out, const struct process *process,
                           struct memory *memory, struct symbols_memo *memo,
                           struct error *error) MUST_CHECK;

/* The same for a process that was forked from one whose Python is known, and has not executed
 * anything since: whatever is at one address there is at the same one here. */
enum status runtime_attach_fork(struct runtime *out, const struct runtime *parent,
                                struct memory *memory, struct error *error) MUST_CHECK;

/* The same when the address of `_PyRuntime` is known already: a recorded image, a test. Statuses as
 * above, and NOT_MAPPED when there is no memory at that address. */
enum status runtime_attach_at(struct runtime *out, struct memory *memory, struct remote address,
                              struct error *error) MUST_CHECK;

/* "3.8 to 3.15", from the list of layouts. */
void runtime_describe_versions(char *out, size_t bytes);

#endif
