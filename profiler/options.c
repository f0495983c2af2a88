#define _GNU_SOURCE
#include "profiler/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/option_rows.h"
#include "profiler/values.h"

/* What is gathered while parsing and only makes sense at the end. */
struct draft {
    struct options *options;
    const char **thread_names;
    size_t thread_capacity;
    size_t output_capacity;
    const struct exporter *format;      /* --format */
    const struct exporter *flag_format; /* --flamegraph and the like */
    bool wants_help;
    bool is_live; /* attach --live */
    bool has_async_mode;
};

/* ---- setters ---- */

static enum status set_rate(struct draft *draft, const char *value, struct error *error) {
    return values_parse_rate(value, &draft->options->interval_ns)
               ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--rate %s: a rate is like 100, 100hz, 10khz or 1mhz (at most 1mhz)",
                           value);
}

static enum status set_interval(struct draft *draft, const char *value, struct error *error) {
    uint64_t ns;
    if (!values_parse_time(value, &ns) || ns < NS_PER_US || ns > 600 * NS_PER_S) {
        return error_set(error, STATUS_USAGE,
                         "--interval %s: an interval is like 100us, 10ms or 0.5s (at least 1us)",
                         value);
    }
    draft->options->interval_ns = ns;
    return STATUS_OK;
}

static enum status set_duration(struct draft *draft, const char *value, struct error *error) {
    return values_parse_time(value, &draft->options->duration_ns)
               ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--duration %s: a duration is like 10, 0.5, 90s or 10m", value);
}

static enum status set_pid(struct draft *draft, const char *value, struct error *error) {
    return values_parse_pid(value, &draft->options->pid)
               ? STATUS_OK
               : error_set(error, STATUS_USAGE, "'%s' is not a PID", value);
}

static enum status set_mode(struct draft *draft, const char *value, struct error *error) {
    draft->options->mode = mode_by_name(value);
    return draft->options->mode != NULL
               ? STATUS_OK
               : error_set(error, STATUS_USAGE, "--mode %s: there is no such mode", value);
}

static enum status set_async_mode(struct draft *draft, const char *value, struct error *error) {
    draft->has_async_mode = true;
    draft->options->shows_waiting = strcmp(value, "all") == 0;
    return draft->options->shows_waiting || strcmp(value, "running") == 0
               ? STATUS_OK
               : error_set(error, STATUS_USAGE, "--async-mode %s: it is running or all", value);
}

static enum status set_thread(struct draft *draft, const char *value, struct error *error) {
    struct thread_filter *filter = &draft->options->filter;
    (void)error;
    if (filter->name_count == draft->thread_capacity) {
        draft->thread_names = memory_grow(draft->thread_names, sizeof *draft->thread_names,
                                          filter->name_count + 1, &draft->thread_capacity);
    }
    draft->thread_names[filter->name_count++] = value;
    filter->names = draft->thread_names;
    return STATUS_OK;
}

static enum status set_output(struct draft *draft, const char *value, struct error *error) {
    struct options *options = draft->options;
    if (*value == '\0') {
        return error_set(error, STATUS_USAGE, "--output: an empty path");
    }
    if (options->output_count == draft->output_capacity) {
        options->outputs = memory_grow(options->outputs, sizeof *options->outputs,
                                       options->output_count + 1, &draft->output_capacity);
    }
    options->outputs[options->output_count++] = (struct output_request){value, NULL};
    return STATUS_OK;
}

static enum status set_format(struct draft *draft, const char *value, struct error *error) {
    draft->format = exporter_by_name(value);
    return draft->format != NULL
               ? STATUS_OK
               : error_set(error, STATUS_USAGE, "--format %s: there is no such format", value);
}

static enum status set_moment(const char *option, const char *value, int64_t *ns_out,
                              bool *is_set_out, struct error *error) {
    *is_set_out = true;
    return values_parse_moment(value, ns_out)
               ? STATUS_OK
               : error_set(
                     error, STATUS_USAGE,
                     "%s %s: seconds from the start, or with a minus before the end, are like "
                     "10, 0.5, 2m or -30",
                     option, value);
}

static enum status set_from(struct draft *draft, const char *value, struct error *error) {
    struct selection *selection = &draft->options->selection;
    return set_moment("--from", value, &selection->from_ns, &selection->has_from, error);
}

