#define _GNU_SOURCE
#include "profiler/options.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "target-runtime/runtime.h"

enum {
    SAMPLING = VERB_ATTACH | VERB_RUN,
    WRITING = SAMPLING | VERB_REPLAY | VERB_DIFF,
    ANY = WRITING | VERB_DUMP | VERB_TOP,
    LIVE = SAMPLING | VERB_TOP,
    ON_PID = VERB_ATTACH | VERB_DUMP | VERB_TOP
};

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
};

/* ---- verbs ---- */

struct verb_row {
    enum verb verb;
    const char *name;
    const char *arguments;
    const char *help;
};

static const struct verb_row verb_rows[] = {
    {VERB_ATTACH, "attach", "[OPTIONS] PID", "profile a running process"},
    {VERB_RUN, "run", "[OPTIONS] [--] COMMAND [ARG...]",
     "start a command and profile it from its first bytecode"},
    {VERB_TOP, "top", "[OPTIONS] PID | -- COMMAND...", "watch a process or command live"},
    {VERB_REPLAY, "replay", "[OPTIONS] FILE", "turn a recording (.pyro) into any other format"},
    {VERB_DIFF, "diff", "[OPTIONS] BASE NEW",
     "compare two recordings: what takes more of the time, and how sure that is"},
    {VERB_DUMP, "dump", "[OPTIONS] PID", "print the stack of every thread, once"},
};
enum { VERB_ROWS = sizeof verb_rows / sizeof verb_rows[0] };

static const struct verb_row *verb_row_of(enum verb verb) {
    for (size_t i = 0; i < VERB_ROWS; i++) {
        if (verb_rows[i].verb == verb) {
            return &verb_rows[i];
        }
    }
    return NULL;
}

/* ---- values ---- */

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

bool options_parse_rate(const char *text, uint64_t *interval_ns_out) {
    double rate_hz;
    if (!parse_quantity(text, rate_units, &rate_hz) || rate_hz > 1e6 || rate_hz < 1.0 / 600) {
        return false;
    }
    *interval_ns_out = (uint64_t)(1e9 / rate_hz + 0.5);
    return true;
}

bool options_parse_time(const char *text, uint64_t *ns_out) {
    double ns;
    if (!parse_quantity(text, time_units, &ns) || ns < 1 || ns > 10 * 366 * 86400e9) {
        return false;
    }
    *ns_out = (uint64_t)(ns + 0.5);
    return true;
}

bool options_parse_moment(const char *text, int64_t *ns_out) {
    bool is_back = *text == '-';
    uint64_t ns;
    char *end;
    if (options_parse_time(text + is_back, &ns)) {
        *ns_out = is_back ? -(int64_t)ns : (int64_t)ns;
        return true;
    }
    *ns_out = 0;
    return strtod(text, &end) == 0 && end != text && *end == '\0' && !is_back;
}

/* ---- setters ---- */

static enum status set_rate(struct draft *draft, const char *value, struct error *error) {
    return options_parse_rate(value, &draft->options->interval_ns)
               ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--rate %s: a rate is like 100, 100hz, 10khz or 1mhz (at most 1mhz)",
                           value);
}

static enum status set_interval(struct draft *draft, const char *value, struct error *error) {
    uint64_t ns;
    if (!options_parse_time(value, &ns) || ns < NS_PER_US || ns > 600 * NS_PER_S) {
        return error_set(error, STATUS_USAGE,
                         "--interval %s: an interval is like 100us, 10ms or 0.5s (at least 1us)",
                         value);
    }
    draft->options->interval_ns = ns;
    return STATUS_OK;
}

static enum status set_duration(struct draft *draft, const char *value, struct error *error) {
    return options_parse_time(value, &draft->options->duration_ns)
               ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--duration %s: a duration is like 10, 0.5, 90s or 10m", value);
}

static enum status set_pid(struct draft *draft, const char *value, struct error *error) {
    char *end;
    long pid = strtol(value, &end, 10);
    if (*value == '\0' || *end != '\0' || pid <= 0 || pid > INT32_MAX) {
        return error_set(error, STATUS_USAGE, "'%s' is not a PID", value);
    }
    draft->options->pid = (int)pid;
    return STATUS_OK;
}

