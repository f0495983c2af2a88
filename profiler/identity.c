#define _GNU_SOURCE
#include "profiler/identity.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "reader/symbols.h"

static struct string_id take(struct trace *trace, struct buffer *text) {
    struct string_id id = trace_text(trace, text->data, text->length);
    buffer_deinit(text);
    return id;
}

static struct string_id host_name(struct trace *trace) {
    char name[HOST_NAME_MAX + 1] = "";
    gethostname(name, sizeof name - 1);
    return trace_text(trace, name, strlen(name));
}

void identity_begin_run(struct trace *trace, const struct process *process, const struct mode *mode,
                        uint64_t interval_ns) {
    static const char profiler[] = "pyrometer " PYROMETER_VERSION;
    struct buffer name = {0};
    struct buffer command = {0};
    process_name(process, &name);
    process_command(process, &command);
    trace->run.process_name = take(trace, &name);
    trace->run.command = take(trace, &command);
    trace->run.mode = trace_text(trace, mode->name, strlen(mode->name));
    trace->run.profiler = trace_text(trace, profiler, sizeof profiler - 1);
    trace->run.interval_ns = interval_ns;
    trace->run.host = host_name(trace);
}

static struct string_id build_id_of(struct trace *trace, const struct process *process,
                                    const struct runtime *runtime) {
    struct buffer text = {0};
    struct maps maps;
    if (maps_read(process, &maps, NULL) == STATUS_OK) {
        symbols_append_build_id(process, &maps, runtime->address.addr, &text);
        maps_free(&maps);
    }
    return take(trace, &text);
}

/* What may be another in each process, whatever program it runs. */
static struct trace_process row_of(struct trace *trace, const struct process *process) {
    struct buffer name = {0};
    struct buffer command = {0};
    process_name(process, &name);
    process_command(process, &command);
    return (struct trace_process){
        .pid = (uint32_t)process->pid,
        .start_ticks = process->start_ticks,
        .parent_pid = (uint32_t)process_parent(process),
        .name = take(trace, &name),
        .command = take(trace, &command),
    };
}

uint32_t identity_note(struct trace *trace, const struct process *process,
                       const struct runtime *runtime) {
    struct buffer executable = {0};
    process_executable(process, &executable);
    struct trace_process row = row_of(trace, process);
    row.executable = take(trace, &executable);
    row.build_id = build_id_of(trace, process, runtime);
    row.python_version = trace_text(trace, runtime->version, strlen(runtime->version));
    if (trace->run.python_version.id == 0 || row.pid == trace->run.pid) {
        trace->run.python_version = row.python_version;
    }
    return trace_intern_process(trace, &row);
}

uint32_t identity_note_fork(struct trace *trace, const struct process *process, uint32_t parent) {
    struct trace_process row = row_of(trace, process);
    const struct trace_process *known = table_row(&trace->processes, parent);
    row.executable = known->executable;
    row.build_id = known->build_id;
    row.python_version = known->python_version;
    return trace_intern_process(trace, &row);
}
