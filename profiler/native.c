#include "profiler/native.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/native_names.h"
#include "reader/rest.h"
#include "reader/unwind.h"
#include "target-runtime/anchors.h"
#include "target-runtime/merge.h"

enum {
    COPY_BYTES_MAX = 1 << 20,
    PIECE_BYTES = 1 << 16, /* the copy is made of, so that one may fail */
    PAGE_BYTES = 1 << 12,
    FRAMES_PER_STEP = 4,
    RED_ZONE_BYTES = 128, /* below the stack pointer; System V ABI, AMD64 supplement, 3.2.2 */
    BOTTOM_BYTES = 256,   /* above the oldest frame's stack pointer: its own part */
};

/* What is kept of a thread from sample to sample. */
struct sitter {
    bool is_used;
    pid_t tid;
    uint64_t serial;
    struct rest rest;
    uint64_t turns;           /* when `resolved` was true; 0: never */
    struct resolved resolved; /* its last stack */
    uint64_t bottom;          /* where its stack ends; 0 unknown */
    uint64_t vain_pc;         /* waiting there it cannot be unwound, stopped or not; 0: nowhere */
};

struct native {
    struct session *session;
    struct trace *trace;
    struct stopper *stopper;
    struct unwinder *unwinder;
    struct native_names *names;
    struct loop_parts loop;
    struct string_id loop_name;
    struct sitter *sitters; /* by walk slot */
    size_t sitter_count;
    size_t sitter_capacity;
    uint8_t *copy;
    size_t copy_capacity;
    struct native_stack stack;
    uint64_t *anchors;
    size_t anchor_capacity;
    uint64_t *functions;
    size_t function_capacity;
    struct merge_item *items;
    size_t item_capacity;
};

/* One thread, and the moment that it is looked at in. */
struct moment {
    struct native *native;
    struct sitter *sitter;
    const struct raw_look *look;
    size_t index; /* of the thread in the look */
    uint64_t now_ns;
    struct registers registers;
    struct stack_copy copy;
    uint64_t turns; /* 0 unknown */
};

/* ---- people ---- */

static struct sitter *sitter_of(struct native *native, const struct raw_thread *thread, pid_t tid) {
    while (native->sitter_count <= thread->slot) {
        if (native->sitter_count == native->sitter_capacity) {
            native->sitters = memory_grow(native->sitters, sizeof *native->sitters,
                                          thread->slot + 1, &native->sitter_capacity);
        }
        native->sitters[native->sitter_count++] = (struct sitter){.rest.turns_fd = -1};
    }
    struct sitter *sitter = &native->sitters[thread->slot];
    if (!sitter->is_used || sitter->serial != thread->serial || sitter->tid != tid) {
        rest_deinit(&sitter->rest);
        *sitter = (struct sitter){.is_used = true, .tid = tid, .serial = thread->serial};
        rest_init(&sitter->rest, native->session->process->pid, tid);
    }
    return sitter;
}

/* ---- copying ---- */

/* How much of the stack there is to copy: to its bottom where that is known, else to the end of its
 * mapping. */
static uint32_t copy_bytes(const struct moment *moment, uint64_t from) {
    const struct mapping *mapping =
        modules_mapping(unwinder_modules(moment->native->unwinder), from + RED_ZONE_BYTES);
    uint64_t bottom = moment->sitter->bottom;
    if (mapping == NULL || from < mapping->start) {
        return 0;
    }
    uint64_t end = bottom > from && bottom < mapping->end ? bottom : mapping->end;
    return end - from < COPY_BYTES_MAX ? (uint32_t)(end - from) : COPY_BYTES_MAX;
}

