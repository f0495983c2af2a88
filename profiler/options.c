#define _GNU_SOURCE
#include "profiler/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/option_rows.h"

/* What getopt_long() gives for an option by its long name; less than this is a letter. */
enum { CODE_FIRST = 256 };

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
    return (struct option){name, no_argument, NULL,
                           CODE_FIRST + (int)(option_row_count + exporter)};
}

/* Rows that a verb takes get the code CODE_FIRST + row; each name of a format is a flag as well,
 * with the codes after them. */
static struct option *long_options(enum verb verb) {
    struct option *list = memory_zeroed(option_row_count + format_name_count() + 1, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < option_row_count; i++) {
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
static void short_options(enum verb verb, struct buffer *out) {
    buffer_printf(out, "%s", verb == VERB_RUN ? "+:" : ":");
    for (size_t i = 0; i < option_row_count; i++) {
        if ((option_rows[i].verbs & verb) != 0 && option_rows[i].letter != 0) {
            buffer_printf(out, "%c%s", option_rows[i].letter,
                          option_rows[i].argument != NULL ? ":" : "");
        }
    }
}

static const struct option_row *row_of_code(int code) {
    if (code >= CODE_FIRST) {
        return &option_rows[code - CODE_FIRST];
    }
    for (size_t i = 0; i < option_row_count; i++) {
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
    if (code >= CODE_FIRST + (int)option_row_count) {
        draft->flag_format = exporters[(size_t)(code - CODE_FIRST) - option_row_count];
        return STATUS_OK;
    }
    return take_row(draft, row_of_code(code), optarg, error);
}

static enum status take_options(struct draft *draft, enum verb verb, int argc, char **argv,
                                struct error *error) {
    struct buffer letters = {0};
    struct option *list = long_options(verb);
    enum status status = STATUS_OK;
    short_options(verb, &letters);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    for (int code;
         status == STATUS_OK && (code = getopt_long(argc, argv, letters.data, list, NULL)) != -1;) {
        status = take_option(draft, code, argv, error);
    }
    buffer_deinit(&letters);
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
        enum status status = take_row(draft, row_of_code('p'), argv[optind++], error);
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
        enum status status = take_row(draft, row_of_code('o'), default_path(draft), error);
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
