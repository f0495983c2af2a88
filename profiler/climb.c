#include "profiler/climb.h"

#include <string.h>

#include "profiler/bridge.h"
#include "target-runtime/join.h"

/* ---- frames that stand for others ---- */

static void push_marker(struct climb *climb, enum frame_kind kind, const char *name) {
    struct trace *trace = climb->means->trace;
    struct trace_function function = {.name = trace_text(trace, name, strlen(name))};
    struct trace_frame frame = {
        .function = trace_intern_function(trace, function),
        .kind = kind,
    };
    climb->resolved.stack =
        trace_intern_stack(trace, climb->resolved.stack, trace_intern_frame(trace, frame));
}

static void put_collector(struct climb *climb, size_t depth) {
    if (climb->collected == depth + 1) {
        push_marker(climb, FRAME_COLLECTOR, "<GC>");
    }
}

/* The rest of the stack could not be shown to belong on what there is. */
static void give_up(struct climb *climb) {
    climb->resolved.flags |= SAMPLE_UNVERIFIED;
    push_marker(climb, FRAME_UNVERIFIED, "<unverified>");
}

/* ---- its frames ---- */

static const struct part *part_at_depth(const struct climb *climb, size_t depth) {
    const struct part *part = &climb->parts[climb->part_count - 1];
    while (depth < part->from) {
        part--;
    }
    return part;
}

static const struct raw_frame *frame_at_depth(const struct climb *climb, size_t depth) {
    const struct part *part = part_at_depth(climb, depth);
    return &part->leaf[part->count - 1 - (depth - part->from)];
}

/* How many frames from the root are those of the history. */
static size_t shared_depth(const struct climb *climb) {
    size_t depth = 0;
    while (depth < climb->count &&
           history_has(climb->history, depth, frame_at_depth(climb, depth))) {
        depth++;
    }
    return depth;
}

/* ---- the climb from the root to the leaf ---- */

/* A frame whose code is known and whose instruction lies in it. */
struct step {
    struct known *known; /* NULL: unreadable */
    int64_t offset;
    uint64_t globals;
    uint64_t interpreter;
    uint32_t tlbc_index;
};

static struct step step_of(const struct climb *climb, const struct raw_frame *raw,
                           uint64_t interpreter) {
    struct step step = {.offset = -1};
    struct codes *codes = climb->means->codes;
    bool is_left = raw->code == 0 && !climb->means->is_trusting;
    struct known *known = is_left ? codes_find_instruction(codes, raw->position, climb->now_ns)
                                  : codes_find(codes, raw->code, climb->now_ns);
    if (known != NULL && codes_position(codes, known, raw, climb->now_ns, &step.offset)) {
        step.known = known;
        step.globals = raw->globals;
        step.interpreter = interpreter;
        step.tlbc_index = raw->tlbc_index;
    }
    return step;
}

static struct step step_at(const struct climb *climb, size_t depth) {
    return depth < climb->count ? step_of(climb, frame_at_depth(climb, depth),
                                          part_at_depth(climb, depth)->interpreter)
                                : (struct step){.offset = -1};
}

static void put_step(struct climb *climb, const struct step *step) {
    if (!step->known->code.is_hidden) {
        climb->resolved.stack =
            trace_intern_stack(climb->means->trace, climb->resolved.stack,
                               codes_frame(climb->means->codes, step->known, step->offset));
    }
}

static struct caller caller_of(const struct step *step) {
    return (struct caller){step->known, step->offset, step->globals, step->interpreter,
                           step->tlbc_index};
}

/* The stack ends with `step`, which has been put: it is the newest frame. */
static void end_with(struct climb *climb, const struct step *step) {
    struct trace *trace = climb->means->trace;
    struct codes *codes = climb->means->codes;
    if (codes_lists_opcodes(codes) && !step->known->code.is_hidden) {
        climb->resolved.stack = trace_intern_stack(
            trace, trace_stack(trace, climb->resolved.stack)->parent,
            codes_newest_frame(codes, step->known, step->offset, step->tlbc_index, climb->now_ns));
    }
}

