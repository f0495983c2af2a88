/* Where the live view meets what it shows: as profiler/main.c does for the other verbs. */
#define _GNU_SOURCE
#include "profiler/top.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporters/exporter.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/identity.h"
#include "profiler/launch.h"
#include "profiler/model/window.h"
#include "profiler/output.h"
#include "profiler/report.h"
#include "profiler/sampler.h"
#include "profiler/signals.h"
#include "profiler/sources.h"
#include "profiler/successor.h"
#include "profiler/values.h"
#include "tui/screen.h"
#include "tui/viewer.h"

enum { MODES_MAX = 8, LOOK_OUT_MS = 250 };

struct live_view {
    const struct options *options;
    struct process *process; /* that is, or was last, sampled; the viewer's with the lock held */
    struct predecessor predecessor;
    uint64_t image_mark; /* of the process */
    bool is_next;        /* it is not the first one */
    struct trace trace;  /* the sampler's: names; what was sampled is in the window */
    struct window window;
    struct viewer *viewer;
    struct sampler_wishes wishes;
    struct sources sources;
    struct string_id mode_names[MODES_MAX]; /* by number in modes[] */
    uint64_t *cpus_ns;                      /* that each process had used, by its id in the trace */
    size_t cpu_capacity;
    uint64_t target_cpu_ns; /* all of them, when they were last looked at */
    bool was_quit;          /* by a key */
};

/* ---- the sampler's side ---- */

static enum status push(void *context, const struct sample *sample, struct error *error) {
    struct live_view *live = context;
    (void)error;
    window_push(&live->window, sample);
    return STATUS_OK;
}

/* CPU time of all processes of the run; of those that have ended as far as it was seen. */
static void note_cpu(struct live_view *live) {
    uint64_t sum_ns = 0;
    for (uint32_t id = 1; id <= live->trace.processes.count; id++) {
        const struct trace_process *row = table_row(&live->trace.processes, id);
        struct process process = {(pid_t)row->pid, -1, row->start_ticks};
        size_t known = live->cpu_capacity;
        if (id >= known) {
            live->cpus_ns = memory_grow(live->cpus_ns, sizeof *live->cpus_ns, id + (size_t)1,
                                        &live->cpu_capacity);
            memset(live->cpus_ns + known, 0, (live->cpu_capacity - known) * sizeof *live->cpus_ns);
        }
        uint64_t cpu_ns = process_cpu_ns(&process);
        live->cpus_ns[id] = cpu_ns > live->cpus_ns[id] ? cpu_ns : live->cpus_ns[id];
        sum_ns += live->cpus_ns[id];
    }
    live->target_cpu_ns = sum_ns;
}

static void note_target(struct live_view *live) {
    uint64_t mark = process_image_mark(live->process);
    if (mark != 0 && live->image_mark != 0 && mark != live->image_mark) {
        window_note_restart(&live->window);
    }
    live->image_mark = mark != 0 ? mark : live->image_mark;
    note_cpu(live);
}

static void tick(void *context, const struct health *health) {
    struct live_view *live = context;
    if (window_is_due(&live->window, health->duration_ns)) {
        note_target(live);
        window_offer(&live->window, live->target_cpu_ns);
    }
}

static void note_tasks(void *context, uint32_t pid, const struct roll_entry *entries, size_t count,
                       uint64_t now_ns) {
    struct live_view *live = context;
    window_note_tasks(&live->window, pid, entries, count, now_ns);
}

/* ---- the viewer's side: called from its thread ---- */

static bool wants_stop(void *context) {
    (void)context;
    return signals_want_stop();
}

/* A signal, so that the sampler's sleep ends. */
static void stop(void *context) {
    struct live_view *live = context;
    if (!signals_want_stop()) {
        live->was_quit = true;
        kill(getpid(), SIGTERM);
    }
}

struct saving {
    const struct exporter *exporter;
    const struct trace *trace;
    const char *path;
};

static enum status write_saving(const void *context, FILE *out, struct error *error) {
    const struct saving *saving = context;
    return exporter_write(saving->exporter, saving->path, saving->trace, out, error);
}

/* Writes a trace that has all that its format needs. */
static enum status write_trace(const struct live_view *live, const struct exporter *exporter,
                               struct trace *trace, const struct window_query *query,
                               const char *path, struct error *error) {
    struct saving saving = {exporter, trace, path};
    for (size_t i = 0; modes[i].name != NULL; i++) {
        if (modes[i].states == query->states) {
            trace->run.mode = live->mode_names[i];
        }
    }
    if (exporter->needs_sources && !live->options->no_source) {
        sources_capture(&live->sources, trace);
    }
    return output_write(path, write_saving, &saving, error);
}

