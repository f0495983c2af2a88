#include "target-runtime/coroutine.h"

#include <string.h>

#include "target-runtime/frame.h"
#include "target-runtime/opcodes.h"

enum {
    OBJECT_BYTES = 256,          /* covers the fields of a generator and of its frame */
    STACK_LIMIT = 1 << 20,       /* values of a frame */
    FRAME_OBJECT_EXECUTING = 0,  /* Include/cpython/frameobject.h, 3.10: PyFrameState */
    FRAME_OBJECT_RETURNED = 1,   /* and whatever is larger: it has ended */
    RESUME_AFTER_YIELD_FROM = 2, /* smallest argument of RESUME that says so, Lib/opcode.py */
    RESUME_WHERE = 3,            /* its bits that say where (pycore_opcode_utils.h) */
};

/* What was copied of a generator and its frame. */
struct copy {
    const struct layout *layout;
    struct memory *memory;
    uint8_t generator[OBJECT_BYTES];
    struct view frame; /* into generator, or frame_object */
    uint8_t frame_object[OBJECT_BYTES];
};

static const uint8_t *at_place(const struct view *view, uint32_t place) {
    return view->bytes + (place - view->at);
}

#define GENERATOR_FIELD(copy, field)                                                               \
    ((copy)->generator + LAYOUT_AT((copy)->layout, generator, field))
#define FRAME_FIELD(copy, structure, field)                                                        \
    at_place(&(copy)->frame, LAYOUT_AT((copy)->layout, structure, field))

/* ---- copying ---- */

static uint32_t end_of(const struct layout *layout, enum layout_field field) {
    return layout->place[field] == 0 ? 0 : layout->place[field] - 1 + layout_field_bytes(field);
}

