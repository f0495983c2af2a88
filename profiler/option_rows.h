/* The rows of options.c, for it and for --help alone. */
#ifndef PYROMETER_PROFILER_OPTION_ROWS_H
#define PYROMETER_PROFILER_OPTION_ROWS_H

#include <stddef.h>

#include "profiler/base/status.h"

struct draft; /* what parsing has gathered so far */

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

/* Every option, in the order of --help; ends with a row whose name is NULL. */
extern const struct option_row option_rows[];

#endif
