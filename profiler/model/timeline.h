/* The order of samples, thread by thread, in bounded memory.
 *
 * Equal neighbours are one run: a run begins at `start_ns`, lasts `weight_ns`, and stands for
 * `samples` samples of one stack in one state. Each thread fills a small block; full blocks go to a
 * temporary file that has no name, so nothing is left behind whatever happens. */
#ifndef PYROMETER_MODEL_TIMELINE_H
#define PYROMETER_MODEL_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/model/sample.h"

struct timeline_run {
    uint64_t start_ns;  /* since the start of the profile */
    uint64_t weight_ns; /* how long it lasts; the next run may begin later (a gap) */
    uint64_t told_ns;   /* that its samples stand for: more where they share a thread's time */
    struct stack_id stack;
    uint32_t samples;
    uint32_t state; /* enum sample_state */
    uint32_t reserved;
};

struct timeline;

/* A new, empty timeline. NO_OUTPUT when no temporary file can be made (in $TMPDIR, else /tmp). */
enum status timeline_create(struct timeline **out, struct error *error) MUST_CHECK;
/* Accepts NULL. */
void timeline_destroy(struct timeline *timeline);

/* Appends `count` samples, as trace_add_many has them. NO_OUTPUT on a full disk. */
enum status timeline_append(struct timeline *timeline, const struct sample *sample, uint32_t count,
                            struct error *error) MUST_CHECK;

/* Calls `visit` for each run of one thread, in order of time, until it returns something other
 * than STATUS_OK, which is then returned. May be called again and again. */
typedef enum status timeline_visit(void *context, const struct timeline_run *run);
enum status timeline_each(struct timeline *timeline, struct thread_ref thread,
                          timeline_visit *visit, void *context) MUST_CHECK;

/* A place in the runs of one thread, to go through several threads side by side. */
struct timeline_cursor {
    const struct timeline *timeline;
    struct thread_ref thread;
    struct timeline_run *block; /* of those on disk, the one it is in; NULL: none */
    size_t block_count;         /* read so far */
    size_t at;                  /* in the block, or in what follows all blocks */
    bool is_last;               /* in what follows them, which is in memory */
};

/* Before the first run. Nothing may be appended until it is closed. */
struct timeline_cursor timeline_cursor_open(const struct timeline *timeline,
                                            struct thread_ref thread);
void timeline_cursor_close(struct timeline_cursor *cursor);
/* The next run; `*has_run_out` is false when there is none. NO_OUTPUT when it cannot be read. */
enum status timeline_next(struct timeline_cursor *cursor, struct timeline_run *out,
                          bool *has_run_out) MUST_CHECK;

#endif
