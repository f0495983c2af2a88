/* Every option, and what it does: for options.c and --help alone. */
#ifndef PYROMETER_PROFILER_OPTION_ROWS_H
#define PYROMETER_PROFILER_OPTION_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/status.h"
#include "profiler/options.h"

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

/* What an option does is one of three: it calls `set`, or it puts its value, or true, at an offset
 * in struct options. An offset of 0 is none: the verb is there. A row with none of them asks for
 * what is done anyway. */
struct option_row {
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* NULL: takes none */
    unsigned verbs;       /* that take it */
    const char *help;
    enum status (*set)(struct draft *draft, const char *value, struct error *error);
    size_t text; /* of a const char *, borrowed from argv */
    size_t flag; /* of a bool */
};

/* In the order of --help; after the last a row whose name is NULL. */
extern const struct option_row option_rows[];
extern const size_t option_row_count;

#endif
