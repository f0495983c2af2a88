/* CPython 3.10. Offsets of the x86-64 build, from the headers of 3.10.13. */
#include "target-runtime/layout.h"
#include "target-runtime/opcodes.h"
#include "target-runtime/task_layout.h"

const struct layout layout_py3_10 = {
    .label = "3.10",
    .minor = 10,
    .source = LAYOUT_FROM_TABLE,
    .frame_chain = FRAME_CHAIN_OBJECTS,
    .position = POSITION_UNIT_INDEX,
    .line_table = LINE_TABLE_RANGES,
    .code_reference = CODE_REFERENCE_PLAIN,
    .entry_frames = ENTRY_FRAMES_NONE,
    .evaluation_mark = MARK_CFRAME,
    .gil_place = GIL_IN_RUNTIME,
    .dict_shape = DICT_SHAPE_SIZE,
    .local_names = LOCAL_NAMES_BY_KIND,
    .attributes = ATTRIBUTES_DICT_OFFSET,
    .string_state = STRING_STATE_BITS,
    .integer_shape = INTEGER_SIZE,
    .await_shape = AWAIT_STACK_DEPTH,
    .tasks = task_layouts_py3_10,
    .opcodes = &opcodes_py3_10,
    .owner_entry = 255,
    .executing = 0,
    .place =
        {
            /* _PyRuntimeState, Include/internal/pycore_runtime.h */
            [LAYOUT_runtime_interpreters_head] = LAYOUT_PLACE(32),
            [LAYOUT_runtime_current_thread] = LAYOUT_PLACE(568),
            [LAYOUT_runtime_gil] = LAYOUT_PLACE(352),
            /* PyInterpreterState, Include/internal/pycore_interp.h */
            [LAYOUT_interpreter_next] = LAYOUT_PLACE(0),
            [LAYOUT_interpreter_id] = LAYOUT_PLACE(24),
            [LAYOUT_interpreter_threads_head] = LAYOUT_PLACE(8),
            [LAYOUT_interpreter_modules] = LAYOUT_PLACE(856),
            [LAYOUT_interpreter_sysdict] = LAYOUT_PLACE(872),
            [LAYOUT_interpreter_collecting] = LAYOUT_PLACE(816),
            /* PyThreadState, Include/cpython/pystate.h */
            [LAYOUT_thread_next] = LAYOUT_PLACE(8),
            [LAYOUT_thread_interp] = LAYOUT_PLACE(16),
            [LAYOUT_thread_frame] = LAYOUT_PLACE(24),
            [LAYOUT_thread_cframe] = LAYOUT_PLACE(48),
            [LAYOUT_thread_exc_info] = LAYOUT_PLACE(144),
            [LAYOUT_thread_exc_state] = LAYOUT_PLACE(112),
            [LAYOUT_thread_thread_id] = LAYOUT_PLACE(176),
            [LAYOUT_thread_serial] = LAYOUT_PLACE(256),
            /* struct _gil_runtime_state, Include/internal/pycore_gil.h */
            [LAYOUT_gil_cond] = LAYOUT_PLACE(32),
            /* _PyErr_StackItem, Include/cpython/pystate.h */
            [LAYOUT_exc_item_value] = LAYOUT_PLACE(0),
            [LAYOUT_exc_item_previous] = LAYOUT_PLACE(24),
            /* CFrame, Include/cpython/pystate.h */
            [LAYOUT_cframe_previous] = LAYOUT_PLACE(8),
            /* PyFrameObject, Include/cpython/frameobject.h */
            [LAYOUT_frame_object_back] = LAYOUT_PLACE(24),
            [LAYOUT_frame_object_code] = LAYOUT_PLACE(32),
            [LAYOUT_frame_object_lasti] = LAYOUT_PLACE(96),
            [LAYOUT_frame_object_generator] = LAYOUT_PLACE(88), /* f_gen */
            [LAYOUT_frame_object_globals] = LAYOUT_PLACE(48),
            [LAYOUT_frame_object_executing] = LAYOUT_PLACE(108), /* f_state: FRAME_EXECUTING is 0 */
            [LAYOUT_locals_slots] = LAYOUT_PLACE(352),
            [LAYOUT_frame_object_value_stack] = LAYOUT_PLACE(64),
            [LAYOUT_frame_object_stack_depth] = LAYOUT_PLACE(80),
            /* PyGenObject, Include/genobject.h */
            [LAYOUT_generator_frame] = LAYOUT_PLACE(16),
            [LAYOUT_generator_exc_state] = LAYOUT_PLACE(56),
            /* PyCodeObject, Include/cpython/code.h */
            [LAYOUT_code_argcount] = LAYOUT_PLACE(16),
            [LAYOUT_code_names] = LAYOUT_PLACE(64),
            [LAYOUT_code_flags] = LAYOUT_PLACE(36),
            [LAYOUT_code_first_line] = LAYOUT_PLACE(40),
            [LAYOUT_code_filename] = LAYOUT_PLACE(104),
            [LAYOUT_code_name] = LAYOUT_PLACE(112),
            [LAYOUT_code_line_table] = LAYOUT_PLACE(120),
            [LAYOUT_code_bytes_object] = LAYOUT_PLACE(48),
            [LAYOUT_code_varnames] = LAYOUT_PLACE(72),
            [LAYOUT_code_freevars] = LAYOUT_PLACE(80),
            [LAYOUT_code_cellvars] = LAYOUT_PLACE(88),
            /* PyFunctionObject, Include/funcobject.h */
            [LAYOUT_function_code] = LAYOUT_PLACE(48),
            [LAYOUT_function_closure] = LAYOUT_PLACE(72),
            /* PyMethodObject, Include/classobject.h; PyCFunctionObject,
               Include/cpython/methodobject.h; PyCellObject, Include/cellobject.h */
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
            [LAYOUT_type_cached_keys] = LAYOUT_PLACE(872),
            /* PyASCIIObject, PyCompactUnicodeObject, PyUnicodeObject,
               Include/cpython/unicodeobject.h */
            [LAYOUT_unicode_length] = LAYOUT_PLACE(16),
            [LAYOUT_unicode_state] = LAYOUT_PLACE(32),
            [LAYOUT_unicode_ascii_data] = LAYOUT_PLACE(48),
            [LAYOUT_unicode_compact_data] = LAYOUT_PLACE(72),
            [LAYOUT_unicode_legacy_data] = LAYOUT_PLACE(72),
            /* PyBytesObject, Include/cpython/bytesobject.h */
            [LAYOUT_bytes_count] = LAYOUT_PLACE(16),
            [LAYOUT_bytes_data] = LAYOUT_PLACE(32),
            /* PyTupleObject, Include/cpython/tupleobject.h */
            [LAYOUT_tuple_items] = LAYOUT_PLACE(24),
            /* PyListObject, Include/cpython/listobject.h */
            [LAYOUT_list_items] = LAYOUT_PLACE(24),
            /* PyWeakReference, Include/weakrefobject.h */
            [LAYOUT_weakref_object] = LAYOUT_PLACE(16),
            /* PyLongObject, Include/longintrepr.h */
            [LAYOUT_integer_tag] = LAYOUT_PLACE(16),
            [LAYOUT_integer_digits] = LAYOUT_PLACE(24),
            /* PyFloatObject, Include/floatobject.h */
            [LAYOUT_float_value] = LAYOUT_PLACE(16),
            /* PyCellObject, Include/cellobject.h */
            [LAYOUT_cell_value] = LAYOUT_PLACE(16),
            /* PySetObject, Include/setobject.h */
            [LAYOUT_set_used] = LAYOUT_PLACE(24),
            [LAYOUT_set_mask] = LAYOUT_PLACE(32),
            [LAYOUT_set_table] = LAYOUT_PLACE(40),
            /* PyDictObject, Include/cpython/dictobject.h */
            [LAYOUT_dict_keys] = LAYOUT_PLACE(32),
            [LAYOUT_dict_values] = LAYOUT_PLACE(40),
            /* PyDictKeysObject, Objects/dict-common.h */
            [LAYOUT_dict_keys_size] = LAYOUT_PLACE(8),
            [LAYOUT_dict_keys_entry_count] = LAYOUT_PLACE(32),
            [LAYOUT_dict_keys_indices] = LAYOUT_PLACE(40),
            /* PyDictValues: in these versions an array of pointers and no more */
            [LAYOUT_dict_values_array] = LAYOUT_PLACE(0),
            /* PyModuleObject, Include/internal/pycore_moduleobject.h */
            [LAYOUT_module_dict] = LAYOUT_PLACE(16),
        },
};
