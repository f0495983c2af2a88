/* Writing gzip: a stream in front of another one. */
#ifndef PYROMETER_EXPORTERS_GZIP_H
#define PYROMETER_EXPORTERS_GZIP_H

#include <stdio.h>

/* A stream whose bytes go to `out` compressed, the same bytes for the same input. fclose() ends the
 * gzip member and leaves `out` open; EOF from it means that `out` failed (see ferror there). `out`
 * is borrowed until then. */
FILE *gzip_open(FILE *out);

#endif
