/* Prints where the headers of one CPython say things lie; test_layout_probe.py compares that with
 * our layouts. Compiled against an interpreter's own headers:
 *
 *   cc -DPy_BUILD_CORE [-DPy_GIL_DISABLED] -I INCLUDE -I INCLUDE/internal probe.c
 *
 * Nothing is linked and no function of CPython is called. Lines: "place structure.field offset",
 * "published structure.field offset" (of the word in _Py_DebugOffsets), "choice name value", and
 * "hidden structure.field" for what lies in a structure that the version's headers do not show. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <Python.h>

#define SINCE(minor) (PY_MINOR_VERSION >= (minor))

#include <frameobject.h>
#include <internal/pycore_pystate.h>
#if SINCE(9)
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#else
#include <code.h>
#endif
#if SINCE(11)
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#endif
#if SINCE(10)
#include <internal/pycore_moduleobject.h>
#endif
#if SINCE(12)
#include <internal/pycore_long.h>
#include <internal/pycore_object.h>
#endif
#if SINCE(14)
#include <internal/pycore_debug_offsets.h>
#include <internal/pycore_interpframe.h>
#endif

#define PLACE(name, type, member) printf("place %s %zu\n", name, offsetof(type, member))
#define PUBLISHED(name, member)                                                                    \
    printf("published %s %zu\n", name, offsetof(_Py_DebugOffsets, member))
#define CHOICE(name, value) printf("choice %s %ld\n", name, (long)(value))
#define HIDDEN(name)        printf("hidden %s\n", name)

static void probe_runtime(void) {
    PLACE("runtime.interpreters_head", _PyRuntimeState, interpreters.head);
#if !SINCE(12)
    PLACE("runtime.current_thread", _PyRuntimeState, gilstate.tstate_current);
    PLACE("runtime.gil", _PyRuntimeState, ceval.gil);
#endif
#if !SINCE(9)
    PLACE("runtime.collecting", _PyRuntimeState, gc.collecting);
#endif
}

static void probe_interpreter(void) {
    PLACE("interpreter.next", PyInterpreterState, next);
    PLACE("interpreter.id", PyInterpreterState, id);
    PLACE("interpreter.sysdict", PyInterpreterState, sysdict);
#if SINCE(9)
    PLACE("interpreter.collecting", PyInterpreterState, gc.collecting);
#endif
#if SINCE(12) && !defined(Py_GIL_DISABLED)
    PLACE("interpreter.gil", PyInterpreterState, ceval.gil);
    PLACE("interpreter.own_gil", PyInterpreterState, _gil);
    PLACE("interpreter.gil_holder", PyInterpreterState, _gil.last_holder);
    PLACE("interpreter.gil_locked", PyInterpreterState, _gil.locked);
#endif
#if SINCE(15)
    PLACE("interpreter.collecting_frame", PyInterpreterState, gc.frame);
#endif
#if SINCE(11)
    PLACE("interpreter.threads_head", PyInterpreterState, threads.head);
#else
    PLACE("interpreter.threads_head", PyInterpreterState, tstate_head);
#endif
#if SINCE(12)
    PLACE("interpreter.modules", PyInterpreterState, imports.modules);
#else
    PLACE("interpreter.modules", PyInterpreterState, modules);
#endif
#if SINCE(14)
    PLACE("interpreter.code_object_generation", PyInterpreterState, _code_object_generation);
#endif
}

static void probe_thread(void) {
    PLACE("thread.next", PyThreadState, next);
    PLACE("thread.interp", PyThreadState, interp);
    PLACE("thread.thread_id", PyThreadState, thread_id);
    PLACE("thread.serial", PyThreadState, id);
    PLACE("thread.exc_info", PyThreadState, exc_info);
    PLACE("thread.exc_state", PyThreadState, exc_state);
    PLACE("gil.cond", struct _gil_runtime_state, cond);
    PLACE("exc_item.previous", _PyErr_StackItem, previous_item);
#if SINCE(11)
    PLACE("exc_item.value", _PyErr_StackItem, exc_value);
#else
    PLACE("exc_item.value", _PyErr_StackItem, exc_type);
#endif
#if SINCE(13) && defined(Py_GIL_DISABLED)
    PLACE("thread.state", PyThreadState, state);
#endif
#if SINCE(15) && !defined(Py_GIL_DISABLED)
    PLACE("thread.gil_requested", PyThreadState, gil_requested);
#endif
#if SINCE(13)
    PLACE("thread.current_frame", PyThreadState, current_frame);
#elif SINCE(11)
    PLACE("thread.cframe", PyThreadState, cframe);
    PLACE("cframe.current_frame", _PyCFrame, current_frame);
#else
    PLACE("thread.frame", PyThreadState, frame);
#if SINCE(10)
    PLACE("thread.cframe", PyThreadState, cframe);
#endif
#endif
#if SINCE(11) && !SINCE(12)
    PLACE("cframe.previous", _PyCFrame, previous);
#elif SINCE(10) && !SINCE(11)
    PLACE("thread.cframe", PyThreadState, cframe);
    PLACE("cframe.previous", CFrame, previous);
#endif
#if SINCE(11)
    PLACE("thread.native_thread_id", PyThreadState, native_thread_id);
    PLACE("thread.datastack_chunk", PyThreadState, datastack_chunk);
    PLACE("thread.datastack_top", PyThreadState, datastack_top);
    PLACE("thread.datastack_limit", PyThreadState, datastack_limit);
#endif
#if SINCE(15)
    PLACE("thread.base_frame", PyThreadState, base_frame);
#endif
}

#if SINCE(11)
static void probe_frame(void) {
    PLACE("frame.previous", _PyInterpreterFrame, previous);
    PLACE("frame.owner", _PyInterpreterFrame, owner);
    PLACE("frame.globals", _PyInterpreterFrame, f_globals);
    PLACE("locals.slots", _PyInterpreterFrame, localsplus);
    PLACE("generator.state", PyGenObject, gi_frame_state);
    PLACE("generator.iframe", PyGenObject, gi_iframe);
    PLACE("generator.exc_state", PyGenObject, gi_exc_state);
#if SINCE(14)
    PLACE("frame.stack_pointer", _PyInterpreterFrame, stackpointer);
#else
    PLACE("frame.stack_count", _PyInterpreterFrame, stacktop);
#endif
#if SINCE(13)
    PLACE("frame.executable", _PyInterpreterFrame, f_executable);
    PLACE("frame.instr_ptr", _PyInterpreterFrame, instr_ptr);
#else
    PLACE("frame.executable", _PyInterpreterFrame, f_code);
    PLACE("frame.instr_ptr", _PyInterpreterFrame, prev_instr);
#endif
#if SINCE(12)
    PLACE("frame.frame_obj", _PyInterpreterFrame, frame_obj);
#else
    PLACE("frame.is_entry", _PyInterpreterFrame, is_entry);
    PLACE("frame.function", _PyInterpreterFrame, f_func);
    PLACE("function.version", PyFunctionObject, func_version);
#endif
#if SINCE(14) && defined(Py_GIL_DISABLED)
    PLACE("frame.tlbc_index", _PyInterpreterFrame, tlbc_index);
#endif
}
#else
static void probe_frame(void) {
    PLACE("frame_object.back", PyFrameObject, f_back);
    PLACE("frame_object.code", PyFrameObject, f_code);
    PLACE("frame_object.lasti", PyFrameObject, f_lasti);
    PLACE("frame_object.generator", PyFrameObject, f_gen);
    PLACE("frame_object.globals", PyFrameObject, f_globals);
#if SINCE(10)
    PLACE("frame_object.executing", PyFrameObject, f_state);
#else
    PLACE("frame_object.executing", PyFrameObject, f_executing);
#endif
    PLACE("locals.slots", PyFrameObject, f_localsplus);
    PLACE("frame_object.value_stack", PyFrameObject, f_valuestack);
    PLACE("generator.frame", PyGenObject, gi_frame);
    PLACE("generator.exc_state", PyGenObject, gi_exc_state);
#if SINCE(10)
    PLACE("frame_object.stack_depth", PyFrameObject, f_stackdepth);
#else
    PLACE("frame_object.stack_top", PyFrameObject, f_stacktop);
    PLACE("generator.running", PyGenObject, gi_running);
#endif
}
#endif

static void probe_code(void) {
    PLACE("code.argcount", PyCodeObject, co_argcount);
    PLACE("code.names", PyCodeObject, co_names);
    PLACE("code.flags", PyCodeObject, co_flags);
    PLACE("code.first_line", PyCodeObject, co_firstlineno);
    PLACE("code.filename", PyCodeObject, co_filename);
    PLACE("code.name", PyCodeObject, co_name);
#if SINCE(10)
    PLACE("code.line_table", PyCodeObject, co_linetable);
#else
    PLACE("code.line_table", PyCodeObject, co_lnotab);
#endif
#if SINCE(11)
    PLACE("code.qualname", PyCodeObject, co_qualname);
    PLACE("code.unit_count", PyCodeObject, ob_base.ob_size);
    PLACE("code.adaptive", PyCodeObject, co_code_adaptive);
    PLACE("code.first_traceable", PyCodeObject, _co_firsttraceable);
    PLACE("code.localsplusnames", PyCodeObject, co_localsplusnames);
    PLACE("code.localspluskinds", PyCodeObject, co_localspluskinds);
#else
    PLACE("code.bytes_object", PyCodeObject, co_code);
    PLACE("code.varnames", PyCodeObject, co_varnames);
    PLACE("code.freevars", PyCodeObject, co_freevars);
    PLACE("code.cellvars", PyCodeObject, co_cellvars);
#endif
#if SINCE(12)
    PLACE("code.version", PyCodeObject, co_version);
#endif
#if SINCE(14) && defined(Py_GIL_DISABLED)
    PLACE("code.tlbc", PyCodeObject, co_tlbc);
    PLACE("code_array.size", _PyCodeArray, size);
    PLACE("code_array.entries", _PyCodeArray, entries);
#endif
}

static void probe_type(void) {
    PLACE("object.type", PyObject, ob_type);
    PLACE("object.var_count", PyVarObject, ob_size);
    PLACE("type.name", PyTypeObject, tp_name);
    PLACE("type.basic_size", PyTypeObject, tp_basicsize);
    PLACE("type.flags", PyTypeObject, tp_flags);
    PLACE("type.dict", PyTypeObject, tp_dict);
    PLACE("type.base", PyTypeObject, tp_base);
    PLACE("type.dict_offset", PyTypeObject, tp_dictoffset);
    PLACE("type.cached_keys", PyHeapTypeObject, ht_cached_keys);
}

/* The characters of a compact string begin right behind its header, which has no member for them
 * (PyUnicode_DATA, Include/cpython/unicodeobject.h). */
