#include "profiler/help.h"

#include <stddef.h>

#include "exporters/exporter.h"
#include "profiler/model/mode.h"
#include "profiler/option_rows.h"
#include "target-runtime/runtime.h"

static void print_options(enum verb verb, FILE *out) {
    fputs("\nOptions:\n", out);
    for (const struct option_row *row = option_rows; row->name != NULL; row++) {
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
    for (const struct verb_row *row = verb_rows; row->name != NULL; row++) {
        fprintf(out, "  pyrometer %-6s %-33s %s\n", row->name, row->arguments, row->help);
    }
    fputs("\n'pyrometer VERB --help' lists the options of a verb; 'record -p PID' and\n"
          "'record -- COMMAND' are other spellings of attach and run.\n"
          "\nExit status: 0 done, 1 internal error, 2 bad usage, 3 no such process,\n"
          "4 not permitted, 5 not a Python that can be read, 6 not one sample, 7 an output\n"
          "could not be written, 8 slower than --fail-above allows, 9 the recording cannot\n"
          "be read; run passes on the command's own.\n",
          out);
}

void help_print(enum verb verb, FILE *out) {
    const struct verb_row *row = verb_row_of(verb);
    if (row == NULL) {
        print_overview(out);
        return;
    }
    fprintf(out, "usage: pyrometer %s %s\n\n%s\n", row->name, row->arguments, row->help);
    print_options(verb, out);
    if ((verb & VERBS_WRITING) != 0) {
        print_formats(out);
    }
    if ((verb & (VERBS_LIVE | VERBS_READING)) != 0) {
        print_modes(out);
    }
}
