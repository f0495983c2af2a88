#include "profiler/resolve.h"

#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/climb.h"
#include "profiler/codes.h"
#include "profiler/history.h"
#include "profiler/shortcuts.h"
#include "profiler/verify.h"
#include "target-runtime/join.h"

struct resolve {
    struct means means;
    struct histories histories;
    struct history again; /* of the stack that is judged once more */
};

/* Whether the stack is what it was the last time. */
static bool can_stay(const struct climb *climb, const struct raw_thread *thread) {
    return thread->is_kept && thread->below == 0 && !thread->is_collecting &&
           climb->history->last.stack.id != 0 && !codes_lists_opcodes(climb->means->codes);
}

struct resolved resolve_stack_on(struct resolve *resolve, const struct raw_look *look,
                                 const struct raw_thread *thread, struct stack_id base,
                                 uint64_t now_ns) {
    struct climb climb = {
        .means = &resolve->means,
        .history = history_of(&resolve->histories, join_bottom(look, thread), base,
                              codes_epoch(resolve->means.codes)),
        .is_cut = thread->is_cut,
        .now_ns = now_ns,
        .resolved.stack = base,
    };
    if (can_stay(&climb, thread)) {
        return climb.history->last;
    }
    bool is_complete = climb_lay_out(&climb, look, thread) && thread->is_complete;
    climb.is_remembered = is_complete && !thread->is_cut;
    for (const struct raw_thread *part = thread; part != NULL; part = join_below(look, part)) {
        climb_see_calls(&climb, look, part);
    }
    if (climb.count == 0) {
        return climb.resolved;
    }
    if (!is_complete) {
        climb_without_root(&climb);
    }
    climb_all(&climb, thread);
    climb.history->last = thread->is_collecting ? (struct resolved){0} : climb.resolved;
    return climb.resolved;
}

struct resolved resolve_stack(struct resolve *resolve, const struct raw_look *look,
                              const struct raw_thread *thread, uint64_t now_ns) {
    return resolve_stack_on(resolve, look, thread, (struct stack_id){0}, now_ns);
}

/* Whether what a frame ran is known to be what it was when the frame was read. */
static bool is_as_it_was(struct codes *codes, const struct raw_frame *frame, uint64_t taken_ns,
                         uint64_t now_ns) {
    const struct known *known = frame->code == 0
                                    ? codes_find_instruction(codes, frame->position, now_ns)
                                    : codes_find(codes, frame->code, now_ns);
    return known != NULL && known->learned_ns <= taken_ns;
}

struct resolved resolve_again(struct resolve *resolve, const struct raw_look *look,
                              const struct raw_thread *thread, struct stack_id base,
                              uint64_t taken_ns, uint64_t now_ns) {
    const struct resolved nothing = {.stack = base, .flags = SAMPLE_UNVERIFIED};
    struct climb climb = {
        .means = &resolve->means,
        .history = &resolve->again,
        .is_remembered = true,
        .is_late = true,
        .now_ns = now_ns,
        .resolved.stack = base,
    };
    if (!climb_lay_out(&climb, look, thread) || climb.part_count != 1 || climb.count == 0) {
        return nothing;
    }
    for (size_t i = 0; i < climb.count; i++) {
        if (!is_as_it_was(resolve->means.codes, &look->frames[thread->first_frame + i], taken_ns,
                          now_ns)) {
            return nothing;
        }
    }
    history_clear(climb.history);
    climb.history->base = base;
    climb_all(&climb, thread);
    return climb.resolved;
}

struct function_id resolve_function(struct resolve *resolve, uint64_t code, uint64_t now_ns) {
    const struct known *known = codes_find(resolve->means.codes, code, now_ns);
    return known != NULL ? known->function : (struct function_id){0};
}

struct function_id resolve_shown_function(struct resolve *resolve, uint64_t code, uint64_t now_ns) {
    const struct known *known = codes_find(resolve->means.codes, code, now_ns);
    bool is_shown = known != NULL && !known->code.is_hidden;
    return is_shown ? known->function : (struct function_id){0};
}

static struct resolved put_awaits(struct resolve *resolve, const struct raw_frame *frames,
                                  size_t count, bool has_newest, struct stack_id base,
                                  uint64_t now_ns) {
    struct climb climb = {.means = &resolve->means, .now_ns = now_ns, .resolved.stack = base};
    for (size_t i = 0; i < count && climb.resolved.flags == 0; i++) {
        climb_put(&climb, &frames[i], has_newest && i + 1 == count);
    }
    return climb.resolved;
}

struct resolved resolve_awaits(struct resolve *resolve, const struct raw_frame *frames,
                               size_t count, struct stack_id base, uint64_t now_ns) {
    return put_awaits(resolve, frames, count, false, base, now_ns);
}

struct resolved resolve_newest_awaits(struct resolve *resolve, const struct raw_frame *frames,
                                      size_t count, struct stack_id base, uint64_t now_ns) {
    return put_awaits(resolve, frames, count, true, base, now_ns);
}

/* ---- life ---- */

void resolve_trust(struct resolve *resolve, bool is_trusted) {
    resolve->means.is_trusting = is_trusted;
}

const struct stack_id *resolve_steps(const struct resolve *resolve, const struct raw_thread *thread,
                                     size_t *count_out) {
    const struct history *history = history_find(&resolve->histories, thread);
    *count_out = history != NULL ? history->count : 0;
    return history != NULL ? history->stacks : NULL;
}

void resolve_hide_collector(struct resolve *resolve) {
    resolve->means.hides_collector = true;
}

enum status resolve_check(struct resolve *resolve, const struct raw_look *look, uint64_t now_ns) {
    return codes_check(resolve->means.codes, look, now_ns);
}

struct resolve *resolve_create(struct runtime *runtime, struct trace *trace) {
    struct resolve *resolve = memory_zeroed(1, sizeof *resolve);
    resolve->means.trace = trace;
    resolve->means.codes = codes_create(runtime, trace);
    resolve->means.verify = verify_create(runtime, resolve->means.codes);
    resolve->means.shortcuts = shortcuts_create();
    return resolve;
}

void resolve_list_opcodes(struct resolve *resolve) {
    codes_list_opcodes(resolve->means.codes);
}

void resolve_destroy(struct resolve *resolve) {
    if (resolve == NULL) {
        return;
    }
    histories_deinit(&resolve->histories);
    history_deinit(&resolve->again);
    shortcuts_destroy(resolve->means.shortcuts);
    verify_destroy(resolve->means.verify);
    codes_destroy(resolve->means.codes);
    free(resolve);
}
