/* An output format: a trace in, bytes out.
 *
 * To add a format: a file exporters/<name>.c that ends in one `const struct exporter`, and one line
 * in exporters/all.c. --format, --help, the choice by file extension and the golden test follow
 * from the list. */
#ifndef PYROMETER_EXPORTERS_EXPORTER_H
#define PYROMETER_EXPORTERS_EXPORTER_H

#include <stdbool.h>
#include <stdio.h>

#include "profiler/base/status.h"
#include "profiler/model/trace.h"

struct exporter {
    const char *name;              /* for --format; lower case */
    const char *const *aliases;    /* other names for --format, NULL-terminated; NULL if none */
    const char *const *extensions; /* with the dot, NULL-terminated, e.g. ".collapsed" */
    const char *help;              /* one line for --help */
    bool needs_timeline;           /* trace->timeline must be there */
    bool needs_sources;            /* trace->sources is used as far as it is filled */
    bool grows;      /* written as samples come, by profiler/recording/writer.h; write()
                        is for a trace that is there already */
    bool needs_base; /* trace->base must be there, with a timeline of its own */
    bool gzips;      /* compressed when the path ends in ".gz" */

    /* Writes `trace` to `out`. The caller opens, flushes, checks and closes `out`: a failed write
     * may be left for it to find with ferror(). Returns a status of its own for anything else.
     * Must not keep more in memory than the trace's own size, however long the run was. */
    enum status (*write)(const struct trace *trace, FILE *out, struct error *error);
};

/* Every format, NULL-terminated, in the order --help shows them. */
extern const struct exporter *const exporters[];

/* Writes `trace` to `out`, compressed where the format does that and `path` asks for it. Returns as
 * exporter.write does. */
enum status exporter_write(const struct exporter *exporter, const char *path,
                           const struct trace *trace, FILE *out, struct error *error) MUST_CHECK;

/* By name or alias; NULL if there is none. */
const struct exporter *exporter_by_name(const char *name);
/* By the longest extension that `path` ends in; NULL if there is none. */
const struct exporter *exporter_by_path(const char *path);

#endif
