#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/epoch.h"
#include "target-runtime/opcodes.h"
#include "tests/unit/python.h"

#define FIRST_CHUNK UINT64_C(0x7f0000000000)

enum {
    CHUNK_BYTES = 16384, /* DATA_STACK_CHUNK_SIZE, Include/internal/pycore_pystate.h */
    CHUNK_HEAD_BYTES = 24,
    RELEASE_LEVEL = 0xf0,
    OWNED_BY_GENERATOR = 1,
    LOCALS_BYTES = 8,
};

/* What is known here of a code object. */
struct known_code {
    uint64_t address;
    uint64_t function; /* an object of it; 3.11 */
    struct python_code code;
};

/* ---- structures ---- */

static bool is_of(const char *field, const char *structure) {
    size_t bytes = strlen(structure);
    return strncmp(field, structure, bytes) == 0 && field[bytes] == '.';
}

/* To the end of the GIL, where the structure has one in it. */
static uint64_t gil_end(const struct layout *layout, const char *structure) {
    uint32_t at;
    bool is_in = (layout->gil_place == GIL_IN_RUNTIME && strcmp(structure, "runtime") == 0) ||
                 (layout->gil_place == GIL_IN_INTERPRETER && strcmp(structure, "interpreter") == 0);
    return is_in && epoch_place(layout, &at) ? at + EPOCH_BYTES : 0;
}

/* To the end of the last field that is read. */
static uint64_t structure_bytes(const struct layout *layout, const char *structure) {
    uint64_t bytes = gil_end(layout, structure);
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT; i++) {
        enum layout_field field = (enum layout_field)i;
        if (layout->place[i] == 0 || !is_of(layout_field_name(field), structure)) {
            continue;
        }
        uint64_t end = layout->place[i] - 1U + layout_field_bytes(field);
        bytes = end > bytes ? end : bytes;
    }
    return bytes;
}

uint64_t python_structure(struct python *python, const char *structure, uint64_t more) {
    uint64_t bytes = structure_bytes(python->layout, structure) + more;
    return fake_place(&python->fake, (bytes + 7) / 8 * 8, 8);
}

void python_set(struct python *python, uint64_t object, enum layout_field field, uint64_t value) {
    uint32_t place = python->layout->place[field];
    if (place != 0) {
        fake_write(&python->fake, object + place - 1, &value, layout_field_bytes(field));
    }
}

uint64_t python_get(const struct python *python, uint64_t object, enum layout_field field) {
    uint32_t place = python->layout->place[field];
    assert_int_not_equal(place, 0);
    return fake_value(&python->fake, object + place - 1, layout_field_bytes(field));
}

/* ---- the runtime ---- */

static uint32_t version_hex(const struct layout *layout) {
    return 3U << 24 | layout->minor << 16 | 2U << 8 | RELEASE_LEVEL;
}

/* _Py_DebugOffsets, from which the layout is filled. */
static void publish(struct python *python) {
    const struct layout *layout = python->layout;
    fake_write(&python->fake, python->runtime, "xdebugpy", 8);
    fake_write_u64(&python->fake, python->runtime + 8, version_hex(layout));
    fake_write_u64(&python->fake, python->runtime + 16, layout->is_free_threaded);
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT; i++) {
        if (layout->published[i] != 0) {
            fake_write_u64(&python->fake, python->runtime + layout->published[i],
                           layout->place[i] - 1U);
        }
    }
}

static void make_runtime(struct python *python) {
    const struct layout *layout = python->layout;
    uint64_t fields = structure_bytes(layout, "runtime");
    uint64_t more = layout->published_bytes > fields ? layout->published_bytes - fields : 0;
    python->runtime = python_structure(python, "runtime", more);
    if (layout->source == LAYOUT_FROM_TARGET) {
        publish(python);
    }
}

static uint64_t builtins(struct python *python) {
    struct python_entry none[] = {{python_text(python, "None"), python->none}};
    uint64_t module = python_structure(python, "module", 0);
    python_set(python, module, LAYOUT_module_dict, python_dict(python, DICT_UNICODE, none, 1));
    return module;
}