static struct call call_of(const struct climb *climb, size_t depth, const struct step *step,
                           const struct step *next) {
    const struct raw_frame *caller = frame_at_depth(climb, depth);
    const struct raw_frame *callee = frame_at_depth(climb, depth + 1);
    bool is_watched = caller->is_watched && callee->is_watched && !callee->is_patched;
    bool is_still = caller->is_still && callee->is_alive;
    return (struct call){
        .caller = caller_of(step),
        .callee = {next->known, callee->function, callee->is_from_c},
        .sight = !is_watched ? SIGHT_NONE
                 : is_still  ? SIGHT_STILL
                             : SIGHT_MOVED,
    };
}

/* Whether `step`, at `depth`, called `next`; its offset becomes that of the call when it had moved
 * on. */
static bool is_call(struct climb *climb, size_t depth, struct step *step, const struct step *next) {
    if (climb->means->is_trusting) {
        return true;
    }
    struct call call = call_of(climb, depth, step, next);
    enum verdict verdict = verify_call(climb->means->verify, &call, climb->now_ns, &step->offset);
    climb->resolved.flags |= verdict == VERDICT_MENDED ? SAMPLE_MENDED : 0;
    if (!climb->resolved.has_doubts && (verdict == VERDICT_UNKNOWN || verdict == VERDICT_SEEN)) {
        climb->resolved.has_doubts = true;
        climb->resolved.doubt_depth = depth;
    }
    return verdict != VERDICT_UNKNOWN;
}

/* ---- shortcuts ---- */

static struct passage passage_at(const struct climb *climb, size_t depth) {
    const struct raw_frame *callee =
        depth + 1 < climb->count ? frame_at_depth(climb, depth + 1) : NULL;
    return passage_of(frame_at_depth(climb, depth), callee,
                      part_at_depth(climb, depth)->interpreter, climb->resolved.stack);
}

/* Whether what is found at `depth` may be what it was before: there is nothing to add to it. */
static bool is_plain(const struct climb *climb, size_t depth) {
    bool is_leaf = depth + 1 == climb->count;
    bool is_whole = !climb->is_cut && frame_at_depth(climb, depth)->code != 0 &&
                    !codes_lists_opcodes(climb->means->codes);
    return climb->is_remembered && climb->collected == SIZE_MAX && !climb->means->is_trusting &&
           (!is_leaf || is_whole);
}

static bool take_shortcut(struct climb *climb, size_t depth) {
    struct passage passage = passage_at(climb, depth);
    if (!is_plain(climb, depth) ||
        !shortcuts_find(climb->means->shortcuts, &passage, codes_epoch(climb->means->codes),
                        climb->now_ns, &climb->resolved.stack)) {
        return false;
    }
    history_set(climb->history, depth, frame_at_depth(climb, depth), climb->resolved.stack);
    return true;
}

/* What `step`, at `depth`, came to on the stack of `passage`, if it will come to the same again. */
static void note_shortcut(struct climb *climb, size_t depth, const struct passage *passage,
                          const struct step *step, const struct step *next) {
    const struct means *means = climb->means;
    bool is_leaf = depth + 1 == climb->count;
    uint64_t until_ns = codes_believed_until_ns(means->codes, step->known);
    if (!is_plain(climb, depth)) {
        return;
    }
    if (!is_leaf) {
        struct call call = call_of(climb, depth, step, next);
        uint64_t callee_ns = codes_believed_until_ns(means->codes, next->known);
        until_ns = !verify_is_proved(means->verify, &call) ? 0
                   : callee_ns < until_ns                  ? callee_ns
                                                           : until_ns;
    }
    if (until_ns > climb->now_ns) {
        shortcuts_put(means->shortcuts, passage, codes_epoch(means->codes), until_ns,
                      climb->resolved.stack);
    }
}

