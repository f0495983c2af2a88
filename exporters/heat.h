/* Where the samples are: by function, by file, by line, by call and by instruction.
 *
 * `self` counts samples whose newest frame it was, `total` those that had it anywhere in their
 * stack, once however often it was in it. */
#ifndef PYROMETER_EXPORTERS_HEAT_H
#define PYROMETER_EXPORTERS_HEAT_H

#include <stdint.h>

#include "profiler/model/trace.h"

/* What every row with a self and a total ends with. */
struct heat_count {
    uint64_t self;
    uint64_t total;
};

struct heat_function {
    struct function_id function;
    uint32_t reserved;
    struct heat_count count; /* payload */
};

struct heat_file {
    struct string_id file;
    uint32_t reserved;
    struct heat_count count; /* payload */
};

struct heat_line {
    struct string_id file;
    uint32_t line;               /* 0: not known */
    struct function_id function; /* payload, as is the rest: one that ran there */
    uint32_t reserved;
    struct heat_count count;
};

/* That a function called another one; self: and that was the newest frame. */
struct heat_call {
    struct function_id caller;
    struct function_id callee;
    struct heat_count count; /* payload */
};

/* A form in which an instruction was seen. */
struct heat_form {
    uint32_t instruction; /* id of a trace_instruction */
    struct string_id opcode;
    uint64_t samples; /* payload */
};

struct heat {
    struct table functions; /* struct heat_function */
    struct table files;     /* struct heat_file */
    struct table lines;     /* struct heat_line; of frames that have a file */
    struct table calls;     /* struct heat_call */
    struct table forms;     /* struct heat_form */
    uint64_t samples;
};

/* Counts the samples of all threads. Takes memory by the stacks there are. */
void heat_init(struct heat *heat, const struct trace *trace);
void heat_deinit(struct heat *heat);

#endif
