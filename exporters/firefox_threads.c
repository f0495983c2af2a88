/* The threads of a file for the Firefox Profiler: samples, and markers for the states. */
#include <inttypes.h>
#include <stdbool.h>

#include <cjson/cJSON.h>

#include "exporters/category.h"
#include "exporters/firefox.h"
#include "exporters/json.h"
#include "exporters/states.h"
#include "exporters/threads.h"

enum {
    PHASE_INTERVAL = 1,
    /* Rows of one run are at least so many of the profile's parts apart. */
    RUN_PARTS = 1000,
};

struct row {
    uint64_t time_ns;
    uint64_t cpu_ns; /* used since the row before */
    uint32_t stack;  /* id; 0 none. Those of variants follow those of the trace. */
    uint32_t samples;
};

/* A pass over the runs of one track. */
struct pass {
    const struct firefox *writer;
    void (*write)(const struct firefox *writer, const struct row *row);
    uint64_t end_ns; /* of the newest run */
    bool is_first;   /* no run was seen yet */
    uint64_t rows;
};

static void write_row(struct pass *pass, const struct row *row) {
    if (pass->rows++ > 0) {
        fputc(',', pass->writer->out);
    }
    pass->write(pass->writer, row);
}

/* The thread was not seen from the end of its newest run on: the last stack is drawn until the
 * first of these rows, and CPU use is measured from the last of them. */
static void write_gap(struct pass *pass, uint64_t until_ns) {
    uint64_t interval_ns = pass->writer->trace->run.interval_ns;
    if (!pass->is_first && until_ns - pass->end_ns > interval_ns) {
        write_row(pass, &(struct row){.time_ns = pass->end_ns + interval_ns});
    }
    write_row(pass, &(struct row){.time_ns = until_ns});
}

/* The stacks of variants follow those of the trace. */
static uint32_t stack_id_of(const struct firefox *writer, const struct timeline_run *run) {
    struct firefox_variant variant = firefox_variant_of(writer, run);
    uint32_t id = table_find(&writer->variants, &variant);
    return id ? writer->trace->stacks.count + id : run->stack.id;
}

/* How many rows a run becomes. */
static uint32_t rows_of(const struct firefox *writer, const struct timeline_run *run) {
    uint64_t step_ns = writer->end_ns / RUN_PARTS + 1;
    uint64_t rows = 2 + run->weight_ns / step_ns;
    return rows < run->samples ? (uint32_t)rows : run->samples;
}

/* The samples of a run are taken to be evenly spread over it. */
static void write_run(struct pass *pass, const struct timeline_run *run) {
    bool has_cpu = !run->state || run->state & STATE_RUNNING;
    uint32_t rows = rows_of(pass->writer, run);
    uint64_t done = 0; /* samples */
    struct row row = {.time_ns = run->start_ns, .stack = stack_id_of(pass->writer, run)};
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t before_ns = row.time_ns;
        uint64_t upto = rows > 1 ? 1 + (uint64_t)(run->samples - 1) * i / (rows - 1) : run->samples;
        row.time_ns = upto == run->samples ? run->start_ns + run->weight_ns
                                           : run->start_ns + run->weight_ns / run->samples * upto;
        row.cpu_ns = has_cpu ? row.time_ns - before_ns : 0;
        row.samples = (uint32_t)(upto - done);
        done = upto;
        write_row(pass, &row);
    }
}

static enum status visit_run(void *context, const struct timeline_run *run) {
    struct pass *pass = context;
    if (pass->is_first || run->start_ns > pass->end_ns) {
        write_gap(pass, run->start_ns);
    }
    write_run(pass, run);
    pass->end_ns = run->start_ns + run->weight_ns;
    pass->is_first = false;
    return ferror(pass->writer->out) ? STATUS_NO_OUTPUT : STATUS_OK;
}

static void row_stack(const struct firefox *writer, const struct row *row) {
    if (row->stack) {
        fprintf(writer->out, "%" PRIu32, row->stack - 1);
    } else {
        fputs("null", writer->out);
    }
}

static void row_time(const struct firefox *writer, const struct row *row) {
    json_write_ms(writer->out, row->time_ns);
}

static void row_samples(const struct firefox *writer, const struct row *row) {
    fprintf(writer->out, "%" PRIu32, row->samples);
}

static void row_cpu(const struct firefox *writer, const struct row *row) {
    fprintf(writer->out, "%" PRIu64, row->cpu_ns);
}

static const struct {
    const char *name;
    void (*write)(const struct firefox *writer, const struct row *row);
} row_columns[] = {
    {"stack", row_stack}, {"time", row_time}, {"weight", row_samples}, {"threadCPUDelta", row_cpu}};

static enum status write_samples(const struct firefox *writer, const struct track *track) {
    enum status status = STATUS_OK;
    struct pass pass;
    fputs("\"samples\":{\"weightType\":\"samples\"", writer->out);
    for (size_t i = 0; i < sizeof row_columns / sizeof row_columns[0] && !status; i++) {
        pass = (struct pass){.writer = writer, .write = row_columns[i].write, .is_first = true};
        fprintf(writer->out, ",\n\"%s\":[", row_columns[i].name);
        status = tracks_each(&writer->tracks, track, visit_run, &pass);
        fputc(']', writer->out);
    }
    fprintf(writer->out, ",\"length\":%" PRIu64 "}", pass.rows);
    return status;
}

/* ---- markers ---- */

struct marker_pass {
    const struct firefox *writer;
    void (*write)(const struct firefox *writer, const struct state_interval *interval);
    uint64_t count;
};

