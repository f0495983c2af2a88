/* Writing results: beside their final name and renamed when whole, so that nobody ever sees half a
 * file, and a failed write leaves what was there before. */
#ifndef PYROMETER_PROFILER_OUTPUT_H
#define PYROMETER_PROFILER_OUTPUT_H

#include <stdio.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"

/* Puts the content into `out`; NO_OUTPUT or any other status ends the attempt. */
typedef enum status output_content(const void *context, FILE *out, struct error *error);

/* Appends `path` with %p replaced by the PID, %t by the wall-clock time ("20261122T165009"), %% by
 * a percent sign; anything else stays. `wall_ns` is since 1970. */
void output_expand_path(const char *path, int pid, uint64_t wall_ns, struct buffer *out);

/* Whether a file of that name could be made: the folder is there and may be written to, and the
 * name is not a folder's. For asking before hours of sampling. NO_OUTPUT. */
enum status output_check(const char *path, struct error *error) MUST_CHECK;

/* Writes to `path`; "-" is standard output. What is not a regular file (a pipe, a device) is
 * written directly, a symbolic link is followed. NO_OUTPUT names the path and why. */
enum status output_write(const char *path, output_content *content, const void *context,
                         struct error *error) MUST_CHECK;

#endif
