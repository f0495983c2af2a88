/* Where things lie inside a CPython, and the few ways in which versions behave differently.
 *
 * A version is data: one `const struct layout` in target-runtime/layouts/py3_N.c, named in
 * layouts/all.c. Versions up to 3.12 are tables. From 3.13 on the target publishes its own offsets
 * (`_Py_DebugOffsets`, Include/internal/pycore_runtime.h in 3.13, pycore_debug_offsets.h from
 * 3.14): the file then says where each field lies in what is published, and holds only what is not.
 *
 * To add a version: that file and that line. To add a field: a row in LAYOUT_FIELDS, and its
 * offset in the version files (layout_check names those that lack it). Where the behaviour is new,
 * an enumerator in one of the choices below; the compiler then names the one switch to extend. */
#ifndef PYROMETER_TARGET_RUNTIME_LAYOUT_H
#define PYROMETER_TARGET_RUNTIME_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"

/* X(structure, field, bytes read there, REQUIRED or OPTIONAL). The comment of a structure gives
 * CPython's name for it. OPTIONAL fields are absent in some versions. */
#define LAYOUT_FIELDS(X)                                                                           \
    /* _PyRuntimeState */                                                                          \
    X(runtime, interpreters_head, 8, REQUIRED)                                                     \
    X(runtime, current_thread, 8, OPTIONAL)                                                        \
    X(runtime, gil, 8, OPTIONAL)                                                                   \
    X(runtime, collecting, 4, OPTIONAL)                                                            \
    /* PyInterpreterState */                                                                       \
    X(interpreter, next, 8, REQUIRED)                                                              \
    X(interpreter, id, 8, REQUIRED)                                                                \
    X(interpreter, threads_head, 8, REQUIRED)                                                      \
    X(interpreter, modules, 8, REQUIRED)                                                           \
    X(interpreter, sysdict, 8, REQUIRED)                                                           \
    X(interpreter, collecting, 4, OPTIONAL)                                                        \
    X(interpreter, collecting_frame, 8, OPTIONAL)                                                  \
    X(interpreter, gil, 8, OPTIONAL)                                                               \
    X(interpreter, own_gil, 8, OPTIONAL)                                                           \
    X(interpreter, gil_holder, 8, OPTIONAL)                                                        \
    X(interpreter, gil_locked, 4, OPTIONAL)                                                        \
    X(interpreter, code_object_generation, 8, OPTIONAL)                                            \
    /* PyThreadState */                                                                            \
    X(thread, next, 8, REQUIRED)                                                                   \
    X(thread, interp, 8, REQUIRED)                                                                 \
    X(thread, frame, 8, OPTIONAL)                                                                  \
    X(thread, cframe, 8, OPTIONAL)                                                                 \
    X(thread, current_frame, 8, OPTIONAL)                                                          \
    X(thread, base_frame, 8, OPTIONAL)                                                             \
    X(thread, state, 4, OPTIONAL)                                                                  \
    X(thread, gil_requested, 4, OPTIONAL)                                                          \
    X(thread, exc_info, 8, REQUIRED)                                                               \
    X(thread, exc_state, 8, REQUIRED)                                                              \
    X(thread, thread_id, 8, REQUIRED)                                                              \
    X(thread, native_thread_id, 8, OPTIONAL)                                                       \
    X(thread, serial, 8, REQUIRED)                                                                 \
    X(thread, datastack_chunk, 8, OPTIONAL)                                                        \
    X(thread, datastack_top, 8, OPTIONAL)                                                          \
    X(thread, datastack_limit, 8, OPTIONAL)                                                        \
    /* struct _gil_runtime_state */                                                                \
    X(gil, cond, 8, REQUIRED)                                                                      \
    /* _PyErr_StackItem: exc_type up to 3.10, exc_value from 3.11 on; previous_item */             \
    X(exc_item, value, 8, REQUIRED)                                                                \
    X(exc_item, previous, 8, REQUIRED)                                                             \
    /* CFrame, 3.10; _PyCFrame, 3.11 and 3.12 */                                                   \
    X(cframe, current_frame, 8, OPTIONAL)                                                          \
    X(cframe, previous, 8, OPTIONAL)                                                               \
    /* PyFrameObject, 3.8 to 3.10 */                                                               \
    X(frame_object, back, 8, OPTIONAL)                                                             \
    X(frame_object, code, 8, OPTIONAL)                                                             \
    X(frame_object, lasti, 4, OPTIONAL)                                                            \
    X(frame_object, generator, 8, OPTIONAL)                                                        \
    X(frame_object, globals, 8, OPTIONAL)                                                          \
    X(frame_object, executing, 1, OPTIONAL)                                                        \
    X(frame_object, stack_top, 8, OPTIONAL)                                                        \
    X(frame_object, value_stack, 8, OPTIONAL)                                                      \
    X(frame_object, stack_depth, 4, OPTIONAL)                                                      \
    /* _PyInterpreterFrame, from 3.11 */                                                           \
    X(frame, previous, 8, OPTIONAL)                                                                \
    X(frame, executable, 8, OPTIONAL)                                                              \
    X(frame, instr_ptr, 8, OPTIONAL)                                                               \
    X(frame, is_entry, 1, OPTIONAL)                                                                \
    X(frame, owner, 1, OPTIONAL)                                                                   \
    X(frame, function, 8, OPTIONAL)                                                                \
    X(frame, globals, 8, OPTIONAL)                                                                 \
    X(frame, frame_obj, 8, OPTIONAL)                                                               \
    X(frame, tlbc_index, 4, OPTIONAL)                                                              \
    /* f_localsplus of PyFrameObject, localsplus of _PyInterpreterFrame */                         \
    X(locals, slots, 8, REQUIRED)                                                                  \
    X(frame, stack_count, 4, OPTIONAL)                                                             \
    X(frame, stack_pointer, 8, OPTIONAL)                                                           \
    /* PyGenObject, PyCoroObject, PyAsyncGenObject: alike */                                       \
    X(generator, frame, 8, OPTIONAL)                                                               \
    X(generator, running, 1, OPTIONAL)                                                             \
    X(generator, state, 1, OPTIONAL)                                                               \
    X(generator, iframe, 8, OPTIONAL)                                                              \
    X(generator, exc_state, 8, REQUIRED)                                                           \
    /* PyCodeObject */                                                                             \
    X(code, argcount, 4, REQUIRED)                                                                 \
    X(code, names, 8, REQUIRED)                                                                    \
    X(code, flags, 4, REQUIRED)                                                                    \
    X(code, first_line, 4, REQUIRED)                                                               \
    X(code, filename, 8, REQUIRED)                                                                 \
    X(code, name, 8, REQUIRED)                                                                     \
    X(code, qualname, 8, OPTIONAL)                                                                 \
    X(code, line_table, 8, REQUIRED)                                                               \
    X(code, bytes_object, 8, OPTIONAL)                                                             \
    X(code, unit_count, 8, OPTIONAL)                                                               \
    X(code, adaptive, 1, OPTIONAL)                                                                 \
    X(code, first_traceable, 4, OPTIONAL)                                                          \
    X(code, tlbc, 8, OPTIONAL)                                                                     \
    X(code, version, 4, OPTIONAL)                                                                  \
    X(code, varnames, 8, OPTIONAL)                                                                 \
    X(code, freevars, 8, OPTIONAL)                                                                 \
    X(code, cellvars, 8, OPTIONAL)                                                                 \
    X(code, localsplusnames, 8, OPTIONAL)                                                          \
    X(code, localspluskinds, 8, OPTIONAL)                                                          \
    /* _PyCodeArray, free-threaded builds from 3.14 */                                             \
    X(code_array, size, 8, OPTIONAL)                                                               \
    X(code_array, entries, 8, OPTIONAL)                                                            \
    /* PyFunctionObject; only 3.11 needs its version, where code objects have none */              \
    X(function, code, 8, REQUIRED)                                                                 \
    X(function, version, 4, OPTIONAL)                                                              \
    X(function, closure, 8, REQUIRED)                                                              \
    /* PyMethodObject, PyCFunctionObject, PyCellObject */                                          \
    X(method, function, 8, REQUIRED)                                                               \
    X(method, self, 8, REQUIRED)                                                                   \
    X(builtin, definition, 8, REQUIRED)                                                            \
    X(builtin, self, 8, REQUIRED)                                                                  \
    /* PyObject, PyVarObject */                                                                    \
    X(object, type, 8, REQUIRED)                                                                   \
    X(object, var_count, 8, REQUIRED)                                                              \
    /* PyTypeObject, PyHeapTypeObject */                                                           \
    X(type, name, 8, REQUIRED)                                                                     \
    X(type, basic_size, 8, REQUIRED)                                                               \
    X(type, flags, 8, REQUIRED)                                                                    \
    X(type, dict, 8, REQUIRED)                                                                     \
    X(type, base, 8, REQUIRED)                                                                     \
    X(type, dict_offset, 8, REQUIRED)                                                              \
    X(type, cached_keys, 8, REQUIRED)                                                              \
    /* PyASCIIObject, PyCompactUnicodeObject, PyUnicodeObject; the last three are where the        \
     * characters of an ASCII string, of another compact string, and the pointer to those of a     \
     * legacy string are */                                                                        \
    X(unicode, length, 8, REQUIRED)                                                                \
    X(unicode, state, 4, REQUIRED)                                                                 \
    X(unicode, ascii_data, 1, REQUIRED)                                                            \
    X(unicode, compact_data, 1, REQUIRED)                                                          \
    X(unicode, legacy_data, 8, REQUIRED)                                                           \
    /* PyBytesObject */                                                                            \
    X(bytes, count, 8, REQUIRED)                                                                   \
    X(bytes, data, 1, REQUIRED)                                                                    \
    /* PyTupleObject */                                                                            \
    X(tuple, items, 8, REQUIRED)                                                                   \
    /* PyListObject */                                                                             \
    X(list, items, 8, REQUIRED)                                                                    \
    /* PyWeakReference */                                                                          \
    X(weakref, object, 8, REQUIRED)                                                                \
    /* PyLongObject: ob_size up to 3.11, lv_tag from 3.12 */                                       \
    X(integer, tag, 8, REQUIRED)                                                                   \
    X(integer, digits, 4, REQUIRED)                                                                \
    /* PyFloatObject, PyCellObject, PySetObject */                                                 \
    X(float, value, 8, REQUIRED)                                                                   \
    X(cell, value, 8, REQUIRED)                                                                    \
    X(set, used, 8, REQUIRED)                                                                      \
    X(set, mask, 8, REQUIRED)                                                                      \
    X(set, table, 8, REQUIRED)                                                                     \
    /* PyDictObject, PyDictKeysObject, PyDictValues */                                             \
    X(dict, keys, 8, REQUIRED)                                                                     \
    X(dict, values, 8, REQUIRED)                                                                   \
    X(dict_keys, size, 8, OPTIONAL)                                                                \
    X(dict_keys, log2_index_bytes, 1, OPTIONAL)                                                    \
    X(dict_keys, kind, 1, OPTIONAL)                                                                \
    X(dict_keys, entry_count, 8, REQUIRED)                                                         \
    X(dict_keys, indices, 1, REQUIRED)                                                             \
    X(dict_values, array, 8, REQUIRED)                                                             \
    /* PyModuleObject */                                                                           \
    X(module, dict, 8, REQUIRED)

