/* Where the greenlets of a process are. Nothing lists them; but each (from greenlet 2.0 on) is a
 * Python object and an object of C++ that point to each other, and the latter is a small block of
 * Python's own allocator that begins with a pointer into the module (greenlet, TGreenlet.hpp and
 * greenlet_allocator.hpp). So the pools of blocks of that size are searched, a bit at a time.
 *
 * Not found are those of free-threaded Pythons, and of others that were told to use another
 * allocator: their blocks are nobody's pools. */
#ifndef PYROMETER_TARGET_RUNTIME_GREENLET_SEARCH_H
#define PYROMETER_TARGET_RUNTIME_GREENLET_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/memory.h"
#include "reader/process.h"
#include "target-runtime/collections.h"
#include "target-runtime/walk.h"

enum {
    GREENLETS_PER_STEP = 128,
    GREENLET_POOLS = 32, /* that are asked together what they hold */
};

struct span {
    uint64_t start;
    uint64_t end;
};

struct greenlet_pool {
    uint64_t at;
    uint32_t bytes;
    uint32_t block_bytes;
};

/* Zeroed but for the first three: it has not begun. */
struct greenlet_search {
    const struct process *process; /* borrowed; NULL: nothing is mapped */
    struct memory *memory;         /* borrowed: the target's */
    uint32_t implementation_at;    /* in the Python object: the pointer to that of C++ */
    uint64_t mapped_ns;            /* when it was last asked what is mapped */
    struct span module;            /* 0: it is not loaded */
    struct span stack;             /* of the main thread */
    struct span *regions;          /* where pools and the other threads' stacks may be */
    size_t region_count;
    size_t region_capacity;
    uint64_t main_ident;
    uint64_t *idents; /* of the threads */
    size_t ident_count;
    size_t ident_capacity;
    size_t region;                              /* that the round is in, */
    uint64_t at;                                /* and how far; 0: at its start */
    struct greenlet_pool pools[GREENLET_POOLS]; /* that are to be searched next */
    size_t pool_count;
    uint32_t pool_bytes;  /* 0: not known yet */
    uint32_t block_bytes; /* of a greenlet's; 0: none was met yet */
    uint32_t self_at;     /* of the last one: where in the block its Python object was told */
};

/* Whether a process has the module of greenlets: by its mappings. False when they cannot be read.
 */
bool greenlet_search_is_loaded(const struct process *process);

/* Accepts a zeroed one. */
void greenlet_search_deinit(struct greenlet_search *search);

/* Whether there can be any: the module is loaded. Looks at what is mapped once in a while. */
bool greenlet_search_is_worth(struct greenlet_search *search, const struct raw_look *threads);

/* Goes on with the round by some microseconds' work; those that it met are in `found`, by the
 * addresses of the Python objects. `*is_over_out`: that was all of it, the next one begins anew.
 * GONE, NOT_PERMITTED. */
enum status greenlet_search_step(struct greenlet_search *search, uint64_t found[GREENLETS_PER_STEP],
                                 size_t *count_out, bool *is_over_out) MUST_CHECK;

/* Searches through everything once: calls `visit` with every greenlet until it returns false. GONE,
 * NOT_PERMITTED. */
enum status greenlet_search_each(struct greenlet_search *search, element_visit *visit,
                                 void *context) MUST_CHECK;

/* threading.get_ident() of the thread on whose stack one of these addresses is; 0 if none is. */
uint64_t greenlet_search_thread(const struct greenlet_search *search, const uint64_t *words,
                                size_t count);

#endif
