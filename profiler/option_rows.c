#define _GNU_SOURCE
#include "profiler/option_rows.h"

#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/values.h"

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
const size_t option_row_count = sizeof option_rows / sizeof option_rows[0] - 1;
