#include "profiler/model/trace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"

enum status trace_init(struct trace *trace, bool with_timeline, struct error *error) {
    *trace = (struct trace){0};
    if (with_timeline) {
        enum status status = timeline_create(&trace->timeline, error);
        if (status) {
            return status;
        }
    }
    strings_init(&trace->strings);
    table_init(&trace->functions, sizeof(struct trace_function), sizeof(struct trace_function));
    table_init(&trace->frames, sizeof(struct trace_frame), sizeof(struct trace_frame));
    table_init(&trace->stacks, sizeof(struct trace_stack), offsetof(struct trace_stack, depth));
    table_init(&trace->threads, sizeof(struct trace_thread), offsetof(struct trace_thread, name));
    table_init(&trace->tallies, sizeof(struct trace_tally), offsetof(struct trace_tally, samples));
    table_init(&trace->processes, sizeof(struct trace_process),
               offsetof(struct trace_process, parent_pid));
    table_init(&trace->codes, sizeof(struct trace_code), sizeof(struct trace_code));
    table_init(&trace->instructions, sizeof(struct trace_instruction),
               offsetof(struct trace_instruction, opcode));
    table_init(&trace->sources, sizeof(struct trace_source), offsetof(struct trace_source, bytes));
    table_init(&trace->dwells, sizeof(struct trace_dwell), offsetof(struct trace_dwell, most));
    return STATUS_OK;
}

void trace_deinit(struct trace *trace) {
    timeline_destroy(trace->timeline);
    for (uint32_t id = 1; id <= trace->sources.count; id++) {
        free(((struct trace_source *)table_row(&trace->sources, id))->text);
    }
    table_deinit(&trace->sources);
    table_deinit(&trace->dwells);
    table_deinit(&trace->instructions);
    table_deinit(&trace->codes);
    table_deinit(&trace->processes);
    table_deinit(&trace->tallies);
    free(trace->newest_tallies);
    table_deinit(&trace->threads);
    table_deinit(&trace->stacks);
    table_deinit(&trace->frames);
    table_deinit(&trace->functions);
    strings_deinit(&trace->strings);
    *trace = (struct trace){0};
}

/* Appends text of any bytes as valid UTF-8 without a NUL: trace_string() gives texts that end at
 * their first one. */
static void append_valid(struct buffer *valid, const char *text, size_t bytes) {
    const char *end = bytes > 0 ? text + bytes : text;
    while (text < end) {
        const char *nul = memchr(text, '\0', (size_t)(end - text));
        buffer_append_utf8(valid, text, (size_t)((nul ? nul : end) - text));
        if (nul) {
            buffer_append(valid, "\\x00", 4);
        }
        text = nul ? nul + 1 : end;
    }
}

struct string_id trace_text(struct trace *trace, const char *text, size_t bytes) {
    struct buffer valid = {0};
    append_valid(&valid, text, bytes);
    struct string_id id = {strings_intern(&trace->strings, valid.data, valid.length)};
    buffer_deinit(&valid);
    return id;
}

const char *trace_string(const struct trace *trace, struct string_id id) {
    return strings_text(&trace->strings, id.id, NULL);
}

struct function_id trace_intern_function(struct trace *trace, struct trace_function function) {
    return (struct function_id){table_intern(&trace->functions, &function)};
}

struct frame_id trace_intern_frame(struct trace *trace, struct trace_frame frame) {
    assert(frame.function.id >= 1 && frame.function.id <= trace->functions.count);
    return (struct frame_id){table_intern(&trace->frames, &frame)};
}

struct stack_id trace_intern_stack(struct trace *trace, struct stack_id parent,
                                   struct frame_id frame) {
    assert(frame.id >= 1 && frame.id <= trace->frames.count);
    struct trace_stack stack = {.parent = parent, .frame = frame, .depth = 1};
    if (parent.id) {
        stack.depth = trace_stack(trace, parent)->depth + 1;
    }
    return (struct stack_id){table_intern(&trace->stacks, &stack)};
}