/* Copies in pieces of that size, as far as there is something. Returns the bytes. */
static uint32_t copy_pieces(struct native *native, uint64_t from, uint8_t *to, uint32_t bytes,
                            uint32_t piece_bytes) {
    struct range pieces[COPY_BYTES_MAX / PIECE_BYTES + 1];
    size_t count = 0;
    uint32_t done = 0;
    for (uint32_t at = 0; at < bytes; count++) {
        uint32_t end = (uint32_t)((from + at) / piece_bytes * piece_bytes + piece_bytes - from);
        end = end < bytes ? end : bytes;
        pieces[count] = (struct range){{from + at}, to + at, end - at, STATUS_NOT_MAPPED};
        at = end;
    }
    enum status status = memory_read(&native->session->memory, pieces, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = pieces[i].status;
        done += status == STATUS_OK ? pieces[i].bytes : 0;
    }
    return done;
}

/* Stacks of threads may lie in one mapping, with pages between them that are not there (glibc since
 * 2.42 guards them by madvise). */
static bool copy_stack(struct moment *moment) {
    struct native *native = moment->native;
    uint64_t from = moment->registers.value[REGISTER_SP] - RED_ZONE_BYTES;
    uint32_t bytes = copy_bytes(moment, from);
    if (bytes > native->copy_capacity) {
        native->copy = memory_grow(native->copy, 1, bytes, &native->copy_capacity);
    }
    uint32_t done = copy_pieces(native, from, native->copy, bytes, PIECE_BYTES);
    if (done < bytes) {
        uint32_t left = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
        done += copy_pieces(native, from + done, native->copy + done, left, PAGE_BYTES);
    }
    moment->copy = (struct stack_copy){from, native->copy, done};
    return done > 0;
}

/* Python's stack and the native one. */
static bool copy_both(struct moment *moment) {
    return walk_look_again(moment->native->session->walk, moment->index) == STATUS_OK &&
           copy_stack(moment);
}

/* Off its CPU when the place was told, and not put on one since the turns were read before that:
 * what was copied in between is of one moment. */
static bool capture_resting(struct moment *moment) {
    const struct rest *rest = &moment->sitter->rest;
    uint64_t after;
    return rest_turns(rest, &moment->turns) && rest_place(rest, &moment->registers) &&
           copy_both(moment) && rest_turns(rest, &after) && after == moment->turns;
}

static void add_pause(struct native *native, uint64_t pause_ns) {
    if (pause_ns > 0) {
        histogram_add(&native->trace->pauses, pause_ns);
    }
}

/* Somebody has killed the one that stops, perhaps for want of memory. */
static void replace_stopper(struct native *native) {
    struct error ignored;
    stopper_close(native->stopper, NULL);
    enum status status =
        stopper_open(native->stopper, native->session->process, STOPPER_BOUND_NS, &ignored);
    (void)status; /* without one nothing is stopped, and samples say so */
}

static bool capture_stopped(struct moment *moment) {
    struct native *native = moment->native;
    uint64_t pause_ns;
    if (native->stopper->helper == 0) {
        return false;
    }
    enum status status =
        stopper_stop_thread(native->stopper, moment->sitter->tid, &moment->registers, &pause_ns);
    bool is_copied = false;
    if (status == STATUS_OK) {
        bool has_turns = rest_turns(&moment->sitter->rest, &moment->turns);
        moment->turns = has_turns ? moment->turns : 0;
        is_copied = copy_both(moment);
        status = stopper_continue(native->stopper, &pause_ns);
    }
    add_pause(native, pause_ns);
    if (status == STATUS_INTERNAL) {
        replace_stopper(native);
    }
    return status == STATUS_OK && is_copied;
}

/* ---- unwinding ---- */

static bool is_unknown_code(const struct modules *modules, uint64_t pc) {
    const struct mapping *mapping = modules_mapping(modules, pc);
    return modules_find(modules, pc) == NULL && (mapping == NULL || !mapping->is_executable);
}

/* A library may have been loaded since. */
static bool has_unknown_code(const struct native *native) {
    const struct modules *modules = unwinder_modules(native->unwinder);
    for (size_t i = 0; i < native->stack.count; i++) {
        if (is_unknown_code(modules, native->stack.frames[i].pc)) {
            return true;
        }
    }
    return native->stack.count == 0;
}

static bool learn_mappings(struct native *native, uint64_t now_ns) {
    bool has_learned = unwinder_refresh(native->unwinder, now_ns);
    if (has_learned) {
        native_names_forget(native->names);
        native->loop.count = 0;
    }
    return has_learned;
}