/* sys.__dict__ and sys.modules, as far as they are looked into. */
static void fill_interpreter(struct python *python, uint64_t interpreter) {
    struct python_entry sys[] = {
        {python_text(python, "version"), python->none},
        {python_text(python, "hexversion"), python_number(python, version_hex(python->layout))},
    };
    python_set(python, interpreter, LAYOUT_interpreter_sysdict,
               python_dict(python, DICT_UNICODE, sys, 2));
    struct python_entry modules[] = {{python_text(python, "builtins"), builtins(python)}};
    python_set(python, interpreter, LAYOUT_interpreter_modules,
               python_dict(python, DICT_GENERAL, modules, 1));
    if (LAYOUT_HAS(python->layout, interpreter, own_gil)) {
        python_set(python, interpreter, LAYOUT_interpreter_gil,
                   interpreter + LAYOUT_AT(python->layout, interpreter, own_gil));
    }
}

static uint64_t head_of_interpreters(const struct python *python) {
    return fake_value(&python->fake,
                      python->runtime + LAYOUT_AT(python->layout, runtime, interpreters_head), 8);
}

static void set_head_of_interpreters(struct python *python, uint64_t interpreter) {
    python_set(python, python->runtime, LAYOUT_runtime_interpreters_head, interpreter);
}

uint64_t python_interpreter(struct python *python) {
    uint64_t interpreter = python_structure(python, "interpreter", 0);
    fill_interpreter(python, interpreter);
    python_set(python, interpreter, LAYOUT_interpreter_id, ++python->interpreter_ids);
    python_set(python, interpreter, LAYOUT_interpreter_next, head_of_interpreters(python));
    set_head_of_interpreters(python, interpreter);
    return interpreter;
}

void python_interpreter_end(struct python *python, uint64_t interpreter) {
    uint64_t next = python_get(python, interpreter, LAYOUT_interpreter_next);
    uint64_t at = head_of_interpreters(python);
    if (at == interpreter) {
        set_head_of_interpreters(python, next);
        return;
    }
    while (python_get(python, at, LAYOUT_interpreter_next) != interpreter) {
        at = python_get(python, at, LAYOUT_interpreter_next);
        assert_int_not_equal(at, 0);
    }
    python_set(python, at, LAYOUT_interpreter_next, next);
}

static uint64_t make_code_type(struct python *python) {
    static const char name[] = "code";
    uint64_t type = python_structure(python, "type", 0);
    uint64_t text = fake_place(&python->fake, sizeof name, 1);
    fake_write(&python->fake, text, name, sizeof name);
    python_set(python, type, LAYOUT_type_name, text);
    return type;
}

void python_init(struct python *python, const struct layout *layout) {
    *python = (struct python){.layout = layout, .next_chunk = FIRST_CHUNK};
    fake_init(&python->fake);
    python->none = python_structure(python, "object", 0);
    python->code_type = make_code_type(python);
    make_runtime(python);
    python->interpreter = python_structure(python, "interpreter", 0);
    fill_interpreter(python, python->interpreter);
    set_head_of_interpreters(python, python->interpreter);
}

void python_deinit(struct python *python) {
    free(python->codes);
    fake_deinit(&python->fake);
}

/* ---- code ---- */

static void append_signed_varint(struct buffer *table, int value) {
    uint8_t byte = (uint8_t)(value < 0 ? -value << 1 | 1 : value << 1);
    buffer_append(table, &byte, 1);
}