/* The same of one with the order of samples, which has to be put together. */
static enum status write_ordered(const struct live_view *live, const struct exporter *exporter,
                                 const struct window_query *query, const char *path,
                                 bool *whole_out, struct error *error) {
    struct trace trace;
    enum status status = window_extract(&live->window, query, &trace, whole_out, error);
    if (status == STATUS_OK) {
        status = write_trace(live, exporter, &trace, query, path, error);
        trace_deinit(&trace);
    }
    return status;
}

static bool save(void *context, const struct window_query *query, const char *path, char *answer,
                 size_t bytes) {
    struct live_view *live = context;
    struct buffer expanded = {0};
    struct error error = {0};
    const struct exporter *exporter = exporter_by_path(path);
    bool is_whole = true;
    if (exporter == NULL || exporter->needs_base) {
        snprintf(answer, bytes,
                 exporter == NULL ? "No format goes with this extension."
                                  : "There is nothing to compare with.");
        return false;
    }
    output_expand_path(path, live->process->pid, clock_wall_ns(), &expanded);
    bool needs_order = exporter->needs_timeline || exporter->grows;
    enum status status =
        needs_order
            ? write_ordered(live, exporter, query, expanded.data, &is_whole, &error)
            : write_trace(live, exporter, &live->window.trace, query, expanded.data, &error);
    if (status == STATUS_OK) {
        snprintf(answer, bytes, "Written: %s%s", expanded.data,
                 is_whole ? "" : " (what is still known of the order of samples)");
    } else {
        snprintf(answer, bytes, "Not written: %s", error.detail);
    }
    buffer_deinit(&expanded);
    return status == STATUS_OK;
}

static bool set_rate(void *context, const char *rate, char *answer, size_t bytes) {
    struct live_view *live = context;
    uint64_t interval_ns;
    if (!values_parse_rate(rate, &interval_ns)) {
        snprintf(answer, bytes, "This is not a rate: 100, 10khz and 1mhz are.");
        return false;
    }
    live->wishes.interval_ns = interval_ns;
    snprintf(answer, bytes, "Looks every %" PRIu64 " us from now on.", interval_ns / NS_PER_US);
    return true;
}

static bool read_source(void *context, const char *file, struct buffer *out) {
    const struct live_view *live = context;
    size_t left_bytes = SOURCES_FILE_BYTES;
    return sources_read(&live->sources, file, &left_bytes, out);
}

static void want_opcodes(void *context) {
    struct live_view *live = context;
    live->wishes.opcodes = true;
}

static void want_tasks(void *context) {
    struct live_view *live = context;
    live->wishes.tasks = true;
}

static void want_stacks_by_task(void *context) {
    struct live_view *live = context;
    live->wishes.by_task = true;
}

/* ---- both ---- */

static enum status sample(struct live_view *live, enum sampler_end *end_out, struct error *error) {
    const struct options *options = live->options;
    const struct sink sinks[] = {{live, push, tick, true}};
    struct sampler_plan plan = {
        .interval_ns = live->trace.run.interval_ns,
        .duration_ns = options->duration_ns,
        .mode = &modes[0], /* the viewer chooses among all samples */
        .filter = options->filter,
        .is_blocking = options->is_blocking,
        .is_native = options->is_native,
        .hides_collector = options->hides_collector,
        .by_task = options->is_async_aware,
        .calls_roll = options->is_async_aware,
        .lists_opcodes = options->lists_opcodes,
        .wishes = &live->wishes,
        .keep_waiting = options->command != NULL || live->is_next,
        .follows = options->follows,
        .sinks = sinks,
        .sink_count = sizeof sinks / sizeof sinks[0],
        .tell_tasks = note_tasks,
        .context = live,
    };
    return sampler_run(live->process, &live->trace, &plan, end_out, error);
}

static int conclude(struct live_view *live, enum status status, const struct error *error) {
    const struct health *health = &live->trace.health;
    health_add(&live->trace.health, &live->window.open.before);
    struct error none = {0};
    if (status != STATUS_OK) {
        return live->was_quit ? 0 : report_failure(error);
    }
    if (health->samples == 0 && !live->was_quit) {
        error_set(&none, STATUS_NO_SAMPLE, "process %d, %" PRIu64 " looks", (int)live->process->pid,
                  health->ticks);
        none.os_errno = 0;
        return report_failure(&none);
    }
    if (!live->options->is_quiet && health->samples > 0) {
        report_quality(&live->trace);
    }
    return 0;
}

/* Waits for the next process that runs the same command, and goes over to it. False when the user
 * has had enough. */
