#include "profiler/dump/inspect.h"

#include <stdlib.h>

#include "profiler/base/arena.h"

enum {
    CALLS = 1 << 21,      /* a few seconds of reading */
    CALLS_STOPPED = 4000, /* some milliseconds: the target waits for us, and not for ever */
};

struct inspection {
    const struct session *session;
    struct locals *locals;
    bool is_stopped;
    struct frame_locals *frames; /* by their place in the look */
    size_t count;
    size_t capacity;
};

struct inspection *inspect_begin(const struct session *session) {
    struct inspection *inspection = memory_zeroed(1, sizeof *inspection);
    inspection->session = session;
    inspection->is_stopped = session->stopper != NULL;
    inspection->locals =
        locals_create(&session->runtime, inspection->is_stopped ? CALLS_STOPPED : CALLS);
    return inspection;
}

void inspect_end(struct inspection *inspection) {
    if (inspection == NULL) {
        return;
    }
    for (size_t i = 0; i < inspection->count; i++) {
        locals_free(&inspection->frames[i]);
    }
    free(inspection->frames);
    locals_destroy(inspection->locals);
    free(inspection);
}

static struct frame_locals *locals_at(struct inspection *inspection, size_t place) {
    while (inspection->count <= place) {
        if (inspection->count == inspection->capacity) {
            inspection->frames = memory_grow(inspection->frames, sizeof *inspection->frames,
                                             place + 1, &inspection->capacity);
        }
        inspection->frames[inspection->count++] = (struct frame_locals){0};
    }
    return &inspection->frames[place];
}

void inspect_read(struct inspection *inspection, const struct raw_look *look,
                  const struct raw_thread *thread) {
    for (size_t i = 0; i < thread->frame_count; i++) {
        size_t place = thread->first_frame + i;
        struct frame_locals *out = locals_at(inspection, place);
        locals_free(out);
        locals_read(inspection->locals, &look->frames[place], inspection->is_stopped, out);
    }
}

/* ---- frames of a stack ---- */

static void take_frame(struct inspection *inspection, size_t place, const struct raw_frame *raw,
                       size_t depth, struct inspected_frame *out) {
    struct frame_locals *read = locals_at(inspection, place);
    *out = (struct inspected_frame){.raw = *raw, .depth = depth, .locals = *read};
    out->state = read->is_readable ? INSPECTED_EXACT : INSPECTED_UNREADABLE;
    *read = (struct frame_locals){0};
}

static const struct trace_frame *frame_of(const struct trace *trace, struct stack_id stack) {
    return trace_frame(trace, trace_stack(trace, stack)->frame);
}

/* Frames that are not shown are passed over; where the stack goes on otherwise than what was read,
 * the rest of it was not, and is left as it is: unreadable. */
void inspect_take(struct inspection *inspection, const struct trace *trace,
                  const struct raw_look *look, const struct raw_thread *thread,
                  struct stack_id stack, uint64_t now_ns, struct inspected *out) {
    uint32_t path_count;
    struct stack_id *path = trace_path(trace, stack, &path_count);
    *out = (struct inspected){.slot = thread->slot, .serial = thread->serial};
    out->frames = memory_zeroed(path_count + 1, sizeof *out->frames);
    out->count = path_count > 0 && frame_of(trace, path[0])->kind == FRAME_MISSING;
    for (size_t depth = 0; depth < thread->frame_count && out->count < path_count; depth++) {
        size_t place = thread->first_frame + thread->frame_count - 1 - depth;
        const struct raw_frame *raw = &look->frames[place];
        struct function_id function =
            resolve_shown_function(inspection->session->resolve, raw->code, now_ns);
        const struct trace_frame *shown = frame_of(trace, path[out->count]);
        if (function.id == 0) {
            continue;
        }
        if (shown->kind != FRAME_PYTHON || shown->function.id != function.id) {
            break;
        }
        take_frame(inspection, place, raw, depth, &out->frames[out->count++]);
    }
    out->count = path_count;
    free(path);
}

/* ---- a look later ---- */

static const struct raw_thread *find_thread(const struct inspected *inspected,
                                            const struct raw_look *look) {
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        if (thread->slot == inspected->slot && thread->serial == inspected->serial) {
            return thread->is_complete ? thread : NULL;
        }
    }
    return NULL;
}

static enum inspected_state state_of(const struct inspected_frame *frame,
                                     const struct raw_look *look, const struct raw_thread *thread) {
    if (thread == NULL || frame->depth >= thread->frame_count) {
        return INSPECTED_GONE;
    }
    const struct raw_frame *now =
        &look->frames[thread->first_frame + thread->frame_count - 1 - frame->depth];
    if (now->at != frame->raw.at || now->code != frame->raw.code) {
        return INSPECTED_GONE;
    }
    return now->position == frame->raw.position ? INSPECTED_EXACT : INSPECTED_INEXACT;
}

/* What is above a frame that has gone has gone as well. */
void inspect_check(struct inspected *inspected, const struct raw_look *later, bool is_asleep) {
    const struct raw_thread *thread = find_thread(inspected, later);
    enum inspected_state worst = is_asleep ? INSPECTED_EXACT : INSPECTED_INEXACT;
    for (size_t i = 0; i < inspected->count; i++) {
        struct inspected_frame *frame = &inspected->frames[i];
        if (frame->state == INSPECTED_UNREADABLE) {
            continue;
        }
        enum inspected_state state = state_of(frame, later, thread);
        worst = state > worst ? state : worst;
        frame->state = worst;
        if (worst == INSPECTED_GONE) {
            locals_free(&frame->locals);
        }
    }
}

void inspect_free(struct inspected *inspected) {
    for (size_t i = 0; i < inspected->count; i++) {
        locals_free(&inspected->frames[i].locals);
    }
    free(inspected->frames);
    *inspected = (struct inspected){0};
}