/* A table in which unit i is on line first_line + i, or all are on the first. */
static uint64_t make_line_table(struct python *python, uint32_t units) {
    struct buffer table = {0};
    for (uint32_t i = 0; i < units; i++) {
        const bool is_next = i > 0 && !python->is_one_line;
        const uint8_t pair[2] = {2, is_next};
        const uint8_t no_columns = 0x80 | 13 << 3;
        const uint8_t columns[3] = {0x80 | 10 << 3, (uint8_t)i, (uint8_t)(i + 1)};
        switch (python->layout->line_table) {
        case LINE_TABLE_LNOTAB: buffer_append(&table, pair, i > 0 ? 2 : 0); break;
        case LINE_TABLE_RANGES: buffer_append(&table, pair, 2); break;
        case LINE_TABLE_LOCATIONS:
            if (python->is_one_line) {
                buffer_append(&table, columns, sizeof columns);
                break;
            }
            buffer_append(&table, &no_columns, 1);
            append_signed_varint(&table, is_next);
            break;
        }
    }
    uint64_t object = python_bytes(python, table.data, table.length);
    buffer_deinit(&table);
    return object;
}

/* The opcode with these flags that has the shortest cache; 0 where the version's are not known. */
static uint8_t find_opcode(const struct layout *layout, uint8_t wanted, uint8_t unwanted) {
    uint32_t best = 0;
    uint32_t shortest = OPCODE_MOST_CACHE_UNITS + 1;
    for (uint32_t i = 0; layout->opcodes != NULL && i < 256; i++) {
        const struct opcode *row = &layout->opcodes->rows[i];
        if (row->name != NULL && row->base == i && row->cache_units < shortest &&
            (row->flags & wanted) == wanted && (row->flags & unwanted) == 0) {
            best = i;
            shortest = row->cache_units;
        }
    }
    return (uint8_t)best;
}

/* The first opcode that was specialised for a Python function, whose version is in its cache. */
static uint8_t find_naming_opcode(const struct layout *layout) {
    for (uint32_t i = 0; layout->opcodes != NULL && i < 256; i++) {
        const struct opcode *row = &layout->opcodes->rows[i];
        if (row->version_unit != 0 && (row->flags & OPCODE_SHORT_VERSION) == 0) {
            return (uint8_t)i;
        }
    }
    return 0;
}

/* The instruction that a code object is made of: one that names its callee, one that may call
 * somebody, or one that cannot. */
static uint8_t choose_opcode(const struct layout *layout, const struct python_code *code) {
    uint8_t odd = OPCODE_PREFIX | OPCODE_HIDDEN | OPCODE_GENERATOR;
    uint8_t naming = code->callee_version != 0 ? find_naming_opcode(layout) : 0;
    return naming != 0      ? naming
           : code->is_quiet ? find_opcode(layout, OPCODE_QUIET, odd | OPCODE_PUSHES)
                            : find_opcode(layout, OPCODE_PUSHES, odd | OPCODE_QUIET);
}

uint64_t python_stride(const struct python *python, const struct python_code *code) {
    uint8_t opcode = choose_opcode(python->layout, code);
    uint32_t cache_units = opcode != 0 ? python->layout->opcodes->rows[opcode].cache_units : 0;
    return (UINT64_C(1) + cache_units) * OPCODE_UNIT_BYTES;
}

/* The same instruction again and again; before those that name their callee one that is quiet. A
 * position in a cache counts as one in its instruction (opcodes.h). */
static uint8_t *make_bytecode(const struct python *python, const struct python_code *code) {
    const struct layout *layout = python->layout;
    uint8_t opcode = choose_opcode(layout, code);
    uint8_t version_unit = opcode != 0 ? layout->opcodes->rows[opcode].version_unit : 0;
    uint64_t bytes = (uint64_t)code->units * OPCODE_UNIT_BYTES;
    uint64_t at = version_unit != 0 ? OPCODE_UNIT_BYTES : 0;
    uint8_t *bytecode = memory_zeroed(bytes, 1);
    bytecode[0] = find_opcode(layout, OPCODE_QUIET, OPCODE_PREFIX | OPCODE_HIDDEN | OPCODE_PUSHES);
    for (; at < bytes; at += python_stride(python, code)) {
        uint64_t version_at = at + (uint64_t)version_unit * OPCODE_UNIT_BYTES;
        bytecode[at] = opcode;
        if (version_unit != 0 && version_at + sizeof code->callee_version <= bytes) {
            memcpy(bytecode + version_at, &code->callee_version, sizeof code->callee_version);
        }
    }
    return bytecode;
}

