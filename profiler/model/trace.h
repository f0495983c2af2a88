/* A profile: who was sampled, which stacks were seen how often, and (when asked) in which order.
 *
 * Invariants: ids count up from 1 and are never reused; a stack's parent has a smaller id than the
 * stack; every text is valid UTF-8 (what was not is escaped on its way in) but may hold any
 * character, control characters and markup included; sample times of one thread never go back.
 * Equal stacks are one row, so memory grows with what is different, not with time; the order of
 * samples lives in a timeline that is spilled to disk. */
#ifndef PYROMETER_MODEL_TRACE_H
#define PYROMETER_MODEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/base/strings.h"
#include "profiler/base/table.h"
#include "profiler/model/health.h"
#include "profiler/model/histogram.h"
#include "profiler/model/sample.h"
#include "profiler/model/timeline.h"

/* What a frame is. */
enum frame_kind {
    FRAME_PYTHON,     /* a Python function */
    FRAME_MISSING,    /* at the root: stands for frames that could not be read */
    FRAME_UNVERIFIED, /* at the leaf: stands for frames that could not be shown to belong there */
    FRAME_COLLECTOR,  /* the garbage collector; above it are finalizers that it calls */
    FRAME_HOLDER,     /* at the root: a thread that others waited for, whose stack follows */
    FRAME_NATIVE,     /* machine code; or stands for such frames that could not be had */
    FRAME_TASK,       /* a task, below its coroutines; or what an event loop does without one */
    FRAME_PROCESS,    /* at the root: the process; only in what exporters/by_process.h makes */
};
enum { FRAME_KINDS = FRAME_TASK + 1 }; /* of those that are sampled, or recorded */

/* A function: all code objects with the same name, file and first line. */
struct trace_function {
    struct string_id name; /* qualified name from 3.11 on, plain name before */
    struct string_id file; /* as in co_filename, or the file that machine code is in; empty: none */
    uint32_t first_line;   /* 1-based, 0 unknown */
    uint32_t is_native;    /* machine code */
};

/* A place in a function. */
struct trace_frame {
    struct function_id function;
    uint32_t line;       /* 1-based line being executed, 0 unknown */
    uint32_t end_line;   /* 0 unknown */
    uint32_t column;     /* 1-based UTF-8 byte column, 0 unknown */
    uint32_t end_column; /* one past the end, 1-based, 0 unknown */
    uint32_t kind;       /* enum frame_kind */
    /* Of the newest frame of a stack, when bytecode was asked for; else 0. */
    uint32_t instruction;    /* id of a trace_instruction */
    struct string_id opcode; /* what it was specialised to when sampled, "LOAD_ATTR_SLOT" */
};

/* A code object whose bytecode is known. */
struct trace_code {
    struct function_id function;
    uint32_t serial; /* tells code objects of one function apart: closures, reloaded modules */
};

/* An instruction of a code object. Inline caches are not instructions. Rows of one code object need
 * not be neighbours. Where one instruction of a code object is known, all of them are. */
struct trace_instruction {
    uint32_t code;           /* id of a trace_code */
    uint32_t offset;         /* in bytes from the start of the bytecode */
    struct string_id opcode; /* payload, as are all below: its form when read last */
    struct string_id base;   /* what that is a specialised or instrumented form of, or itself */
    uint32_t argument;       /* EXTENDED_ARG included */
    uint32_t line;           /* these as in trace_frame */
    uint32_t end_line;
    uint32_t column;
    uint32_t end_column;
};

/* The text of a source file, as it was while the profile was taken. */
struct trace_source {
    struct string_id file; /* as in trace_function */
    uint32_t bytes;        /* payload */
    char *text;            /* payload: valid UTF-8, terminated; the trace's */
};

struct trace_stack {
    struct stack_id parent; /* the caller's stack; 0 for the root frame */
    struct frame_id frame;
    uint32_t depth; /* payload: frames from the root to here, at least 1 */
};

struct trace_thread {
    uint32_t pid;          /* process, in the profiler's pid namespace */
    uint32_t tid;          /* kernel thread id, in the profiler's pid namespace */
    uint64_t serial;       /* tells threads apart that had the same tid one after the other */
    struct string_id name; /* payload: Python's name for it, else the kernel's; may change */
    uint32_t is_main;      /* payload: the main thread of the main interpreter */
};

/* A process that was profiled: the one asked for, and its children. */
struct trace_process {
    uint32_t pid; /* in the profiler's pid namespace */
    uint32_t reserved;
    uint64_t start_ticks;        /* since boot, /proc/PID/stat: tells those with one pid apart */
    uint32_t parent_pid;         /* payload, as are all below; 0 unknown */
    struct string_id name;       /* the kernel's name of the process (comm) */
    struct string_id command;    /* command line, arguments joined with spaces */
    struct string_id executable; /* path as the process sees it */
    struct string_id build_id;   /* of the file that holds the runtime, in hex; empty: none */
    struct string_id python_version; /* "3.11.2" or "3.11", empty if unknown */
};

/* How often a thread was seen in a stack. */
struct trace_tally {
    struct thread_ref thread;
    struct stack_id stack;
    uint64_t samples;   /* payload */
    uint64_t weight_ns; /* payload */
};

/* How long those who wait did so at one place of the program: tasks at an await. */
struct trace_dwell {
    struct frame_id place;
    uint32_t most;     /* payload, as are all below: who waited there at once */
    uint64_t waits;    /* those that go on included */
    uint64_t going_on; /* that had no end yet when the profile had; they count as long as seen */
    uint64_t sum_ns;   /* of all */
    uint64_t long_ns;  /* 95 of 100 are no longer (histogram.h) */
    uint64_t longest_ns;
};

