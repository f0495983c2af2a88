/* The local variables of the frames of a look, and whether they are of that moment.
 *
 * While the target runs, a frame may go while its variables are read, and its memory be another's.
 * So its thread is looked at again afterwards, and what is no longer on its stack is thrown away.
 */
#ifndef PYROMETER_PROFILER_DUMP_INSPECT_H
#define PYROMETER_PROFILER_DUMP_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/trace.h"
#include "profiler/session.h"
#include "target-runtime/locals.h"

enum inspected_state {
    INSPECTED_UNREADABLE, /* also: was not read */
    INSPECTED_EXACT,      /* of the moment of the stack */
    INSPECTED_INEXACT,    /* its thread ran: of a later moment or call, or of one that is over */
    INSPECTED_GONE,       /* the frame is no longer on the stack */
};

struct inspected_frame {
    enum inspected_state state;
    struct frame_locals locals;
    struct raw_frame raw;
    size_t depth; /* frames below it that were read */
};

/* The frames of one stack, by their depth in it, root first; none where nothing was to be
 * inspected. Those that are no Python code are unreadable. */
struct inspected {
    struct inspected_frame *frames;
    size_t count;
    size_t slot; /* of the thread, as in raw_thread */
    uint64_t serial;
};

struct inspection;

/* `session` is borrowed. */
struct inspection *inspect_begin(const struct session *session);
/* Accepts NULL. */
void inspect_end(struct inspection *inspection);

/* Reads the variables of all frames of a thread of `look`. */
void inspect_read(struct inspection *inspection, const struct raw_look *look,
                  const struct raw_thread *thread);
/* Moves what was read of a thread to the frames of its stack. `out` is to be given to
 * inspect_free. */
void inspect_take(struct inspection *inspection, const struct trace *trace,
                  const struct raw_look *look, const struct raw_thread *thread,
                  struct stack_id stack, uint64_t now_ns, struct inspected *out);
/* What became of the frames, by a later look; `is_asleep`: the thread surely did not run from when
 * they were read to then. */
void inspect_check(struct inspected *inspected, const struct raw_look *later, bool is_asleep);
/* Accepts a zeroed one. */
void inspect_free(struct inspected *inspected);

#endif