static void fill_bytecode(struct python *python, uint64_t at, const struct python_code *code) {
    const struct layout *layout = python->layout;
    uint8_t *bytecode = make_bytecode(python, code);
    size_t bytes = (size_t)code->units * OPCODE_UNIT_BYTES;
    if (LAYOUT_HAS(layout, code, adaptive)) {
        fake_write(&python->fake, at + LAYOUT_AT(layout, code, adaptive), bytecode, bytes);
    } else {
        python_set(python, at, LAYOUT_code_bytes_object, python_bytes(python, bytecode, bytes));
    }
    free(bytecode);
}

static void fill_code(struct python *python, uint64_t at, const struct python_code *code) {
    python_set(python, at, LAYOUT_object_type, python->code_type);
    python_set(python, at, LAYOUT_code_flags, 3);
    python_set(python, at, LAYOUT_code_first_line, code->first_line);
    python_set(python, at, LAYOUT_code_filename, python_text(python, code->file));
    python_set(python, at, LAYOUT_code_name, python_text(python, code->name));
    if (python->layout->place[LAYOUT_code_qualname] != 0) {
        python_set(python, at, LAYOUT_code_qualname, python_text(python, code->qualname));
    }
    python_set(python, at, LAYOUT_code_line_table, make_line_table(python, code->units));
    python_set(python, at, LAYOUT_code_unit_count, code->units);
    python_set(python, at, LAYOUT_code_first_traceable, code->first_traceable);
    python_set(python, at, LAYOUT_code_version, code->version);
    fill_bytecode(python, at, code);
}

static struct known_code *find_known(const struct python *python, uint64_t address) {
    for (size_t i = 0; i < python->code_count; i++) {
        if (python->codes[i].address == address) {
            return &python->codes[i];
        }
    }
    return NULL;
}

static uint64_t make_function(struct python *python, uint64_t address,
                              const struct python_code *code) {
    uint64_t function = python_structure(python, "function", 0);
    python_set(python, function, LAYOUT_function_code, address);
    python_set(python, function, LAYOUT_function_version, code->version);
    return function;
}

/* From 3.11 on the bytecode is part of the code object. */
uint64_t python_code(struct python *python, const struct python_code *code) {
    bool has_bytecode = python->layout->place[LAYOUT_code_adaptive] != 0;
    uint64_t address = python_structure(python, "code", has_bytecode ? code->units * 2 - 1 : 0);
    fill_code(python, address, code);
    if (python->code_count == python->code_capacity) {
        python->codes = memory_grow(python->codes, sizeof *python->codes, python->code_count + 1,
                                    &python->code_capacity);
    }
    uint64_t function = make_function(python, address, code);
    python->codes[python->code_count++] = (struct known_code){address, function, *code};
    return address;
}

void python_recode(struct python *python, uint64_t address, const struct python_code *code) {
    struct known_code *known = find_known(python, address);
    assert_non_null(known);
    assert_int_equal(known->code.units, code->units);
    fill_code(python, address, code);
    known->function = make_function(python, address, code);
    known->code = *code;
}

/* The list grows to hold the index; what it held stays in memory (Objects/codeobject.c, 3.14). */
static uint64_t grow_copies(struct python *python, uint64_t code, uint32_t index) {
    const struct layout *layout = python->layout;
    uint64_t old = python_get(python, code, LAYOUT_code_tlbc);
    uint64_t size = old != 0 ? python_get(python, old, LAYOUT_code_array_size) : 0;
    if (index < size) {
        return old;
    }
    uint64_t array = python_structure(python, "code_array", index * sizeof(uint64_t));
    uint64_t own = code + LAYOUT_AT(layout, code, adaptive);
    python_set(python, array, LAYOUT_code_array_size, index + 1U);
    python_set(python, array, LAYOUT_code_array_entries, own);
    for (uint64_t at = sizeof own; at < size * sizeof own; at += sizeof own) {
        uint64_t copy = python_get(python, old + at, LAYOUT_code_array_entries);
        python_set(python, array + at, LAYOUT_code_array_entries, copy);
    }
    python_set(python, code, LAYOUT_code_tlbc, array);
    return array;
}

