#include "profiler/verb.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

const struct verb_row verb_rows[] = {
    {VERB_ATTACH, "attach", "[OPTIONS] PID", "profile a running process"},
    {VERB_RUN, "run", "[OPTIONS] [--] COMMAND [ARG...]",
     "start a command and profile it from its first bytecode"},
    {VERB_TOP, "top", "[OPTIONS] PID | -- COMMAND...", "watch a process or command live"},
    {VERB_REPLAY, "replay", "[OPTIONS] FILE", "turn a recording (.pyro) into any other format"},
    {VERB_DIFF, "diff", "[OPTIONS] BASE NEW",
     "compare two recordings: what takes more of the time, and how sure that is"},
    {VERB_DUMP, "dump", "[OPTIONS] PID", "print the stack of every thread, once"},
    {(enum verb)0, NULL, NULL, NULL},
};

const struct verb_row *verb_row_of(enum verb verb) {
    for (const struct verb_row *row = verb_rows; row->name != NULL; row++) {
        if (row->verb == verb) {
            return row;
        }
    }
    return NULL;
}

/* `record` is another spelling of attach and of run: of attach when a PID is given by option. */
static enum verb verb_of_record(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "-p", 2) == 0 || strncmp(argv[i], "--pid", 5) == 0) {
            return VERB_ATTACH;
        }
    }
    return VERB_RUN;
}

enum verb verb_of_words(int argc, char **argv) {
    const char *name = argv[0];
    for (const struct verb_row *row = verb_rows; row->name != NULL; row++) {
        if (strcmp(name, row->name) == 0) {
            return row->verb;
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