static void probe_strings(void) {
    PLACE("unicode.length", PyASCIIObject, length);
    PLACE("unicode.state", PyASCIIObject, state);
    printf("place unicode.ascii_data %zu\n", sizeof(PyASCIIObject));
    printf("place unicode.compact_data %zu\n", sizeof(PyCompactUnicodeObject));
    PLACE("unicode.legacy_data", PyUnicodeObject, data);
    PLACE("bytes.count", PyVarObject, ob_size);
    PLACE("bytes.data", PyBytesObject, ob_sval);
}

static void probe_callables(void) {
    PLACE("function.code", PyFunctionObject, func_code);
    PLACE("function.closure", PyFunctionObject, func_closure);
    PLACE("method.function", PyMethodObject, im_func);
    PLACE("method.self", PyMethodObject, im_self);
    PLACE("builtin.definition", PyCFunctionObject, m_ml);
    PLACE("builtin.self", PyCFunctionObject, m_self);
    PLACE("cell.value", PyCellObject, ob_ref);
}

static void probe_collections(void) {
    PLACE("tuple.items", PyTupleObject, ob_item);
    PLACE("list.items", PyListObject, ob_item);
    PLACE("set.used", PySetObject, used);
    PLACE("set.mask", PySetObject, mask);
    PLACE("set.table", PySetObject, table);
    PLACE("weakref.object", PyWeakReference, wr_object);
}