enum layout_field {
#define LAYOUT_ENUM(structure, field, bytes, need) LAYOUT_##structure##_##field,
    LAYOUT_FIELDS(LAYOUT_ENUM) LAYOUT_FIELD_COUNT
#undef LAYOUT_ENUM
};

/* How a version file writes an offset in layout.place[]: absent fields stay 0. */
#define LAYOUT_PLACE(offset) ((offset) + 1)

/* ---- The choices: each is switched on in exactly one function, named in its comment. ---- */

/* How a thread's newest frame is found, and what a frame is. chain.c, first_frame(). */
enum frame_chain {
    FRAME_CHAIN_OBJECTS, /* 3.8-3.10: thread.frame -> PyFrameObject.f_back */
    FRAME_CHAIN_CFRAME,  /* 3.11, 3.12: thread.cframe -> cframe.current_frame -> previous */
    FRAME_CHAIN_CURRENT, /* 3.13-: thread.current_frame -> previous */
};

/* What a frame says about its position. code.c, code_position(). */
enum instruction_position {
    POSITION_BYTE_INDEX,          /* 3.8, 3.9: f_lasti in bytes */
    POSITION_UNIT_INDEX,          /* 3.10: f_lasti in units of 2 bytes */
    POSITION_INSTRUCTION_POINTER, /* 3.11-: address; 3.11 and 3.12 name it prev_instr */
};

