/* CPython 3.12. Offsets of the x86-64 build, from the headers of 3.12.1. */
#include "target-runtime/layout.h"
#include "target-runtime/opcodes.h"
#include "target-runtime/task_layout.h"

const struct layout layout_py3_12 = {
    .label = "3.12",
    .minor = 12,
    .source = LAYOUT_FROM_TABLE,
    .frame_chain = FRAME_CHAIN_CFRAME,
    .position = POSITION_INSTRUCTION_POINTER,
    .line_table = LINE_TABLE_LOCATIONS,
    .code_reference = CODE_REFERENCE_PLAIN,
    .entry_frames = ENTRY_FRAMES_OWNER,
    .evaluation_mark = MARK_ENTRY,
    .gil_place = GIL_IN_INTERPRETER,
    .dict_shape = DICT_SHAPE_LOG2,
    .local_names = LOCAL_NAMES_TOGETHER,
    .attributes = ATTRIBUTES_TAGGED_BEFORE,
    .string_state = STRING_STATE_BITS,
    .integer_shape = INTEGER_TAG,
    .await_shape = AWAIT_RESUME,
    .generator_states = {-2, -1, -1, 0, 1},
    .tasks = task_layouts_py3_12,
    .opcodes = &opcodes_py3_12,
    .has_colliding_versions = true,
    .owner_entry = 3, /* FRAME_OWNED_BY_CSTACK */
    .place =
        {
            /* _PyRuntimeState, Include/internal/pycore_runtime.h */
            [LAYOUT_runtime_interpreters_head] = LAYOUT_PLACE(40),
            /* PyInterpreterState, Include/internal/pycore_interp.h */
            [LAYOUT_interpreter_next] = LAYOUT_PLACE(0),
            [LAYOUT_interpreter_id] = LAYOUT_PLACE(8),
            [LAYOUT_interpreter_threads_head] = LAYOUT_PLACE(72),
            [LAYOUT_interpreter_modules] = LAYOUT_PLACE(944),
            [LAYOUT_interpreter_sysdict] = LAYOUT_PLACE(352),
            [LAYOUT_interpreter_collecting] = LAYOUT_PLACE(312),
            [LAYOUT_interpreter_gil] = LAYOUT_PLACE(384),
            [LAYOUT_interpreter_own_gil] = LAYOUT_PLACE(1040),
            [LAYOUT_interpreter_gil_holder] = LAYOUT_PLACE(1048),
            [LAYOUT_interpreter_gil_locked] = LAYOUT_PLACE(1056),
            /* PyThreadState, Include/cpython/pystate.h */
            [LAYOUT_thread_next] = LAYOUT_PLACE(8),
            [LAYOUT_thread_interp] = LAYOUT_PLACE(16),
            [LAYOUT_thread_cframe] = LAYOUT_PLACE(56),
            [LAYOUT_thread_exc_info] = LAYOUT_PLACE(104),
            [LAYOUT_thread_exc_state] = LAYOUT_PLACE(256),
            [LAYOUT_thread_thread_id] = LAYOUT_PLACE(136),
            [LAYOUT_thread_native_thread_id] = LAYOUT_PLACE(144),
            [LAYOUT_thread_serial] = LAYOUT_PLACE(224),
            [LAYOUT_thread_datastack_chunk] = LAYOUT_PLACE(232),
            [LAYOUT_thread_datastack_top] = LAYOUT_PLACE(240),
            [LAYOUT_thread_datastack_limit] = LAYOUT_PLACE(248),
            /* struct _gil_runtime_state, Include/internal/pycore_gil.h */
            [LAYOUT_gil_cond] = LAYOUT_PLACE(32),
            /* _PyErr_StackItem, Include/cpython/pystate.h */
            [LAYOUT_exc_item_value] = LAYOUT_PLACE(0),
            [LAYOUT_exc_item_previous] = LAYOUT_PLACE(8),
            /* _PyCFrame, Include/cpython/pystate.h */
            [LAYOUT_cframe_current_frame] = LAYOUT_PLACE(0),
            /* _PyInterpreterFrame, Include/internal/pycore_frame.h */
            [LAYOUT_frame_previous] = LAYOUT_PLACE(8),
            [LAYOUT_frame_executable] = LAYOUT_PLACE(0),
            [LAYOUT_frame_instr_ptr] = LAYOUT_PLACE(56),
            [LAYOUT_frame_owner] = LAYOUT_PLACE(70),
            [LAYOUT_frame_globals] = LAYOUT_PLACE(24),
            [LAYOUT_frame_frame_obj] = LAYOUT_PLACE(48),
            [LAYOUT_locals_slots] = LAYOUT_PLACE(72),
            [LAYOUT_frame_stack_count] = LAYOUT_PLACE(64),
            /* PyGenObject, Include/cpython/genobject.h */
            [LAYOUT_generator_state] = LAYOUT_PLACE(67),
            [LAYOUT_generator_iframe] = LAYOUT_PLACE(72),
            [LAYOUT_generator_exc_state] = LAYOUT_PLACE(40),
            /* PyCodeObject, Include/cpython/code.h */
            [LAYOUT_code_argcount] = LAYOUT_PLACE(52),
            [LAYOUT_code_names] = LAYOUT_PLACE(32),
            [LAYOUT_code_flags] = LAYOUT_PLACE(48),
            [LAYOUT_code_first_line] = LAYOUT_PLACE(68),
            [LAYOUT_code_filename] = LAYOUT_PLACE(112),
            [LAYOUT_code_name] = LAYOUT_PLACE(120),
            [LAYOUT_code_qualname] = LAYOUT_PLACE(128),
            [LAYOUT_code_line_table] = LAYOUT_PLACE(136),
            [LAYOUT_code_unit_count] = LAYOUT_PLACE(16),
            [LAYOUT_code_adaptive] = LAYOUT_PLACE(192),
            [LAYOUT_code_first_traceable] = LAYOUT_PLACE(176),
            [LAYOUT_code_version] = LAYOUT_PLACE(92),
            [LAYOUT_code_localsplusnames] = LAYOUT_PLACE(96),
            [LAYOUT_code_localspluskinds] = LAYOUT_PLACE(104),
            /* PyFunctionObject, Include/cpython/funcobject.h */
            [LAYOUT_function_code] = LAYOUT_PLACE(48),
            [LAYOUT_function_closure] = LAYOUT_PLACE(72),
            /* PyMethodObject, Include/cpython/classobject.h; PyCFunctionObject,
               Include/cpython/methodobject.h; PyCellObject, Include/cpython/cellobject.h */
            [LAYOUT_method_function] = LAYOUT_PLACE(16),
            [LAYOUT_method_self] = LAYOUT_PLACE(24),
            [LAYOUT_builtin_definition] = LAYOUT_PLACE(16),
            [LAYOUT_builtin_self] = LAYOUT_PLACE(24),
            /* PyObject, PyVarObject, Include/object.h */
            [LAYOUT_object_type] = LAYOUT_PLACE(8),
            [LAYOUT_object_var_count] = LAYOUT_PLACE(16),
            /* PyTypeObject, PyHeapTypeObject, Include/cpython/object.h */
            [LAYOUT_type_name] = LAYOUT_PLACE(24),
            [LAYOUT_type_basic_size] = LAYOUT_PLACE(32),
            [LAYOUT_type_flags] = LAYOUT_PLACE(168),
            [LAYOUT_type_base] = LAYOUT_PLACE(256),
            [LAYOUT_type_dict_offset] = LAYOUT_PLACE(288),
            [LAYOUT_type_dict] = LAYOUT_PLACE(264),
            [LAYOUT_type_cached_keys] = LAYOUT_PLACE(880),
            /* PyASCIIObject, PyCompactUnicodeObject, PyUnicodeObject,
               Include/cpython/unicodeobject.h */
            [LAYOUT_unicode_length] = LAYOUT_PLACE(16),
            [LAYOUT_unicode_state] = LAYOUT_PLACE(32),
            [LAYOUT_unicode_ascii_data] = LAYOUT_PLACE(40),
            [LAYOUT_unicode_compact_data] = LAYOUT_PLACE(56),
            [LAYOUT_unicode_legacy_data] = LAYOUT_PLACE(56),
            /* PyBytesObject, Include/cpython/bytesobject.h */
            [LAYOUT_bytes_count] = LAYOUT_PLACE(16),
            [LAYOUT_bytes_data] = LAYOUT_PLACE(32),
            /* PyTupleObject, Include/cpython/tupleobject.h */
            [LAYOUT_tuple_items] = LAYOUT_PLACE(24),
            /* PyListObject, Include/cpython/listobject.h */
            [LAYOUT_list_items] = LAYOUT_PLACE(24),
            /* PyWeakReference, Include/cpython/weakrefobject.h */
            [LAYOUT_weakref_object] = LAYOUT_PLACE(16),
            /* PyLongObject, Include/cpython/longintrepr.h */
            [LAYOUT_integer_tag] = LAYOUT_PLACE(16),
            [LAYOUT_integer_digits] = LAYOUT_PLACE(24),
            /* PyFloatObject, Include/cpython/floatobject.h */
            [LAYOUT_float_value] = LAYOUT_PLACE(16),
            /* PyCellObject, Include/cpython/cellobject.h */
            [LAYOUT_cell_value] = LAYOUT_PLACE(16),
            /* PySetObject, Include/cpython/setobject.h */
            [LAYOUT_set_used] = LAYOUT_PLACE(24),
            [LAYOUT_set_mask] = LAYOUT_PLACE(32),
            [LAYOUT_set_table] = LAYOUT_PLACE(40),
            /* PyDictObject, Include/cpython/dictobject.h */
            [LAYOUT_dict_keys] = LAYOUT_PLACE(32),
            [LAYOUT_dict_values] = LAYOUT_PLACE(40),
            /* PyDictKeysObject, Include/internal/pycore_dict.h */
            [LAYOUT_dict_keys_log2_index_bytes] = LAYOUT_PLACE(9),
            [LAYOUT_dict_keys_kind] = LAYOUT_PLACE(10),
            [LAYOUT_dict_keys_entry_count] = LAYOUT_PLACE(24),
            [LAYOUT_dict_keys_indices] = LAYOUT_PLACE(32),
            /* PyDictValues, Include/internal/pycore_dict.h */
            [LAYOUT_dict_values_array] = LAYOUT_PLACE(0),
            /* PyModuleObject, Include/internal/pycore_moduleobject.h */
            [LAYOUT_module_dict] = LAYOUT_PLACE(16),
        },
};
