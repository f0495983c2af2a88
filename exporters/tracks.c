#define _GNU_SOURCE /* qsort_r */
#include "exporters/tracks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "exporters/threads.h"
#include "profiler/base/arena.h"

/* Linux gives no thread id of more bits (PID_MAX_LIMIT in include/linux/threads.h, 6.1). */
enum { TID_BITS = 22 };

/* What a thread did for a task. */
struct track_share {
    uint32_t thread;
    uint32_t task;
    uint64_t weight_ns; /* payload */
    uint64_t samples;   /* payload */
    uint64_t track;     /* payload: index of the track that shows it */
};

static struct track_share *share_of(const struct tracks *tracks, uint32_t id) {
    return table_row(&tracks->shares, id);
}

static void weigh_shares(struct tracks *tracks) {
    const struct trace *trace = tracks->trace;
    table_init(&tracks->shares, sizeof(struct track_share),
               offsetof(struct track_share, weight_ns));
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        struct track_share key = {.thread = tally->thread.id,
                                  .task = tracks->tasks.of_stack[tally->stack.id]};
        if (key.task) {
            struct track_share *share = share_of(tracks, table_intern(&tracks->shares, &key));
            share->weight_ns += tally->weight_ns;
            share->samples += tally->samples;
        }
    }
}

static int compare(uint64_t left, uint64_t right) {
    return (left > right) - (left < right);
}

/* By thread; the heaviest first. */
static int compare_shares(const void *left, const void *right, void *context) {
    const struct track_share *a = share_of(context, *(const uint32_t *)left);
    const struct track_share *b = share_of(context, *(const uint32_t *)right);
    int orders[] = {compare(a->thread, b->thread), compare(b->weight_ns, a->weight_ns),
                    compare(b->samples, a->samples), compare(a->task, b->task)};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (orders[i]) {
            return orders[i];
        }
    }
    return 0;
}

/* Ids of shares, sorted. The caller frees it with free(). */
static uint32_t *sort_shares(struct tracks *tracks) {
    uint32_t *sorted = memory_zeroed((size_t)tracks->shares.count + 1, sizeof *sorted);
    for (uint32_t i = 0; i < tracks->shares.count; i++) {
        sorted[i] = i + 1;
    }
    qsort_r(sorted, tracks->shares.count, sizeof *sorted, compare_shares, tracks);
    return sorted;
}

/* Threads that had one id after the other, or have it at the same time (interpreters of one thread
 * do), are told apart, and so are the tracks of one thread. */
struct tid_use {
    uint32_t pid;
    uint32_t tid;
    uint64_t tracks; /* payload */
};

static uint64_t track_id(struct table *uses, const struct trace_thread *thread) {
    struct tid_use use = {.pid = thread->pid, .tid = thread->tid};
    struct tid_use *known = table_row(uses, table_intern(uses, &use));
    return (known->tracks++ << TID_BITS) + thread->tid;
}

static void add_track(struct tracks *tracks, struct table *uses, struct track track) {
    track.id = track_id(uses, trace_thread(tracks->trace, track.thread));
    tracks->rows[tracks->count++] = track;
}

/* Tracks for the `count` tasks of a thread. */
static void add_tasks(struct tracks *tracks, struct table *uses, struct thread_ref thread,
                      const uint32_t *sorted, size_t count) {
    size_t alone = count > TRACKS_OF_TASKS ? TRACKS_OF_TASKS - 1 : count;
    for (size_t i = 0; i < count; i++) {
        struct track_share *share = share_of(tracks, sorted[i]);
        if (i < alone) {
            add_track(tracks, uses, (struct track){.thread = thread, .task = share->task});
        } else if (i == alone) {
            uint32_t joined = (uint32_t)(count - alone);
            add_track(tracks, uses, (struct track){.thread = thread, .joined = joined});
        }
        share->track = tracks->count - 1;
    }
}

/* By thread id: the index of its first one among the sorted shares; one more entry ends the last.
 * The caller frees it with free(). */
static size_t *find_firsts(const struct tracks *tracks, const uint32_t *sorted) {
    size_t threads = tracks->trace->threads.count;
    size_t *firsts = memory_zeroed(threads + 2, sizeof *firsts);
    size_t at = 0;
    for (size_t id = 0; id <= threads + 1; id++) {
        while (at < tracks->shares.count && share_of(tracks, sorted[at])->thread < id) {
            at++;
        }
        firsts[id] = at;
    }
    return firsts;
}

void tracks_init(struct tracks *tracks, const struct trace *trace) {
    struct table uses;
    struct thread_ref *threads;
    *tracks = (struct tracks){.trace = trace};
    stack_tasks_init(&tracks->tasks, trace);
    weigh_shares(tracks);
    table_init(&uses, sizeof(struct tid_use), offsetof(struct tid_use, tracks));
    uint32_t *sorted = sort_shares(tracks);
    size_t *firsts = find_firsts(tracks, sorted);
    size_t count = threads_sorted(trace, &threads);
    tracks->rows = memory_zeroed(count + tracks->shares.count + 1, sizeof *tracks->rows);
    for (size_t i = 0; i < count; i++) {
        size_t first = firsts[threads[i].id];
        add_track(tracks, &uses, (struct track){.thread = threads[i]});
        add_tasks(tracks, &uses, threads[i], sorted + first, firsts[threads[i].id + 1] - first);
    }
    free(threads);
    free(firsts);
    free(sorted);
    table_deinit(&uses);
}

void tracks_deinit(struct tracks *tracks) {
    free(tracks->rows);
    table_deinit(&tracks->shares);
    stack_tasks_deinit(&tracks->tasks);
}

bool track_is_thread(const struct track *track) {
    return track->task == 0 && track->joined == 0;
}

/* A pass over the runs of a track. */
struct pass {
    const struct tracks *tracks;
    const struct track *track;
    timeline_visit *visit;
    void *context;
};

static enum status visit_run(void *context, const struct timeline_run *run) {
    const struct pass *pass = context;
    const struct tracks *tracks = pass->tracks;
    struct track_share key = {.thread = pass->track->thread.id,
                              .task = tracks->tasks.of_stack[run->stack.id]};
    uint32_t share = table_find(&tracks->shares, &key);
    bool is_here = share && tracks->rows + share_of(tracks, share)->track == pass->track;
    return is_here ? pass->visit(pass->context, run) : STATUS_OK;
}

enum status tracks_each(const struct tracks *tracks, const struct track *track,
                        timeline_visit *visit, void *context) {
    struct timeline *timeline = tracks->trace->timeline;
    if (track_is_thread(track)) {
        return timeline_each(timeline, track->thread, visit, context);
    }
    struct pass pass = {tracks, track, visit, context};
    return timeline_each(timeline, track->thread, visit_run, &pass);
}

void tracks_append_task(const struct tracks *tracks, const struct track *track,
                        struct buffer *out) {
    if (track->joined) {
        buffer_printf(out, "%" PRIu32 " other tasks", track->joined);
    } else if (track->task) {
        stack_tasks_append_name(&tracks->tasks, tracks->trace, track->task, out);
    }
}

void tracks_append_name(const struct tracks *tracks, const struct track *track,
                        struct buffer *out) {
    const struct trace *trace = tracks->trace;
    const char *thread = trace_string(trace, trace_thread(trace, track->thread)->name);
    buffer_printf(out, "%s", *thread ? thread : "?");
    if (!track_is_thread(track)) {
        buffer_append(out, ": ", 2);
        tracks_append_task(tracks, track, out);
    }
}