/* lines.c, line_at(). */
enum line_table {
    LINE_TABLE_LNOTAB,    /* 3.8, 3.9: Objects/lnotab_notes.txt */
    LINE_TABLE_RANGES,    /* 3.10: Objects/lnotab_notes.txt */
    LINE_TABLE_LOCATIONS, /* 3.11-: Objects/locations.md (InternalDocs/code_objects.md) */
};

/* How a frame names its code. frame.h, frame_code(). */
enum code_reference {
    CODE_REFERENCE_PLAIN,  /* -3.13: a pointer */
    CODE_REFERENCE_TAGGED, /* 3.14-: _PyStackRef, the two low bits are a tag (pycore_stackref.h) */
};

/* Frames that C code pushes when it calls into the evaluation loop. frame.h, frame_class_of()
 * and frame_is_from_c(). */
enum entry_frames {
    ENTRY_FRAMES_NONE,  /* 3.8-3.10 */
    ENTRY_FRAMES_FLAG,  /* 3.11: is_entry marks the first Python frame of a C call */
    ENTRY_FRAMES_OWNER, /* 3.12-: a frame of its own, owner >= layout.owner_entry */
};

/* Who holds the GIL. states.c, states_mark(). */
enum gil_place {
    GIL_IN_RUNTIME,     /* 3.8-3.11: runtime.current_thread, NULL while nobody has it */
    GIL_IN_INTERPRETER, /* 3.12-: interpreter.gil points to its own one, or to another's */
    GIL_ABSENT,         /* free-threaded: a thread that runs Python is attached */
};

