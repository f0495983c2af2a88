#include <string.h>

#include "exporters/exporter.h"

extern const struct exporter exporter_table;
extern const struct exporter exporter_collapsed;
extern const struct exporter exporter_flamegraph;
extern const struct exporter exporter_svg;
extern const struct exporter exporter_speedscope;
extern const struct exporter exporter_pprof;
extern const struct exporter exporter_jsonl;
extern const struct exporter exporter_pstats;
extern const struct exporter exporter_diff;

/* A line each. */
// clang-format off
const struct exporter *const exporters[] = {
    &exporter_table,
    &exporter_collapsed,
    &exporter_flamegraph,
    &exporter_svg,
    &exporter_speedscope,
    &exporter_pprof,
    &exporter_jsonl,
    &exporter_pstats,
    &exporter_diff,
    NULL,
};
// clang-format on

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
    size_t path_bytes = strlen(path);
    size_t best = 0;
    for (const char *const *extension = exporter->extensions; *extension; extension++) {
        size_t bytes = strlen(*extension);
        if (bytes > best && bytes <= path_bytes &&
            strcmp(path + path_bytes - bytes, *extension) == 0) {
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
