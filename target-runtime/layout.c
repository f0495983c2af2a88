#include "target-runtime/layout.h"

#include <string.h>

/* Far beyond any offset that we read: in no version is one of them past 16 KiB. */
#define OFFSET_LIMIT (UINT64_C(1) << 20)

/* ---- the fields ---- */

enum field_need { OPTIONAL, REQUIRED };

struct field_row {
    const char *structure;
    const char *name; /* with the structure's: "thread.next" */
    uint32_t bytes;
    enum field_need need;
};

static const struct field_row fields[LAYOUT_FIELD_COUNT] = {
#define FIELD_ROW(structure, field, bytes, need)                                                   \
    [LAYOUT_##structure##_##field] = {#structure, #structure "." #field, bytes, need},
    LAYOUT_FIELDS(FIELD_ROW)
#undef FIELD_ROW
};

const char *layout_field_name(enum layout_field field) {
    return fields[field].name;
}

uint32_t layout_field_bytes(enum layout_field field) {
    return fields[field].bytes;
}

/* ---- the list ---- */

const struct layout *layout_for(uint32_t minor, bool is_free_threaded) {
    for (size_t i = 0; layouts[i] != NULL; i++) {
        if (layouts[i]->minor == minor && layouts[i]->is_free_threaded == is_free_threaded) {
            return layouts[i];
        }
    }
    return NULL;
}

/* ---- what each choice needs ---- */

/* "If the choice at `choice` bytes of struct layout has this value, `field` must be there." */
struct choice_need {
    size_t choice;
    uint32_t value;
    enum layout_field field;
};

#define NEED(choice, value, field)                                                                 \
    ((struct choice_need){offsetof(struct layout, choice), value, LAYOUT_##field})

static const struct choice_need choice_needs[] = {
    NEED(frame_chain, FRAME_CHAIN_OBJECTS, thread_frame),
    NEED(frame_chain, FRAME_CHAIN_OBJECTS, frame_object_back),
    NEED(frame_chain, FRAME_CHAIN_OBJECTS, frame_object_code),
    NEED(frame_chain, FRAME_CHAIN_OBJECTS, frame_object_executing),
    NEED(frame_chain, FRAME_CHAIN_OBJECTS, frame_object_generator),
    NEED(frame_chain, FRAME_CHAIN_OBJECTS, frame_object_globals),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, thread_cframe),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, cframe_current_frame),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, frame_previous),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, frame_executable),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, frame_owner),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, frame_globals),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, thread_datastack_chunk),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, thread_datastack_top),
    NEED(frame_chain, FRAME_CHAIN_CFRAME, thread_datastack_limit),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, thread_current_frame),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, frame_previous),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, frame_executable),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, frame_owner),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, frame_globals),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, thread_datastack_chunk),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, thread_datastack_top),
    NEED(frame_chain, FRAME_CHAIN_CURRENT, thread_datastack_limit),
    NEED(position, POSITION_BYTE_INDEX, frame_object_lasti),
    NEED(position, POSITION_BYTE_INDEX, code_bytes_object),
    NEED(position, POSITION_UNIT_INDEX, frame_object_lasti),
    NEED(position, POSITION_UNIT_INDEX, code_bytes_object),
    NEED(position, POSITION_INSTRUCTION_POINTER, frame_instr_ptr),
    NEED(position, POSITION_INSTRUCTION_POINTER, code_adaptive),
    NEED(position, POSITION_INSTRUCTION_POINTER, code_unit_count),
    NEED(position, POSITION_INSTRUCTION_POINTER, code_first_traceable),
    NEED(entry_frames, ENTRY_FRAMES_FLAG, frame_is_entry),
    NEED(entry_frames, ENTRY_FRAMES_FLAG, frame_owner),
    NEED(entry_frames, ENTRY_FRAMES_OWNER, frame_owner),
    NEED(entry_frames, ENTRY_FRAMES_OWNER, frame_frame_obj),
    NEED(gil_place, GIL_IN_RUNTIME, runtime_current_thread),
    NEED(gil_place, GIL_IN_RUNTIME, runtime_gil),
    NEED(gil_place, GIL_IN_INTERPRETER, interpreter_gil),
    NEED(gil_place, GIL_IN_INTERPRETER, interpreter_own_gil),
    NEED(gil_place, GIL_IN_INTERPRETER, interpreter_gil_holder),
    NEED(gil_place, GIL_IN_INTERPRETER, interpreter_gil_locked),
    NEED(gil_place, GIL_ABSENT, thread_state),
    NEED(local_names, LOCAL_NAMES_BY_KIND, code_varnames),
    NEED(local_names, LOCAL_NAMES_BY_KIND, code_cellvars),
    NEED(local_names, LOCAL_NAMES_BY_KIND, code_freevars),
    NEED(local_names, LOCAL_NAMES_TOGETHER, code_localsplusnames),
    NEED(local_names, LOCAL_NAMES_TOGETHER, code_localspluskinds),
    NEED(evaluation_mark, MARK_CFRAME, thread_cframe),
    NEED(evaluation_mark, MARK_CFRAME, cframe_previous),
    NEED(evaluation_mark, MARK_ENTRY, frame_owner),
    NEED(await_shape, AWAIT_STACK_TOP, generator_frame),
    NEED(await_shape, AWAIT_STACK_TOP, generator_running),
    NEED(await_shape, AWAIT_STACK_TOP, frame_object_stack_top),
    NEED(await_shape, AWAIT_STACK_TOP, frame_object_value_stack),
    NEED(await_shape, AWAIT_STACK_DEPTH, generator_frame),
    NEED(await_shape, AWAIT_STACK_DEPTH, frame_object_value_stack),
    NEED(await_shape, AWAIT_STACK_DEPTH, frame_object_stack_depth),
    NEED(await_shape, AWAIT_RESUME, generator_state),
    NEED(await_shape, AWAIT_RESUME, generator_iframe),
    NEED(await_shape, AWAIT_RESUME, frame_stack_count),
    NEED(await_shape, AWAIT_STACK_COUNT, generator_state),
    NEED(await_shape, AWAIT_STACK_COUNT, generator_iframe),
    NEED(await_shape, AWAIT_STACK_COUNT, frame_stack_count),
    NEED(await_shape, AWAIT_STACK_POINTER, generator_state),
    NEED(await_shape, AWAIT_STACK_POINTER, generator_iframe),
    NEED(await_shape, AWAIT_STACK_POINTER, frame_stack_pointer),
    NEED(await_shape, AWAIT_BELOW_NULL, generator_state),
    NEED(await_shape, AWAIT_BELOW_NULL, generator_iframe),
    NEED(await_shape, AWAIT_BELOW_NULL, frame_stack_pointer),
    NEED(dict_shape, DICT_SHAPE_SIZE, dict_keys_size),
    NEED(dict_shape, DICT_SHAPE_LOG2, dict_keys_log2_index_bytes),
    NEED(dict_shape, DICT_SHAPE_LOG2, dict_keys_kind),
};

