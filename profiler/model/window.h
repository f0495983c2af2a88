/* What was sampled of late: weights of (thread, stack, state) over a sliding window, for whoever
 * shows a running profile.
 *
 * The sampler fills a bucket that only it knows, and now and then hands it over together with the
 * names that are new; it never waits: while the viewer looks, the bucket just grows. The viewer
 * holds the lock while it selects and draws, and then has a whole trace before it, so that whatever
 * is made of a trace (trees, totals, outputs) can be made of a window.
 *
 * Memory is bounded: by what is different since the start, as a trace's is, and by
 * WINDOW_CELLS_MAX cells, WINDOW_RUNS_MAX runs and WINDOW_ROLL_MAX tasks of the past; where those
 * do not reach as far back as asked, older time, or the order or the tasks in it, are forgotten. */
#ifndef PYROMETER_MODEL_WINDOW_H
#define PYROMETER_MODEL_WINDOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/model/order.h"
#include "profiler/model/roll.h"
#include "profiler/model/standoff.h"
#include "profiler/model/trace.h"

enum {
    WINDOW_BUCKET_MS = 250,
    WINDOW_BUCKETS = 5 * 60 * 1000 / WINDOW_BUCKET_MS, /* how far back: five minutes */
    WINDOW_CELLS_MAX = 1 << 20,
    WINDOW_RUNS_MAX = 1 << 20,
    WINDOW_ROLL_MAX = 1 << 18,         /* tasks, each counted as often as it was told */
    WINDOW_BUCKET_CELLS_MAX = 1 << 16, /* more is counted to a thread without saying its stack */
};

/* How often a thread was seen in a stack and in these states. */
struct window_cell {
    struct thread_ref thread;
    struct stack_id stack;
    uint32_t state; /* enum sample_state */
    uint32_t reserved;
    uint64_t samples;   /* payload */
    uint64_t weight_ns; /* payload */
};

/* The counts of a run at the end of a bucket. */
struct window_mark {
    struct health health;
    uint64_t target_cpu_ns; /* CPU time that the target had used */
    uint64_t held_ns;       /* for which some thread had the GIL */
    uint64_t collecting_ns; /* for which some thread collected garbage */
};

struct window_bucket {
    struct window_cell *cells;
    uint32_t count;
    uint32_t wait_count;
    struct wait *waits;
    struct order order;
    struct roll roll; /* empty unless it was told anew */
    struct window_mark end;
};

/* How it is with what is shown. */
enum window_phase {
    WINDOW_RUNS,
    WINDOW_WAITS, /* it has ended, and another one of its kind is waited for */
    WINDOW_ENDED,
};

/* What fills until it is handed over; the sampler's. */
struct window_open {
    struct table cells; /* struct window_cell */
    struct table waits; /* struct wait */
    struct standoff standoff;
    struct order order;
    struct roll roll;
    bool has_new_roll;
    uint64_t held_ns; /* these two since the start of the run */
    uint64_t collecting_ns;
    uint64_t due_ns;      /* since the start of the run */
    struct health before; /* of the parts of the run that are over */
};

struct window {
    struct window_open open;
    const struct trace *from; /* borrowed: the trace whose ids samples have; the sampler's */
    pthread_mutex_t lock;     /* of all below */
    struct trace trace;  /* the names as far as known; its tallies and health are the selection's */
    struct table cells;  /* struct window_cell: of the selection, whatever their state */
    struct table waits;  /* struct wait: of the selection */
    struct roll roll;    /* at the end of the selection, as far as it is known */
    struct table totals; /* struct window_cell: since the start, or the last reset */
    struct table total_waits;      /* struct wait: the same */
    struct window_mark start;      /* of the totals */
    struct window_bucket *buckets; /* a ring */
    uint64_t first;         /* number of the oldest bucket kept; at number % WINDOW_BUCKETS */
    uint64_t next;          /* number of the bucket to come */
    uint64_t first_ordered; /* number of the oldest bucket whose order is kept */
    uint64_t first_rolled;  /* the same of its tasks */
    uint64_t cell_count;
    uint64_t run_count;
    uint64_t roll_count;
    struct window_mark dropped; /* the end of the bucket before the oldest one */
    enum window_phase phase;
    uint32_t restarts;       /* how often the target has begun anew */
    uint32_t threads_before; /* rows of the trace when it did so last */
    uint32_t processes_before;
};

/* What to select. */
struct window_query {
    uint64_t span_ns;         /* how long; 0: since the start */
    uint64_t back_ns;         /* how long before the newest it ends */
    struct thread_ref thread; /* 0: all */
    uint32_t pid;             /* of one process; 0: all */
    struct task_key task;     /* of tasks with this key; 0: all there is */
    uint32_t states;          /* a sample among the tallies was in one of these; 0: any */
};

void window_init(struct window *out);
void window_deinit(struct window *window);

/* ---- for the sampler ---- */

/* Before the first sample, and before there is a viewer: says what will be profiled, and which
 * trace's ids samples will have. */
void window_begin(struct window *window, const struct trace *from);

void window_push(struct window *window, const struct sample *taken);
/* The tasks of a process, all of them; `now_ns` is monotonic. */
void window_note_tasks(struct window *window, uint32_t pid, const struct roll_entry *entries,
                       size_t count, uint64_t now_ns);
/* Whether it is time to hand over, at this time since the start of this part of the run. */
bool window_is_due(const struct window *window, uint64_t time_ns);
/* Hands over; if the viewer is just looking, nothing happens, and it is still due. */
void window_offer(struct window *window, uint64_t target_cpu_ns);
/* The same at the end of a part of the run: waits for the viewer. */
void window_end(struct window *window, uint64_t target_cpu_ns, enum window_phase phase);
/* Another part of the run begins, with times from 0 and the health of the trace, which goes on, as
 * it is before it is cleared. */
void window_continue(struct window *window);
/* The target has begun anew. */
void window_note_restart(struct window *window);

/* ---- for the viewer; all but the first with the lock held ---- */

void window_lock(struct window *window);
void window_unlock(struct window *window);
/* Makes cells, waits, and the tallies and counts of window->trace those that are asked for. Good
 * until the next selection. */
void window_select(struct window *window, const struct window_query *query);
/* Forgets what was. */
void window_reset(struct window *window);
/* The marks at the start and the end of bucket `ago` before the newest, 0: the newest. False when
 * it is not kept. */
bool window_marks(const struct window *window, uint32_t ago, struct window_mark *start_out,
                  struct window_mark *end_out);
/* A trace of its own of what is asked for, with the order of samples, which is not kept for longer
 * than the buckets are: `*whole_out` says whether all of it is there. NO_OUTPUT when there is no
 * room for it; `out` then needs no trace_deinit. Times begin at 0. */
enum status window_extract(const struct window *window, const struct window_query *query,
                           struct trace *out, bool *whole_out, struct error *error) MUST_CHECK;

#endif
