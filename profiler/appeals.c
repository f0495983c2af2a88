#include "profiler/appeals.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    HELD_LIMIT = 1 << 14,
    FRAMES_LIMIT = 1 << 15, /* of all that is held */
};

/* What a sample is to be judged by. */
struct brief {
    uint64_t until_ns;
    uint64_t taken_ns;
    struct resolve *resolve;
    struct raw_thread thread;
    struct stack_id base;
    struct raw_frame frames[];
};

/* A sample in the queue. */
struct held {
    struct sample sample;
    struct brief *brief; /* NULL: it only waits for its turn */
};

struct appeals {
    uint64_t hold_ns;
    struct held *all; /* a ring */
    size_t first;
    size_t count;
    size_t frame_count; /* of all */
};

struct appeals *appeals_create(uint64_t hold_ns) {
    struct appeals *appeals = memory_zeroed(1, sizeof *appeals);
    appeals->hold_ns = hold_ns;
    return appeals;
}

static struct held *held_at(const struct appeals *appeals, size_t index) {
    return &appeals->all[(appeals->first + index) % HELD_LIMIT];
}

void appeals_destroy(struct appeals *appeals) {
    for (size_t i = 0; appeals != NULL && i < appeals->count; i++) {
        free(held_at(appeals, i)->brief);
    }
    if (appeals != NULL) {
        free(appeals->all);
        free(appeals);
    }
}

/* ---- in ---- */

/* Not those of several interpreters, or without their lower or newer frames: they will not become
 * whole. */
static bool can_appeal(const struct appeals *appeals, const struct sample *sample,
                       const struct evidence *evidence) {
    const struct raw_thread *thread = evidence->thread;
    return thread != NULL && (sample->flags & SAMPLE_UNVERIFIED) != 0 && thread->below == 0 &&
           thread->is_complete && !thread->is_cut &&
           appeals->frame_count + thread->frame_count <= FRAMES_LIMIT;
}

/* Its frames say nothing of what stood still: that has been counted. */
static struct brief *make_brief(const struct evidence *evidence, uint64_t until_ns) {
    const struct raw_thread *thread = evidence->thread;
    size_t count = thread->frame_count;
    struct brief *brief = memory_zeroed(1, sizeof *brief + count * sizeof brief->frames[0]);
    brief->until_ns = until_ns;
    brief->taken_ns = evidence->taken_ns;
    brief->resolve = evidence->resolve;
    brief->thread = *thread;
    brief->thread.first_frame = 0;
    brief->thread.sight_count = 0;
    brief->base = evidence->base;
    memcpy(brief->frames, evidence->look->frames + thread->first_frame,
           count * sizeof brief->frames[0]);
    for (size_t i = 0; i < count; i++) {
        brief->frames[i].is_watched = false;
    }
    return brief;
}

bool appeals_hold(struct appeals *appeals, const struct sample *sample,
                  const struct evidence *evidence, uint64_t now_ns) {
    bool is_appeal = can_appeal(appeals, sample, evidence);
    if ((!is_appeal && appeals->count == 0) || appeals->count == HELD_LIMIT) {
        return false;
    }
    if (appeals->all == NULL) {
        appeals->all = memory_zeroed(HELD_LIMIT, sizeof *appeals->all);
    }
    struct held *held = held_at(appeals, appeals->count++);
    *held = (struct held){.sample = *sample};
    if (is_appeal) {
        held->brief = make_brief(evidence, now_ns + appeals->hold_ns);
        appeals->frame_count += held->brief->thread.frame_count;
    }
    return true;
}

/* ---- out ---- */

static void judge(struct appeals *appeals, struct held *held, uint64_t now_ns) {
    struct brief *brief = held->brief;
    const struct raw_look look = {
        .threads = &brief->thread,
        .thread_count = 1,
        .frames = brief->frames,
        .frame_count = brief->thread.frame_count,
    };
    struct resolved resolved =
        resolve_again(brief->resolve, &look, &brief->thread, brief->base, brief->taken_ns, now_ns);
    if ((resolved.flags & SAMPLE_UNVERIFIED) == 0) {
        held->sample.stack = resolved.stack;
        held->sample.flags = resolved.flags;
    }
    appeals->frame_count -= brief->thread.frame_count;
    free(brief);
    held->brief = NULL;
}

bool appeals_take(struct appeals *appeals, uint64_t now_ns, bool is_last, struct sample *out) {
    struct held *oldest = appeals->count > 0 ? held_at(appeals, 0) : NULL;
    if (oldest == NULL || (oldest->brief != NULL && oldest->brief->until_ns > now_ns && !is_last)) {
        return false;
    }
    if (oldest->brief != NULL) {
        judge(appeals, oldest, now_ns);
    }
    *out = oldest->sample;
    appeals->first = (appeals->first + 1) % HELD_LIMIT;
    appeals->count--;
    return true;
}

void appeals_settle(struct appeals *appeals, const struct resolve *resolve, uint64_t now_ns) {
    for (size_t i = 0; i < appeals->count; i++) {
        struct held *held = held_at(appeals, i);
        if (held->brief != NULL && held->brief->resolve == resolve) {
            judge(appeals, held, now_ns);
        }
    }
}
