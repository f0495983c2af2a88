/* A CPython in a fake memory, of any layout: a runtime, interpreters, threads with their frames,
 * and the few kinds of objects that are read. Everything is made as CPython makes it as far as it
 * is read from outside, and ends at an unmapped page. Addresses are plain numbers here. */
#ifndef PYROMETER_TESTS_UNIT_PYTHON_H
#define PYROMETER_TESTS_UNIT_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "target-runtime/layout.h"
#include "target-runtime/runtime.h"
#include "tests/unit/fake_memory.h"

struct python {
    struct fake_memory fake;
    const struct layout *layout;
    uint64_t runtime;         /* _PyRuntime */
    uint64_t interpreter;     /* the main one */
    uint64_t interpreter_ids; /* handed out so far */
    uint64_t switches;        /* of the main interpreter's GIL */
    uint64_t code_type;
    uint64_t none;
    uint64_t serials;         /* handed out so far */
    uint64_t next_chunk;      /* chunks of data stacks follow one another downwards from here */
    bool is_one_line;         /* code made from now on: all on its first line, each unit (from 3.11
                                 on) in columns of its own */
    struct known_code *codes; /* what python_describe() says of them */
    size_t code_count;
    size_t code_capacity;
};

/* A Python without threads. `python` must not move until python_deinit(). */
void python_init(struct python *python, const struct layout *layout);
void python_deinit(struct python *python);
/* Attaches to it, which takes a thread, for that long; fails the test when it does not work. */
void python_attach(struct python *python, struct runtime *out);

/* ---- structures ---- */

/* Zeroed room for a structure of layout.h, by its name there, and for `more` bytes behind it. */
uint64_t python_structure(struct python *python, const char *structure, uint64_t more);
/* Writes a field, as many bytes of `value` as it has. Does nothing where the version lacks it. */
void python_set(struct python *python, uint64_t object, enum layout_field field, uint64_t value);
uint64_t python_get(const struct python *python, uint64_t object, enum layout_field field);
/* Another interpreter, at the head of the list. */
uint64_t python_interpreter(struct python *python);
/* Takes it out of the list. It stays where it is, as freed memory does. */
void python_interpreter_end(struct python *python, uint64_t interpreter);

/* ---- objects ---- */

/* A str of ASCII characters; one of `kind` bytes a character; one that is not compact. */
uint64_t python_text(struct python *python, const char *ascii);
uint64_t python_wide_text(struct python *python, uint32_t kind, const uint32_t *characters,
                          size_t count);
uint64_t python_legacy_text(struct python *python, uint32_t kind, const uint32_t *characters,
                            size_t count);
uint64_t python_bytes(struct python *python, const void *data, size_t bytes);
/* An int of `count` digits of 30 bits, the lowest first. */
uint64_t python_integer(struct python *python, const uint32_t *digits, size_t count,
                        bool is_negative);
uint64_t python_number(struct python *python, uint64_t value);

enum python_dict { DICT_GENERAL, DICT_UNICODE, DICT_SPLIT };

struct python_entry {
    uint64_t key; /* 0: the entry is empty */
    uint64_t value;
};

/* DICT_UNICODE is DICT_GENERAL before 3.11, which did not have it. */
uint64_t python_dict(struct python *python, enum python_dict kind,
                     const struct python_entry *entries, size_t count);

enum python_instance {
    INSTANCE_VALUES, /* values whose names its class keeps; a split dict before 3.11 */
    INSTANCE_DICT,   /* a dict where its class keeps one */
    INSTANCE_OFFSET, /* a dict at tp_dictoffset */
};

/* An object of a class made in Python with these attributes. */
uint64_t python_instance(struct python *python, enum python_instance kind,
                         const struct python_entry *attributes, size_t count);

/* Puts sys.modules["threading"]._active there: ident -> threading.Thread. */
void python_know_threads(struct python *python, uint64_t interpreter,
                         const struct python_entry *active, size_t count);

/* ---- code ---- */

struct python_code {
    const char *name;
    const char *qualname;
    const char *file;
    uint32_t first_line;
    uint32_t units;           /* of 2 bytes; unit i is on line first_line + i */
    uint32_t first_traceable; /* unit */
    bool is_quiet;            /* its instructions call nobody; else each of them may */
    /* Its version, and that of the function that its instructions (but for the first, which is
     * quiet) were specialised for; from 3.11 on. 0: none. */
    uint32_t version;
    uint32_t callee_version;
};