uint64_t python_copy(struct python *python, uint64_t code, uint32_t index,
                     const struct python_code *like) {
    const struct known_code *known = find_known(python, code);
    assert_non_null(known);
    size_t bytes = (size_t)known->code.units * OPCODE_UNIT_BYTES;
    uint8_t *bytecode = make_bytecode(python, like != NULL ? like : &known->code);
    uint64_t copy = fake_place(&python->fake, bytes, OPCODE_UNIT_BYTES);
    fake_write(&python->fake, copy, bytecode, bytes);
    free(bytecode);
    uint64_t array = grow_copies(python, code, index);
    python_set(python, array + index * sizeof copy, LAYOUT_code_array_entries, copy);
    return copy;
}

uint64_t python_function_of(const struct python *python, uint64_t code) {
    const struct known_code *known = find_known(python, code);
    assert_non_null(known);
    return known->function;
}

uint64_t python_function(struct python *python, const char *name) {
    struct python_code code = {name, name, "program.py", 10, 8, 0, false, 0, 0};
    return python_code(python, &code);
}

/* ---- threads ---- */

/* A cframe lies on the C stack of an evaluation loop. */
static void add_cframe(struct python *python, struct python_thread *thread) {
    uint64_t head =
        thread->cframe != 0 ? python_get(python, thread->cframe, LAYOUT_cframe_current_frame) : 0;
    thread->cframe = python_structure(python, "cframe", 0);
    python_set(python, thread->cframe, LAYOUT_cframe_current_frame, head);
    python_set(python, thread->state, LAYOUT_thread_cframe, thread->cframe);
}

/* One lies in the thread state: that of no loop (root_cframe, Include/cpython/pystate.h). */
static void add_root_cframe(struct python *python, struct python_thread *thread) {
    thread->cframe = thread->state + structure_bytes(python->layout, "thread");
    python_set(python, thread->state, LAYOUT_thread_cframe, thread->cframe);
}

uint64_t python_head_place(const struct python *python, const struct python_thread *thread) {
    const struct layout *layout = python->layout;
    switch (layout->frame_chain) {
    case FRAME_CHAIN_OBJECTS: return thread->state + LAYOUT_AT(layout, thread, frame);
    case FRAME_CHAIN_CFRAME: return thread->cframe + LAYOUT_AT(layout, cframe, current_frame);
    case FRAME_CHAIN_CURRENT: return thread->state + LAYOUT_AT(layout, thread, current_frame);
    }
    return 0;
}

static void set_head(struct python *python, const struct python_thread *thread) {
    uint64_t head = thread->count > 0 ? thread->frames[thread->count - 1].address : thread->base;
    fake_write_u64(&python->fake, python_head_place(python, thread), head);
    python_set(python, thread->state, LAYOUT_thread_datastack_chunk,
               thread->stack_end > 0 ? thread->stack_end - CHUNK_BYTES : 0);
    python_set(python, thread->state, LAYOUT_thread_datastack_top, thread->stack);
    python_set(python, thread->state, LAYOUT_thread_datastack_limit, thread->stack_end);
}

/* 3.15, Python/pystate.c init_threadstate(): a frame that the interpreter owns. */
static void add_base(struct python *python, struct python_thread *thread) {
    thread->base = python_structure(python, "frame", 0);
    python_set(python, thread->base, LAYOUT_frame_executable, python->none | 1);
    python_set(python, thread->base, LAYOUT_frame_owner, python->layout->owner_entry);
    python_set(python, thread->state, LAYOUT_thread_base_frame, thread->base);
}