static enum status set_mode(struct draft *draft, const char *value, struct error *error) {
    draft->options->mode = mode_by_name(value);
    return draft->options->mode != NULL
               ? STATUS_OK
               : error_set(error, STATUS_USAGE, "--mode %s: there is no such mode", value);
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

static enum status set_main_thread(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->options->filter.main_only = true;
    return STATUS_OK;
}

static enum status set_all_threads(struct draft *draft, const char *value, struct error *error) {
    (void)draft;
    (void)value;
    (void)error;
    return STATUS_OK; /* the default */
}

static enum status set_opcodes(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->options->lists_opcodes = true;
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
    return options_parse_moment(value, ns_out)
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

static enum status set_include(struct draft *draft, const char *value, struct error *error) {
    selection_add(&draft->options->selection.include, value);
    return selection_check(&draft->options->selection, error);
}

static enum status set_exclude(struct draft *draft, const char *value, struct error *error) {
    selection_add(&draft->options->selection.exclude, value);
    return selection_check(&draft->options->selection, error);
}

static enum status set_base(struct draft *draft, const char *value, struct error *error) {
    (void)error;
    draft->options->base_path = value;
    return STATUS_OK;
}

static enum status set_diff_flamegraph(struct draft *draft, const char *value,
                                       struct error *error) {
    draft->flag_format = exporter_by_name("flamegraph");
    return set_base(draft, value, error);
}

static enum status set_fail_above(struct draft *draft, const char *value, struct error *error) {
    char *end;
    double percent = strtod(value, &end);
    draft->options->fail_above = percent / 100;
    return end != value && (*end == '\0' || strcmp(end, "%") == 0) && percent > 0 && percent < 1e6
               ? STATUS_OK
               : error_set(error, STATUS_USAGE,
                           "--fail-above %s: a share of the time is like 5%% or 0.5%%", value);
}

static enum status set_no_source(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->options->no_source = true;
    return STATUS_OK;
}

static enum status set_stats(struct draft *draft, const char *value, struct error *error) {
    (void)error;
    draft->options->stats_path = value;
    return STATUS_OK;
}

static enum status set_blocking(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->options->is_blocking = true;
    return STATUS_OK;
}

static enum status set_quiet(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->options->is_quiet = true;
    return STATUS_OK;
}

static enum status set_live(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->is_live = true;
    return STATUS_OK;
}

static enum status set_json(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->options->is_json = true;
    return STATUS_OK;
}

static enum status set_help(struct draft *draft, const char *value, struct error *error) {
    (void)value;
    (void)error;
    draft->wants_help = true;
    return STATUS_OK;
}

/* ---- the rows ---- */

struct option_row {
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* NULL: takes none */
    unsigned verbs;
    enum status (*set)(struct draft *draft, const char *value, struct error *error);
    const char *help;
};

static const struct option_row option_rows[] = {
    {'p', "pid", "PID", ON_PID, set_pid, "the process, another way to give it"},
    {'r', "rate", "RATE", LIVE, set_rate,
     "looks a second: 100, 100hz, 10khz, at most 1mhz (default 1khz)"},
    {'i', "interval", "TIME", LIVE, set_interval, "the same as a time: 100us, 10ms"},
    {'d', "duration", "TIME", LIVE, set_duration,
     "how long: 10, 0.5, 90s, 10m (default: until it ends, or Ctrl-C)"},
    {'m', "mode", "MODE", LIVE, set_mode, "which samples count (default wall)"},
    {'t', "thread", "TID|NAME", ANY, set_thread, "only this thread; may be given several times"},
    {0, "main-thread", NULL, ANY, set_main_thread, "only the main thread"},
    {'a', "all-threads", NULL, ANY, set_all_threads, "every thread (the default)"},
    {0, "blocking", NULL, LIVE | VERB_DUMP, set_blocking,
     "stop the process for every look: exact stacks, and it runs slower"},
    {0, "opcodes", NULL, SAMPLING, set_opcodes, "record the bytecode instruction of every leaf"},
    {0, "from", "TIME", VERB_REPLAY, set_from,
     "leave out what was before: seconds from the start, or -30: before the end"},
    {0, "to", "TIME", VERB_REPLAY, set_to, "leave out what was after"},
    {0, "include", "REGEX", VERB_REPLAY, set_include,
     "only stacks with a function or file that matches (POSIX extended)"},
    {0, "exclude", "REGEX", VERB_REPLAY, set_exclude, "no stacks with one that matches"},
    {0, "base", "FILE", SAMPLING | VERB_REPLAY, set_base,
     "compare with this recording, in the flame graph and in diff"},
    {0, "diff-flamegraph", "FILE", SAMPLING | VERB_REPLAY, set_diff_flamegraph,
     "the same as --flamegraph --base FILE"},
    {0, "fail-above", "PERCENT", VERB_DIFF, set_fail_above,
     "exit with 8 when a function takes that much more of the time, and surely more"},
    {'o', "output", "PATH", WRITING, set_output,
     "where to; several times for several; %p is the PID, %t the time, - standard output"},
    {'f', "format", "NAME", WRITING, set_format, "the format, whatever the path's extension"},
    {0, "no-source", NULL, SAMPLING, set_no_source,
     "leave the text of source files out of recordings and pages"},
    {0, "stats", "FILE", WRITING, set_stats, "write how the sampling went, as JSON"},
    {0, "live", NULL, VERB_ATTACH, set_live, "the same as top: watch it on the terminal"},
    {0, "json", NULL, VERB_DUMP, set_json, "print JSON"},
    {'q', "quiet", NULL, ANY, set_quiet, "no progress, no closing line"},
    {'h', "help", NULL, ANY, set_help, "this help"},
};
enum { OPTION_ROWS = sizeof option_rows / sizeof option_rows[0], CODE_FIRST = 256 };

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
    for (size_t i = 0; exporters[i] != NULL && (verb & WRITING) != 0; i++) {
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
    return row_of_code(code)->set(draft, optarg, error);
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

/* ---- which verb ---- */

/* `record` is another spelling of attach and of run: of attach when a PID is given by option. */
static enum verb verb_of_record(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "-p", 2) == 0 || strncmp(argv[i], "--pid", 5) == 0) {
            return VERB_ATTACH;
        }
    }
    return VERB_RUN;
}

