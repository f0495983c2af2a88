/* Reading another process's memory: one operation behind a function table, so that a live process,
 * a core file and a test's image look the same.
 *
 * The contract of every implementation:
 *   - each range is read whole or not at all, and says which in its status;
 *   - NOT_MAPPED is about one range; GONE and NOT_PERMITTED are about all;
 *   - ranges are read in the order given;
 *   - the target is never written to, stopped or waited for;
 *   - not thread-safe. */
#ifndef PYROMETER_READER_MEMORY_H
#define PYROMETER_READER_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/status.h"
#include "reader/remote.h"

/* One read. `to` has room for `bytes`; what it holds is undefined unless status is OK. */
struct range {
    struct remote from;
    void *to;
    uint32_t bytes;
    enum status status;
};

struct memory {
    const struct memory_ops *ops;
    void *state;
    uint64_t calls; /* system calls made */
    uint64_t bytes; /* bytes read */
};

struct memory_ops {
    const char *name;
    /* Fills each range's status. Returns OK, or the status that is about all of them. */
    enum status (*read)(struct memory *memory, struct range *ranges, size_t count);
    void (*close)(struct memory *memory);
};

/* The memory of process `pid`, by process_vm_readv; by /proc/PID/mem where that call is forbidden
 * (as a container's seccomp filter may). NOT_PERMITTED when neither is allowed. */
enum status memory_open_live(struct memory *out, pid_t pid, struct error *error) MUST_CHECK;
/* Accepts a zeroed memory. */
void memory_close(struct memory *memory);

enum status memory_read(struct memory *memory, struct range *ranges, size_t count) MUST_CHECK;
/* One range, for code that is not on the sampling path. */
enum status memory_read_one(struct memory *memory, struct remote from, void *to,
                            uint32_t bytes) MUST_CHECK;
/* The pointer stored at `from`. */
enum status memory_read_remote(struct memory *memory, struct remote from,
                               struct remote *out) MUST_CHECK;

#endif