void python_thread_start(struct python *python, struct python_thread *thread,
                         uint64_t interpreter) {
    uint64_t more = structure_bytes(python->layout, "cframe");
    *thread = (struct python_thread){.state = python_structure(python, "thread", more)};
    uint64_t serial = ++python->serials;
    python_set(python, thread->state, LAYOUT_thread_interp, interpreter);
    python_set(python, thread->state, LAYOUT_thread_serial, serial);
    python_set(python, thread->state, LAYOUT_thread_thread_id, 0x7f1234000000 + serial * 0x1000);
    python_set(python, thread->state, LAYOUT_thread_native_thread_id, 1000 + serial);
    if (python->layout->frame_chain == FRAME_CHAIN_CFRAME) {
        add_root_cframe(python, thread);
    }
    if (python->layout->place[LAYOUT_thread_base_frame] != 0) {
        add_base(python, thread);
    }
    set_head(python, thread);
    python_set(python, thread->state, LAYOUT_thread_next,
               python_get(python, interpreter, LAYOUT_interpreter_threads_head));
    python_set(python, interpreter, LAYOUT_interpreter_threads_head, thread->state);
}

void python_thread_end(struct python *python, struct python_thread *thread) {
    uint64_t interpreter = python_get(python, thread->state, LAYOUT_thread_interp);
    uint64_t next = python_get(python, thread->state, LAYOUT_thread_next);
    uint64_t at = python_get(python, interpreter, LAYOUT_interpreter_threads_head);
    if (at == thread->state) {
        python_set(python, interpreter, LAYOUT_interpreter_threads_head, next);
        return;
    }
    while (python_get(python, at, LAYOUT_thread_next) != thread->state) {
        at = python_get(python, at, LAYOUT_thread_next);
        assert_int_not_equal(at, 0);
    }
    python_set(python, at, LAYOUT_thread_next, next);
}

void python_attach(struct python *python, struct runtime *out) {
    struct error error = {0};
    struct python_thread thread;
    python_thread_start(python, &thread, python->interpreter);
    if (runtime_attach_at(out, &python->fake.memory, (struct remote){python->runtime}, &error) !=
        STATUS_OK) {
        fail_msg("%s: %s", python->layout->label, error.detail);
    }
    assert_string_equal(out->layout->label, python->layout->label);
    python_thread_end(python, &thread);
    python->serials = 0;
}

void python_thread_free(struct python_thread *thread) {
    free(thread->frames);
    *thread = (struct python_thread){0};
}

/* ---- frames ---- */

uint64_t python_position(const struct python *python, uint64_t code, uint64_t offset) {
    switch (python->layout->position) {
    case POSITION_BYTE_INDEX: return offset;
    case POSITION_UNIT_INDEX: return offset / 2;
    case POSITION_INSTRUCTION_POINTER:
        return code + LAYOUT_AT(python->layout, code, adaptive) + offset;
    }
    return 0;
}

static bool has_frame_objects(const struct python *python) {
    return python->layout->frame_chain == FRAME_CHAIN_OBJECTS;
}

/* Room on the data stack; a new chunk, below the last one, when the old one is full. */
static uint64_t take_stack(struct python *python, struct python_thread *thread, uint64_t bytes) {
    if (thread->stack + bytes > thread->stack_end) {
        python->next_chunk -= CHUNK_BYTES;
        fake_map(&python->fake, python->next_chunk, CHUNK_BYTES);
        thread->stack = python->next_chunk + CHUNK_HEAD_BYTES;
        thread->stack_end = python->next_chunk + CHUNK_BYTES;
    }
    uint64_t at = thread->stack;
    thread->stack += bytes;
    return at;
}

static void push(struct python *python, struct python_thread *thread, uint64_t address,
                 uint64_t code, uint64_t offset, uint64_t end) {
    uint64_t caller = thread->count > 0 ? thread->frames[thread->count - 1].address : thread->base;
    if (thread->count == thread->capacity) {
        thread->frames = memory_grow(thread->frames, sizeof *thread->frames, thread->count + 1,
                                     &thread->capacity);
    }
    thread->frames[thread->count++] = (struct python_frame){address, code, offset, end};
    python_set(python, address,
               has_frame_objects(python) ? LAYOUT_frame_object_back : LAYOUT_frame_previous,
               caller);
    set_head(python, thread);
}

static uint64_t reference_to(const struct python *python, uint64_t object) {
    return python->layout->code_reference == CODE_REFERENCE_TAGGED ? object | 1 : object;
}

