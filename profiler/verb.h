/* What the program can be asked to do: the first word of its command line.
 *
 * To add one: a bit, a row in verb.c, and what it does in main.c; the options that it takes name
 * it in the rows of option_rows.c. */
#ifndef PYROMETER_PROFILER_VERB_H
#define PYROMETER_PROFILER_VERB_H

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

/* Sets of verbs: which of them take an option, and what their help lists. */
enum {
    VERBS_SAMPLING = VERB_ATTACH | VERB_RUN,
    VERBS_READING = VERB_REPLAY | VERB_DIFF,
    VERBS_WRITING = VERBS_SAMPLING | VERBS_READING,
    VERBS_ANY = VERBS_WRITING | VERB_DUMP | VERB_TOP,
    VERBS_LIVE = VERBS_SAMPLING | VERB_TOP,
    VERBS_ON_PID = VERB_ATTACH | VERB_DUMP | VERB_TOP,
};

struct verb_row {
    enum verb verb;
    const char *name;
    const char *arguments; /* for --help */
    const char *help;
};

/* Every verb but help and version; ends with a row whose name is NULL. */
extern const struct verb_row verb_rows[];

/* NULL: it has none. */
const struct verb_row *verb_row_of(enum verb verb);

/* The verb that argv[0] names, or 0; `record` is one or the other by the words after it. */
enum verb verb_of_words(int argc, char **argv);

#endif
