/* pprof's profile.proto, gzipped, for `go tool pprof` and whatever else reads it.
 *
 * A serialised Profile may be cut into pieces: messages that follow each other are merged into one,
 * repeated fields in order (the protobuf encoding says so). So each row is a piece of its own and
 * nothing is held. String N of the file is string N of the trace; ours follow them. Location N is
 * frame N, function N is function N.
 *
 * Function.system_name stays empty: where it equals the name, pprof takes it for a mangled C++ name
 * and drops what is in <...>, so that <module> and <lambda> have no name. */
#include <inttypes.h>
#include <stdlib.h>

#include "exporters/exporter.h"
#include "exporters/gzip.h"
#include "exporters/profile.pb-c.h"
#include "exporters/threads.h"
#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"
#include "profiler/model/stack_task.h"

enum { MAPPING_ID = 1 };

/* The strings that are not the trace's: string_table[trace->strings.count + 1 + word]. After them
 * come the names of tasks. */
enum word {
    WORD_SAMPLES,
    WORD_COUNT,
    WORD_NANOSECONDS,
    WORD_NO_NAME,
    WORD_PROCESS,
    WORD_THREAD,
    WORD_THREAD_ID,
    WORD_PID,
    WORD_TASK,
    WORD_COUNT_OF
};
static const char *const words[WORD_COUNT_OF] = {
    [WORD_SAMPLES] = "samples",     [WORD_COUNT] = "count",     [WORD_NANOSECONDS] = "nanoseconds",
    [WORD_NO_NAME] = "?",           [WORD_PROCESS] = "process", [WORD_THREAD] = "thread name",
    [WORD_THREAD_ID] = "thread id", [WORD_PID] = "pid",         [WORD_TASK] = "task",
};

struct writer {
    const struct trace *trace;
    struct stack_tasks tasks;
    FILE *out;
};

static int64_t word(const struct writer *writer, enum word word) {
    return (int64_t)writer->trace->strings.count + 1 + word;
}

static int64_t name_or_mark(const struct writer *writer, struct string_id name) {
    return name.id ? (int64_t)name.id : word(writer, WORD_NO_NAME);
}

/* ---- pieces ---- */

struct stream {
    ProtobufCBuffer base;
    FILE *out;
};

static void stream_append(ProtobufCBuffer *base, size_t bytes, const uint8_t *data) {
    fwrite(data, 1, bytes, ((struct stream *)base)->out);
}

static void write_piece(const struct writer *writer, const Pprof__Profile *piece) {
    struct stream stream = {.base = {.append = stream_append}, .out = writer->out};
    pprof__profile__pack_to_buffer(piece, &stream.base);
}

static void write_string(const struct writer *writer, const char *text) {
    char *strings[] = {(char *)(uintptr_t)text}; /* protobuf-c knows no const */
    Pprof__Profile piece = PPROF__PROFILE__INIT;
    piece.n_string_table = 1;
    piece.string_table = strings;
    write_piece(writer, &piece);
}

static void write_strings(const struct writer *writer) {
    for (uint32_t id = 0; id <= writer->trace->strings.count; id++) {
        write_string(writer, trace_string(writer->trace, (struct string_id){id}));
    }
    for (size_t i = 0; i < WORD_COUNT_OF; i++) {
        write_string(writer, words[i]);
    }
    for (uint32_t id = 1; id <= writer->tasks.rows.count; id++) {
        struct buffer name = {0};
        stack_tasks_append_name(&writer->tasks, writer->trace, id, &name);
        write_string(writer, name.data);
        buffer_deinit(&name);
    }
}

static const struct trace_process *main_process(const struct trace *trace) {
    for (uint32_t id = 1; id <= trace->processes.count; id++) {
        const struct trace_process *process = table_row(&trace->processes, id);
        if (process->pid == trace->run.pid) {
            return process;
        }
    }
    return NULL;
}

/* What the numbers are, and one mapping that says: names are here, look for none. */
static void write_head(const struct writer *writer) {
    const struct trace_run *run = &writer->trace->run;
    const struct trace_process *process = main_process(writer->trace);
    Pprof__ValueType samples = PPROF__VALUE_TYPE__INIT;
    samples.type = word(writer, WORD_SAMPLES);
    samples.unit = word(writer, WORD_COUNT);
    Pprof__ValueType time = PPROF__VALUE_TYPE__INIT;
    time.type = name_or_mark(writer, run->mode);
    time.unit = word(writer, WORD_NANOSECONDS);
    Pprof__ValueType *types[] = {&samples, &time};
    Pprof__Mapping mapping = PPROF__MAPPING__INIT;
    mapping.id = MAPPING_ID;
    mapping.filename = process ? process->executable.id : 0;
    mapping.build_id = process ? process->build_id.id : 0;
    mapping.has_functions = mapping.has_filenames = mapping.has_line_numbers = true;
    Pprof__Mapping *mappings[] = {&mapping};
    Pprof__Profile piece = PPROF__PROFILE__INIT;
    piece.n_sample_type = 2;
    piece.sample_type = types;
    piece.n_mapping = 1;
    piece.mapping = mappings;
    piece.time_nanos = (int64_t)run->start_wall_ns;
    piece.duration_nanos = (int64_t)writer->trace->health.duration_ns;
    piece.period_type = &time;
    piece.period = (int64_t)run->interval_ns;
    piece.default_sample_type = time.type;
    write_piece(writer, &piece);
}