/* True when it led to the oldest frame. */
static bool unwind_copy(struct moment *moment) {
    struct native *native = moment->native;
    unwinder_unwind(native->unwinder, &moment->registers, &moment->copy, &native->stack);
    if (!native->stack.is_whole && has_unknown_code(native) &&
        learn_mappings(native, moment->now_ns)) {
        unwinder_unwind(native->unwinder, &moment->registers, &moment->copy, &native->stack);
    }
    const struct native_stack *stack = &native->stack;
    moment->sitter->bottom =
        stack->is_whole ? stack->frames[stack->count - 1].sp + BOTTOM_BYTES : 0;
    return stack->is_whole;
}

/* ---- one stack of two ---- */

static void put_frame(struct native *native, struct resolved *resolved, struct frame_id frame) {
    resolved->stack = trace_intern_stack(native->trace, resolved->stack, frame);
}

/* In versions that leave no mark on the stack the loop is told by its name, and where it has none
 * by how often it is there. */
static void find_by_functions(struct moment *moment, size_t count) {
    struct native *native = moment->native;
    const struct native_stack *stack = &native->stack;
    if (stack->count > native->function_capacity) {
        native->functions = memory_grow(native->functions, sizeof *native->functions, stack->count,
                                        &native->function_capacity);
    }
    for (size_t i = 0; i < stack->count; i++) {
        struct frame_id id = native_names_frame(native->names, &stack->frames[i], moment->now_ns);
        struct function_id function = trace_frame(native->trace, id)->function;
        native->functions[i] = native_names_function(native->names, &stack->frames[i]);
        if (trace_function(native->trace, function)->name.id == native->loop_name.id) {
            loop_parts_add(&native->loop, native->functions[i]);
        }
    }
    anchors_find_by_functions(stack, native->functions, &native->loop, count, native->anchors);
}

static size_t merge(struct moment *moment, const struct raw_thread *thread) {
    struct native *native = moment->native;
    const struct layout *layout = native->session->runtime.layout;
    size_t count = thread->frame_count;
    if (count > native->anchor_capacity) {
        native->anchors =
            memory_grow(native->anchors, sizeof *native->anchors, count, &native->anchor_capacity);
    }
    if (count + native->stack.count + 1 > native->item_capacity) {
        native->items = memory_grow(native->items, sizeof *native->items,
                                    count + native->stack.count + 1, &native->item_capacity);
    }
    anchors_find(layout, thread, moment->look->frames + thread->first_frame, &moment->copy,
                 native->anchors);
    if (layout->evaluation_mark == MARK_NONE) {
        find_by_functions(moment, count);
    }
    return merge_stacks(native->anchors, count, &native->stack, native->items);
}

static uint32_t depth_of(const struct native *native, struct stack_id stack) {
    return stack.id != 0 ? trace_stack(native->trace, stack)->depth : 0;
}

/* What a Python frame has put on `below`, so that `stack` came of it: the frame itself, nothing
 * when it is hidden, or with it a frame for the collector. */
static void put_python(struct native *native, struct resolved *resolved, struct stack_id stack,
                       struct stack_id below) {
    struct frame_id frames[FRAMES_PER_STEP];
    size_t count = 0;
    uint32_t least = depth_of(native, below);
    while (depth_of(native, stack) > least && count < FRAMES_PER_STEP) {
        const struct trace_stack *top = trace_stack(native->trace, stack);
        frames[count++] = top->frame;
        stack = top->parent;
    }
    while (count > 0) {
        put_frame(native, resolved, frames[--count]);
    }
}