/* Bytes from one instruction of such a code object to the next: they have caches from 3.11 on. */
uint64_t python_stride(const struct python *python, const struct python_code *code);

uint64_t python_code(struct python *python, const struct python_code *code);
/* Another code object at the address of one with as many units. */
void python_recode(struct python *python, uint64_t address, const struct python_code *code);
/* The copy with that raw_frame.tlbc_index of a code object's bytecode, as it would be of `like` (as
 * many units), or with NULL as it was made: its address. For versions that have code.tlbc. */
uint64_t python_copy(struct python *python, uint64_t code, uint32_t index,
                     const struct python_code *like);
/* A function object of a code object; 0 where the version's are not looked at. */
uint64_t python_function_of(const struct python *python, uint64_t code);
/* The simplest: `name` in program.py from line 10 on, 8 units. */
uint64_t python_function(struct python *python, const char *name);

/* ---- threads and frames ---- */

struct python_frame {
    uint64_t address;
    uint64_t code;   /* 0: an entry frame, which is no frame of the program's */
    uint64_t offset; /* of the instruction, bytes */
    uint64_t end;    /* of what the data stack had in use before */
};

struct python_thread {
    uint64_t state;
    uint64_t cframe;             /* 3.11, 3.12 */
    uint64_t base;               /* 3.15: the frame below all others */
    uint64_t stack;              /* where the next frame goes */
    uint64_t stack_end;          /* of its chunk */
    bool has_entered;            /* 3.11: the next frame is the first of a call from C */
    struct python_frame *frames; /* root first */
    size_t count;
    size_t capacity;
};

/* A new thread at the head of an interpreter's list, without any Python code. */
void python_thread_start(struct python *python, struct python_thread *thread, uint64_t interpreter);
/* Takes it out of the list. Its state stays where it is, as freed memory does. */
void python_thread_end(struct python *python, struct python_thread *thread);
/* Frees what is ours. Accepts a zeroed thread. */
void python_thread_free(struct python_thread *thread);

/* The thread takes the GIL of its interpreter, or none has it (NULL). Where there is no GIL it is
 * attached, or none is. */
void python_hold_gil(struct python *python, uint64_t interpreter,
                     const struct python_thread *thread);
/* The thread of the main interpreter takes the GIL after another one had it: what that leaves
 * behind. Nothing where there is no GIL. */
void python_take_gil(struct python *python, const struct python_thread *thread);
/* The interpreter begins, or ends, to collect. */
void python_collect(struct python *python, uint64_t interpreter, bool is_collecting);
/* What the thread handles: an exception, None, or nothing (0), in a new generator that it runs or
 * (`in_generator` false) in none. Returns the item of the chain of handlers. */
uint64_t python_handle(struct python *python, const struct python_thread *thread, uint64_t value,
                       bool in_generator);
/* C code calls into the evaluation loop: comes before the first call, and before a callback. */
void python_enter(struct python *python, struct python_thread *thread);
/* Calls `code`, which is at `offset` bytes. */
void python_call(struct python *python, struct python_thread *thread, uint64_t code,
                 uint64_t offset);
/* The same with a frame that is not on the thread's own stack, as a generator's. */
void python_call_elsewhere(struct python *python, struct python_thread *thread, uint64_t code,
                           uint64_t offset);
/* Leaves the newest frame. What it held stays in memory. */
void python_return(struct python *python, struct python_thread *thread);
/* Moves frame `index` (0 is the root) to another instruction. */
void python_move(struct python *python, struct python_thread *thread, size_t index,
                 uint64_t offset);
/* Where the pointer to a thread's newest frame is. */
uint64_t python_head_place(const struct python *python, const struct python_thread *thread);
/* What a frame at `offset` of `code` has for a position. */
uint64_t python_position(const struct python *python, uint64_t code, uint64_t offset);
/* Appends "root;caller;leaf" in the form "name (file:line)" for frames of python_function() or
 * python_code(). */
void python_describe(const struct python *python, const struct python_thread *thread,
                     struct buffer *out);

#endif