static void probe_numbers(void) {
    PLACE("float.value", PyFloatObject, ob_fval);
#if SINCE(12)
    PLACE("integer.tag", PyLongObject, long_value.lv_tag);
    PLACE("integer.digits", PyLongObject, long_value.ob_digit);
#else
    PLACE("integer.tag", PyVarObject, ob_size);
    PLACE("integer.digits", PyLongObject, ob_digit);
#endif
}

static void probe_dicts(void) {
    PLACE("dict.keys", PyDictObject, ma_keys);
    PLACE("dict.values", PyDictObject, ma_values);
#if SINCE(11)
    PLACE("dict_keys.log2_index_bytes", struct _dictkeysobject, dk_log2_index_bytes);
    PLACE("dict_keys.kind", struct _dictkeysobject, dk_kind);
    PLACE("dict_keys.entry_count", struct _dictkeysobject, dk_nentries);
    PLACE("dict_keys.indices", struct _dictkeysobject, dk_indices);
    PLACE("dict_values.array", struct _dictvalues, values);
#else
    /* Objects/dict-common.h is not among the installed headers. */
    HIDDEN("dict_keys.size");
    HIDDEN("dict_keys.entry_count");
    HIDDEN("dict_keys.indices");
    HIDDEN("dict_values.array");
#endif
}