void climb_see_calls(struct climb *climb, const struct raw_look *look,
                     const struct raw_thread *thread) {
    for (size_t i = 0; i < thread->sight_count; i++) {
        const struct raw_sight *sight = &look->sights[thread->first_sight + i];
        struct step caller = step_of(climb, &sight->caller, thread->interpreter);
        struct step callee = step_of(climb, &sight->callee, thread->interpreter);
        struct call call = {
            .caller = caller_of(&caller),
            .callee = {callee.known, sight->callee.function, sight->callee.is_from_c},
            .sight = sight->is_still ? SIGHT_STILL : SIGHT_MOVED,
        };
        if (caller.known != NULL && callee.known != NULL) {
            verify_see(climb->means->verify, &call);
        }
    }
}

static void put_inferred(struct climb *climb, struct known *callee) {
    struct step named = {.known = callee, .offset = -1};
    climb->resolved.flags |= SAMPLE_INFERRED;
    put_step(climb, &named);
}

/* Something was above `step`, and it is not known how much: its callee, if that is certain. */
static void name_cut(struct climb *climb, const struct step *step) {
    struct caller caller = caller_of(step);
    struct known *callee = verify_callee(climb->means->verify, &caller, climb->now_ns);
    climb->resolved.flags |= SAMPLE_INFERRED;
    if (callee != NULL) {
        put_inferred(climb, callee);
    } else {
        end_with(climb, step);
    }
}

/* `step` is the newest frame that was read. */
static void end_climb(struct climb *climb, const struct step *step) {
    bool is_left = frame_at_depth(climb, climb->count - 1)->code == 0 && !climb->means->is_trusting;
    climb->resolved.flags |= is_left ? SAMPLE_INFERRED : 0;
    if (climb->is_cut) {
        name_cut(climb, step);
    } else {
        end_with(climb, step);
    }
}

/* The frame above `step` could not be read, or is the newest one and none that `step` calls: it has
 * returned, and so has whatever was above it. Says who it was if the call itself says so; nobody,
 * if there is no call any more. */
static void name_vanished(struct climb *climb, const struct step *step) {
    struct verify *verify = climb->means->verify;
    struct caller caller = caller_of(step);
    bool is_alone = verify_is_alone(verify, &caller, climb->now_ns);
    struct known *callee = is_alone         ? NULL
                           : climb->is_late ? verify_named_callee(verify, &caller, climb->now_ns)
                                            : verify_callee(verify, &caller, climb->now_ns);
    if (callee == NULL) {
        if (!is_alone) {
            give_up(climb);
        } else {
            end_with(climb, step);
        }
        return;
    }
    put_inferred(climb, callee);
}

/* Whether a target that stands still has the frame at `depth` only because it was stopped while it
 * left it: the newest one, without code any more (3.14-, clear_thread_frame in Python/ceval.c). */
static bool is_leaving(const struct climb *climb, size_t depth) {
    return climb->means->is_trusting && depth + 1 == climb->count &&
           frame_at_depth(climb, depth)->code == 0;
}

/* Whether `next`, the newest frame, may be there and called by `step` although that is not known of
 * it, as an instruction that was specialised for one callee calls another now and then: it stood
 * still there, or it is not known where else it is called. */
static bool may_be_there(const struct climb *climb, size_t depth, const struct step *step,
                         const struct step *next) {
    const struct raw_frame *newest = frame_at_depth(climb, depth);
    if (next->known == NULL || newest->code == 0 || newest->is_left) {
        return false;
    }
    return call_of(climb, depth - 1, step, next).sight == SIGHT_STILL ||
           !verify_has_callings(climb->means->verify, next->known);
}

/* Whom the frame at `depth` calls may lie above another one in a later look. */
static void learn_calls(struct climb *climb, size_t depth) {
    struct step step = step_at(climb, depth);
    struct caller caller = caller_of(&step);
    if (step.known != NULL && !climb->means->is_trusting) {
        verify_learn(climb->means->verify, &caller, climb->now_ns);
    }
}