struct stack_id *trace_path(const struct trace *trace, struct stack_id leaf, uint32_t *count_out) {
    *count_out = leaf.id != 0 ? trace_stack(trace, leaf)->depth : 0;
    struct stack_id *path = memory_zeroed(*count_out + 1, sizeof *path);
    for (uint32_t i = *count_out; i > 0; i--) {
        path[i - 1] = leaf;
        leaf = trace_stack(trace, leaf)->parent;
    }
    return path;
}

struct thread_ref trace_intern_thread(struct trace *trace, struct trace_thread thread) {
    uint32_t id = table_intern(&trace->threads, &thread);
    struct trace_thread *row = table_row(&trace->threads, id);
    row->name = thread.name;
    row->is_main = thread.is_main;
    return (struct thread_ref){id};
}

/* Interns the key of `row` and copies the rest. */
static uint32_t intern_whole(struct table *table, const void *row, size_t bytes) {
    uint32_t id = table_intern(table, row);
    memcpy(table_row(table, id), row, bytes);
    return id;
}

uint32_t trace_intern_process(struct trace *trace, const struct trace_process *process) {
    return intern_whole(&trace->processes, process, sizeof *process);
}

uint32_t trace_intern_code(struct trace *trace, struct trace_code code) {
    return table_intern(&trace->codes, &code);
}

uint32_t trace_intern_instruction(struct trace *trace,
                                  const struct trace_instruction *instruction) {
    assert(instruction->code >= 1 && instruction->code <= trace->codes.count);
    return intern_whole(&trace->instructions, instruction, sizeof *instruction);
}

void trace_set_dwell(struct trace *trace, const struct trace_dwell *dwell) {
    assert(dwell->place.id >= 1 && dwell->place.id <= trace->frames.count);
    intern_whole(&trace->dwells, dwell, sizeof *dwell);
}

void trace_set_source(struct trace *trace, struct string_id file, const char *text, size_t bytes) {
    if (trace_source(trace, file)) {
        return;
    }
    struct buffer valid = {0};
    append_valid(&valid, text, bytes);
    assert(valid.length <= UINT32_MAX);
    char *kept = memory_zeroed(valid.length + 1, 1);
    if (valid.length > 0) {
        memcpy(kept, valid.data, valid.length);
    }
    struct trace_source source = {.file = file, .bytes = (uint32_t)valid.length, .text = kept};
    intern_whole(&trace->sources, &source, sizeof source);
    buffer_deinit(&valid);
}

const struct trace_source *trace_source(const struct trace *trace, struct string_id file) {
    struct trace_source key = {.file = file};
    uint32_t id = table_find(&trace->sources, &key);
    return id ? table_row(&trace->sources, id) : NULL;
}

/* The tally of a thread and a stack. Mostly it is the one that was found for this stack last:
 * looking there first spares the hash table, which is out of the cache when there are many. */
static struct trace_tally *tally_of(struct trace *trace, struct thread_ref thread,
                                    struct stack_id stack) {
    size_t known = trace->newest_capacity;
    uint32_t newest = stack.id < known ? trace->newest_tallies[stack.id] : 0;
    struct trace_tally *row = newest != 0 ? table_row(&trace->tallies, newest) : NULL;
    if (row && row->thread.id == thread.id) {
        return row;
    }
    struct trace_tally tally = {.thread = thread, .stack = stack};
    uint32_t id = table_intern(&trace->tallies, &tally);
    if (stack.id >= known) {
        trace->newest_tallies = memory_grow(trace->newest_tallies, sizeof *trace->newest_tallies,
                                            (size_t)stack.id + 1, &trace->newest_capacity);
        memset(trace->newest_tallies + known, 0,
               (trace->newest_capacity - known) * sizeof *trace->newest_tallies);
    }
    trace->newest_tallies[stack.id] = id;
    return table_row(&trace->tallies, id);
}

