/* The command line. Every option is a row in options.c: its name, argument, help, the verbs that
 * take it, and what it sets; parsing, --help and the errors follow from the rows. */
#ifndef PYROMETER_PROFILER_OPTIONS_H
#define PYROMETER_PROFILER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "exporters/exporter.h"
#include "profiler/base/status.h"
#include "profiler/mode.h"
#include "profiler/recording/selection.h"
#include "profiler/roster.h"

enum verb {
    VERB_ATTACH = 1 << 0,
    VERB_RUN = 1 << 1,
    VERB_DUMP = 1 << 2,
    VERB_HELP = 1 << 3,    /* print options.help to standard output; no other verb asked for it */
    VERB_VERSION = 1 << 4, /* print the version */
    VERB_REPLAY = 1 << 5,
    VERB_DIFF = 1 << 6,
    VERB_TOP = 1 << 7,
};

struct output_request {
    const char *path; /* as typed; "-" is standard output */
    const struct exporter *exporter;
};

struct options {
    enum verb verb;
    enum verb help_verb; /* VERB_HELP: of which verb, or 0 for all */
    int pid;
    const char *recording_path; /* VERB_REPLAY, VERB_DIFF: "-" is standard input */
    const char *base_path;      /* the recording to compare with; NULL: none */
    double fail_above;          /* VERB_DIFF: share of the time, 0.05 is 5 %; 0: not asked for */
    struct selection selection; /* VERB_REPLAY */
    char **command;             /* VERB_RUN, VERB_TOP without a PID: NULL-terminated, borrowed */
    uint64_t interval_ns;
    uint64_t duration_ns; /* 0: no end */
    const struct mode *mode;
    struct thread_filter filter;
    bool lists_opcodes;
    struct output_request *outputs; /* never empty but for dump and top */
    size_t output_count;
    const char *stats_path; /* NULL: none */
    bool is_blocking;       /* stop the process for every look */
    bool no_source;         /* leave the text of source files out */
    bool is_quiet;
    bool is_json;
};

/* Parses. USAGE with what is wrong, and where. Everything in `out` is borrowed from argv or
 * program constants but for what options_free frees. */
enum status options_parse(struct options *out, int argc, char **argv,
                          struct error *error) MUST_CHECK;
void options_free(struct options *options);

/* Prints the help of one verb, or of the program (0). */
void options_print_help(enum verb verb, FILE *out);

/* The parsers of single values, for tests. "10khz", "100", "1mhz" -> interval; "100us", "0.5",
 * "90s", "10m" -> ns. False when the text is not one, or out of range (rate: one in ten minutes to
 * 1 MHz; time: 1 ns to ten years). */
bool options_parse_rate(const char *text, uint64_t *interval_ns_out);
bool options_parse_time(const char *text, uint64_t *ns_out);
/* As a time, but may be 0, or negative: before the end. */
bool options_parse_moment(const char *text, int64_t *ns_out);

#endif