static enum status set_to(struct draft *draft, const char *value, struct error *error) {
    struct selection *selection = &draft->options->selection;
    return set_moment("--to", value, &selection->to_ns, &selection->has_to, error);
}

static enum status set_process(struct draft *draft, const char *value, struct error *error) {
    (void)error;
    selection_add(&draft->options->selection.processes, value);
    return STATUS_OK;
}

static enum status set_include(struct draft *draft, const char *value, struct error *error) {
    selection_add(&draft->options->selection.include, value);
    return selection_check(&draft->options->selection, error);
}

static enum status set_exclude(struct draft *draft, const char *value, struct error *error) {
    selection_add(&draft->options->selection.exclude, value);
    return selection_check(&draft->options->selection, error);
}

static enum status set_diff_flamegraph(struct draft *draft, const char *value,
                                       struct error *error) {
    (void)error;
    draft->flag_format = exporter_by_name("flamegraph");
    draft->options->base_path = value;
    return STATUS_OK;
}

static enum status set_fail_above(struct draft *draft, const char *value, struct error *error) {
    return values_parse_percent(value, &draft->options->fail_above)
               ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--fail-above %s: a share of the time is like 5%% or 0.5%%", value);
}

static enum status set_live(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->is_live = true;
    return STATUS_OK;
}

static enum status set_help(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->wants_help = true;
    return STATUS_OK;
}

/* ---- the rows ---- */

/* A member of struct options to set; one of another type does not compile. */
#define FLAG(member) .flag = PLACE_OF(bool, member)
#define TEXT(member) .text = PLACE_OF(const char *, member)
#define PLACE_OF(type, member)                                                                     \
    _Generic(((struct options *)0)->member, type : offsetof(struct options, member))

const struct option_row option_rows[] = {
    {'p', "pid", "PID", VERBS_ON_PID, "the process, another way to give it", .set = set_pid},
    {'r', "rate", "RATE", VERBS_LIVE,
     "looks a second: 100, 100hz, 10khz, at most 1mhz (default 1khz)", .set = set_rate},
    {'i', "interval", "TIME", VERBS_LIVE, "the same as a time: 100us, 10ms", .set = set_interval},
    {'d', "duration", "TIME", VERBS_LIVE,
     "how long: 10, 0.5, 90s, 10m (default: until it ends, or Ctrl-C)", .set = set_duration},
    {'m', "mode", "MODE", VERBS_LIVE | VERBS_READING,
     "which samples count (default wall, or that of the recording)", .set = set_mode},
    {'t', "thread", "TID|NAME", VERBS_ANY, "only this thread; may be given several times",
     .set = set_thread},
    {0, "main-thread", NULL, VERBS_ANY, "only the main thread", FLAG(filter.main_only)},
    {'a', "all-threads", NULL, VERBS_ANY, "every thread (the default)", .set = NULL},
    {'s', "subprocesses", NULL, VERBS_LIVE | VERB_DUMP, "the processes below it as well",
     FLAG(follows)},
    {'n', "native", NULL, VERBS_LIVE | VERB_DUMP,
     "frames of C, C++, Rust too: a thread that runs is stopped for moments", FLAG(is_native)},
    {0, "blocking", NULL, VERBS_LIVE | VERB_DUMP,
     "stop the process for every look: exact stacks, and it runs slower", FLAG(is_blocking)},
    {0, "async-aware", NULL, VERBS_LIVE | VERB_DUMP,
     "stacks by task of asyncio; dump, top: all tasks, who waits for whom; dump: greenlets",
     FLAG(is_async_aware)},
    {0, "async-mode", "MODE", VERBS_SAMPLING,
     "running: the tasks that run (default); all: those that wait, how long, and greenlets",
     .set = set_async_mode},
    {0, "opcodes", NULL, VERBS_SAMPLING, "record the bytecode instruction of every leaf",
     FLAG(lists_opcodes)},
    {0, "no-gc", NULL, VERBS_LIVE, "no frame <GC> where the garbage collector runs",
     FLAG(hides_collector)},
    {0, "gil-blame", NULL, VERBS_SAMPLING | VERB_REPLAY,
     "show who waited for the GIL, because of whom and where", FLAG(blames_gil)},
    {0, "from", "TIME", VERB_REPLAY,
     "leave out what was before: seconds from the start, or -30: before the end", .set = set_from},
    {0, "to", "TIME", VERB_REPLAY, "leave out what was after", .set = set_to},
    {0, "process", "PID|NAME", VERB_REPLAY, "only this process; may be given several times",
     .set = set_process},
    {0, "include", "REGEX", VERB_REPLAY,
     "only stacks with a function or file that matches (POSIX extended)", .set = set_include},
    {0, "exclude", "REGEX", VERB_REPLAY, "no stacks with one that matches", .set = set_exclude},
    {0, "base", "FILE", VERBS_SAMPLING | VERB_REPLAY,
     "compare with this recording, in the flame graph and in diff", TEXT(base_path)},
    {0, "diff-flamegraph", "FILE", VERBS_SAMPLING | VERB_REPLAY,
     "the same as --flamegraph --base FILE", .set = set_diff_flamegraph},
    {0, "fail-above", "PERCENT", VERB_DIFF,
     "exit with 8 when a function takes that much more of the time, and surely more",
     .set = set_fail_above},
    {'o', "output", "PATH", VERBS_WRITING,
     "where to; several times for several; %p is the PID, %t the time, - standard output",
     .set = set_output},
    {'f', "format", "NAME", VERBS_WRITING, "the format, whatever the path's extension",
     .set = set_format},
    {0, "no-source", NULL, VERBS_SAMPLING,
     "leave the text of source files out of recordings and pages", FLAG(no_source)},
    {0, "stats", "FILE", VERBS_WRITING, "write how the sampling went, as JSON", TEXT(stats_path)},
    {0, "live", NULL, VERB_ATTACH, "the same as top: watch it on the terminal", .set = set_live},
    {0, "wait", NULL, VERB_TOP,
     "when the process has ended, go on with the next one that runs the same command",
     FLAG(waits_for_next)},
    {0, "locals", NULL, VERB_DUMP,
     "with the values of local variables: think of the secrets that may be in them",
     FLAG(has_locals)},
    {0, "json", NULL, VERB_DUMP, "print JSON", FLAG(is_json)},
    {'q', "quiet", NULL, VERBS_ANY, "no progress, no closing line", FLAG(is_quiet)},
    {'h', "help", NULL, VERBS_ANY, "this help", .set = set_help},
    {.name = NULL},
};
enum { OPTION_ROWS = sizeof option_rows / sizeof option_rows[0] - 1, CODE_FIRST = 256 };

