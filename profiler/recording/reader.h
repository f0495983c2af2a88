/* Reading a recording: a file or a pipe becomes a trace. Nothing in the file is trusted: every id,
 * count and size is checked, and what it may cost is bounded by what there is of it (format.h). */
#ifndef PYROMETER_RECORDING_READER_H
#define PYROMETER_RECORDING_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/base/status.h"
#include "profiler/model/mode.h"
#include "profiler/model/trace.h"

/* The counts as they were at one time of the run: after each chunk with samples. */
struct reader_mark {
    uint64_t time_ns; /* health.duration_ns, or the time of the last sample if that is later */
    struct health health;
};

struct reading {
    bool is_finished; /* the recording was ended by who wrote it: else it grows, or was cut short */
    bool is_cut;      /* the file ends within a chunk */
    uint64_t end_ns;  /* up to when it goes */
    struct reader_mark *marks; /* in order of time; free() */
    size_t mark_count;
};

/* Fills a trace, which was initialised, with or without a timeline, and is empty, with the samples
 * that count in `mode`; NULL: in the mode that it was recorded in. A recording that
 * was not finished is shown up to its last whole chunk. BAD_RECORDING says what is wrong and where;
 * NO_OUTPUT when the timeline cannot grow. `*out` needs reading_deinit in any case. */
enum status reader_read(FILE *in, const struct mode *mode, struct trace *trace, struct reading *out,
                        struct error *error) MUST_CHECK;
void reading_deinit(struct reading *reading);

/* The same of a file by its path; "-" is standard input. Messages name the path. */
enum status reader_read_path(const char *path, const struct mode *mode, struct trace *trace,
                             struct reading *out, struct error *error) MUST_CHECK;

#endif