static void probe_modules(void) {
#if SINCE(10)
    PLACE("module.dict", PyModuleObject, md_dict);
#else
    /* Objects/moduleobject.c. */
    HIDDEN("module.dict");
#endif
}

/* The lowest bit of state.kind, from which the other bits follow. */
static int kind_shift(void) {
    PyASCIIObject string;
    memset(&string, 0, sizeof string);
    string.state.kind = 1;
    uint32_t state = 0;
    memcpy(&state, &string.state, sizeof state);
    return __builtin_ctz(state);
}

static void probe_choices(void) {
    CHOICE("kind_shift", kind_shift());
#if SINCE(14)
    CHOICE("owner_entry", FRAME_OWNED_BY_INTERPRETER);
#elif SINCE(12)
    CHOICE("owner_entry", FRAME_OWNED_BY_CSTACK);
#endif
#if SINCE(12)
    CHOICE("integer_tag_bits", NON_SIZE_BITS);
#endif
#if SINCE(14)
    CHOICE("tagged_code", __builtin_types_compatible_p(
                              __typeof__(((_PyInterpreterFrame *)0)->f_executable), _PyStackRef));
#elif SINCE(13)
    CHOICE("tagged_code", !__builtin_types_compatible_p(
                              __typeof__(((_PyInterpreterFrame *)0)->f_executable), PyObject *));
#endif
}

#if SINCE(13)
static void probe_published_state(void) {
    PUBLISHED("runtime.interpreters_head", runtime_state.interpreters_head);
    PUBLISHED("interpreter.next", interpreter_state.next);
    PUBLISHED("interpreter.id", interpreter_state.id);
    PUBLISHED("interpreter.threads_head", interpreter_state.threads_head);
    PUBLISHED("interpreter.modules", interpreter_state.imports_modules);
    PUBLISHED("interpreter.sysdict", interpreter_state.sysdict);
#ifndef Py_GIL_DISABLED
    PUBLISHED("interpreter.gil", interpreter_state.ceval_gil);
    PUBLISHED("interpreter.own_gil", interpreter_state.gil_runtime_state);
    PUBLISHED("interpreter.gil_holder", interpreter_state.gil_runtime_state_holder);
    PUBLISHED("interpreter.gil_locked", interpreter_state.gil_runtime_state_locked);
#endif
    PUBLISHED("thread.next", thread_state.next);
    PUBLISHED("thread.interp", thread_state.interp);
    PUBLISHED("thread.current_frame", thread_state.current_frame);
    PUBLISHED("thread.thread_id", thread_state.thread_id);
    PUBLISHED("thread.native_thread_id", thread_state.native_thread_id);
    PUBLISHED("thread.datastack_chunk", thread_state.datastack_chunk);
#if SINCE(14)
    PUBLISHED("interpreter.code_object_generation", interpreter_state.code_object_generation);
#endif
#if SINCE(15)
    PUBLISHED("thread.base_frame", thread_state.base_frame);
    PUBLISHED("thread.exc_state", thread_state.exc_state);
    PUBLISHED("exc_item.value", err_stackitem.exc_value);
#ifndef Py_GIL_DISABLED
    PUBLISHED("thread.gil_requested", thread_state.gil_requested);
#endif
#endif
}

