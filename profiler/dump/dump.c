#include "profiler/dump/dump.h"

#include <stdio.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/dump/show.h"
#include "profiler/dump/task_tree.h"
#include "profiler/identity.h"
#include "profiler/report.h"

struct dumped {
    struct herd herd;
    struct dumped_tasks *tasks; /* of each process of the herd, if they were asked for; else NULL */
    bool *has_tasks;            /* whether they could be read */
};

/* Of a tree whoever is gone meanwhile, or cannot be read, has none. */
static enum status take_tasks(const struct options *options, struct trace *trace,
                              struct dumped *out, struct error *error) {
    size_t count = out->herd.count;
    enum status status = STATUS_OK;
    out->tasks = memory_zeroed(count, sizeof *out->tasks);
    out->has_tasks = memory_zeroed(count, sizeof *out->has_tasks);
    for (size_t i = 0; i < count; i++) {
        struct process process;
        status = process_open(&process, (pid_t)out->herd.processes[i].pid, error);
        if (status == STATUS_OK) {
            status = task_tree_take(&process, trace, options->is_blocking, &out->tasks[i], error);
            process_close(&process);
        }
        out->has_tasks[i] = status == STATUS_OK;
    }
    return options->follows ? STATUS_OK : status;
}

static void free_dumped(struct dumped *dumped) {
    for (size_t i = 0; dumped->tasks != NULL && i < dumped->herd.count; i++) {
        task_tree_free(&dumped->tasks[i]);
    }
    free(dumped->tasks);
    free(dumped->has_tasks);
    herd_free(&dumped->herd);
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
    process_close(&process);
    bool has_tasks = status == STATUS_OK && options->is_async_aware;
    return has_tasks ? take_tasks(options, trace, out, error) : status;
}

static void add_tasks(const struct trace *trace, const struct dumped *dumped, size_t index,
                      cJSON *process) {
    if (dumped->tasks != NULL && dumped->has_tasks[index]) {
        const struct dumped_tasks *tasks = &dumped->tasks[index];
        cJSON_AddItemToObject(process, "tasks", task_tree_json(trace, tasks));
        cJSON_AddItemToObject(process, "cycles", task_tree_cycles_json(tasks));
    }
}

static cJSON *tree_json(const struct trace *trace, const struct dumped *dumped) {
    cJSON *json = show_herd_json(trace, &dumped->herd);
    size_t index = 0;
    cJSON *process;
    cJSON_ArrayForEach(process, cJSON_GetObjectItem(json, "processes")) {
        add_tasks(trace, dumped, index++, process);
    }
    return json;
}

static void append_json(const struct options *options, const struct trace *trace,
                        const struct dumped *dumped, struct buffer *out) {
    cJSON *json =
        options->follows ? tree_json(trace, dumped) : show_json(trace, &dumped->herd.processes[0]);
    if (!options->follows) {
        add_tasks(trace, dumped, 0, json);
    }
    char *text = cJSON_PrintUnformatted(json);
    buffer_printf(out, "%s\n", text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(json);
}

/* Of a tree only those that have some. */
static void append_tasks(const struct options *options, const struct trace *trace,
                         const struct dumped *dumped, struct buffer *out) {
    for (size_t i = 0; dumped->tasks != NULL && i < dumped->herd.count; i++) {
        const struct dumped_tasks *tasks = &dumped->tasks[i];
        if (!options->follows) {
            task_tree_append(trace, tasks, out);
        } else if (dumped->has_tasks[i] && tasks->count > 0) {
            buffer_printf(out, "\nProcess %u", dumped->herd.processes[i].pid);
            task_tree_append(trace, tasks, out);
        } else if (!dumped->has_tasks[i]) {
            buffer_printf(out, "\nProcess %u\nTasks: not known\n", dumped->herd.processes[i].pid);
        }
    }
}

static void append_text(const struct options *options, const struct trace *trace,
                        const struct dumped *dumped, struct buffer *out) {
    if (options->follows) {
        show_herd_text(trace, &dumped->herd, out);
    } else {
        show_text(trace, &dumped->herd.processes[0], out);
    }
    append_tasks(options, trace, dumped, out);
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
    free_dumped(&dumped);
    trace_deinit(&trace);
    return status == STATUS_OK ? (int)status_exit(status) : report_failure(&error);
}
