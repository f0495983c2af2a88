/* What machine code is called: from addresses in the target to frames of the trace. Each address is
 * looked up once; a file's symbols are read when the first address in it is met, as a recording
 * that is written meanwhile, and the live view, want the name at once. */
#ifndef PYROMETER_PROFILER_NATIVE_NAMES_H
#define PYROMETER_PROFILER_NATIVE_NAMES_H

#include "profiler/model/trace.h"
#include "profiler/session.h"
#include "reader/unwind.h"

struct native_names;

/* All are borrowed and must outlive it. */
struct native_names *native_names_create(struct session *session, struct trace *trace,
                                         struct unwinder *unwinder);
/* Accepts NULL. */
void native_names_destroy(struct native_names *names);

/* The frame of one. Where no symbol is known it is called after the file and where its function
 * begins there, "libx.so+0x1f20"; in code of no file, which the process has generated, after what
 * its perf map says, or <generated code>. */
struct frame_id native_names_frame(struct native_names *names, const struct native_frame *frame,
                                   uint64_t now_ns);
/* Stands for native frames that could not be had: <native>. */
struct frame_id native_names_gap(struct native_names *names);
/* Where the frame's function begins; 0 unknown. */
uint64_t native_names_function(struct native_names *names, const struct native_frame *frame);
/* After the unwinder has looked again what is mapped: addresses may mean something else now. */
void native_names_forget(struct native_names *names);

#endif
