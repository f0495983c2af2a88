#include "profiler/dump/dump.h"

#include <stdio.h>

#include "profiler/dump/show.h"
#include "profiler/identity.h"
#include "profiler/report.h"

static enum status take(const struct options *options, struct trace *trace,
                        struct dumped_process *out, struct error *error) {
    struct process process;
    const struct take_plan plan = {&options->filter, options->is_blocking};
    enum status status = process_open(&process, options->pid, error);
    if (status != STATUS_OK) {
        return status;
    }
    trace->run.pid = (uint32_t)process.pid;
    identity_begin_run(trace, &process, options->mode, options->interval_ns);
    status = take_process(&process, trace, &plan, out, error);
    process_close(&process);
    return status;
}

static void append_json(const struct trace *trace, const struct dumped_process *dumped,
                        struct buffer *out) {
    cJSON *json = show_json(trace, dumped);
    char *text = cJSON_PrintUnformatted(json);
    buffer_printf(out, "%s\n", text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(json);
}

static enum status show(const struct options *options, const struct trace *trace,
                        const struct dumped_process *dumped, struct error *error) {
    struct buffer text = {0};
    if (options->is_json) {
        append_json(trace, dumped, &text);
    } else {
        show_text(trace, dumped, &text);
    }
    size_t written = fwrite(text.data, 1, text.length, stdout);
    bool is_whole = fflush(stdout) == 0 && written == text.length;
    buffer_deinit(&text);
    return is_whole ? STATUS_OK : error_set(error, STATUS_NO_OUTPUT, "writing to standard output");
}

int dump(const struct options *options) {
    struct trace trace;
    struct dumped_process dumped = {0};
    struct error error = {0};
    enum status status = trace_init(&trace, false, &error);
    if (status == STATUS_OK) {
        status = take(options, &trace, &dumped, &error);
    }
    if (status == STATUS_OK) {
        status = show(options, &trace, &dumped, &error);
    }
    take_free(&dumped);
    trace_deinit(&trace);
    return status == STATUS_OK ? (int)status_exit(status) : report_failure(&error);
}
