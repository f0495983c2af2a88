#include <string.h>

#include "exporters/exporter.h"
#include "exporters/gzip.h"

extern const struct exporter exporter_table;
extern const struct exporter exporter_collapsed;
extern const struct exporter exporter_flamegraph;
extern const struct exporter exporter_svg;
extern const struct exporter exporter_speedscope;
extern const struct exporter exporter_firefox;
extern const struct exporter exporter_heatmap;
extern const struct exporter exporter_pprof;
extern const struct exporter exporter_chrome;
extern const struct exporter exporter_jsonl;
extern const struct exporter exporter_pstats;
extern const struct exporter exporter_recording;
extern const struct exporter exporter_diff;

/* A line each. */
// clang-format off
const struct exporter *const exporters[] = {
    &exporter_table,
    &exporter_collapsed,
    &exporter_flamegraph,
    &exporter_svg,
    &exporter_speedscope,
    &exporter_firefox,
    &exporter_heatmap,
    &exporter_pprof,
    &exporter_chrome,
    &exporter_jsonl,
    &exporter_pstats,
    &exporter_recording,
    &exporter_diff,
    NULL,
};
// clang-format on

/* Whether `path` ends in `extension`. */
static bool has_extension(const char *path, const char *extension) {
    size_t path_bytes = strlen(path);
    size_t bytes = strlen(extension);
    return bytes <= path_bytes && strcmp(path + path_bytes - bytes, extension) == 0;
}

enum status exporter_write(const struct exporter *exporter, const char *path,
                           const struct trace *trace, FILE *out, struct error *error) {
    if (!exporter->gzips || !has_extension(path, ".gz")) {
        return exporter->write(trace, out, error);
    }
    FILE *stream = gzip_open(out);
    enum status status = exporter->write(trace, stream, error);
    if (fclose(stream) != 0 && !ferror(out) && !status) {
        status = error_set(error, STATUS_INTERNAL, "compressing what is written");
    }
    return status;
}

static bool is_called(const struct exporter *exporter, const char *name) {
    if (strcmp(exporter->name, name) == 0) {
        return true;
    }
    for (const char *const *alias = exporter->aliases; alias && *alias; alias++) {
        if (strcmp(*alias, name) == 0) {
            return true;
        }
    }
    return false;
}

const struct exporter *exporter_by_name(const char *name) {
    for (const struct exporter *const *at = exporters; *at; at++) {
        if (is_called(*at, name)) {
            return *at;
        }
    }
    return NULL;
}

/* Length of the longest extension of this format that `path` ends in, 0 if there is none. */
static size_t matching_bytes(const struct exporter *exporter, const char *path) {
    size_t best = 0;
    for (const char *const *extension = exporter->extensions; *extension; extension++) {
        size_t bytes = strlen(*extension);
        if (bytes > best && has_extension(path, *extension)) {
            best = bytes;
        }
    }
    return best;
}

const struct exporter *exporter_by_path(const char *path) {
    const struct exporter *best = NULL;
    size_t best_bytes = 0;
    for (const struct exporter *const *at = exporters; *at; at++) {
        size_t bytes = matching_bytes(*at, path);
        if (bytes > best_bytes) {
            best = *at;
            best_bytes = bytes;
        }
    }
    return best;
}
