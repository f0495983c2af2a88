/* The text of source files, as the target sees them: from its own root and working folder, which
 * are held open from the start, so that containers and targets that have ended are no difference.
 *
 * A target names what it likes as its sources. Only regular files of up to SOURCES_FILE_BYTES are
 * read, SOURCES_BYTES in all, and only what the target's user may read as well. */
#ifndef PYROMETER_PROFILER_SOURCES_H
#define PYROMETER_PROFILER_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"
#include "reader/process.h"

#define SOURCES_FILE_BYTES ((size_t)4 << 20)
#define SOURCES_BYTES      ((size_t)64 << 20)

struct sources {
    int root; /* -1: nothing can be read */
    int folder;
    bool is_our_root;
    uid_t uid;
    gid_t gid;
};

/* Where a process keeps its files. It may have ended when they are read. */
void sources_open(struct sources *out, const struct process *process);
/* Accepts a zeroed one with root and folder -1. */
void sources_close(struct sources *sources);

/* Appends a file, named as in co_filename. False when it is none, cannot or must not be read, or
 * `*left_bytes`, which is reduced, does not suffice. May be called by several threads at once. */
bool sources_read(const struct sources *sources, const char *name, size_t *left_bytes,
                  struct buffer *out);

/* Reads the files of all functions of the trace that it has no source of. */
void sources_capture(const struct sources *sources, struct trace *trace);

#endif
