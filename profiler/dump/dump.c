#include "profiler/dump/dump.h"

#include <stdio.h>

#include "profiler/dump/show.h"
#include "profiler/identity.h"
#include "profiler/report.h"

static enum status take(const struct options *options, struct trace *trace, struct herd *out,
                        struct error *error) {
    struct process process;
    const struct take_plan plan = {&options->filter, options->is_blocking, options->is_native};
    enum status status = process_open(&process, options->pid, error);
    if (status != STATUS_OK) {
        return status;
    }
    trace->run.pid = (uint32_t)process.pid;
    identity_begin_run(trace, &process, options->mode, options->interval_ns);
    status = options->follows ? herd_take(&process, trace, &plan, out, error)
                              : herd_take_one(&process, trace, &plan, out, error);
    process_close(&process);
    return status;
}

static void append_json(const struct options *options, const struct trace *trace,
                        const struct herd *herd, struct buffer *out) {
    cJSON *json =
        options->follows ? show_herd_json(trace, herd) : show_json(trace, &herd->processes[0]);
    char *text = cJSON_PrintUnformatted(json);
    buffer_printf(out, "%s\n", text != NULL ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(json);
}

static void append_text(const struct options *options, const struct trace *trace,
                        const struct herd *herd, struct buffer *out) {
    if (options->follows) {
        show_herd_text(trace, herd, out);
    } else {
        show_text(trace, &herd->processes[0], out);
    }
}

static enum status show(const struct options *options, const struct trace *trace,
                        const struct herd *herd, struct error *error) {
    struct buffer text = {0};
    (options->is_json ? append_json : append_text)(options, trace, herd, &text);
    size_t written = fwrite(text.data, 1, text.length, stdout);
    bool is_whole = fflush(stdout) == 0 && written == text.length;
    buffer_deinit(&text);
    return is_whole ? STATUS_OK : error_set(error, STATUS_NO_OUTPUT, "writing to standard output");
}

int dump(const struct options *options) {
    struct trace trace;
    struct herd herd = {0};
    struct error error = {0};
    enum status status = trace_init(&trace, false, &error);
    if (status == STATUS_OK) {
        status = take(options, &trace, &herd, &error);
    }
    if (status == STATUS_OK) {
        status = show(options, &trace, &herd, &error);
    }
    herd_free(&herd);
    trace_deinit(&trace);
    return status == STATUS_OK ? (int)status_exit(status) : report_failure(&error);
}
