/* Where everything meets: the only file that knows the target, the outputs and the screen. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "exporters/exporter.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/dump.h"
#include "profiler/launch.h"
#include "profiler/model/live.h"
#include "profiler/options.h"
#include "profiler/output.h"
#include "profiler/sampler.h"
#include "profiler/signals.h"
#include "tui/progress.h"

/* ---- words for the user ---- */

/* The detail may quote the target: a command line, a path. */
static void print_error(const struct error *error) {
    const char *hint = status_hint(error->status);
    struct buffer line = {0};
    struct buffer detail = {0};
    buffer_printf(&line, "pyrometer: %s: ", status_sentence(error->status));
    buffer_append_utf8(&detail, error->detail, strlen(error->detail));
    text_append_escaped(&line, detail.length > 0 ? detail.data : "", "");
    if (error->os_errno != 0) {
        buffer_printf(&line, ": %s", strerror(error->os_errno));
    }
    if (error->address != 0) {
        buffer_printf(&line, " (at 0x%" PRIx64 " in the process)", error->address);
    }
    fprintf(stderr, "%s%s%s\n", line.data, *hint != '\0' ? "; " : "", hint);
    buffer_deinit(&detail);
    buffer_deinit(&line);
}

static int fail(const struct error *error) {
    print_error(error);
    return (int)status_exit(error->status);
}

static double percent(uint64_t part, uint64_t whole) {
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static double pause_us(const struct trace *trace, double share) {
    return (double)histogram_quantile_ns(&trace->pauses, share) / 1e3;
}

static void print_pauses(const struct trace *trace) {
    if (trace->pauses.count > 0) {
        fprintf(stderr, "; stopped it for %.0f us (median), %.0f us (p99), %.0f us (max)",
                pause_us(trace, 0.5), pause_us(trace, 0.99), pause_us(trace, 1));
    }
}

/* The closing line: how good the profile is, in one sentence. */
static void print_quality(const struct trace *trace) {
    const struct health *health = &trace->health;
    double asked_hz = 1e9 / (double)trace->run.interval_ns;
    fprintf(stderr,
            "pyrometer: %" PRIu64 " samples in %.1f s at %.0f Hz (asked %.0f); lost %" PRIu64
            ", late ticks %" PRIu64 ", unverified %" PRIu64 " (%.2f %%)",
            health->samples, (double)health->duration_ns / 1e9, health_rate_hz(health), asked_hz,
            health->lost, health->late, health->unverified,
            percent(health->unverified, health->samples));
    print_pauses(trace);
    fprintf(stderr, "; took %.1f %% of a CPU and %.1f MB\n",
            percent(health->cpu_ns, health->duration_ns), (double)health->rss_bytes / 1e6);
}

/* ---- outputs ---- */

struct profile {
    struct options *options;
    struct trace trace;
    struct live live;
    struct buffer *paths;      /* of the outputs, expanded */
    enum status output_status; /* the first failure to write */
};

struct export_job {
    const struct exporter *exporter;
    const char *path;
    const struct trace *trace;
};

static enum status write_export(const void *context, FILE *out, struct error *error) {
    const struct export_job *job = context;
    return exporter_write(job->exporter, job->path, job->trace, out, error);
}

static double seconds(uint64_t duration_ns) {
    return (double)duration_ns / (double)NS_PER_S;
}

/* How long the target was stopped: figures of all pauses, and those buckets that hold any. */
static cJSON *pauses_json(const struct histogram *pauses) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "count", (double)pauses->count);
    cJSON_AddNumberToObject(json, "total_s", seconds(pauses->sum_ns));
    cJSON_AddNumberToObject(json, "median_s", seconds(histogram_quantile_ns(pauses, 0.5)));
    cJSON_AddNumberToObject(json, "p99_s", seconds(histogram_quantile_ns(pauses, 0.99)));
    cJSON_AddNumberToObject(json, "max_s", seconds(pauses->max_ns));
    cJSON *buckets = cJSON_AddArrayToObject(json, "buckets");
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (pauses->buckets[i] > 0) {
            cJSON *bucket = cJSON_CreateObject();
            cJSON_AddNumberToObject(bucket, "from_s", seconds(histogram_bucket_start_ns(i)));
            cJSON_AddNumberToObject(bucket, "to_s", seconds(histogram_bucket_start_ns(i + 1)));
            cJSON_AddNumberToObject(bucket, "count", (double)pauses->buckets[i]);
            cJSON_AddItemToArray(buckets, bucket);
        }
    }
    return json;
}

