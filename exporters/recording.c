/* A recording: everything there is, for `replay` and `diff` (profiler/recording/format.md). */
#include "exporters/exporter.h"
#include "profiler/recording/writer.h"

static enum status recording_write(const struct trace *trace, FILE *out, struct error *error) {
    enum status status = writer_write_trace(trace, out);
    return status == STATUS_OK ? status
                               : error_set(error, status, "reading the order of samples back");
}

static const char *const aliases[] = {"binary", NULL};
static const char *const extensions[] = {".pyro", NULL};

const struct exporter exporter_recording = {
    .name = "recording",
    .aliases = aliases,
    .extensions = extensions,
    .help = "everything, for 'replay'; it grows while the profile is taken",
    .needs_timeline = true,
    .needs_sources = true,
    .grows = true,
    .write = recording_write,
};
