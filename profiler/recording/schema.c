#include "profiler/recording/schema.h"

#include <string.h>

/* ---- our tables ---- */

#define MEMBER(type, member) #member, offsetof(type, member), sizeof(((type *)0)->member)
/* A member that is a one-member id is called as in the struct, and is as wide as the id. */
#define NUMBER(type, member, coding)                                                               \
    { MEMBER(type, member), CODING_##coding, SCHEMA_NONE, 0, UINT64_MAX }
#define BOUNDED(type, member, coding, least, most)                                                 \
    { MEMBER(type, member), CODING_##coding, SCHEMA_NONE, least, most }
#define NEEDED_ID(type, member, coding, table)                                                     \
    { MEMBER(type, member), CODING_##coding, SCHEMA_##table, 1, UINT32_MAX }
#define ID(type, member, coding, table)                                                            \
    { MEMBER(type, member), CODING_##coding, SCHEMA_##table, 0, UINT32_MAX }

static const struct schema_field string_fields[] = {
    NUMBER(struct string_entry, bytes, PLAIN),
    NUMBER(struct string_entry, text, TEXT),
};

static const struct schema_field function_fields[] = {
    ID(struct trace_function, name, DELTA, STRINGS),
    ID(struct trace_function, file, DELTA, STRINGS),
    NUMBER(struct trace_function, first_line, DELTA),
    BOUNDED(struct trace_function, is_native, PLAIN, 0, 1),
};

static const struct schema_field code_fields[] = {
    NEEDED_ID(struct trace_code, function, DELTA, FUNCTIONS),
    NUMBER(struct trace_code, serial, DELTA),
};

static const struct schema_field instruction_fields[] = {
    NEEDED_ID(struct trace_instruction, code, DELTA, CODES),
    NUMBER(struct trace_instruction, offset, DELTA),
    ID(struct trace_instruction, opcode, DELTA, STRINGS),
    ID(struct trace_instruction, base, DELTA, STRINGS),
    NUMBER(struct trace_instruction, argument, PLAIN),
    NUMBER(struct trace_instruction, line, DELTA),
    NUMBER(struct trace_instruction, end_line, DELTA),
    NUMBER(struct trace_instruction, column, PLAIN),
    NUMBER(struct trace_instruction, end_column, PLAIN),
};

static const struct schema_field frame_fields[] = {
    NEEDED_ID(struct trace_frame, function, DELTA, FUNCTIONS),
    NUMBER(struct trace_frame, line, DELTA),
    NUMBER(struct trace_frame, end_line, DELTA),
    NUMBER(struct trace_frame, column, PLAIN),
    NUMBER(struct trace_frame, end_column, PLAIN),
    BOUNDED(struct trace_frame, kind, PLAIN, 0, FRAME_KINDS - 1),
    ID(struct trace_frame, instruction, DELTA, INSTRUCTIONS),
    ID(struct trace_frame, opcode, DELTA, STRINGS),
};

static const struct schema_field stack_fields[] = {
    ID(struct trace_stack, parent, DELTA, STACKS),
    NEEDED_ID(struct trace_stack, frame, DELTA, FRAMES),
};

static const struct schema_field process_fields[] = {
    NUMBER(struct trace_process, pid, DELTA),
    NUMBER(struct trace_process, start_ticks, DELTA),
    NUMBER(struct trace_process, parent_pid, PLAIN),
    ID(struct trace_process, name, PLAIN, STRINGS),
    ID(struct trace_process, command, PLAIN, STRINGS),
    ID(struct trace_process, executable, PLAIN, STRINGS),
    ID(struct trace_process, build_id, PLAIN, STRINGS),
    ID(struct trace_process, python_version, PLAIN, STRINGS),
};

static const struct schema_field thread_fields[] = {
    NUMBER(struct trace_thread, pid, DELTA),
    NUMBER(struct trace_thread, tid, DELTA),
    NUMBER(struct trace_thread, serial, DELTA),
    ID(struct trace_thread, name, PLAIN, STRINGS),
    BOUNDED(struct trace_thread, is_main, PLAIN, 0, 1),
};

static const struct schema_field source_fields[] = {
    NEEDED_ID(struct trace_source, file, PLAIN, STRINGS),
    NUMBER(struct trace_source, bytes, PLAIN),
    NUMBER(struct trace_source, text, TEXT),
};

static const struct schema_field dwell_fields[] = {
    NEEDED_ID(struct trace_dwell, place, DELTA, FRAMES),
    NUMBER(struct trace_dwell, most, PLAIN),
    NUMBER(struct trace_dwell, waits, PLAIN),
    NUMBER(struct trace_dwell, going_on, PLAIN),
    NUMBER(struct trace_dwell, sum_ns, PLAIN),
    NUMBER(struct trace_dwell, long_ns, PLAIN),
    NUMBER(struct trace_dwell, longest_ns, PLAIN),
};

static const struct schema_field run_fields[] = {
    NUMBER(struct trace_run, pid, PLAIN),
    ID(struct trace_run, process_name, PLAIN, STRINGS),
    ID(struct trace_run, command, PLAIN, STRINGS),
    ID(struct trace_run, python_version, PLAIN, STRINGS),
    ID(struct trace_run, mode, PLAIN, STRINGS),
    ID(struct trace_run, profiler, PLAIN, STRINGS),
    ID(struct trace_run, host, PLAIN, STRINGS),
    NUMBER(struct trace_run, start_wall_ns, PLAIN),
    BOUNDED(struct trace_run, interval_ns, PLAIN, 1, LIMIT_TIME_NS),
};

static const struct schema_field pauses_fields[] = {
    NUMBER(struct histogram, count, PLAIN),
    NUMBER(struct histogram, sum_ns, PLAIN),
    NUMBER(struct histogram, max_ns, PLAIN),
};

static const struct schema_field bucket_fields[] = {
    NUMBER(struct schema_bucket, pauses, PLAIN),
};

static const struct schema_field samples_fields[] = {
    NEEDED_ID(struct schema_samples, thread, PLAIN, THREADS),
    NEEDED_ID(struct schema_samples, stack, PLAIN, STACKS),
    NUMBER(struct schema_samples, state, PLAIN),
    BOUNDED(struct schema_samples, samples, PLAIN, 1, UINT32_MAX),
    BOUNDED(struct schema_samples, weight_ns, PLAIN, 0, LIMIT_TIME_NS),
    NUMBER(struct schema_samples, gap_ns, SIGNED),
};

static const struct schema_field weights_fields[] = {
    NUMBER(struct schema_weights, ns_squares, PLAIN),
};

static const struct schema_field health_fields[] = {
    NUMBER(struct health, ticks, PLAIN),
    NUMBER(struct health, samples, PLAIN),
    NUMBER(struct health, lost, PLAIN),
    NUMBER(struct health, late, PLAIN),
    NUMBER(struct health, unverified, PLAIN),
    NUMBER(struct health, truncated, PLAIN),
    NUMBER(struct health, empty, PLAIN),
    BOUNDED(struct health, duration_ns, PLAIN, 0, LIMIT_TIME_NS),
    NUMBER(struct health, cpu_ns, PLAIN),
    NUMBER(struct health, rss_bytes, PLAIN),
    NUMBER(struct health, read_calls, PLAIN),
    NUMBER(struct health, read_bytes, PLAIN),
    NUMBER(struct health, not_python, PLAIN),
    NUMBER(struct health, tasks_there, PLAIN),
    NUMBER(struct health, tasks_seen, PLAIN),
};

#define TABLE(name, type, fields)                                                                  \
    { name, sizeof(type), fields, sizeof fields / sizeof fields[0] }

const struct schema_table schema_tables[SCHEMA_COUNT] = {
    [SCHEMA_STRINGS] = TABLE("strings", struct string_entry, string_fields),
    [SCHEMA_FUNCTIONS] = TABLE("functions", struct trace_function, function_fields),
    [SCHEMA_CODES] = TABLE("codes", struct trace_code, code_fields),
    [SCHEMA_INSTRUCTIONS] = TABLE("instructions", struct trace_instruction, instruction_fields),
    [SCHEMA_FRAMES] = TABLE("frames", struct trace_frame, frame_fields),
    [SCHEMA_STACKS] = TABLE("stacks", struct trace_stack, stack_fields),
    [SCHEMA_PROCESSES] = TABLE("processes", struct trace_process, process_fields),
    [SCHEMA_THREADS] = TABLE("threads", struct trace_thread, thread_fields),
    [SCHEMA_SOURCES] = TABLE("sources", struct trace_source, source_fields),
    [SCHEMA_DWELLS] = TABLE("dwells", struct trace_dwell, dwell_fields),
    [SCHEMA_RUN] = TABLE("run", struct trace_run, run_fields),
    [SCHEMA_PAUSES] = TABLE("pauses", struct histogram, pauses_fields),
    [SCHEMA_PAUSE_BUCKETS] = TABLE("pause_buckets", struct schema_bucket, bucket_fields),
    [SCHEMA_SAMPLES] = TABLE("samples", struct schema_samples, samples_fields),
    [SCHEMA_WEIGHTS] = TABLE("weights", struct schema_weights, weights_fields),
    [SCHEMA_HEALTH] = TABLE("health", struct health, health_fields),
};

void schema_describe(struct buffer *out) {
    for (size_t t = 0; t < SCHEMA_COUNT; t++) {
        const struct schema_table *table = &schema_tables[t];
        buffer_printf(out, "%s", table->name);
        for (size_t f = 0; f < table->field_count; f++) {
            buffer_printf(out, " %c%s", (char)table->fields[f].coding, table->fields[f].name);
        }
        buffer_printf(out, "\n");
    }
}

/* ---- a file's tables ---- */

/* The next word of a line, which it is cut from; empty at the line's end. */
struct word {
    const char *text;
    size_t bytes;
};

static struct word take_word(const char **at, const char *end) {
    while (*at < end && **at == ' ') {
        (*at)++;
    }
    struct word word = {*at, 0};
    while (*at < end && **at != ' ') {
        (*at)++;
    }
    word.bytes = (size_t)(*at - word.text);
    return word;
}

static bool is_called(struct word word, const char *name) {
    return strlen(name) == word.bytes && memcmp(name, word.text, word.bytes) == 0;
}

static enum schema_id table_called(struct word word) {
    for (size_t t = 0; t < SCHEMA_COUNT; t++) {
        if (is_called(word, schema_tables[t].name)) {
            return (enum schema_id)t;
        }
    }
    return SCHEMA_NONE;
}

static const struct schema_field *field_called(enum schema_id id, struct word word) {
    for (size_t f = 0; id != SCHEMA_NONE && f < schema_tables[id].field_count; f++) {
        if (is_called(word, schema_tables[id].fields[f].name)) {
            return &schema_tables[id].fields[f];
        }
    }
    return NULL;
}

static bool is_coding(char letter) {
    return letter != '\0' && strchr(".+-=", letter) != NULL;
}

static bool parse_column(enum schema_id id, struct word word, struct schema_column *out) {
    if (!is_coding(word.text[0])) {
        return false;
    }
    struct word name = {word.text + 1, word.bytes - 1};
    out->coding = (enum schema_coding)word.text[0];
    out->field = field_called(id, name);
    return out->field == NULL ||
           (out->field->coding == CODING_TEXT) == (out->coding == CODING_TEXT);
}

static bool parse_table(const char *at, const char *end, struct schema_listed *out) {
    out->id = table_called(take_word(&at, end));
    out->column_count = 0;
    for (struct word word; (word = take_word(&at, end)).bytes > 0;) {
        if (out->column_count == LIMIT_COLUMNS ||
            !parse_column(out->id, word, &out->columns[out->column_count++])) {
            return false;
        }
    }
    return true;
}

bool schema_parse(const char *text, size_t bytes, struct schema_listing *out) {
    const char *end = text + bytes;
    out->count = 0;
    for (const char *at = text; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL || out->count == LIMIT_TABLES ||
            !parse_table(at, stop, &out->tables[out->count++])) {
            return false;
        }
        at = stop + 1;
    }
    return out->count > 0;
}
