#include "profiler/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/buffer.h"
#include "profiler/base/text.h"

/* The detail may quote the target: a command line, a path. */
void report_error(const struct error *error) {
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

int report_failure(const struct error *error) {
    report_error(error);
    return (int)status_exit(error->status);
}

static double percent(uint64_t part, uint64_t whole) {
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static double pause_us(const struct trace *trace, double share) {
    return (double)histogram_quantile_ns(&trace->pauses, share) / 1e3;
}

static void print_processes(const struct trace *trace) {
    if (trace->processes.count > 1) {
        fprintf(stderr, " of %" PRIu32 " processes", trace->processes.count);
    }
}

static void print_pauses(const struct trace *trace) {
    if (trace->pauses.count > 0) {
        fprintf(stderr, "; stopped it for %.0f us (median), %.0f us (p99), %.0f us (max)",
                pause_us(trace, 0.5), pause_us(trace, 0.99), pause_us(trace, 1));
    }
}

/* Of how many tasks how many were looked at: fewer where there are too many for the time. */
static void print_tasks(const struct health *health) {
    if (health->tasks_there > 0) {
        fprintf(stderr, "; %.0f tasks a tick, %.*f %% of them looked at",
                (double)health->tasks_there / (double)health->ticks,
                health->tasks_seen < health->tasks_there,
                percent(health->tasks_seen, health->tasks_there));
    }
}

void report_quality(const struct trace *trace) {
    const struct health *health = &trace->health;
    double asked_hz = 1e9 / (double)trace->run.interval_ns;
    fprintf(stderr, "pyrometer: %" PRIu64 " samples", health->samples);
    print_processes(trace);
    fprintf(stderr,
            " in %.1f s at %.0f Hz (asked %.0f); lost %" PRIu64 ", late ticks %" PRIu64
            ", unverified %" PRIu64 " (%.2f %%)",
            (double)health->duration_ns / 1e9, health_rate_hz(health), asked_hz, health->lost,
            health->late, health->unverified, percent(health->unverified, health->samples));
    print_pauses(trace);
    print_tasks(health);
    fprintf(stderr, "; took %.1f %% of a CPU and %.1f MB\n",
            percent(health->cpu_ns, health->duration_ns), (double)health->rss_bytes / 1e6);
}
