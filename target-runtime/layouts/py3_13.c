/* CPython 3.13 and its free-threaded build. Offsets of the x86-64 builds, from the headers of
 * 3.13.0, 3.13.5 and 3.13.15; what is published is told in Include/internal/pycore_runtime.h. */
#include "target-runtime/layouts/published.h"
#include "target-runtime/opcodes.h"
#include "target-runtime/task_layout.h"

/* X(field, offset in the default build, in the free-threaded one, its word in what is published) */
#define FIELDS(X)                                                                                  \
    /* _PyRuntimeState, Include/internal/pycore_runtime.h */                                       \
    X(runtime_interpreters_head, 632, 632, 40)                                                     \
    /* PyInterpreterState, Include/internal/pycore_interp.h */                                     \
    X(interpreter_next, 7264, 7264, 64)                                                            \
    X(interpreter_id, 7272, 7272, 56)                                                              \
    X(interpreter_threads_head, 7344, 7344, 72)                                                    \
    X(interpreter_modules, 7656, 7664, 88)                                                         \
    X(interpreter_sysdict, 7640, 7648, 96)                                                         \
    X(interpreter_collecting, 7600, 7600, UNPUBLISHED)                                             \
    X(interpreter_gil, 16, ABSENT, 112)                                                            \
    X(interpreter_own_gil, 7752, ABSENT, 120)                                                      \
    X(interpreter_gil_holder, 7760, ABSENT, 144)                                                   \
    X(interpreter_gil_locked, 7768, ABSENT, 136)                                                   \
    /* PyThreadState, Include/cpython/pystate.h */                                                 \
    X(thread_next, 8, 8, 168)                                                                      \
    X(thread_interp, 16, 16, 176)                                                                  \
    X(thread_current_frame, 72, 72, 184)                                                           \
    X(thread_state, ABSENT, 40, UNPUBLISHED)                                                       \
    X(thread_exc_info, 120, 120, UNPUBLISHED)                                                      \
    X(thread_exc_state, 256, 256, UNPUBLISHED)                                                     \
    X(thread_thread_id, 152, 152, 192)                                                             \
    X(thread_native_thread_id, 160, 160, 200)                                                      \
    X(thread_serial, 224, 224, UNPUBLISHED)                                                        \
    X(thread_datastack_chunk, 232, 232, 208)                                                       \
    X(thread_datastack_top, 240, 240, UNPUBLISHED)                                                 \
    X(thread_datastack_limit, 248, 248, UNPUBLISHED)                                               \
    /* struct _gil_runtime_state, Include/internal/pycore_gil.h */                                 \
    X(gil_cond, 32, 40, UNPUBLISHED)                                                               \
    /* _PyErr_StackItem, Include/cpython/pystate.h */                                              \
    X(exc_item_value, 0, 0, UNPUBLISHED)                                                           \
    X(exc_item_previous, 8, 8, UNPUBLISHED)                                                        \
    /* _PyInterpreterFrame, Include/internal/pycore_frame.h */                                     \
    X(frame_previous, 8, 8, 232)                                                                   \
    X(frame_executable, 0, 0, 240)                                                                 \
    X(frame_instr_ptr, 56, 56, 248)                                                                \
    X(frame_owner, 70, 70, 264)                                                                    \
    X(frame_globals, 24, 24, UNPUBLISHED)                                                          \
    X(frame_frame_obj, 48, 48, UNPUBLISHED)                                                        \
    X(locals_slots, 72, 72, 256)                                                                   \
    X(frame_stack_count, 64, 64, UNPUBLISHED)                                                      \
    /* PyGenObject, Include/cpython/genobject.h */                                                 \
    X(generator_state, 67, 83, UNPUBLISHED)                                                        \
    X(generator_iframe, 72, 88, UNPUBLISHED)                                                       \
    X(generator_exc_state, 40, 56, UNPUBLISHED)                                                    \
    /* PyCodeObject, Include/cpython/code.h */                                                     \
    X(code_argcount, 52, 68, 320)                                                                  \
    X(code_names, 32, 48, UNPUBLISHED)                                                             \
    X(code_flags, 48, 64, UNPUBLISHED)                                                             \
    X(code_first_line, 68, 84, 312)                                                                \
    X(code_filename, 112, 128, 280)                                                                \
    X(code_name, 120, 136, 288)                                                                    \
    X(code_qualname, 128, 144, 296)                                                                \
    X(code_line_table, 136, 152, 304)                                                              \
    X(code_unit_count, 16, 32, 520)                                                                \
    X(code_adaptive, 200, 216, 344)                                                                \
    X(code_first_traceable, 184, 200, UNPUBLISHED)                                                 \
    X(code_version, 92, 108, UNPUBLISHED)                                                          \
    X(code_localsplusnames, 96, 112, 328)                                                          \
    X(code_localspluskinds, 104, 120, 336)                                                         \
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
    X(object_type, 8, 24, 360)                                                                     \
    X(object_var_count, 16, 32, 520)                                                               \
    /* PyTypeObject, PyHeapTypeObject, Include/cpython/object.h */                                 \
    X(type_name, 24, 40, 376)                                                                      \
    X(type_basic_size, 32, 48, UNPUBLISHED)                                                        \
    X(type_flags, 168, 184, 392)                                                                   \
    X(type_dict, 264, 280, UNPUBLISHED)                                                            \
    X(type_base, 256, 272, UNPUBLISHED)                                                            \
    X(type_dict_offset, 288, 304, UNPUBLISHED)                                                     \
    X(type_cached_keys, 880, 896, UNPUBLISHED)                                                     \
    /* PyASCIIObject, PyCompactUnicodeObject, PyUnicodeObject, Include/cpython/unicodeobject.h */  \
    X(unicode_length, 16, 32, 552)                                                                 \
    X(unicode_state, 32, 48, 544)                                                                  \
    X(unicode_ascii_data, 40, 56, 560)                                                             \
    X(unicode_compact_data, 56, 72, UNPUBLISHED)                                                   \
    X(unicode_legacy_data, 56, 72, UNPUBLISHED)                                                    \
    /* PyBytesObject, Include/cpython/bytesobject.h */                                             \
    X(bytes_count, 16, 32, 520)                                                                    \
    X(bytes_data, 32, 48, 528)                                                                     \
    /* PyTupleObject, Include/cpython/tupleobject.h */                                             \
    X(tuple_items, 24, 40, UNPUBLISHED)                                                            \
    /* PyListObject, Include/cpython/listobject.h */                                               \
    X(list_items, 24, 40, 432)                                                                     \
    /* PyWeakReference, Include/cpython/weakrefobject.h */                                         \
    X(weakref_object, 16, 32, UNPUBLISHED)                                                         \
    /* PyLongObject, Include/cpython/longintrepr.h */                                              \
    X(integer_tag, 16, 32, 496)                                                                    \
    X(integer_digits, 24, 40, 504)                                                                 \
    /* PyFloatObject, Include/cpython/floatobject.h */                                             \
    X(float_value, 16, 32, 480)                                                                    \
    /* PyCellObject, Include/cpython/cellobject.h */                                               \
    X(cell_value, 16, 32, UNPUBLISHED)                                                             \
    /* PySetObject, Include/cpython/setobject.h */                                                 \
    X(set_used, 24, 40, UNPUBLISHED)                                                               \
    X(set_mask, 32, 48, UNPUBLISHED)                                                               \
    X(set_table, 40, 56, UNPUBLISHED)                                                              \
    /* PyDictObject, Include/cpython/dictobject.h */                                               \
    X(dict_keys, 32, 48, 456)                                                                      \
    X(dict_values, 40, 56, 464)                                                                    \
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
    .minor = 13, .published_bytes = 584, .source = LAYOUT_FROM_TARGET,                             \
    .frame_chain = FRAME_CHAIN_CURRENT, .position = POSITION_INSTRUCTION_POINTER,                  \
    .line_table = LINE_TABLE_LOCATIONS, .code_reference = CODE_REFERENCE_PLAIN,                    \
    .entry_frames = ENTRY_FRAMES_OWNER, .evaluation_mark = MARK_ENTRY,                             \
    .dict_shape = DICT_SHAPE_LOG2, .local_names = LOCAL_NAMES_TOGETHER,                            \
    .attributes = ATTRIBUTES_INLINE, .integer_shape = INTEGER_TAG,                                 \
    .await_shape = AWAIT_STACK_COUNT, .generator_states = {-3, -1, -1, 0, 1},                      \
    .tasks = task_layouts_py3_13, .opcodes = &opcodes_py3_13,                                      \
    .owner_entry = 3 /* FRAME_OWNED_BY_CSTACK */

const struct layout layout_py3_13 = {
    .label = "3.13",
    CHOICES,
    .gil_place = GIL_IN_INTERPRETER,
    .string_state = STRING_STATE_BITS,
    .place = {FIELDS(PLACE_DEFAULT)},
    .published = {FIELDS(PUBLISHED_DEFAULT)},
};

const struct layout layout_py3_13t = {
    .label = "3.13t",
    CHOICES,
    .is_free_threaded = true,
    .gil_place = GIL_ABSENT,
    .string_state = STRING_STATE_BITS,
    .place = {FIELDS(PLACE_THREADED)},
    .published = {FIELDS(PUBLISHED_THREADED)},
};
