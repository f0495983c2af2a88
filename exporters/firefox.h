/* The parts of the Firefox Profiler's format: see firefox.c. */
#ifndef PYROMETER_EXPORTERS_FIREFOX_H
#define PYROMETER_EXPORTERS_FIREFOX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "exporters/culprits.h"
#include "exporters/tracks.h"
#include "profiler/base/table.h"
#include "profiler/model/trace.h"

/* A stack whose newest frame has another category than its function has. */
struct firefox_variant {
    uint32_t stack;    /* id of a trace_stack */
    uint32_t category; /* index into `categories` */
};

/* What the writing needs to know of the whole profile. */
struct firefox {
    const struct trace *trace;
    FILE *out;
    struct tracks tracks; /* the threads of the file, in its order */
    struct culprits culprits;
    uint32_t *categories;  /* of functions, by id: indexes into `categories` */
    struct table variants; /* struct firefox_variant */
    struct table sources;  /* struct string_id: files of functions */
    uint64_t end_ns;       /* of the newest run of all threads */
};

/* The variant that a run is of; its category is that of the function when there is none. */
struct firefox_variant firefox_variant_of(const struct firefox *writer,
                                          const struct timeline_run *run);
/* Index of a state's name (`states`) among the strings. */
uint32_t firefox_state_name(const struct firefox *writer, size_t state);

/* Each writes a member of the file, without a comma: "meta" and "threads". The second fails when
 * the order of samples cannot be read back, or `out` written. */
void firefox_write_meta(const struct firefox *writer);
enum status firefox_write_threads(const struct firefox *writer) MUST_CHECK;

#endif