enum status trace_add(struct trace *trace, const struct sample *sample, struct error *error) {
    return trace_add_many(trace, sample, 1, error);
}

enum status trace_add_many(struct trace *trace, const struct sample *sample, uint32_t count,
                           struct error *error) {
    assert(sample->thread.id >= 1 && sample->thread.id <= trace->threads.count);
    assert(sample->stack.id <= trace->stacks.count);
    if (trace->timeline) {
        enum status status = timeline_append(trace->timeline, sample, count, error);
        if (status) {
            return status;
        }
    }
    struct trace_tally *row = tally_of(trace, sample->thread, sample->stack);
    row->samples += count;
    row->weight_ns += sample->weight_ns;
    for (uint32_t bit = 0; bit < STATE_BITS; bit++) {
        trace->state_ns[bit] += (sample->state >> bit & 1) != 0 ? sample->weight_ns : 0;
    }
    trace->weight_ns_squares += (double)sample->weight_ns * (double)sample->weight_ns / count;
    return STATUS_OK;
}

double trace_draws(const struct trace *trace) {
    double samples = 0;
    double weight_ns = 0;
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        samples += (double)tally->samples;
        weight_ns += (double)tally->weight_ns;
    }
    double draws =
        trace->weight_ns_squares > 0 ? weight_ns * weight_ns / trace->weight_ns_squares : samples;
    return draws < samples ? draws : samples; /* rounding, or a recording that somebody made */
}

/* Rows are entered in their order. */
void trace_copy_tables(struct trace *out, const struct trace *all) {
    for (uint32_t id = 1; id <= all->strings.count; id++) {
        size_t bytes;
        const char *text = strings_text(&all->strings, id, &bytes);
        strings_intern(&out->strings, text, bytes);
    }
    const struct {
        const struct table *from;
        struct table *to;
    } tables[] = {
        {&all->functions, &out->functions}, {&all->codes, &out->codes},
        {&all->frames, &out->frames},       {&all->instructions, &out->instructions},
        {&all->stacks, &out->stacks},       {&all->processes, &out->processes},
        {&all->threads, &out->threads},
    };
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (uint32_t id = 1; id <= tables[t].from->count; id++) {
            table_intern(tables[t].to, table_row(tables[t].from, id));
        }
    }
    for (uint32_t id = 1; id <= all->sources.count; id++) {
        const struct trace_source *source = table_row(&all->sources, id);
        trace_set_source(out, source->file, source->text, source->bytes);
    }
    out->run = all->run;
    out->pauses = all->pauses;
}

static uint32_t kind_of(const struct trace *trace, struct stack_id stack) {
    return trace_frame(trace, trace_stack(trace, stack)->frame)->kind;
}

/* A collector may be on top of what could not be verified. */
bool trace_stack_is_unverified(const struct trace *trace, struct stack_id stack) {
    while (stack.id != 0 && kind_of(trace, stack) == FRAME_COLLECTOR) {
        stack = trace_stack(trace, stack)->parent;
    }
    return stack.id != 0 && kind_of(trace, stack) == FRAME_UNVERIFIED;
}

bool trace_stack_is_truncated(const struct trace *trace, struct stack_id stack) {
    struct stack_id root = {0};
    for (; stack.id != 0; stack = trace_stack(trace, stack)->parent) {
        root = stack;
    }
    return root.id != 0 && kind_of(trace, root) == FRAME_MISSING;
}

const struct trace_function *trace_function(const struct trace *trace, struct function_id id) {
    return table_row(&trace->functions, id.id);
}

const struct trace_frame *trace_frame(const struct trace *trace, struct frame_id id) {
    return table_row(&trace->frames, id.id);
}

const struct trace_stack *trace_stack(const struct trace *trace, struct stack_id id) {
    return table_row(&trace->stacks, id.id);
}

const struct trace_thread *trace_thread(const struct trace *trace, struct thread_ref id) {
    return table_row(&trace->threads, id.id);
}
