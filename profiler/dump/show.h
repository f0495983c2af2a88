/* What was dumped, for people and for programs. */
#ifndef PYROMETER_PROFILER_DUMP_SHOW_H
#define PYROMETER_PROFILER_DUMP_SHOW_H

#include <cjson/cJSON.h>

#include "profiler/base/buffer.h"
#include "profiler/dump/herd.h"
#include "profiler/dump/take.h"

/* "sleeping" for S; NULL when that is not known. */
const char *show_state(char kernel_state);

/* "holds the GIL": the next thing that a thread does, from `*at` (0 at first) on, which is moved
 * on; NULL when there are no more. */
const char *show_doing(const struct dumped_process *process, const struct dumped_thread *dumped,
                       size_t *at);

/* Like a traceback: for each thread, the most recent call last, with the source where the trace has
 * it. */
void show_text(const struct trace *trace, const struct dumped_process *dumped, struct buffer *out);

/* The frames of one thread, as above. */
void show_stack(const struct trace *trace, const struct dumped_thread *dumped, struct buffer *out);

/* As docs/dump.schema.json says. The caller deletes it. */
cJSON *show_json(const struct trace *trace, const struct dumped_process *dumped);

/* Each stack once, with who is in it, those of fewest threads first. */
void show_herd_text(const struct trace *trace, const struct herd *herd, struct buffer *out);
/* As show_json. */
cJSON *show_herd_json(const struct trace *trace, const struct herd *herd);

#endif