/* ---- getopt ---- */

/* How many names the formats have, their other ones included. */
static size_t format_name_count(void) {
    size_t count = 0;
    for (size_t i = 0; exporters[i] != NULL; i++) {
        count++;
        for (const char *const *alias = exporters[i]->aliases; alias && *alias; alias++) {
            count++;
        }
    }
    return count;
}

static struct option format_flag(const char *name, size_t exporter) {
    return (struct option){name, no_argument, NULL, CODE_FIRST + OPTION_ROWS + (int)exporter};
}

/* Rows that a verb takes get the code CODE_FIRST + row; each name of a format is a flag as well,
 * with the codes after them. */
static struct option *long_options(enum verb verb) {
    struct option *list = memory_zeroed(OPTION_ROWS + format_name_count() + 1, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if ((option_rows[i].verbs & verb) != 0) {
            list[count++] =
                (struct option){option_rows[i].name,
                                option_rows[i].argument != NULL ? required_argument : no_argument,
                                NULL, CODE_FIRST + (int)i};
        }
    }
    for (size_t i = 0; exporters[i] != NULL && (verb & VERBS_WRITING) != 0; i++) {
        list[count++] = format_flag(exporters[i]->name, i);
        for (const char *const *alias = exporters[i]->aliases; alias && *alias; alias++) {
            list[count++] = format_flag(*alias, i);
        }
    }
    return list;
}

/* "+" stops at the first word that is no option, ":" tells a missing argument from an unknown
 * option. */
static void short_options(enum verb verb, char *out) {
    *out++ = verb == VERB_RUN ? '+' : ':';
    if (verb == VERB_RUN) {
        *out++ = ':';
    }
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if ((option_rows[i].verbs & verb) != 0 && option_rows[i].letter != 0) {
            *out++ = option_rows[i].letter;
            if (option_rows[i].argument != NULL) {
                *out++ = ':';
            }
        }
    }
    *out = '\0';
}

