/* The values of options, parsed from text. Each function returns false when the text is not such a
 * value, or is out of range; what is in `out` is then not to be used. */
#ifndef PYROMETER_PROFILER_VALUES_H
#define PYROMETER_PROFILER_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* "10khz", "100", "1mhz", as the interval between two looks: one in ten minutes to 1 MHz. */
bool values_parse_rate(const char *text, uint64_t *interval_ns_out);
/* "100us", "0.5", "90s", "10m": 1 ns to ten years. */
bool values_parse_time(const char *text, uint64_t *ns_out);
/* As a time, but may be 0, or negative: before the end. */
bool values_parse_moment(const char *text, int64_t *ns_out);
/* "5%" or "5" is the share 0.05: above 0, and below 1e6 %. */
bool values_parse_percent(const char *text, double *share_out);
/* 1 to the greatest int. */
bool values_parse_pid(const char *text, int *pid_out);

#endif