/* Fields that are of use only together: an instruction pointer into thread-local bytecode means
 * something only with the list of a code object's copies, and the other way round; a function's
 * version only where the function can be found. */
static const enum layout_field pairs[][2] = {
    {LAYOUT_frame_tlbc_index, LAYOUT_code_tlbc},
    {LAYOUT_code_tlbc, LAYOUT_code_array_size},
    {LAYOUT_code_tlbc, LAYOUT_code_array_entries},
    {LAYOUT_frame_function, LAYOUT_function_version},
};

/* Not of one object: which of them there is depends on the string. */
static const enum layout_field alternatives[][2] = {
    {LAYOUT_unicode_compact_data, LAYOUT_unicode_legacy_data},
};

/* Structures that are read whole into a local copy, and how large that is: the code that reads them
 * relies on it (walk.c, chain.c, code.c, objects.c). The others are read a field at a time. */
static const struct {
    const char *structure;
    uint32_t bytes;
} copied[] = {
    {"runtime", 4096},  {"exc_item", 64},      {"interpreter", 65536}, {"thread", 4096},
    {"cframe", 64},     {"frame_object", 256}, {"frame", 256},         {"code", 512},
    {"object", 64},     {"unicode", 128},      {"bytes", 128},         {"integer", 128},
    {"dict_keys", 128}, {"generator", 128},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the check ---- */

static bool has(const struct layout *layout, enum layout_field field) {
    return layout->place[field] != 0;
}

static uint64_t offset_of(const struct layout *layout, enum layout_field field) {
    return layout->place[field] - 1U;
}

static enum status refuse_offset(const struct layout *layout, enum layout_field field,
                                 uint64_t offset, const char *why, struct error *error) {
    return error_set(error, STATUS_BAD_LAYOUT, "layout %s: %s at offset %llu %s", layout->label,
                     fields[field].name, (unsigned long long)offset, why);
}

static enum status refuse_absence(const struct layout *layout, enum layout_field field,
                                  struct error *error) {
    return error_set(error, STATUS_BAD_LAYOUT, "layout %s: %s is missing", layout->label,
                     fields[field].name);
}

static enum status check_required(const struct layout *layout, struct error *error) {
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT; i++) {
        if (fields[i].need == REQUIRED && !has(layout, (enum layout_field)i)) {
            return refuse_absence(layout, (enum layout_field)i, error);
        }
    }
    return STATUS_OK;
}

static uint32_t choice_value(const struct layout *layout, size_t choice) {
    uint32_t value;
    _Static_assert(sizeof layout->frame_chain == sizeof value, "an enum is read as a uint32_t");
    memcpy(&value, (const uint8_t *)layout + choice, sizeof value);
    return value;
}

