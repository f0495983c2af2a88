/* Where code comes from, told by the path of its file. */
#ifndef PYROMETER_MODEL_ORIGIN_H
#define PYROMETER_MODEL_ORIGIN_H

#include <stdbool.h>

/* A package that was installed: pip's are in site-packages, Debian's in dist-packages. */
bool origin_is_library(const char *file);
/* The standard library, and the importer's own modules, "<frozen importlib._bootstrap>". */
bool origin_is_standard(const char *file);

#endif