/* How a code object names the local variables of its frames. locals.c, read_names(). */
enum local_names {
    LOCAL_NAMES_BY_KIND,  /* 3.8-3.10: co_varnames, co_cellvars, co_freevars, in the order of slots
                           */
    LOCAL_NAMES_TOGETHER, /* 3.11-: co_localsplusnames, and co_localspluskinds says what they are */
};

/* What a call of the evaluation loop keeps in its part of the C stack, by which it is told among
 * other functions. anchors.c, anchors_find(). */
enum evaluation_mark {
    MARK_NONE,   /* 3.8, 3.9 */
    MARK_CFRAME, /* 3.10, 3.11: a cframe, of which the thread points to the newest */
    MARK_ENTRY,  /* 3.12-: the entry frame below the frames that it evaluates */
};

/* objects.c, dict_read(). */
enum dict_shape {
    DICT_SHAPE_SIZE, /* 3.8-3.10: dk_size decides the width of indices; entries of 24 bytes */
    DICT_SHAPE_LOG2, /* 3.11-: dk_log2_index_bytes, dk_kind */
};

/* Where the attributes of an instance of a class made in Python are. objects.c. */
enum instance_attributes {
    ATTRIBUTES_DICT_OFFSET,   /* 3.8-3.10: tp_dictoffset */
    ATTRIBUTES_VALUES_BEFORE, /* 3.11: values at -32, dict at -24 */
    ATTRIBUTES_TAGGED_BEFORE, /* 3.12: one word at -24, low bit set: values */
    ATTRIBUTES_INLINE,        /* 3.13-: dict at -24 (free-threaded -8), else values inside */
};

/* Bits of PyASCIIObject.state. objects.c, string_state(). */
enum string_state {
    STRING_STATE_BITS, /* interned:2 kind:3 compact:1 ascii:1 */
    STRING_STATE_BYTE, /* 3.14t-: interned:8 kind:3 compact:1 ascii:1 */
};

/* integer.c, integer_shape_of(). */
enum integer_shape {
    INTEGER_SIZE, /* -3.11: ob_size, its sign is the number's */
    INTEGER_TAG,  /* 3.12-: lv_tag = digits << 3 | sign */
};

/* How a generator that is not being run says whether it awaits something, and where that is.
 * coroutine.c, awaits() and awaited_place(). */
enum await_shape {
    AWAIT_STACK_TOP,     /* 3.8, 3.9: f_stacktop[-1], before a YIELD_FROM; gi_running */
    AWAIT_STACK_DEPTH,   /* 3.10: f_valuestack[f_stackdepth - 1], before a YIELD_FROM; f_state */
    AWAIT_RESUME,        /* 3.11, 3.12: localsplus[stacktop - 1], before a RESUME that says so */
    AWAIT_STACK_COUNT,   /* 3.13: the same place; gi_frame_state says so */
    AWAIT_STACK_POINTER, /* 3.14: stackpointer[-1] */
    AWAIT_BELOW_NULL,    /* 3.15: stackpointer[-2] */
};