static enum status visit_interval(void *context, const struct state_interval *interval) {
    struct marker_pass *pass = context;
    if (pass->count++ > 0) {
        fputc(',', pass->writer->out);
    }
    pass->write(pass->writer, interval);
    return ferror(pass->writer->out) ? STATUS_NO_OUTPUT : STATUS_OK;
}

/* The name of its schema, and its fields. */
static void marker_data(const struct firefox *writer, const struct state_interval *interval) {
    fprintf(writer->out, "{\"type\":\"%s\",\"samples\":%" PRIu64, states[interval->state].name,
            interval->samples);
    if (interval->culprit != NULL) {
        struct buffer text = {0};
        culprit_append_holder(writer->trace, interval->culprit, &text);
        fputs(",\"holder\":", writer->out);
        json_write_take(writer->out, cJSON_CreateString(text.data));
        text.length = 0;
        culprit_append_place(writer->trace, interval->culprit, &text);
        fputs(",\"place\":", writer->out);
        json_write_take(writer->out, cJSON_CreateString(text.data));
        buffer_deinit(&text);
    }
    fputc('}', writer->out);
}

static void marker_name(const struct firefox *writer, const struct state_interval *interval) {
    fprintf(writer->out, "%" PRIu32, firefox_state_name(writer, interval->state));
}

static void marker_start(const struct firefox *writer, const struct state_interval *interval) {
    json_write_ms(writer->out, interval->start_ns);
}

static void marker_end(const struct firefox *writer, const struct state_interval *interval) {
    json_write_ms(writer->out, interval->end_ns);
}

static void marker_phase(const struct firefox *writer, const struct state_interval *interval) {
    (void)interval;
    fprintf(writer->out, "%d", PHASE_INTERVAL);
}

static void marker_category(const struct firefox *writer, const struct state_interval *interval) {
    fprintf(writer->out, "%zu", category_by_name(states[interval->state].category));
}

static const struct {
    const char *name;
    void (*write)(const struct firefox *writer, const struct state_interval *interval);
} marker_columns[] = {{"data", marker_data},       {"name", marker_name},
                      {"startTime", marker_start}, {"endTime", marker_end},
                      {"phase", marker_phase},     {"category", marker_category}};

/* The states of a task are among those of its thread. */
static enum status write_markers(const struct firefox *writer, const struct track *track) {
    enum status status = STATUS_OK;
    struct marker_pass pass = {0};
    const char *before = "\"markers\":{";
    for (size_t i = 0; i < sizeof marker_columns / sizeof marker_columns[0] && !status; i++) {
        pass = (struct marker_pass){.writer = writer, .write = marker_columns[i].write};
        fprintf(writer->out, "%s\"%s\":[", before, marker_columns[i].name);
        if (track_is_thread(track)) {
            status =
                states_each(writer->trace, &writer->culprits, track->thread, visit_interval, &pass);
        }
        before = "],\n";
    }
    fprintf(writer->out, "],\"length\":%" PRIu64 "}", pass.count);
    return status;
}

/* ---- threads ---- */

struct life {
    bool has_begun;
    uint64_t start_ns;
    uint64_t end_ns;
};

static enum status extend_life(void *context, const struct timeline_run *run) {
    struct life *life = context;
    life->start_ns = life->has_begun ? life->start_ns : run->start_ns;
    life->end_ns = run->start_ns + run->weight_ns;
    life->has_begun = true;
    return STATUS_OK;
}

static void add_process(cJSON *head, const struct trace *trace, struct thread_ref id) {
    char pid[16];
    const char *process = trace_string(trace, threads_process_name(trace, id));
    snprintf(pid, sizeof pid, "%" PRIu32, trace_thread(trace, id)->pid);
    cJSON_AddStringToObject(head, "pid", pid);
    cJSON_AddStringToObject(head, "processName", *process ? process : "?");
    cJSON_AddStringToObject(head, "processType", "default");
    json_add_count(head, "processStartupTime", 0);
    cJSON_AddNullToObject(head, "processShutdownTime");
}

/* Perfetto joins samples to threads by thread id alone: a task has one of its own. */
static void write_thread_head(const struct firefox *writer, const struct track *track,
                              const struct life *life) {
    struct buffer name = {0};
    cJSON *head = cJSON_CreateObject();
    tracks_append_name(&writer->tracks, track, &name);
    cJSON_AddStringToObject(head, "name", name.data);
    cJSON_AddFalseToObject(head, "isMainThread");
    json_add_count(head, "tid",
                   track_is_thread(track) ? trace_thread(writer->trace, track->thread)->tid
                                          : track->id);
    add_process(head, writer->trace, track->thread);
    json_add_ms(head, "registerTime", life->start_ns);
    json_add_ms(head, "unregisterTime", life->end_ns);
    cJSON_AddArrayToObject(head, "pausedRanges");
    json_write_open_take(writer->out, head);
    buffer_deinit(&name);
}

static enum status write_thread(const struct firefox *writer, const struct track *track) {
    struct life life = {0};
    enum status status = tracks_each(&writer->tracks, track, extend_life, &life);
    if (status) {
        return status;
    }
    write_thread_head(writer, track, &life);
    fputs(",\n", writer->out);
    status = write_samples(writer, track);
    if (status) {
        return status;
    }
    fputs(",\n", writer->out);
    status = write_markers(writer, track);
    fputc('}', writer->out);
    return status;
}

enum status firefox_write_threads(const struct firefox *writer) {
    enum status status = STATUS_OK;
    fputs("\"threads\":[", writer->out);
    for (size_t i = 0; i < writer->tracks.count && !status; i++) {
        fputs(i > 0 ? ",\n" : "\n", writer->out);
        status = write_thread(writer, &writer->tracks.rows[i]);
    }
    fputc(']', writer->out);
    return status;
}