static enum verb verb_named(const char *name, int argc, char **argv) {
    for (size_t i = 0; i < VERB_ROWS; i++) {
        if (strcmp(name, verb_rows[i].name) == 0) {
            return verb_rows[i].verb;
        }
    }
    bool is_help =
        strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
    bool is_version = strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0;
    return strcmp(name, "record") == 0 ? verb_of_record(argc, argv)
           : is_help                   ? VERB_HELP
           : is_version                ? VERB_VERSION
                                       : (enum verb)0;
}

static void set_defaults(struct options *options) {
    *options = (struct options){.interval_ns = NS_PER_MS, .mode = &modes[0]};
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
        status = take_rest(&draft, verb, argc, argv, error);
    }
    if (status == STATUS_OK && draft.is_live) {
        out->verb = VERB_TOP;
        return out->output_count == 0 && draft.flag_format == NULL
                   ? STATUS_OK
                   : error_set(error, STATUS_USAGE,
                               "--live shows, and its key w writes; leave --output out");
    }
    if (status == STATUS_OK && (verb & WRITING) != 0) {
        status = choose_formats(&draft, error);
    }
    return status;
}

enum status options_parse(struct options *out, int argc, char **argv, struct error *error) {
    set_defaults(out);
    if (argc < 2) {
        return error_set(error, STATUS_USAGE, "what to do?");
    }
    enum verb verb = verb_named(argv[1], argc - 1, argv + 1);
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

/* ---- help ---- */

static void print_options(enum verb verb, FILE *out) {
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        char left[64];
        if ((row->verbs & verb) == 0) {
            continue;
        }
        snprintf(left, sizeof left, "%c%c%c --%s %s", row->letter ? '-' : ' ',
                 row->letter ? row->letter : ' ', row->letter ? ',' : ' ', row->name,
                 row->argument != NULL ? row->argument : "");
        fprintf(out, "  %-24s %s\n", left, row->help);
    }
}

static void print_formats(FILE *out) {
    fputs("\nFormats (chosen by extension; --NAME alone works too):\n", out);
    for (size_t i = 0; exporters[i] != NULL; i++) {
        fprintf(out, "  %-12s %-18s %s\n", exporters[i]->name, exporters[i]->extensions[0],
                exporters[i]->help);
    }
}

static void print_modes(FILE *out) {
    fputs("\nModes:\n", out);
    for (const struct mode *mode = modes; mode->name != NULL; mode++) {
        fprintf(out, "  %-12s %s\n", mode->name, mode->help);
    }
}

static void print_overview(FILE *out) {
    char versions[32];
    runtime_describe_versions(versions, sizeof versions);
    fprintf(out,
            "pyrometer " PYROMETER_VERSION ": a sampling profiler for running Python programs\n"
            "\nReads CPython %s from outside, without stopping it.\n\n",
            versions);
    for (size_t i = 0; i < VERB_ROWS; i++) {
        fprintf(out, "  pyrometer %-6s %-33s %s\n", verb_rows[i].name, verb_rows[i].arguments,
                verb_rows[i].help);
    }
    fputs("\n'pyrometer VERB --help' lists the options of a verb; 'record -p PID' and\n"
          "'record -- COMMAND' are other spellings of attach and run.\n"
          "\nExit status: 0 done, 1 internal error, 2 bad usage, 3 no such process,\n"
          "4 not permitted, 5 not a Python that can be read, 6 not one sample, 7 an output\n"
          "could not be written, 8 slower than --fail-above allows, 9 the recording cannot\n"
          "be read; run passes on the command's own.\n",
          out);
}

void options_print_help(enum verb verb, FILE *out) {
    const struct verb_row *row = verb_row_of(verb);
    if (row == NULL) {
        print_overview(out);
        return;
    }
    fprintf(out, "usage: pyrometer %s %s\n\n%s\n", row->name, row->arguments, row->help);
    print_options(verb, out);
    if ((verb & WRITING) != 0) {
        print_formats(out);
    }
    if ((verb & LIVE) != 0) {
        print_modes(out);
    }
}
