#include "profiler/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/model/compare.h"
#include "profiler/options.h"
#include "profiler/outputs.h"
#include "profiler/recording/reader.h"
#include "profiler/recording/selection.h"
#include "profiler/report.h"

/* What the file does not hold is said, however quiet: the profile is not all of it. */
static void tell_cut(const struct reading *reading) {
    double end_s = (double)reading->end_ns / 1e9;
    if (reading->is_cut) {
        fprintf(stderr,
                "pyrometer: the recording ends in the middle of a chunk; shown up to %.3f s\n",
                end_s);
    } else if (!reading->is_finished) {
        fprintf(stderr,
                "pyrometer: the recording has no end: it still grows, or its profiler was killed; "
                "shown up to %.3f s\n",
                end_s);
    }
}

/* For --fail-above: names the function that takes most more of the time, if that is too much. */
static enum status check_growth(const struct trace *trace, double limit, struct error *error) {
    struct comparison *rows;
    const struct comparison *worst = NULL;
    enum status status;
    size_t count = compare_functions(trace->base, trace, &rows, &status);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        double growth = change_growth(&rows[i].self);
        bool is_more = growth > limit && change_is_distinct(&rows[i].self);
        worst = is_more && (!worst || growth > change_growth(&worst->self)) ? &rows[i] : worst;
    }
    if (worst != NULL) {
        const struct trace_function *function = trace_function(trace, worst->fresh);
        status = error_set(error, STATUS_SLOWER,
                           "%s (%s) takes %.2f %% more of the time, +/- %.2f; at most %.2f may be",
                           trace_string(trace, function->name), trace_string(trace, function->file),
                           100 * change_growth(&worst->self),
                           50 * (worst->self.high - worst->self.low), 100 * limit);
        error->os_errno = 0;
    }
    free(rows);
    return status;
}

/* Writes what was selected. Returns the exit status. */
static int show(const struct options *options, struct trace *trace, struct error *error) {
    struct outputs outputs;
    outputs_init(&outputs, options, trace);
    int result = EXIT_DONE;
    if (outputs_prepare(&outputs, (int)trace->run.pid, error) != STATUS_OK) {
        result = report_failure(error);
    } else {
        outputs_write_all(&outputs);
        result = (int)status_exit(outputs.status);
    }
    if (result == EXIT_DONE && options->fail_above > 0 &&
        check_growth(trace, options->fail_above, error) != STATUS_OK) {
        result = report_failure(error);
    }
    outputs_deinit(&outputs);
    if (result == EXIT_DONE && trace->health.samples == 0) {
        error_set(error, STATUS_NO_SELECTED, "%s", options->recording_path);
        error->os_errno = 0;
        result = report_failure(error);
    } else if (result == EXIT_DONE && !options->is_quiet) {
        report_quality(trace);
    }
    return result;
}

static int show_selected(const struct options *options, const struct trace *all,
                         const struct reading *reading, struct error *error) {
    struct trace selected;
    bool has_timeline = outputs_need_timeline(options, false);
    enum status status = trace_init(&selected, has_timeline, error);
    if (status == STATUS_OK) {
        status = selection_apply(&options->selection, all, reading, &selected, error);
    }
    int result = status == STATUS_OK ? show(options, &selected, error) : report_failure(error);
    trace_deinit(&selected);
    return result;
}

int replay(const struct options *options) {
    struct trace trace;
    struct reading reading = {0};
    struct error error = {0};
    bool is_all = selection_is_all(&options->selection);
    enum status status =
        trace_init(&trace, !is_all || outputs_need_timeline(options, false), &error);
    if (status == STATUS_OK) {
        status = reader_read_path(options->recording_path, options->mode, &trace, &reading, &error);
    }
    int result;
    if (status != STATUS_OK) {
        result = report_failure(&error);
    } else {
        tell_cut(&reading);
        result = is_all ? show(options, &trace, &error)
                        : show_selected(options, &trace, &reading, &error);
    }
    reading_deinit(&reading);
    trace_deinit(&trace);
    return result;
}