static void probe_published_code(void) {
    PUBLISHED("frame.previous", interpreter_frame.previous);
    PUBLISHED("frame.executable", interpreter_frame.executable);
    PUBLISHED("frame.instr_ptr", interpreter_frame.instr_ptr);
    PUBLISHED("frame.owner", interpreter_frame.owner);
    PUBLISHED("locals.slots", interpreter_frame.localsplus);
    PUBLISHED("code.localsplusnames", code_object.localsplusnames);
    PUBLISHED("code.localspluskinds", code_object.localspluskinds);
    PUBLISHED("code.filename", code_object.filename);
    PUBLISHED("code.name", code_object.name);
    PUBLISHED("code.qualname", code_object.qualname);
    PUBLISHED("code.line_table", code_object.linetable);
    PUBLISHED("code.first_line", code_object.firstlineno);
    PUBLISHED("code.argcount", code_object.argcount);
    PUBLISHED("code.adaptive", code_object.co_code_adaptive);
#if SINCE(14) && defined(Py_GIL_DISABLED)
    PUBLISHED("frame.tlbc_index", interpreter_frame.tlbc_index);
    PUBLISHED("code.tlbc", code_object.co_tlbc);
#endif
}

static void probe_published_objects(void) {
    PUBLISHED("object.type", pyobject.ob_type);
    /* The count of a PyVarObject is published with each kind of it. */
    PUBLISHED("object.var_count", bytes_object.ob_size);
    PUBLISHED("code.unit_count", bytes_object.ob_size);
    PUBLISHED("type.name", type_object.tp_name);
    PUBLISHED("type.flags", type_object.tp_flags);
    PUBLISHED("unicode.state", unicode_object.state);
    PUBLISHED("unicode.length", unicode_object.length);
    PUBLISHED("unicode.ascii_data", unicode_object.asciiobject_size);
    PUBLISHED("bytes.count", bytes_object.ob_size);
    PUBLISHED("bytes.data", bytes_object.ob_sval);
    PUBLISHED("integer.tag", long_object.lv_tag);
    PUBLISHED("integer.digits", long_object.ob_digit);
    PUBLISHED("list.items", list_object.ob_item);
    PUBLISHED("float.value", float_object.ob_fval);
    PUBLISHED("dict.keys", dict_object.ma_keys);
    PUBLISHED("dict.values", dict_object.ma_values);
#if SINCE(14)
    PUBLISHED("set.used", set_object.used);
    PUBLISHED("set.table", set_object.table);
    PUBLISHED("set.mask", set_object.mask);
#endif
#if SINCE(15)
    PUBLISHED("type.basic_size", type_object.tp_basicsize);
    PUBLISHED("type.dict_offset", type_object.tp_dictoffset);
    PUBLISHED("type.cached_keys", heap_type_object.ht_cached_keys);
    PUBLISHED("unicode.compact_data", unicode_object.compactunicodeobject_size);
#endif
}

static void probe_published(void) {
    CHOICE("debug_offsets", offsetof(_PyRuntimeState, debug_offsets));
    CHOICE("published_bytes", sizeof(_Py_DebugOffsets));
    probe_published_state();
    probe_published_code();
    probe_published_objects();
}
#else
static void probe_published(void) {
    CHOICE("published_bytes", 0);
}
#endif

int main(void) {
    CHOICE("minor", PY_MINOR_VERSION);
    CHOICE("micro", PY_MICRO_VERSION);
    probe_runtime();
    probe_interpreter();
    probe_thread();
    probe_frame();
    probe_code();
    probe_type();
    probe_strings();
    probe_numbers();
    probe_callables();
    probe_collections();
    probe_dicts();
    probe_modules();
    probe_choices();
    probe_published();
    return 0;
}