/* The frame at `depth` is not one that `step` called, or `next` could not be read from it. */
static void miss(struct climb *climb, size_t depth, const struct step *step,
                 const struct step *next) {
    bool is_newest = depth + 1 == climb->count;
    if (is_leaving(climb, depth)) {
        end_with(climb, step);
        return;
    }
    bool has_gone = next->known == NULL || (is_newest && !may_be_there(climb, depth, step, next));
    if (!climb->means->is_trusting && has_gone) {
        name_vanished(climb, step);
    } else {
        give_up(climb);
    }
    learn_calls(climb, depth - 1);
}

/* ---- what stood in a gap ---- */

/* Whether the frame at `depth` or its caller was left by the time it was copied, or the caller is
 * where it calls nobody: what lies below it then need not be what did when it was the newest, or
 * under it. Without a proof of that nothing is bridged: a call that is merely not known yet is not
 * to become another one. */
static bool is_gap(struct climb *climb, size_t depth, const struct step *step,
                   const struct step *next) {
    struct verify *verify = climb->means->verify;
    struct caller caller = caller_of(step);
    struct caller callee = caller_of(next);
    bool is_under = depth + 1 < climb->count; /* there is a frame above it, which it called once */
    return frame_at_depth(climb, depth)->is_left || frame_at_depth(climb, depth - 1)->is_left ||
           verify_is_alone(verify, &caller, climb->now_ns) ||
           (is_under && verify_is_alone(verify, &callee, climb->now_ns));
}

static uint64_t code_at(const void *context, size_t depth) {
    const struct climb *climb = context;
    return frame_at_depth(climb, depth)->code;
}

/* Puts the callings of a bridge onto the stack, in the place of as many frames that were read. */
static void cross(struct climb *climb, const struct bridge *bridge) {
    struct history *history = climb->history;
    climb->resolved.flags |= SAMPLE_INFERRED;
    climb->resolved.stack = bridge->depth > 0 ? history->stacks[bridge->depth - 1] : history->base;
    for (size_t i = 0; i < bridge->count; i++) {
        climb->resolved.stack = trace_intern_stack(climb->means->trace, climb->resolved.stack,
                                                   bridge->callings[i].frame);
        history_set(history, bridge->depth + i, frame_at_depth(climb, bridge->depth + i),
                    climb->resolved.stack);
    }
}

/* `next`, at `depth`, is not what the frame below it called. Puts what was below it when the newest
 * frame was the newest, if that is certain; the stack then goes on with `next`. */
static bool bridge_gap(struct climb *climb, size_t depth, const struct step *step,
                       const struct step *next) {
    const struct means *means = climb->means;
    struct bridge bridge;
    if (!climb->is_remembered || next->known == NULL || !is_gap(climb, depth, step, next) ||
        !bridge_find(means->verify, means->codes, next->known, depth, code_at, climb, climb->now_ns,
                     &bridge) ||
        bridge.depth < climb->bridged) {
        return false;
    }
    climb->standing = climb->bridged == 0 ? bridge.depth : climb->standing;
    climb->bridged = depth;
    cross(climb, &bridge);
    return true;
}

/* Puts frames from `depth` on onto the stack as long as there are shortcuts. Returns the depth of
 * the first one that remains. */
static size_t climb_shortcuts(struct climb *climb, size_t depth) {
    size_t first = depth;
    while (depth < climb->count && take_shortcut(climb, depth)) {
        depth++;
    }
    /* A callee that cannot be read is judged along with its caller. */
    if (depth > first && depth < climb->count && step_at(climb, depth).known == NULL) {
        depth--;
        climb->resolved.stack =
            depth > 0 ? climb->history->stacks[depth - 1] : climb->history->base;
        climb->history->count = depth;
    }
    return depth;
}