/* gi_frame_state (pycore_frame.h, from 3.14 pycore_interpframe_structs.h), from 3.11. Smallest and
 * largest that mean "awaits" (before 3.13: "was begun and is suspended"); "is being run"; smallest
 * of "has ended". */
struct generator_states {
    int8_t created;
    int8_t awaiting;
    int8_t awaiting_last;
    int8_t executing;
    int8_t ended;
};

enum layout_source {
    LAYOUT_FROM_TABLE,
    LAYOUT_FROM_TARGET, /* fill with layout_fill() before use */
};

struct opcode_table;
struct task_layout;

struct layout {
    const char *label; /* "3.11", "3.13t" */
    uint32_t minor;    /* 11 for 3.11 */
    bool is_free_threaded;

    enum layout_source source;
    enum frame_chain frame_chain;
    enum instruction_position position;
    enum line_table line_table;
    enum code_reference code_reference;
    enum entry_frames entry_frames;
    enum evaluation_mark evaluation_mark;
    enum gil_place gil_place;
    enum local_names local_names;
    enum dict_shape dict_shape;
    enum instance_attributes attributes;
    enum string_state string_state;
    enum integer_shape integer_shape;
    enum await_shape await_shape;
    struct generator_states generator_states;
    const struct opcode_table *opcodes; /* opcodes.h */
    const struct task_layout *tasks;    /* task_layout.h */
    bool has_colliding_versions;        /* 3.12: gh-116916, callsite.h */
    uint8_t owner_entry; /* smallest frame.owner that is not a Python frame; 255 if none */
    uint8_t executing;   /* -3.10: what frame_object.executing is while the frame runs */

    /* LAYOUT_PLACE(bytes from the start of the structure); 0 where the version lacks the field.
     * Read it with LAYOUT_AT and LAYOUT_HAS. */
    uint32_t place[LAYOUT_FIELD_COUNT];

    /* LAYOUT_FROM_TARGET only: bytes from the start of _Py_DebugOffsets to the 8-byte word that
     * holds this field's offset, 0 where the field is not published (then place[] stands); and
     * how large _Py_DebugOffsets is in this version. */
    uint16_t published[LAYOUT_FIELD_COUNT];
    uint16_t published_bytes;
};

/* Every known layout, NULL-terminated, oldest version first. */
extern const struct layout *const layouts[];

/* The layout of 3.`minor` in that flavour; NULL if there is none. */
const struct layout *layout_for(uint32_t minor, bool is_free_threaded);

/* What the head of _Py_DebugOffsets says. Layout since 3.13: char cookie[8], u64 version (hex, as
 * PY_VERSION_HEX), u64 free_threaded. */
struct published_head {
    uint32_t version_hex;
    bool is_free_threaded;
};
#define PUBLISHED_HEAD_BYTES 24
/* Reads the head from PUBLISHED_HEAD_BYTES bytes. False if the cookie "xdebugpy" is not there. */
bool layout_published_head(const uint8_t *bytes, struct published_head *out);

/* Copies `base` and fills it from the target's own table, `bytes` (base->published_bytes long).
 * BAD_LAYOUT, naming the field, when an offset is not one that a structure could have. The result
 * has been through layout_check. */
enum status layout_fill(const struct layout *base, const uint8_t *bytes, struct layout *out,
                        struct error *error) MUST_CHECK;

/* Whether every field that this layout's choices need is there, in bounds (less than 1 MiB from
 * its structure's start), and does not overlap another of its structure. BAD_LAYOUT names the first
 * that is not. */
enum status layout_check(const struct layout *layout, struct error *error) MUST_CHECK;

/* "thread.current_frame"; bytes read at a field. */
const char *layout_field_name(enum layout_field field);
uint32_t layout_field_bytes(enum layout_field field);

/* Offset of a field that must be there: LAYOUT_AT(layout, thread, next). */
#define LAYOUT_AT(layout, structure, field)  ((layout)->place[LAYOUT_##structure##_##field] - 1U)
#define LAYOUT_HAS(layout, structure, field) ((layout)->place[LAYOUT_##structure##_##field] != 0)

#endif
