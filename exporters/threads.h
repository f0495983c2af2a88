/* The threads of a trace as the formats show them. */
#ifndef PYROMETER_EXPORTERS_THREADS_H
#define PYROMETER_EXPORTERS_THREADS_H

#include <stddef.h>

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

/* The threads that have samples, process by process, the one that was asked for first; in each its
 * main thread first, then by thread id and serial. The caller frees *out with free(). Returns how
 * many there are. */
size_t threads_sorted(const struct trace *trace, struct thread_ref **out);

/* What is known of a process; NULL: nothing. */
const struct trace_process *threads_process(const struct trace *trace, uint32_t pid);
/* The name of the process that the thread belongs to. */
struct string_id threads_process_name(const struct trace *trace, struct thread_ref id);

/* Append "process NAME (PID)" and "thread NAME (TID)", "?" standing for an empty name; the names
 * are not escaped. */
void threads_append_process(struct buffer *out, const struct trace *trace, struct thread_ref id);
void threads_append_thread(struct buffer *out, const struct trace *trace, struct thread_ref id);

#endif
