/* Because of whom threads waited for the GIL: the waiting of each thread, cut where another thread
 * held it, or the same one in another function. */
#ifndef PYROMETER_EXPORTERS_CULPRITS_H
#define PYROMETER_EXPORTERS_CULPRITS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

struct culprit {
    struct thread_ref waiter;
    struct thread_ref holder;    /* 0: nobody was seen with it */
    struct function_id function; /* the holder's newest one; 0: none */
    uint64_t start_ns;
    uint64_t end_ns;
};

/* By waiter, each one's in order of time. */
struct culprits {
    struct culprit *rows;
    size_t count;
    size_t capacity;
    size_t *first; /* by id of the waiter: its first row; one more at the end */
};

/* Nothing is found, and next to nothing spent, when nobody waited. NO_OUTPUT when the timeline,
 * which `trace` must have, cannot be read; `out` is to be freed all the same. */
enum status culprits_find(const struct trace *trace, struct culprits *out) MUST_CHECK;
void culprits_free(struct culprits *culprits);

/* The rows of one waiter; NULL if it has none. */
const struct culprit *culprits_of(const struct culprits *culprits, struct thread_ref waiter,
                                  size_t *count_out);

/* Appends "holder (4458)", and "hold (blame.py:25)"; "nobody seen", and "?". Not terminated. */
void culprit_append_holder(const struct trace *trace, const struct culprit *culprit,
                           struct buffer *out);
void culprit_append_place(const struct trace *trace, const struct culprit *culprit,
                          struct buffer *out);

#endif