static struct resolved join(struct moment *moment, const struct raw_thread *thread,
                            const struct resolved *python, const struct stack_id *steps) {
    struct native *native = moment->native;
    struct resolved joined = {.flags = python->flags};
    size_t count = thread->frame_count;
    for (size_t i = merge(moment, thread); i-- > 0;) {
        const struct merge_item *item = &native->items[i];
        size_t depth = count - 1 - item->index; /* of a Python frame */
        switch (item->kind) {
        case MERGE_PYTHON:
            /* The newest one may say more than when it was put there. */
            put_python(native, &joined, depth + 1 == count ? python->stack : steps[depth],
                       depth > 0 ? steps[depth - 1] : (struct stack_id){0});
            break;
        case MERGE_NATIVE:
            put_frame(native, &joined,
                      native_names_frame(native->names, &native->stack.frames[item->index],
                                         moment->now_ns));
            break;
        case MERGE_GAP: put_frame(native, &joined, native_names_gap(native->names)); break;
        }
    }
    return joined;
}

static struct resolved resolve_moment(struct moment *moment, bool is_exact) {
    struct native *native = moment->native;
    struct resolve *resolve = native->session->resolve;
    const struct raw_thread *thread = &moment->look->threads[moment->index];
    size_t count;
    resolve_trust(resolve, is_exact);
    struct resolved python = resolve_stack(resolve, moment->look, thread, moment->now_ns);
    const struct stack_id *steps = resolve_steps(resolve, thread, &count);
    if (is_exact && thread->is_complete && count > 0 && count == thread->frame_count) {
        return join(moment, thread, &python, steps);
    }
    if (python.stack.id != 0) {
        put_frame(native, &python, native_names_gap(native->names));
    }
    python.has_doubts = true;
    return python;
}

/* ---- the way to a stack ---- */

/* True when registers and copies are of one moment, and unwound as far as it goes. */
static bool capture(struct moment *moment) {
    struct sitter *sitter = moment->sitter;
    bool is_resting = capture_resting(moment);
    uint64_t pc = is_resting ? moment->registers.value[REGISTER_PC] : 0;
    if (is_resting && (unwind_copy(moment) || pc == sitter->vain_pc)) {
        return true;
    }
    if (!capture_stopped(moment)) {
        return false;
    }
    sitter->vain_pc = unwind_copy(moment) ? 0 : pc;
    return true;
}

struct resolved native_stack(struct native *native, const struct raw_look *look, size_t index,
                             pid_t tid, uint64_t now_ns) {
    struct sitter *sitter = sitter_of(native, &look->threads[index], tid);
    struct moment moment = {native, sitter, look, index, now_ns, {{0}, 0}, {0, NULL, 0}, 0};
    uint64_t turns;
    if (sitter->turns != 0 && rest_turns(&sitter->rest, &turns) && turns == sitter->turns) {
        return sitter->resolved;
    }
    bool is_exact = tid != 0 && capture(&moment);
    if (!is_exact) {
        /* Nothing may be known of where its stack is mapped. */
        learn_mappings(native, now_ns);
    }
    struct resolved resolved = resolve_moment(&moment, is_exact);
    sitter->resolved = resolved;
    sitter->turns = is_exact && resolved.stack.id != 0 ? moment.turns : 0;
    return resolved;
}

/* ---- life ---- */

struct native *native_create(struct session *session, struct trace *trace,
                             struct stopper *stopper) {
    static const char loop_name[] = "_PyEval_EvalFrameDefault";
    struct unwinder *unwinder = unwinder_create(session->process, &session->memory);
    if (unwinder == NULL) {
        return NULL;
    }
    struct native *native = memory_zeroed(1, sizeof *native);
    native->session = session;
    native->trace = trace;
    native->stopper = stopper;
    native->unwinder = unwinder;
    native->names = native_names_create(session, trace, unwinder);
    native->loop_name = trace_text(trace, loop_name, sizeof loop_name - 1);
    return native;
}

void native_destroy(struct native *native) {
    if (native == NULL) {
        return;
    }
    for (size_t i = 0; i < native->sitter_count; i++) {
        rest_deinit(&native->sitters[i].rest);
    }
    native_names_destroy(native->names);
    unwinder_destroy(native->unwinder);
    free(native->sitters);
    free(native->copy);
    free(native->stack.frames);
    free(native->anchors);
    free(native->functions);
    free(native->items);
    free(native);
}