static enum status write_stats(const void *context, FILE *out, struct error *error) {
    const struct trace *trace = context;
    const struct health *health = &trace->health;
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"ticks", (double)health->ticks},
        {"samples", (double)health->samples},
        {"rate_hz", health_rate_hz(health)},
        {"requested_hz", 1e9 / (double)trace->run.interval_ns},
        {"lost", (double)health->lost},
        {"late", (double)health->late},
        {"unverified", (double)health->unverified},
        {"truncated", (double)health->truncated},
        {"empty", (double)health->empty},
        {"threads", trace->threads.count},
        {"duration_s", (double)health->duration_ns / 1e9},
        {"cpu_s", (double)health->cpu_ns / 1e9},
        {"rss_bytes", (double)health->rss_bytes},
        {"read_calls", (double)health->read_calls},
        {"read_bytes", (double)health->read_bytes},
        {"pid", trace->run.pid},
    };
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cJSON_AddNumberToObject(json, rows[i].name, rows[i].value);
    }
    cJSON_AddStringToObject(json, "version", trace_string(trace, trace->run.python_version));
    if (trace->pauses.count > 0) {
        cJSON_AddItemToObject(json, "pauses", pauses_json(&trace->pauses));
    }
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (text == NULL) {
        return error_set(error, STATUS_INTERNAL, "printing the statistics");
    }
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    return STATUS_OK;
}

/* Writes one file; a failure is told at once and remembered, and the others are still written. */
static void write_one(struct profile *profile, const char *path, output_content *content,
                      const void *context) {
    struct error error = {0};
    enum status status = output_write(path, content, context, &error);
    if (status != STATUS_OK) {
        print_error(&error);
        if (profile->output_status == STATUS_OK) {
            profile->output_status = status;
        }
    }
}

static void write_outputs(void *context) {
    struct profile *profile = context;
    const struct options *options = profile->options;
    for (size_t i = 0; i < options->output_count; i++) {
        const char *path = profile->paths[i].data;
        struct export_job job = {options->outputs[i].exporter, path, &profile->trace};
        write_one(profile, path, write_export, &job);
    }
    if (options->stats_path != NULL) {
        write_one(profile, options->stats_path, write_stats, &profile->trace);
    }
}

static bool needs_timeline(const struct options *options) {
    for (size_t i = 0; i < options->output_count; i++) {
        if (options->outputs[i].exporter->needs_timeline) {
            return true;
        }
    }
    return false;
}

/* Expands the paths for a PID, and asks whether they can be written to. */
static enum status prepare_outputs(struct profile *profile, int pid, struct error *error) {
    const struct options *options = profile->options;
    enum status status =
        options->stats_path != NULL ? output_check(options->stats_path, error) : STATUS_OK;
    for (size_t i = 0; i < options->output_count && status == STATUS_OK; i++) {
        buffer_clear(&profile->paths[i]);
        output_expand_path(options->outputs[i].path, pid, clock_wall_ns(), &profile->paths[i]);
        status = output_check(profile->paths[i].data, error);
    }
    return status;
}

static enum status profile_init(struct profile *profile, struct options *options,
                                struct error *error) {
    *profile = (struct profile){.options = options};
    profile->paths = memory_zeroed(options->output_count, sizeof *profile->paths);
    return trace_init(&profile->trace, needs_timeline(options), error);
}

static void profile_deinit(struct profile *profile) {
    for (size_t i = 0; i < profile->options->output_count; i++) {
        buffer_deinit(&profile->paths[i]);
    }
    free(profile->paths);
    trace_deinit(&profile->trace);
}

/* ---- profiling ---- */

static void describe_run(struct trace *trace, const struct options *options,
                         const struct process *process) {
    struct buffer name = {0};
    struct buffer command = {0};
    static const char profiler[] = "pyrometer " PYROMETER_VERSION;
    process_name(process, &name);
    process_command(process, &command);
    trace->run.process_name = trace_text(trace, name.data, name.length);
    trace->run.command = trace_text(trace, command.data, command.length);
    trace->run.mode = trace_text(trace, options->mode->name, strlen(options->mode->name));
    trace->run.profiler = trace_text(trace, profiler, sizeof profiler - 1);
    trace->run.interval_ns = options->interval_ns;
    buffer_deinit(&name);
    buffer_deinit(&command);
}

static enum status push_to_trace(void *context, const struct sample *sample, struct error *error) {
    return trace_add(context, sample, error);
}

static void offer_counts(void *context, const struct health *health) {
    live_offer(context, health);
}

static enum status sample(struct profile *profile, const struct process *process,
                          struct error *error) {
    const struct options *options = profile->options;
    const struct sink sinks[] = {
        {&profile->trace, push_to_trace, NULL},
        {&profile->live, NULL, offer_counts},
    };
    struct sampler_plan plan = {
        .interval_ns = options->interval_ns,
        .duration_ns = options->duration_ns,
        .mode = options->mode,
        .filter = options->filter,
        .is_blocking = options->is_blocking,
        .lists_opcodes = options->lists_opcodes,
        .keep_waiting = options->verb == VERB_RUN,
        .sinks = sinks,
        .sink_count = sizeof sinks / sizeof sinks[0],
        .write_now = write_outputs,
        .context = profile,
    };
    enum sampler_end end;
    live_init(&profile->live);
    struct progress *progress = options->is_quiet ? NULL : progress_start(&profile->live);
    enum status status = sampler_run(process, &profile->trace, &plan, &end, error);
    progress_stop(progress);
    live_deinit(&profile->live);
    return status;
}