static uint32_t largest(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Up to 3.10 a generator points to its frame object, NULL once it has ended. */
static enum status copy_frame_object(struct copy *copy, uint64_t *at_out) {
    const struct layout *layout = copy->layout;
    uint32_t end = largest(largest(end_of(layout, LAYOUT_frame_object_lasti),
                                   end_of(layout, LAYOUT_frame_object_executing)),
                           largest(end_of(layout, LAYOUT_frame_object_stack_depth),
                                   end_of(layout, LAYOUT_frame_object_stack_top)));
    *at_out = load_u64(GENERATOR_FIELD(copy, frame));
    copy->frame = (struct view){copy->frame_object, 0};
    if (end > OBJECT_BYTES) {
        return STATUS_BAD_LAYOUT;
    }
    return *at_out == 0
               ? STATUS_OK
               : memory_read_one(copy->memory, (struct remote){*at_out}, copy->frame_object, end);
}

static enum status copy_generator(struct copy *copy, struct remote object, uint64_t *frame_at_out) {
    const struct layout *layout = copy->layout;
    bool has_frame_object = layout->frame_chain == FRAME_CHAIN_OBJECTS;
    uint32_t end = has_frame_object
                       ? largest(end_of(layout, LAYOUT_generator_exc_state),
                                 end_of(layout, LAYOUT_generator_running))
                       : LAYOUT_AT(layout, generator, iframe) + LAYOUT_AT(layout, locals, slots);
    if (end > OBJECT_BYTES) {
        return STATUS_BAD_LAYOUT;
    }
    enum status status = memory_read_one(copy->memory, object, copy->generator, end);
    if (status != STATUS_OK) {
        return status;
    }
    if (has_frame_object) {
        return copy_frame_object(copy, frame_at_out);
    }
    uint32_t iframe = LAYOUT_AT(layout, generator, iframe);
    copy->frame = (struct view){copy->generator + iframe, 0};
    *frame_at_out = object.addr + iframe;
    return STATUS_OK;
}

/* ---- what comes next ---- */

/* The unit of bytecode at `at` in the target; zero if it cannot be read. */
static enum status read_unit(const struct copy *copy, struct remote at, uint8_t unit[2]) {
    unit[0] = 0;
    unit[1] = 0;
    enum status status = memory_read_one(copy->memory, at, unit, OPCODE_UNIT_BYTES);
    return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
}

static bool is_named(const struct copy *copy, uint8_t opcode, const char *name) {
    const struct opcode_table *table = copy->layout->opcodes;
    const char *base = opcode_name(table, opcode_base(table, opcode));
    return base != NULL && strcmp(base, name) == 0;
}

/* Up to 3.10 the instruction after the last is YIELD_FROM (Objects/genobject.c, _PyGen_yf). */
static enum status is_before_yield_from(const struct copy *copy, const struct raw_frame *frame,
                                        bool *out) {
    const struct layout *layout = copy->layout;
    bool is_in_units = layout->position == POSITION_UNIT_INDEX;
    struct remote bytecode;
    uint8_t unit[OPCODE_UNIT_BYTES] = {0};
    uint64_t next = is_in_units ? (frame->position + 1) * 2 : frame->position + 2;
    enum status status = memory_read_remote(
        copy->memory,
        remote_at((struct remote){frame->code}, LAYOUT_AT(layout, code, bytes_object)), &bytecode);
    if (status == STATUS_OK) {
        status = read_unit(copy, remote_at(bytecode, LAYOUT_AT(layout, bytes, data) + next), unit);
    }
    *out = is_named(copy, unit[0], "YIELD_FROM");
    return status;
}

/* In 3.11 and 3.12 it is a RESUME whose argument says what it resumes; hot code has RESUME_QUICK.
 */
static enum status is_before_resume(const struct copy *copy, const struct raw_frame *frame,
                                    bool *out) {
    uint8_t unit[OPCODE_UNIT_BYTES];
    enum status status =
        read_unit(copy, remote_at((struct remote){frame->position}, OPCODE_UNIT_BYTES), unit);
    *out = is_named(copy, unit[0], "RESUME") && (unit[1] & RESUME_WHERE) >= RESUME_AFTER_YIELD_FROM;
    return status;
}

/* ---- what it does ---- */

static int8_t signed_byte(const uint8_t *byte) {
    return (int8_t)*byte;
}

/* From 3.11 on the generator says what it does. */
static enum coroutine_state state_of_byte(const struct generator_states *states, int8_t state) {
    if (state >= states->awaiting && state <= states->awaiting_last) {
        return COROUTINE_AWAITING;
    }
    return state == states->created     ? COROUTINE_CREATED
           : state == states->executing ? COROUTINE_RUNNING
           : state >= states->ended     ? COROUTINE_ENDED
                                        : COROUTINE_SUSPENDED;
}

/* COROUTINE_AWAITING stands for "suspended" where the bytecode is to be asked. */
static enum coroutine_state state_of(const struct copy *copy, uint64_t frame_at,
                                     const struct raw_frame *frame) {
    bool is_running;
    switch (copy->layout->await_shape) {
    case AWAIT_STACK_TOP: is_running = *GENERATOR_FIELD(copy, running) != 0; break;
    case AWAIT_STACK_DEPTH: {
        int8_t state = frame_at == 0 ? FRAME_OBJECT_RETURNED
                                     : signed_byte(FRAME_FIELD(copy, frame_object, executing));
        if (state >= FRAME_OBJECT_RETURNED) {
            return COROUTINE_ENDED;
        }
        is_running = state == FRAME_OBJECT_EXECUTING;
        break;
    }
    case AWAIT_RESUME:
    case AWAIT_STACK_COUNT:
    case AWAIT_STACK_POINTER:
    case AWAIT_BELOW_NULL:
    default:
        return state_of_byte(&copy->layout->generator_states,
                             signed_byte(GENERATOR_FIELD(copy, state)));
    }
    return frame_at == 0                  ? COROUTINE_ENDED
           : is_running                   ? COROUTINE_RUNNING
           : (int64_t)frame->position < 0 ? COROUTINE_CREATED
                                          : COROUTINE_AWAITING;
}

/* Whether a suspended one awaits, where its state does not tell. */
static enum status awaits(const struct copy *copy, const struct raw_frame *frame, bool *out) {
    *out = true;
    switch (copy->layout->await_shape) {
    case AWAIT_STACK_TOP:
    case AWAIT_STACK_DEPTH: return is_before_yield_from(copy, frame, out);
    case AWAIT_RESUME: return is_before_resume(copy, frame, out);
    case AWAIT_STACK_COUNT:
    case AWAIT_STACK_POINTER:
    case AWAIT_BELOW_NULL: break;
    }
    return STATUS_OK;
}

/* Where the pointer to what it awaits is; NULL when that cannot be. */
static struct remote awaited_place(const struct copy *copy, uint64_t frame_at) {
    struct remote none = {0};
    struct remote frame = {frame_at};
    uint64_t below = 8;
    switch (copy->layout->await_shape) {
    case AWAIT_STACK_TOP: {
        uint64_t top = load_u64(FRAME_FIELD(copy, frame_object, stack_top));
        return top > load_u64(FRAME_FIELD(copy, frame_object, value_stack))
                   ? (struct remote){top - below}
                   : none;
    }
    case AWAIT_STACK_DEPTH: {
        uint32_t depth = load_u32(FRAME_FIELD(copy, frame_object, stack_depth));
        struct remote stack = load_remote(FRAME_FIELD(copy, frame_object, value_stack));
        return depth > 0 && depth < STACK_LIMIT ? remote_at(stack, (depth - 1) * UINT64_C(8))
                                                : none;
    }
    case AWAIT_RESUME:
    case AWAIT_STACK_COUNT: {
        uint32_t count = load_u32(FRAME_FIELD(copy, frame, stack_count));
        uint32_t locals = LAYOUT_AT(copy->layout, locals, slots);
        return count > 0 && count < STACK_LIMIT
                   ? remote_at(frame, locals + (count - 1) * UINT64_C(8))
                   : none;
    }
    case AWAIT_BELOW_NULL: below = 16; /* fallthrough */
    case AWAIT_STACK_POINTER: {
        uint64_t pointer = load_u64(FRAME_FIELD(copy, frame, stack_pointer));
        return pointer >= frame_at + LAYOUT_AT(copy->layout, locals, slots) + below
                   ? (struct remote){pointer - below}
                   : none;
    }
    }
    return none;
}

static enum status read_awaited(const struct copy *copy, uint64_t frame_at, struct remote *out) {
    enum status status = memory_read_remote(copy->memory, awaited_place(copy, frame_at), out);
    /* From 3.14 on what lies on the value stack is tagged as code references are. */
    out->addr = frame_code(copy->layout, out->addr);
    return status;
}

enum status coroutine_read(const struct runtime *runtime, struct remote object,
                           struct coroutine *out) {
    struct copy copy = {.layout = runtime->layout, .memory = runtime->memory};
    uint64_t frame_at;
    uint64_t ignored;
    *out = (struct coroutine){.state = COROUTINE_ENDED};
    enum status status = copy_generator(&copy, object, &frame_at);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
    }
    out->handled =
        load_remote(GENERATOR_FIELD(&copy, exc_state) + LAYOUT_AT(copy.layout, exc_item, value));
    if (frame_at != 0) {
        out->frame = frame_decode(copy.layout, &copy.frame, &ignored);
        out->frame.at = frame_at;
        out->frame.is_left = false; /* it has given way to what it awaits */
    }
    out->state = state_of(&copy, frame_at, &out->frame);
    if (out->state == COROUTINE_AWAITING) {
        bool is_awaiting;
        status = awaits(&copy, &out->frame, &is_awaiting);
        out->state = is_awaiting ? COROUTINE_AWAITING : COROUTINE_SUSPENDED;
    }
    if (status == STATUS_OK && out->state == COROUTINE_AWAITING) {
        status = read_awaited(&copy, frame_at, &out->awaited);
    }
    return status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
}
