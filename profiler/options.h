/* The command line. Every option is a row in option_rows.c: its name, argument, help, the verbs
 * that take it, and what it sets; parsing, --help (help.c) and the errors follow from the rows. */
#ifndef PYROMETER_PROFILER_OPTIONS_H
#define PYROMETER_PROFILER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exporters/exporter.h"
#include "profiler/base/status.h"
#include "profiler/model/mode.h"
#include "profiler/recording/selection.h"
#include "profiler/roster.h"
#include "profiler/verb.h"

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
    uint64_t duration_ns;    /* 0: no end */
    const struct mode *mode; /* VERB_REPLAY, VERB_DIFF: NULL: that of the recording */
    struct thread_filter filter;
    bool lists_opcodes;
    bool hides_collector;           /* no frame <GC> */
    bool blames_gil;                /* show who waited for the GIL because of whom */
    struct output_request *outputs; /* never empty but for dump and top */
    size_t output_count;
    const char *stats_path; /* NULL: none */
    bool follows;           /* profile all processes below as well */
    bool is_blocking;       /* stop the process for every look */
    bool waits_for_next;    /* VERB_TOP: when the process has ended */
    bool is_native;         /* native frames too */
    bool is_async_aware;    /* stacks by task of asyncio */
    bool shows_waiting;     /* of all of them, not only of those that run */
    bool no_source;         /* leave the text of source files out */
    bool is_quiet;
    bool is_json;
    bool has_locals; /* VERB_DUMP: with the values of local variables */
};

/* Parses. USAGE with what is wrong, and where. Everything in `out` is borrowed from argv or
 * program constants but for what options_free frees. */
enum status options_parse(struct options *out, int argc, char **argv,
                          struct error *error) MUST_CHECK;
void options_free(struct options *options);

#endif
