#include "profiler/values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit rate_units[] = {{"", 1},      {"hz", 1},    {"k", 1e3},
                                         {"khz", 1e3}, {"mhz", 1e6}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1e9},      {"s", 1e9},  {"ms", 1e6},   {"us", 1e3},
                                         {"ns", 1},      {"m", 60e9}, {"min", 60e9}, {"h", 3600e9},
                                         {"d", 86400e9}, {NULL, 0}};

/* A positive number and a unit. */
static bool parse_quantity(const char *text, const struct unit *units, double *out) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || !(number > 0) || !isfinite(number)) {
        return false;
    }
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcasecmp(end, unit->name) == 0) {
            *out = number * unit->factor;
            return true;
        }
    }
    return false;
}

bool values_parse_rate(const char *text, uint64_t *interval_ns_out) {
    double rate_hz;
    if (!parse_quantity(text, rate_units, &rate_hz) || rate_hz > 1e6 || rate_hz < 1.0 / 600) {
        return false;
    }
    *interval_ns_out = (uint64_t)(1e9 / rate_hz + 0.5);
    return true;
}

bool values_parse_time(const char *text, uint64_t *ns_out) {
    double ns;
    if (!parse_quantity(text, time_units, &ns) || ns < 1 || ns > 10 * 366 * 86400e9) {
        return false;
    }
    *ns_out = (uint64_t)(ns + 0.5);
    return true;
}

bool values_parse_moment(const char *text, int64_t *ns_out) {
    bool is_back = *text == '-';
    uint64_t ns;
    char *end;
    if (values_parse_time(text + is_back, &ns)) {
        *ns_out = is_back ? -(int64_t)ns : (int64_t)ns;
        return true;
    }
    *ns_out = 0;
    return strtod(text, &end) == 0 && end != text && *end == '\0' && !is_back;
}

bool values_parse_percent(const char *text, double *share_out) {
    char *end;
    double percent = strtod(text, &end);
    *share_out = percent / 100;
    return end != text && (*end == '\0' || strcmp(end, "%") == 0) && percent > 0 && percent < 1e6;
}

bool values_parse_pid(const char *text, int *pid_out) {
    char *end;
    long pid = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || pid <= 0 || pid > INT32_MAX) {
        return false;
    }
    *pid_out = (int)pid;
    return true;
}
