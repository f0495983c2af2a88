/* CPython 3.15 and its free-threaded build. Offsets of the x86-64 builds, from the headers of
 * 3.15.0; what is published is described in Include/internal/pycore_debug_offsets.h. */
#include "target-runtime/layouts/published.h"
#include "target-runtime/opcodes.h"
#include "target-runtime/task_layout.h"

/* X(field, offset in the default build, in the free-threaded one, its word in what is published) */
#define FIELDS(X)                                                                                  \
    /* _PyRuntimeState, Include/internal/pycore_runtime_structs.h */                               \
    X(runtime_interpreters_head, 936, 936, 40)                                                     \
    /* PyInterpreterState, Include/internal/pycore_interp_structs.h */                             \
    X(interpreter_next, 7264, 7264, 64)                                                            \
    X(interpreter_id, 7272, 7272, 56)                                                              \
    X(interpreter_threads_head, 7336, 7336, 72)                                                    \
    X(interpreter_modules, 7592, 7592, 96)                                                         \
    X(interpreter_sysdict, 7576, 7576, 104)                                                        \
    X(interpreter_collecting, 7512, 7512, UNPUBLISHED)                                             \
    X(interpreter_collecting_frame, 7520, 7520, UNPUBLISHED)                                       \
    X(interpreter_gil, 16, ABSENT, 120)                                                            \
    X(interpreter_own_gil, 7736, ABSENT, 128)                                                      \
    X(interpreter_gil_holder, 7744, ABSENT, 152)                                                   \
    X(interpreter_gil_locked, 7752, ABSENT, 144)                                                   \
    X(interpreter_code_object_generation, 7944, 7952, 160)                                         \
    /* PyThreadState, Include/cpython/pystate.h */                                                 \
    X(thread_next, 8, 8, 192)                                                                      \
    X(thread_interp, 16, 16, 200)                                                                  \
    X(thread_current_frame, 72, 72, 208)                                                           \
    X(thread_base_frame, 80, 80, 216)                                                              \
    X(thread_state, ABSENT, 48, UNPUBLISHED)                                                       \
    X(thread_gil_requested, 40, ABSENT, 280)                                                       \
    X(thread_exc_info, 144, 144, UNPUBLISHED)                                                      \
    X(thread_exc_state, 288, 288, 296)                                                             \
    X(thread_thread_id, 176, 176, 240)                                                             \
    X(thread_native_thread_id, 184, 184, 248)                                                      \
    X(thread_serial, 248, 248, UNPUBLISHED)                                                        \
    X(thread_datastack_chunk, 256, 256, 256)                                                       \
    X(thread_datastack_top, 264, 264, UNPUBLISHED)                                                 \
    X(thread_datastack_limit, 272, 272, UNPUBLISHED)                                               \
    /* struct _gil_runtime_state, Include/internal/pycore_interp_structs.h */                      \
    X(gil_cond, 32, 40, UNPUBLISHED)                                                               \
    /* _PyErr_StackItem, Include/cpython/pystate.h */                                              \
    X(exc_item_value, 0, 0, 304)                                                                   \
    X(exc_item_previous, 8, 8, UNPUBLISHED)                                                        \
    /* _PyInterpreterFrame, Include/internal/pycore_interpframe_structs.h */                       \
    X(frame_previous, 8, 8, 320)                                                                   \
    X(frame_executable, 0, 0, 328)                                                                 \
    X(frame_instr_ptr, 56, 56, 336)                                                                \
    X(frame_owner, 74, 78, 352)                                                                    \
    X(frame_globals, 24, 24, UNPUBLISHED)                                                          \
    X(frame_frame_obj, 48, 48, UNPUBLISHED)                                                        \
    X(frame_tlbc_index, ABSENT, 72, 368)                                                           \
    X(locals_slots, 80, 80, 344)                                                                   \
    X(frame_stack_pointer, 64, 64, UNPUBLISHED)                                                    \
    /* PyGenObject, Include/internal/pycore_interpframe_structs.h */                               \
    X(generator_state, 67, 83, UNPUBLISHED)                                                        \
    X(generator_iframe, 72, 88, UNPUBLISHED)                                                       \
    X(generator_exc_state, 40, 56, UNPUBLISHED)                                                    \
    /* PyCodeObject, Include/cpython/code.h */                                                     \
    X(code_argcount, 52, 68, 424)                                                                  \
    X(code_names, 32, 48, UNPUBLISHED)                                                             \
    X(code_flags, 48, 64, UNPUBLISHED)                                                             \
    X(code_first_line, 68, 84, 416)                                                                \
    X(code_filename, 112, 128, 384)                                                                \
    X(code_name, 120, 136, 392)                                                                    \
    X(code_qualname, 128, 144, 400)                                                                \
    X(code_line_table, 136, 152, 408)                                                              \
    X(code_unit_count, 16, 32, 696)                                                                \
    X(code_adaptive, 208, 232, 448)                                                                \
    X(code_first_traceable, 192, 208, UNPUBLISHED)                                                 \
    X(code_version, 92, 108, UNPUBLISHED)                                                          \
    X(code_array_size, ABSENT, 0, UNPUBLISHED)                                                     \
    X(code_array_entries, ABSENT, 8, UNPUBLISHED)                                                  \
    X(code_tlbc, ABSENT, 224, 456)                                                                 \
    X(code_localsplusnames, 96, 112, 432)                                                          \
    X(code_localspluskinds, 104, 120, 440)                                                         \
    /* PyFunctionObject, Include/cpython/funcobject.h */                                           \
    X(function_code, 48, 64, UNPUBLISHED)                                                          \
    X(function_closure, 72, 88, UNPUBLISHED)                                                       \
    /* PyMethodObject, Include/cpython/classobject.h; PyCFunctionObject,                           \
       Include/cpython/methodobject.h; PyCellObject, Include/cpython/cellobject.h */               \
    X(method_function, 16, 32, UNPUBLISHED)                                                        \
    X(method_self, 24, 40, UNPUBLISHED)                                                            \
    X(builtin_definition, 16, 32, UNPUBLISHED)                                                     \
    X(builtin_self, 24, 40, UNPUBLISHED)                                                           \
    /* PyObject, PyVarObject, Include/object.h */                                                  \
    X(object_type, 8, 24, 472)                                                                     \
    X(object_var_count, 16, 32, 696)                                                               \
    /* PyTypeObject, PyHeapTypeObject, Include/cpython/object.h */                                 \
    X(type_name, 24, 40, 488)                                                                      \
    X(type_basic_size, 32, 48, 512)                                                                \
    X(type_flags, 168, 184, 504)                                                                   \
    X(type_dict, 264, 280, UNPUBLISHED)                                                            \
    X(type_base, 256, 272, UNPUBLISHED)                                                            \
    X(type_dict_offset, 288, 304, 520)                                                             \
    X(type_cached_keys, 888, 904, 536)                                                             \
    /* PyASCIIObject, PyCompactUnicodeObject, PyUnicodeObject, Include/cpython/unicodeobject.h */  \
    X(unicode_length, 16, 32, 728)                                                                 \
    X(unicode_state, 32, 48, 720)                                                                  \
    X(unicode_ascii_data, 40, 56, 736)                                                             \
    X(unicode_compact_data, 56, 72, 744)                                                           \
    X(unicode_legacy_data, 56, 72, UNPUBLISHED)                                                    \
    /* PyBytesObject, Include/cpython/bytesobject.h */                                             \
    X(bytes_count, 16, 32, 696)                                                                    \
    X(bytes_data, 32, 48, 704)                                                                     \
    /* PyTupleObject, Include/cpython/tupleobject.h */                                             \
    X(tuple_items, 32, 48, UNPUBLISHED)                                                            \
    /* PyListObject, Include/cpython/listobject.h */                                               \
    X(list_items, 24, 40, 576)                                                                     \
    /* PyWeakReference, Include/cpython/weakrefobject.h */                                         \
    X(weakref_object, 16, 32, UNPUBLISHED)                                                         \
    /* PyLongObject, Include/cpython/longintrepr.h */                                              \
    X(integer_tag, 16, 32, 672)                                                                    \
    X(integer_digits, 24, 40, 680)                                                                 \
    /* PyFloatObject, Include/cpython/floatobject.h */                                             \
    X(float_value, 16, 32, 656)                                                                    \
    /* PyCellObject, Include/cpython/cellobject.h */                                               \
    X(cell_value, 16, 32, UNPUBLISHED)                                                             \
    /* PySetObject, Include/cpython/setobject.h */                                                 \
    X(set_used, 24, 40, 600)                                                                       \
    X(set_mask, 32, 48, 616)                                                                       \
    X(set_table, 40, 56, 608)                                                                      \
    /* PyDictObject, Include/cpython/dictobject.h */                                               \
    X(dict_keys, 32, 48, 632)                                                                      \
    X(dict_values, 40, 56, 640)                                                                    \
    /* PyDictKeysObject, Include/internal/pycore_dict.h */                                         \
    X(dict_keys_log2_index_bytes, 9, 9, UNPUBLISHED)                                               \
    X(dict_keys_kind, 10, 10, UNPUBLISHED)                                                         \
    X(dict_keys_entry_count, 24, 24, UNPUBLISHED)                                                  \
    X(dict_keys_indices, 32, 32, UNPUBLISHED)                                                      \
    /* PyDictValues, Include/internal/pycore_dict.h */                                             \
    X(dict_values_array, 8, 8, UNPUBLISHED)                                                        \
    /* PyModuleObject, Include/internal/pycore_moduleobject.h */                                   \
    X(module_dict, 16, 32, UNPUBLISHED)