/* What was profiled, and how. Texts are borrowed from the trace's strings. */
struct trace_run {
    uint32_t pid;                    /* of the process that was asked for */
    struct string_id process_name;   /* the kernel's name of the process (comm) */
    struct string_id command;        /* command line, arguments joined with spaces */
    struct string_id python_version; /* "3.11.2" or "3.11", empty if unknown */
    struct string_id mode;           /* name of the mode, "wall" */
    struct string_id profiler;       /* "pyrometer 0.1.0" */
    struct string_id host;           /* name of the machine */
    uint64_t start_wall_ns;          /* nanoseconds since 1970 of time 0 */
    uint64_t interval_ns;            /* asked for */
};

struct trace {
    struct trace_run run;
    struct health health;
    struct histogram pauses; /* of the target; empty unless it was stopped for every look */
    struct strings strings;
    struct table functions;        /* struct trace_function */
    struct table frames;           /* struct trace_frame */
    struct table stacks;           /* struct trace_stack */
    struct table threads;          /* struct trace_thread */
    struct table tallies;          /* struct trace_tally */
    double weight_ns_squares;      /* the sum over all samples; what trace_draws() needs */
    uint64_t state_ns[STATE_BITS]; /* weight of the samples in each state, by its bit's number */
    uint32_t *newest_tallies;      /* by stack id: the tally that was found last, 0 for none */
    size_t newest_capacity;
    struct table processes;    /* struct trace_process */
    struct table codes;        /* struct trace_code; empty unless bytecode was asked for */
    struct table instructions; /* struct trace_instruction; the same */
    struct table sources;      /* struct trace_source; empty when none was captured */
    struct table dwells;       /* struct trace_dwell; of the whole run: no part of it has any */
    struct timeline *timeline; /* NULL unless asked for */
    const struct trace *base;  /* what to compare with, borrowed; NULL unless asked for */
};

/* An empty trace. With `with_timeline` the order of samples is kept too, in a temporary file that
 * has no name; NO_OUTPUT when none can be made. */
enum status trace_init(struct trace *trace, bool with_timeline, struct error *error) MUST_CHECK;
/* Frees everything. Accepts a zeroed trace. */
void trace_deinit(struct trace *trace);

/* Interns text of any bytes; what is not UTF-8 becomes \xNN. */
struct string_id trace_text(struct trace *trace, const char *text, size_t bytes);
/* The text of an id, terminated, borrowed; "" for 0. */
const char *trace_string(const struct trace *trace, struct string_id id);

struct function_id trace_intern_function(struct trace *trace, struct trace_function function);
struct frame_id trace_intern_frame(struct trace *trace, struct trace_frame frame);
/* The stack `frame` on top of `parent` (0: `frame` is the root). */
struct stack_id trace_intern_stack(struct trace *trace, struct stack_id parent,
                                   struct frame_id frame);
/* The stacks from the root to `leaf`, none for 0; the caller frees. */
struct stack_id *trace_path(const struct trace *trace, struct stack_id leaf, uint32_t *count_out);
/* The thread with this pid, tid and serial; name and is_main are updated. */
struct thread_ref trace_intern_thread(struct trace *trace, struct trace_thread thread);

/* The process with this pid and start; the rest of the row is updated. Returns its id. */
uint32_t trace_intern_process(struct trace *trace, const struct trace_process *process);
/* The code object with this function and serial. Returns its id. */
uint32_t trace_intern_code(struct trace *trace, struct trace_code code);
/* The instruction at this offset of this code; the rest of the row is updated. Returns its id. */
uint32_t trace_intern_instruction(struct trace *trace, const struct trace_instruction *instruction);
/* The dwelling at this place. */
void trace_set_dwell(struct trace *trace, const struct trace_dwell *dwell);
/* Keeps the text of a source file, any bytes; what is not UTF-8 becomes \xNN. A second text of a
 * file is ignored. At most UINT32_MAX bytes after that. */
void trace_set_source(struct trace *trace, struct string_id file, const char *text, size_t bytes);
/* The source of a file; NULL when it was not captured. */
const struct trace_source *trace_source(const struct trace *trace, struct string_id file);

/* Counts a sample and, when there is a timeline, appends it. Health is not touched. */
enum status trace_add(struct trace *trace, const struct sample *sample,
                      struct error *error) MUST_CHECK;
/* The same for `count` samples of one thread, stack and state in a row: `sample` has the time of
 * the last one and the weight of all of them, each having the same, and no time lies between the
 * times they stand for. `count` is at least 1. */
enum status trace_add_many(struct trace *trace, const struct sample *sample, uint32_t count,
                           struct error *error) MUST_CHECK;

/* How many samples of one weight would say as much as those there are: the square of the sum of
 * weights by the sum of their squares (Kish's effective size). Their number when all weigh the
 * same, or nothing. */
double trace_draws(const struct trace *trace);

/* Copies all but the samples and health into an empty trace: ids stay what they are. */
void trace_copy_tables(struct trace *out, const struct trace *all);

/* Whether the newest frame of a stack stands for others; whether its root is missing. */
bool trace_stack_is_unverified(const struct trace *trace, struct stack_id stack);
bool trace_stack_is_truncated(const struct trace *trace, struct stack_id stack);

const struct trace_function *trace_function(const struct trace *trace, struct function_id id);
const struct trace_frame *trace_frame(const struct trace *trace, struct frame_id id);
const struct trace_stack *trace_stack(const struct trace *trace, struct stack_id id);
const struct trace_thread *trace_thread(const struct trace *trace, struct thread_ref id);

#endif