static void write_functions(const struct writer *writer) {
    for (uint32_t id = 1; id <= writer->trace->functions.count; id++) {
        const struct trace_function *row = trace_function(writer->trace, (struct function_id){id});
        Pprof__Function function = PPROF__FUNCTION__INIT;
        function.id = id;
        function.name = name_or_mark(writer, row->name);
        function.filename = row->file.id;
        function.start_line = row->first_line;
        Pprof__Function *functions[] = {&function};
        Pprof__Profile piece = PPROF__PROFILE__INIT;
        piece.n_function = 1;
        piece.function = functions;
        write_piece(writer, &piece);
    }
}

static void write_locations(const struct writer *writer) {
    for (uint32_t id = 1; id <= writer->trace->frames.count; id++) {
        const struct trace_frame *frame = trace_frame(writer->trace, (struct frame_id){id});
        Pprof__Line line = PPROF__LINE__INIT;
        line.function_id = frame->function.id;
        line.line = frame->line;
        line.column = frame->column;
        Pprof__Line *lines[] = {&line};
        Pprof__Location location = PPROF__LOCATION__INIT;
        location.id = id;
        location.mapping_id = MAPPING_ID;
        location.n_line = 1;
        location.line = lines;
        Pprof__Location *locations[] = {&location};
        Pprof__Profile piece = PPROF__PROFILE__INIT;
        piece.n_location = 1;
        piece.location = locations;
        write_piece(writer, &piece);
    }
}

/* ---- samples ---- */

enum { LABELS = 5 };

/* Returns how many there are. */
static size_t set_labels(const struct writer *writer, const struct trace_tally *tally,
                         Pprof__Label *labels) {
    struct thread_ref id = tally->thread;
    uint32_t task = writer->tasks.of_stack[tally->stack.id];
    const struct trace_thread *thread = trace_thread(writer->trace, id);
    for (size_t i = 0; i < LABELS; i++) {
        pprof__label__init(&labels[i]);
    }
    labels[0].key = word(writer, WORD_PROCESS);
    labels[0].str = name_or_mark(writer, threads_process_name(writer->trace, id));
    labels[1].key = word(writer, WORD_PID);
    labels[1].num = thread->pid;
    labels[2].key = word(writer, WORD_THREAD);
    labels[2].str = name_or_mark(writer, thread->name);
    labels[3].key = word(writer, WORD_THREAD_ID);
    labels[3].num = thread->tid;
    labels[4].key = word(writer, WORD_TASK);
    labels[4].str = word(writer, WORD_COUNT_OF) + task - 1;
    return task ? LABELS : LABELS - 1;
}

/* A location is a frame id; the newest frame is the first. */
static size_t collect_locations(const struct trace *trace, struct stack_id at, uint64_t **locations,
                                size_t *capacity) {
    size_t depth = 0;
    while (at.id) {
        const struct trace_stack *stack = trace_stack(trace, at);
        *locations = memory_grow(*locations, sizeof **locations, depth + 1, capacity);
        (*locations)[depth++] = stack->frame.id;
        at = stack->parent;
    }
    return depth;
}

static void write_samples(const struct writer *writer) {
    const struct trace *trace = writer->trace;
    uint64_t *locations = NULL;
    size_t capacity = 0;
    for (uint32_t i = 1; i <= trace->tallies.count && !ferror(writer->out); i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        Pprof__Label labels[LABELS];
        Pprof__Label *label_rows[] = {&labels[0], &labels[1], &labels[2], &labels[3], &labels[4]};
        int64_t values[] = {(int64_t)tally->samples, (int64_t)tally->weight_ns};
        Pprof__Sample sample = PPROF__SAMPLE__INIT;
        sample.n_location_id = collect_locations(trace, tally->stack, &locations, &capacity);
        sample.location_id = locations;
        sample.n_value = 2;
        sample.value = values;
        sample.n_label = set_labels(writer, tally, labels);
        sample.label = label_rows;
        Pprof__Sample *samples[] = {&sample};
        Pprof__Profile piece = PPROF__PROFILE__INIT;
        piece.n_sample = 1;
        piece.sample = samples;
        write_piece(writer, &piece);
    }
    free(locations);
}

static enum status pprof_write(const struct trace *trace, FILE *out, struct error *error) {
    struct writer writer = {.trace = trace, .out = gzip_open(out)};
    stack_tasks_init(&writer.tasks, trace);
    write_head(&writer);
    write_strings(&writer);
    write_functions(&writer);
    write_locations(&writer);
    write_samples(&writer);
    stack_tasks_deinit(&writer.tasks);
    if (fclose(writer.out) != 0 && !ferror(out)) {
        return error_set(error, STATUS_INTERNAL, "compressing the profile");
    }
    return STATUS_OK;
}

static const char *const extensions[] = {".pb.gz", ".pprof", NULL};

const struct exporter exporter_pprof = {
    .name = "pprof",
    .extensions = extensions,
    .help = "gzipped profile.proto, for go tool pprof",
    .write = pprof_write,
};
