/* The rows of the formats that show time: the threads of a trace, and below each one its tasks,
 * which show again what the thread did for them. */
#ifndef PYROMETER_EXPORTERS_TRACKS_H
#define PYROMETER_EXPORTERS_TRACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/model/stack_task.h"
#include "profiler/model/trace.h"

enum { TRACKS_OF_TASKS = 16 }; /* of one thread at most: the others share the last one */

struct track {
    struct thread_ref thread;
    uint64_t id;     /* tells the tracks of a process apart: the thread id for the first of it */
    uint32_t task;   /* id of one of the tasks; 0: the thread itself, or `joined` others */
    uint32_t joined; /* how many tasks share the track; 0: none do */
};

struct tracks {
    const struct trace *trace;
    struct stack_tasks tasks;
    struct table shares; /* struct track_share: what is shown in which track */
    struct track
        *rows; /* thread after thread as threads_sorted() has them, the heaviest task first */
    size_t count;
};

void tracks_init(struct tracks *tracks, const struct trace *trace);
void tracks_deinit(struct tracks *tracks);

/* Whether the track is a thread, which the tracks after it are parts of. */
bool track_is_thread(const struct track *track);

/* Calls `visit` as timeline_each() does, for the runs that are in the track. */
enum status tracks_each(const struct tracks *tracks, const struct track *track,
                        timeline_visit *visit, void *context) MUST_CHECK;

/* Appends the name of what the track has of its thread: of a task, or "N other tasks"; nothing for
 * a thread. */
void tracks_append_task(const struct tracks *tracks, const struct track *track, struct buffer *out);
/* Appends "THREAD" or "THREAD: TASK", "?" standing for an empty name of a thread. */
void tracks_append_name(const struct tracks *tracks, const struct track *track, struct buffer *out);

#endif