static enum status check_choices(const struct layout *layout, struct error *error) {
    for (size_t i = 0; i < COUNT(choice_needs); i++) {
        const struct choice_need *need = &choice_needs[i];
        if (choice_value(layout, need->choice) == need->value && !has(layout, need->field)) {
            return refuse_absence(layout, need->field, error);
        }
    }
    return STATUS_OK;
}

static enum status check_pairs(const struct layout *layout, struct error *error) {
    for (size_t i = 0; i < COUNT(pairs); i++) {
        bool has_first = has(layout, pairs[i][0]);
        if (has_first != has(layout, pairs[i][1])) {
            return refuse_absence(layout, pairs[i][has_first ? 1 : 0], error);
        }
    }
    return STATUS_OK;
}

static uint64_t extent_of(const char *structure) {
    for (size_t i = 0; i < COUNT(copied); i++) {
        if (strcmp(copied[i].structure, structure) == 0) {
            return copied[i].bytes;
        }
    }
    return OFFSET_LIMIT;
}

/* Whether this can be an offset of the field: in bounds, and aligned as the compiler aligns a value
 * of its size. */
static enum status check_offset(const struct layout *layout, enum layout_field field,
                                uint64_t offset, struct error *error) {
    if (offset >= OFFSET_LIMIT ||
        offset + fields[field].bytes > extent_of(fields[field].structure)) {
        return refuse_offset(layout, field, offset, "is outside of any structure", error);
    }
    if (offset % fields[field].bytes != 0) {
        return refuse_offset(layout, field, offset, "is not aligned", error);
    }
    return STATUS_OK;
}

static bool are_alternatives(enum layout_field a, enum layout_field b) {
    for (size_t i = 0; i < COUNT(alternatives); i++) {
        if ((alternatives[i][0] == a && alternatives[i][1] == b) ||
            (alternatives[i][0] == b && alternatives[i][1] == a)) {
            return true;
        }
    }
    return false;
}

static bool do_overlap(const struct layout *layout, enum layout_field a, enum layout_field b) {
    uint64_t at_a = offset_of(layout, a);
    uint64_t at_b = offset_of(layout, b);
    return strcmp(fields[a].structure, fields[b].structure) == 0 && at_a < at_b + fields[b].bytes &&
           at_b < at_a + fields[a].bytes && !are_alternatives(a, b);
}

/* Against the fields before it in the list. */
static enum status check_overlap(const struct layout *layout, enum layout_field field,
                                 struct error *error) {
    for (uint32_t i = 0; i < (uint32_t)field; i++) {
        enum layout_field other = (enum layout_field)i;
        if (has(layout, other) && do_overlap(layout, field, other)) {
            return error_set(
                error, STATUS_BAD_LAYOUT, "layout %s: %s at offset %llu overlaps %s at offset %llu",
                layout->label, fields[field].name, (unsigned long long)offset_of(layout, field),
                fields[other].name, (unsigned long long)offset_of(layout, other));
        }
    }
    return STATUS_OK;
}

static enum status check_places(const struct layout *layout, struct error *error) {
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT && status == STATUS_OK; i++) {
        enum layout_field field = (enum layout_field)i;
        if (!has(layout, field)) {
            continue;
        }
        status = check_offset(layout, field, offset_of(layout, field), error);
        if (status == STATUS_OK) {
            status = check_overlap(layout, field, error);
        }
    }
    return status;
}

enum status layout_check(const struct layout *layout, struct error *error) {
    enum status status = check_required(layout, error);
    if (status == STATUS_OK) {
        status = check_choices(layout, error);
    }
    if (status == STATUS_OK) {
        status = check_pairs(layout, error);
    }
    return status == STATUS_OK ? check_places(layout, error) : status;
}

/* ---- what the target publishes ---- */

static uint64_t word_at(const uint8_t *bytes, size_t offset) {
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

bool layout_published_head(const uint8_t *bytes, struct published_head *out) {
    static const char cookie[] = "xdebugpy"; /* _Py_Debug_Cookie */
    if (memcmp(bytes, cookie, sizeof cookie - 1) != 0) {
        return false;
    }
    out->version_hex = (uint32_t)word_at(bytes, 8);
    out->is_free_threaded = word_at(bytes, 16) != 0;
    return true;
}

static enum status fill_field(const struct layout *base, enum layout_field field,
                              const uint8_t *bytes, struct layout *out, struct error *error) {
    size_t at = base->published[field];
    if (at == 0) {
        return STATUS_OK;
    }
    if (at + sizeof(uint64_t) > base->published_bytes) {
        return refuse_offset(base, field, at, "of what is published is past its end", error);
    }
    uint64_t offset = word_at(bytes, at);
    enum status status = check_offset(base, field, offset, error);
    if (status == STATUS_OK) {
        out->place[field] = LAYOUT_PLACE((uint32_t)offset);
    }
    return status;
}

enum status layout_fill(const struct layout *base, const uint8_t *bytes, struct layout *out,
                        struct error *error) {
    *out = *base;
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT; i++) {
        enum status status = fill_field(base, (enum layout_field)i, bytes, out, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return layout_check(out, error);
}
