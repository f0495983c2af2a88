#include "profiler/dump/dump.h"

#include <stdio.h>

#include "profiler/dump/show.h"
#include "profiler/dump/task_tree.h"
#include "profiler/identity.h"
#include "profiler/report.h"

struct dumped {
    struct herd herd;
    struct dumped_tasks tasks; /* if they were asked for, of one process */
};

static bool wants_tasks(const struct options *options) {
    return options->is_async_aware && !options->follows;
}

static enum status take(const struct options *options, struct trace *trace, struct dumped *out,
                        struct error *error) {
    struct process process;
    const struct take_plan plan = {.filter = &options->filter,
                                   .is_blocking = options->is_blocking,
                                   .is_native = options->is_native,
                                   .has_locals = options->has_locals};
    enum status status = process_open(&process, options->pid, error);
    if (status != STATUS_OK) {
        return status;
    }
    trace->run.pid = (uint32_t)process.pid;
    identity_begin_run(trace, &process, options->mode, options->interval_ns);
    status = options->follows ? herd_take(&process, trace, &plan, &out->herd, error)
                              : herd_take_one(&process, trace, &plan, &out->herd, error);
    if (status == STATUS_OK && wants_tasks(options)) {
        status = task_tree_take(&process, trace, options->is_blocking, &out->tasks, error);
    }
    process_close(&process);
    return status;
}

static void append_json(const struct options *options, const struct trace *trace,
                        const struct dumped *dumped, struct buffer *out) {
    cJSON *json = options->follows ? show_herd_json(trace, &dumped->herd)
                                   : show_json(trace, &dumped->herd.processes[0]);
    if (wants_tasks(options)) {
        cJSON_AddItemToObject(json, "tasks", task_tree_json(trace, &dumped->tasks));
        cJSON_AddItemToObject(json, "cycles", task_tree_cycles_json(&dumped->tasks));
    }
    char *text = cJSON_PrintUnformatted(json);
    buffer_printf(out, "%s\n", text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(json);
}

static void append_text(const struct options *options, const struct trace *trace,
                        const struct dumped *dumped, struct buffer *out) {
    if (options->follows) {
        show_herd_text(trace, &dumped->herd, out);
    } else {
        show_text(trace, &dumped->herd.processes[0], out);
    }
    if (wants_tasks(options)) {
        task_tree_append(trace, &dumped->tasks, out);
    }
}

static enum status show(const struct options *options, const struct trace *trace,
                        const struct dumped *dumped, struct error *error) {
    struct buffer text = {0};
    (options->is_json ? append_json : append_text)(options, trace, dumped, &text);
    size_t written = fwrite(text.data, 1, text.length, stdout);
    bool is_whole = fflush(stdout) == 0 && written == text.length;
    buffer_deinit(&text);
    return is_whole ? STATUS_OK : error_set(error, STATUS_NO_OUTPUT, "writing to standard output");
}

int dump(const struct options *options) {
    struct trace trace;
    struct dumped dumped = {0};
    struct error error = {0};
    enum status status = trace_init(&trace, false, &error);
    if (status == STATUS_OK) {
        status = take(options, &trace, &dumped, &error);
    }
    if (status == STATUS_OK) {
        status = show(options, &trace, &dumped, &error);
    }
    herd_free(&dumped.herd);
    task_tree_free(&dumped.tasks);
    trace_deinit(&trace);
    return status == STATUS_OK ? (int)status_exit(status) : report_failure(&error);
}