/* Puts the frames from `depth` on onto the stack, as far as each was called by the one below. */
static void climb_from(struct climb *climb, size_t depth) {
    depth = climb_shortcuts(climb, depth);
    struct step step = step_at(climb, depth);
    for (; step.known != NULL; depth++) {
        struct step next = step_at(climb, depth + 1);
        bool is_leaf = depth + 1 == climb->count;
        bool had_doubts = climb->resolved.has_doubts;
        struct passage passage = passage_at(climb, depth);
        int64_t offset = step.offset;
        bool is_good = is_leaf || (next.known != NULL && is_call(climb, depth, &step, &next));
        put_step(climb, &step);
        if (is_good && climb->is_remembered) {
            history_set(climb->history, depth, frame_at_depth(climb, depth), climb->resolved.stack);
        }
        if (is_good && step.offset == offset) {
            note_shortcut(climb, depth, &passage, &step, &next);
        }
        if (is_leaf) {
            end_climb(climb, &step);
            return;
        }
        put_collector(climb, depth);
        if (!is_good && !bridge_gap(climb, depth + 1, &step, &next)) {
            miss(climb, depth + 1, &step, &next);
            return;
        }
        /* Of a call that never was there is nothing to be learned by watching. */
        climb->resolved.has_doubts = is_good ? climb->resolved.has_doubts : had_doubts;
        step = next;
    }
    if (depth < climb->count) {
        give_up(climb);
    }
}

/* All but a collector on top of it. */
static void climb_frames(struct climb *climb) {
    /* The call that the last shared frame makes may be another one now, so it is judged again. */
    size_t depth = shared_depth(climb);
    if (depth == climb->count && depth == climb->history->count && !climb->is_cut &&
        !codes_lists_opcodes(climb->means->codes)) {
        climb->resolved.stack = climb->history->stacks[depth - 1];
        return;
    }
    depth -= depth > 0;
    if (depth > 0) {
        climb->resolved.stack = climb->history->stacks[depth - 1];
    }
    climb->history->count = depth;
    climb_from(climb, depth);
    if (climb->bridged > 0 && climb->history->count > climb->standing) {
        climb->history->count = climb->standing;
    }
}

/* Frames below the collector are those of the history, those above it, finalizers, are on other
 * stacks than without it. */
static void note_collector(struct climb *climb, const struct raw_thread *thread) {
    climb->collected = SIZE_MAX;
    if (!thread->is_collecting || climb->means->hides_collector) {
        return;
    }
    climb->collected = climb->count - thread->collected_above;
    if (thread->collected_above > 0) {
        climb->history->count = 0;
        climb->is_remembered = false;
    }
}

bool climb_lay_out(struct climb *climb, const struct raw_look *look,
                   const struct raw_thread *thread) {
    const struct raw_thread *below = thread;
    while (climb->part_count < PART_LIMIT && below != NULL) {
        climb->part_count++;
        below = join_below(look, below);
    }
    for (size_t i = climb->part_count; i-- > 0; thread = join_below(look, thread)) {
        climb->parts[i] = (struct part){
            .leaf = thread->frame_count > 0 ? look->frames + thread->first_frame : NULL,
            .count = thread->frame_count,
            .interpreter = thread->interpreter,
        };
    }
    for (size_t i = 0; i < climb->part_count; i++) {
        climb->parts[i].from = climb->count;
        climb->count += climb->parts[i].count;
    }
    return below == NULL;
}

void climb_all(struct climb *climb, const struct raw_thread *thread) {
    note_collector(climb, thread);
    climb_frames(climb);
    put_collector(climb, climb->count - 1);
}

void climb_without_root(struct climb *climb) {
    climb->history->count = 0;
    climb->resolved.flags = SAMPLE_TRUNCATED | SAMPLE_UNVERIFIED;
    push_marker(climb, FRAME_MISSING, "<missing frames>");
}

void climb_put(struct climb *climb, const struct raw_frame *raw, bool is_newest) {
    struct step step = step_of(climb, raw, 0);
    if (step.known == NULL) {
        give_up(climb);
        return;
    }
    put_step(climb, &step);
    if (is_newest) {
        end_with(climb, &step);
    }
}