void python_enter(struct python *python, struct python_thread *thread) {
    thread->has_entered = true;
    if (python->layout->frame_chain == FRAME_CHAIN_CFRAME) {
        add_cframe(python, thread);
    }
    if (python->layout->entry_frames == ENTRY_FRAMES_OWNER) {
        uint64_t frame = python_structure(python, "frame", 0);
        python_set(python, frame, LAYOUT_frame_executable, reference_to(python, python->none));
        python_set(python, frame, LAYOUT_frame_owner, python->layout->owner_entry);
        push(python, thread, frame, 0, 0, thread->stack);
    }
}

static void fill_frame(struct python *python, struct python_thread *thread, uint64_t frame,
                       uint64_t code, uint64_t offset, uint64_t owner) {
    uint64_t position = python_position(python, code, offset);
    python_set(python, frame, LAYOUT_frame_object_code, code);
    python_set(python, frame, LAYOUT_frame_object_lasti, position);
    python_set(python, frame, LAYOUT_frame_object_executing, python->layout->executing);
    python_set(python, frame, LAYOUT_frame_executable, reference_to(python, code));
    python_set(python, frame, LAYOUT_frame_instr_ptr, position);
    python_set(python, frame, LAYOUT_frame_is_entry, thread->has_entered);
    python_set(python, frame, LAYOUT_frame_owner, owner);
    python_set(python, frame, LAYOUT_frame_object_generator,
               owner == OWNED_BY_GENERATOR ? python->none : 0);
    python_set(python, frame, LAYOUT_frame_function, python_function_of(python, code));
    python_set(python, frame, LAYOUT_frame_tlbc_index, 0);
    thread->has_entered = false;
}

static const char *frame_structure(const struct python *python) {
    return has_frame_objects(python) ? "frame_object" : "frame";
}

void python_call(struct python *python, struct python_thread *thread, uint64_t code,
                 uint64_t offset) {
    uint64_t end = thread->stack;
    uint64_t fields = structure_bytes(python->layout, frame_structure(python));
    uint64_t bytes = (fields + 7) / 8 * 8 + LOCALS_BYTES * (1 + thread->count % 5);
    uint64_t frame = take_stack(python, thread, bytes);
    fill_frame(python, thread, frame, code, offset, 0);
    push(python, thread, frame, code, offset, end);
}

void python_call_elsewhere(struct python *python, struct python_thread *thread, uint64_t code,
                           uint64_t offset) {
    uint64_t frame = python_structure(python, frame_structure(python), 0);
    fill_frame(python, thread, frame, code, offset, OWNED_BY_GENERATOR);
    push(python, thread, frame, code, offset, thread->stack);
}

void python_return(struct python *python, struct python_thread *thread) {
    assert_true(thread->count > 0);
    struct python_frame *frame = &thread->frames[--thread->count];
    thread->stack = frame->end;
    if (frame->code != 0) {
        python_set(python, frame->address, LAYOUT_frame_object_executing,
                   !python->layout->executing);
    }
    set_head(python, thread);
}

void python_move(struct python *python, struct python_thread *thread, size_t index,
                 uint64_t offset) {
    struct python_frame *frame = &thread->frames[index];
    uint64_t position = python_position(python, frame->code, offset);
    frame->offset = offset;
    python_set(python, frame->address, LAYOUT_frame_object_lasti, position);
    python_set(python, frame->address, LAYOUT_frame_instr_ptr, position);
}

void python_describe(const struct python *python, const struct python_thread *thread,
                     struct buffer *out) {
    bool has_qualname = python->layout->place[LAYOUT_code_qualname] != 0;
    const char *between = "";
    for (size_t i = 0; i < thread->count; i++) {
        const struct known_code *known = find_known(python, thread->frames[i].code);
        if (known != NULL) {
            buffer_printf(out, "%s%s (%s:%u)", between,
                          has_qualname ? known->code.qualname : known->code.name, known->code.file,
                          known->code.first_line + (uint32_t)(thread->frames[i].offset / 2));
            between = ";";
        }
    }
}