static const struct option_row *row_of_code(int code) {
    if (code >= CODE_FIRST) {
        return &option_rows[code - CODE_FIRST];
    }
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if (option_rows[i].letter == code) {
            return &option_rows[i];
        }
    }
    return NULL;
}

static enum status take_row(struct draft *draft, const struct option_row *row, const char *value,
                            struct error *error) {
    char *options = (char *)draft->options;
    if (row->set != NULL) {
        return row->set(draft, value, error);
    }
    if (row->text != 0) {
        *(const char **)(void *)(options + row->text) = value;
    }
    if (row->flag != 0) {
        *(bool *)(options + row->flag) = true;
    }
    return STATUS_OK;
}

static enum status take_option(struct draft *draft, int code, char **argv, struct error *error) {
    const char *typed = argv[optind - 1];
    if (code == ':') {
        return error_set(error, STATUS_USAGE, "%s needs a value", typed);
    }
    if (code == '?') {
        return optopt > 0 && optopt < CODE_FIRST
                   ? error_set(error, STATUS_USAGE, "unknown option -%c", optopt)
                   : error_set(error, STATUS_USAGE, "unknown option %s", typed);
    }
    if (code >= CODE_FIRST + OPTION_ROWS) {
        draft->flag_format = exporters[code - CODE_FIRST - OPTION_ROWS];
        return STATUS_OK;
    }
    return take_row(draft, row_of_code(code), optarg, error);
}

static enum status take_options(struct draft *draft, enum verb verb, int argc, char **argv,
                                struct error *error) {
    char letters[2 * OPTION_ROWS + 4];
    struct option *list = long_options(verb);
    enum status status = STATUS_OK;
    short_options(verb, letters);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    for (int code;
         status == STATUS_OK && (code = getopt_long(argc, argv, letters, list, NULL)) != -1;) {
        status = take_option(draft, code, argv, error);
    }
    free(list);
    return status;
}

/* ---- after the options ---- */

/* The recording; the threads that are wanted of it are those of its selection. */
static enum status take_recording(struct draft *draft, int argc, char **argv, struct error *error) {
    struct options *options = draft->options;
    struct selection *selection = &options->selection;
    selection->main_only = options->filter.main_only;
    for (size_t i = 0; i < options->filter.name_count; i++) {
        selection_add(&selection->threads, options->filter.names[i]);
    }
    if (optind >= argc) {
        return error_set(error, STATUS_USAGE, "replay: which recording?");
    }
    options->recording_path = argv[optind++];
    return optind == argc ? STATUS_OK
                          : error_set(error, STATUS_USAGE, "'%s' is too much", argv[optind]);
}

/* BASE NEW */
static enum status take_two_recordings(struct draft *draft, int argc, char **argv,
                                       struct error *error) {
    if (argc - optind < 2) {
        return error_set(error, STATUS_USAGE, "diff: which two recordings?");
    }
    draft->options->base_path = argv[optind++];
    return take_recording(draft, argc, argv, error);
}

