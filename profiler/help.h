/* --help: what the rows of verbs, options, formats and modes say of themselves. */
#ifndef PYROMETER_PROFILER_HELP_H
#define PYROMETER_PROFILER_HELP_H

#include <stdio.h>

#include "profiler/verb.h"

/* Prints the help of one verb, or of the program (0). */
void help_print(enum verb verb, FILE *out);

#endif