static bool find_next(struct live_view *live) {
    struct process next;
    while (!successor_open(&live->predecessor, &next)) {
        if (signals_want_stop()) {
            return false;
        }
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_OUT_MS * NS_PER_MS);
    }
    window_lock(&live->window);
    process_close(live->process);
    sources_close(&live->sources);
    *live->process = next;
    sources_open(&live->sources, live->process);
    window_unlock(&live->window);
    live->predecessor.start_ticks = next.start_ticks;
    live->image_mark = 0;
    live->is_next = true;
    return true;
}

/* What was sampled stays, and more comes to it. */
static void begin_next(struct live_view *live) {
    window_continue(&live->window);
    live->trace.health = (struct health){0};
    live->trace.run.pid = (uint32_t)live->process->pid;
    window_note_restart(&live->window);
}

/* One process after the other, as long as there are to be more. */
static enum status sample_all(struct live_view *live, enum sampler_end *end_out,
                              struct error *error) {
    enum status status = sample(live, end_out, error);
    bool waits = live->options->waits_for_next;
    while (waits && *end_out == END_TARGET && (status == STATUS_OK || live->is_next)) {
        window_end(&live->window, live->target_cpu_ns, WINDOW_WAITS);
        if (!find_next(live)) {
            *end_out = END_ASKED;
            return STATUS_OK;
        }
        begin_next(live);
        status = sample(live, end_out, error);
    }
    return status;
}

/* The last picture of a target that has ended stays until the user has seen it. */
static int show(struct live_view *live, struct error *error) {
    enum sampler_end end = END_ASKED;
    enum status status = sample_all(live, &end, error);
    if (status == STATUS_OK) {
        window_end(&live->window, live->target_cpu_ns, WINDOW_ENDED);
    }
    if (status == STATUS_OK && end == END_TARGET && live->trace.health.samples > 0) {
        viewer_wait(live->viewer);
    }
    viewer_stop(live->viewer);
    signals_at_abort(NULL);
    return conclude(live, status, error);
}

static void intern_modes(struct live_view *live) {
    for (size_t i = 0; modes[i].name != NULL && i < MODES_MAX; i++) {
        const char *name = modes[i].name;
        live->mode_names[i] = trace_text(&live->trace, name, strlen(name));
    }
}

static int show_process(const struct options *options, struct process *process) {
    struct live_view live = {.options = options, .process = process};
    struct viewer_plan plan = {
        .window = &live.window,
        .wants_stop = wants_stop,
        .stop = stop,
        .save = save,
        .set_rate = set_rate,
        .read_source = read_source,
        .want_opcodes = want_opcodes,
        .want_tasks = want_tasks,
        .want_stacks_by_task = want_stacks_by_task,
        .mode = (int)(options->mode - modes),
        .context = &live,
    };
    struct error error = {0};
    int result;
    window_init(&live.window);
    if (trace_init(&live.trace, false, &error) != STATUS_OK) {
        result = report_failure(&error);
    } else {
        live.trace.run.pid = (uint32_t)process->pid;
        identity_begin_run(&live.trace, process, options->mode, options->interval_ns);
        intern_modes(&live);
        window_begin(&live.window, &live.trace);
        sources_open(&live.sources, process);
        predecessor_init(&live.predecessor, process);
        signals_at_abort(screen_restore);
        result = viewer_start(&plan, &live.viewer, &error) == STATUS_OK ? show(&live, &error)
                                                                        : report_failure(&error);
        sources_close(&live.sources);
        predecessor_deinit(&live.predecessor);
    }
    free(live.cpus_ns);
    trace_deinit(&live.trace);
    window_deinit(&live.window);
    return result;
}

static int show_pid(const struct options *options, pid_t pid) {
    struct process process;
    struct error error = {0};
    if (process_open(&process, pid, &error) != STATUS_OK) {
        return report_failure(&error);
    }
    int result = show_process(options, &process);
    process_close(&process);
    return result;
}

/* What the command says would tear the picture: it gets no terminal. */
static enum status launch_apart(char *const *command, pid_t *pid_out, struct error *error) {
    int kept[STDERR_FILENO + 1];
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        dup2(nowhere, fd);
    }
    enum status status = launch_start(command, pid_out, error);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
    close(nowhere);
    return status;
}

/* A command that was started for the view ends with it. */
static int show_command(const struct options *options) {
    struct error error = {0};
    pid_t pid;
    if (launch_apart(options->command, &pid, &error) != STATUS_OK) {
        return report_failure(&error);
    }
    int result = show_pid(options, pid);
    kill(pid, SIGTERM);
    launch_wait(pid);
    return result;
}

int top(struct options *options) {
    return options->command != NULL ? show_command(options) : show_pid(options, options->pid);
}