#define CHOICES                                                                                    \
    .minor = 15, .published_bytes = 888, .source = LAYOUT_FROM_TARGET,                             \
    .frame_chain = FRAME_CHAIN_CURRENT, .position = POSITION_INSTRUCTION_POINTER,                  \
    .line_table = LINE_TABLE_LOCATIONS, .code_reference = CODE_REFERENCE_TAGGED,                   \
    .entry_frames = ENTRY_FRAMES_OWNER, .evaluation_mark = MARK_ENTRY,                             \
    .dict_shape = DICT_SHAPE_LOG2, .local_names = LOCAL_NAMES_TOGETHER,                            \
    .attributes = ATTRIBUTES_INLINE, .integer_shape = INTEGER_TAG,                                 \
    .await_shape = AWAIT_BELOW_NULL, .generator_states = {0, 2, 3, 4, 5},                          \
    .tasks = task_layouts_py3_15, .opcodes = &opcodes_py3_15,                                      \
    .owner_entry = 3 /* FRAME_OWNED_BY_INTERPRETER */

const struct layout layout_py3_15 = {
    .label = "3.15",
    CHOICES,
    .gil_place = GIL_IN_INTERPRETER,
    .string_state = STRING_STATE_BITS,
    .place = {FIELDS(PLACE_DEFAULT)},
    .published = {FIELDS(PUBLISHED_DEFAULT)},
};

const struct layout layout_py3_15t = {
    .label = "3.15t",
    CHOICES,
    .is_free_threaded = true,
    .gil_place = GIL_ABSENT,
    .string_state = STRING_STATE_BYTE,
    .place = {FIELDS(PLACE_THREADED)},
    .published = {FIELDS(PUBLISHED_THREADED)},
};