/* The PID, the recordings or the command. */
static enum status take_rest(struct draft *draft, enum verb verb, int argc, char **argv,
                             struct error *error) {
    struct options *options = draft->options;
    if (verb == VERB_RUN) {
        options->command = argv + optind;
        return optind < argc ? STATUS_OK : error_set(error, STATUS_USAGE, "run: which command?");
    }
    if (verb == VERB_TOP && options->pid == 0 && optind < argc &&
        strcmp(argv[optind - 1], "--") == 0) {
        options->command = argv + optind;
        return STATUS_OK;
    }
    if (verb == VERB_REPLAY) {
        return take_recording(draft, argc, argv, error);
    }
    if (verb == VERB_DIFF) {
        return take_two_recordings(draft, argc, argv, error);
    }
    if (options->pid == 0 && optind < argc) {
        enum status status = set_pid(draft, argv[optind++], error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (options->pid == 0) {
        return error_set(error, STATUS_USAGE, "%s: which PID?", verb_row_of(verb)->name);
    }
    return optind == argc ? STATUS_OK
                          : error_set(error, STATUS_USAGE, "'%s' is too much", argv[optind]);
}

/* Where a format flag without --output writes to: as Tachyon names its files. */
static const char *default_path(const struct draft *draft) {
    static char path[128];
    if (draft->flag_format == NULL || draft->flag_format == exporter_by_name("table")) {
        return "-";
    }
    snprintf(path, sizeof path, "%s_%%p%s", draft->flag_format->name,
             draft->flag_format->extensions[0]);
    return path;
}

/* Gives every output its format: --format, else the flag, else the extension. */
static enum status choose_formats(struct draft *draft, struct error *error) {
    struct options *options = draft->options;
    const char *usual = options->verb == VERB_DIFF ? "diff" : "table";
    const struct exporter *forced = draft->format != NULL ? draft->format : draft->flag_format;
    if (options->output_count == 0) {
        enum status status = set_output(draft, default_path(draft), error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < options->output_count; i++) {
        struct output_request *output = &options->outputs[i];
        output->exporter = forced != NULL ? forced : exporter_by_path(output->path);
        if (output->exporter == NULL && strcmp(output->path, "-") == 0) {
            output->exporter = exporter_by_name(usual);
        }
        if (output->exporter == NULL) {
            return error_set(error, STATUS_USAGE,
                             "no format goes with the extension of %s; name one with --format",
                             output->path);
        }
        if (output->exporter->needs_base && options->base_path == NULL) {
            return error_set(error, STATUS_USAGE,
                             "the format %s compares: say with what, with --base FILE",
                             output->exporter->name);
        }
    }
    return STATUS_OK;
}

/* ---- all of it ---- */

static void set_defaults(struct options *options) {
    *options = (struct options){.interval_ns = NS_PER_MS};
}

/* Whoever waits counts in no other mode. */
static enum status choose_mode(struct options *options, struct error *error) {
    const struct mode *wall = &modes[0];
    if (options->blames_gil && options->mode != NULL && options->mode != wall) {
        return error_set(error, STATUS_USAGE, "--gil-blame is of all time: no --mode %s",
                         options->mode->name);
    }
    bool is_default = options->mode == NULL && (options->verb & VERBS_READING) == 0;
    options->mode = is_default || options->blames_gil ? wall : options->mode;
    return STATUS_OK;
}

static enum status parse_verb(struct options *out, enum verb verb, int argc, char **argv,
                              struct error *error) {
    struct draft draft = {.options = out};
    out->verb = verb;
    enum status status = take_options(&draft, verb, argc, argv, error);
    if (status == STATUS_OK && draft.wants_help) {
        out->verb = VERB_HELP;
        out->help_verb = verb;
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = choose_mode(out, error);
    }
    if (status == STATUS_OK) {
        status = take_rest(&draft, verb, argc, argv, error);
    }
    if (status == STATUS_OK && out->is_native && out->is_blocking) {
        return error_set(error, STATUS_USAGE,
                         "--native stacks are exact already; leave --blocking out");
    }
    if (status == STATUS_OK && out->is_native && out->has_locals) {
        return error_set(error, STATUS_USAGE,
                         "native stacks have no values; leave --native or --locals out");
    }
    if (status == STATUS_OK && draft.has_async_mode && !out->is_async_aware) {
        return error_set(error, STATUS_USAGE, "--async-mode goes with --async-aware");
    }
    if (status == STATUS_OK && draft.is_live) {
        out->verb = VERB_TOP;
        return out->output_count == 0 && draft.flag_format == NULL
                   ? STATUS_OK
                   : error_set(error, STATUS_USAGE,
                               "--live shows, and its key w writes; leave --output out");
    }
    if (status == STATUS_OK && (verb & VERBS_WRITING) != 0) {
        status = choose_formats(&draft, error);
    }
    return status;
}

enum status options_parse(struct options *out, int argc, char **argv, struct error *error) {
    set_defaults(out);
    if (argc < 2) {
        return error_set(error, STATUS_USAGE, "what to do?");
    }
    enum verb verb = verb_of_words(argc - 1, argv + 1);
    if (verb == 0) {
        return error_set(error, STATUS_USAGE, "'%s' is not a command of pyrometer", argv[1]);
    }
    if (verb == VERB_HELP || verb == VERB_VERSION) {
        out->verb = verb;
        return STATUS_OK;
    }
    return parse_verb(out, verb, argc - 1, argv + 1, error);
}

void options_free(struct options *options) {
    free(options->outputs);
    free((void *)(uintptr_t)options->filter.names);
    selection_deinit(&options->selection);
    *options = (struct options){0};
}