/* What is left to say and write once sampling has ended. Returns the exit status. */
static int conclude(struct profile *profile, enum status sampled, const struct error *error) {
    const struct health *health = &profile->trace.health;
    struct error none = {0};
    if (sampled != STATUS_OK) {
        return fail(error);
    }
    if (health->samples == 0) {
        error_set(&none, STATUS_NO_SAMPLE,
                  "process %u, %" PRIu64 " looks, of which %" PRIu64
                  " at threads without Python code and %" PRIu64 " failed",
                  profile->trace.run.pid, health->ticks, health->empty, health->lost);
        none.os_errno = 0;
        write_outputs(profile);
        return fail(&none);
    }
    write_outputs(profile);
    if (!profile->options->is_quiet) {
        print_quality(&profile->trace);
    }
    return (int)status_exit(profile->output_status);
}

/* Profiles a process that was opened, and writes everything. Returns the exit status. */
static int profile_process(struct profile *profile, const struct process *process) {
    struct error error = {0};
    profile->trace.run.pid = (uint32_t)process->pid;
    if (prepare_outputs(profile, (int)process->pid, &error) != STATUS_OK) {
        return fail(&error);
    }
    describe_run(&profile->trace, profile->options, process);
    enum status status = sample(profile, process, &error);
    return conclude(profile, status, &error);
}

/* ---- the verbs ---- */

static int attach(struct profile *profile) {
    struct process process;
    struct error error = {0};
    if (process_open(&process, profile->options->pid, &error) != STATUS_OK) {
        return fail(&error);
    }
    int result = profile_process(profile, &process);
    process_close(&process);
    return result;
}

/* The command is not started if its profile could not be written. Its exit status counts, unless it
 * did well and we did not. */
static int run(struct profile *profile) {
    struct process process;
    struct error error = {0};
    pid_t pid;
    if (prepare_outputs(profile, (int)getpid(), &error) != STATUS_OK ||
        launch_start(profile->options->command, &pid, &error) != STATUS_OK) {
        return fail(&error);
    }
    int result;
    if (process_open(&process, pid, &error) == STATUS_OK) {
        result = profile_process(profile, &process);
        process_close(&process);
    } else {
        result = fail(&error);
    }
    int command_result = launch_wait(pid);
    return command_result != 0 ? command_result : result;
}

static int with_profile(struct options *options, int (*verb)(struct profile *)) {
    struct profile profile;
    struct error error = {0};
    int result =
        profile_init(&profile, options, &error) == STATUS_OK ? verb(&profile) : fail(&error);
    profile_deinit(&profile);
    return result;
}

static int dump(struct options *options) {
    struct process process;
    struct trace trace;
    struct error error = {0};
    struct dumped_thread *threads;
    size_t count;
    if (process_open(&process, options->pid, &error) != STATUS_OK ||
        trace_init(&trace, false, &error) != STATUS_OK) {
        return fail(&error);
    }
    trace.run.pid = (uint32_t)process.pid;
    describe_run(&trace, options, &process);
    int result = EXIT_DONE;
    if (dump_take(&process, &trace, &options->filter, options->is_blocking, &threads, &count,
                  &error) != STATUS_OK) {
        result = fail(&error);
    } else if (options->is_json) {
        dump_print_json(&trace, threads, count, stdout);
    } else {
        dump_print_text(&trace, threads, count, stdout);
    }
    if (fflush(stdout) != 0 && result == EXIT_DONE) {
        error_set(&error, STATUS_NO_OUTPUT, "writing to standard output");
        result = fail(&error);
    }
    free(threads);
    trace_deinit(&trace);
    process_close(&process);
    return result;
}

int main(int argc, char **argv) {
    struct options options;
    struct error error = {0};
    setlocale(LC_CTYPE, "");
    signals_install();
    if (options_parse(&options, argc, argv, &error) != STATUS_OK) {
        error.os_errno = 0;
        options_free(&options);
        return fail(&error);
    }
    int result = EXIT_DONE;
    switch (options.verb) {
    case VERB_ATTACH: result = with_profile(&options, attach); break;
    case VERB_RUN: result = with_profile(&options, run); break;
    case VERB_DUMP: result = dump(&options); break;
    case VERB_HELP: options_print_help(options.help_verb, stdout); break;
    case VERB_VERSION: puts("pyrometer " PYROMETER_VERSION); break;
    }
    options_free(&options);
    return result;
}
