/* What was sampled of late: weights of (thread, stack) over a sliding window, for whoever shows a
 * running profile.
 *
 * The sampler fills a bucket that only it knows, and now and then hands it over together with the
 * names that are new; it never waits: while the viewer looks, the bucket just grows. The viewer
 * holds the lock while it selects and draws, and then has a whole trace before it, so that whatever
 * is made of a trace (trees, totals, outputs) can be made of a window.
 *
 * Memory is bounded: by what is different since the start, as a trace's is, and by
 * WINDOW_CELLS_MAX cells of the past; where those do not reach as far back as asked, older time is
 * forgotten. */
#ifndef PYROMETER_MODEL_WINDOW_H
#define PYROMETER_MODEL_WINDOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/trace.h"

enum {
    WINDOW_BUCKET_MS = 250,
    WINDOW_BUCKETS = 5 * 60 * 1000 / WINDOW_BUCKET_MS, /* how far back: five minutes */
    WINDOW_CELLS_MAX = 1 << 20,
    WINDOW_BUCKET_CELLS_MAX = 1 << 16, /* more is counted to a thread without saying its stack */
};

/* The counts of a run at the end of a bucket. */
struct window_mark {
    struct health health;
    uint64_t target_cpu_ns; /* CPU time that the target had used */
};

struct window_bucket {
    struct trace_tally *cells;
    uint32_t count;
    struct window_mark end;
};

struct window {
    struct table open; /* struct trace_tally: the bucket being filled; the sampler's */
    uint64_t due_ns;   /* when it is to be handed over, since the start of the run; the sampler's */
    pthread_mutex_t lock; /* of all below */
    struct trace trace;  /* the names as far as known; its tallies and health are the selection's */
    struct table totals; /* struct trace_tally: since the start, or the last reset */
    struct window_mark start;      /* of the totals */
    struct window_bucket *buckets; /* a ring */
    uint64_t first; /* number of the oldest bucket kept; at number % WINDOW_BUCKETS */
    uint64_t next;  /* number of the bucket to come */
    uint64_t cell_count;
    struct window_mark dropped; /* the end of the bucket before the oldest one */
    bool has_ended;
};

/* What to select. */
struct window_query {
    uint64_t span_ns;         /* how long; 0: since the start */
    uint64_t back_ns;         /* how long before the newest it ends; ignored since the start */
    struct thread_ref thread; /* 0: all */
};

void window_init(struct window *out);
void window_deinit(struct window *window);

/* ---- for the sampler ---- */

/* Before the first sample, and before there is a viewer: says what will be profiled. */
void window_begin(struct window *window, const struct trace *from);

void window_push(struct window *window, const struct sample *sample);
/* Whether it is time to hand over, at this time since the start of the run. */
bool window_is_due(const struct window *window, uint64_t time_ns);
/* Hands over, with `from`, the trace whose ids the samples have; if the viewer is just looking,
 * nothing happens, and it is still due. */
void window_offer(struct window *window, const struct trace *from, uint64_t target_cpu_ns);
/* The same for the last time: waits for the viewer. */
void window_end(struct window *window, const struct trace *from, uint64_t target_cpu_ns);

/* ---- for the viewer; all but the first with the lock held ---- */

void window_lock(struct window *window);
void window_unlock(struct window *window);
/* Makes the tallies and counts of window->trace those that are asked for. Good until unlocked;
 * the tallies stay until the next selection. */
void window_select(struct window *window, const struct window_query *query);
/* Forgets what was. */
void window_reset(struct window *window);
/* The marks at the start and the end of bucket `ago` before the newest, 0: the newest. False when
 * it is not kept. */
bool window_marks(const struct window *window, uint32_t ago, struct window_mark *start_out,
                  struct window_mark *end_out);

#endif
