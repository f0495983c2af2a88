/* Calls the roll of the tasks of a process now and then: all of them, those that wait, too. */
#ifndef PYROMETER_PROFILER_ROLLCALL_H
#define PYROMETER_PROFILER_ROLLCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/roll.h"
#include "profiler/model/trace.h"
#include "profiler/session.h"

struct rollcall;

/* Both are borrowed and must outlive it. */
struct rollcall *rollcall_create(struct session *session, struct trace *trace);
/* Accepts NULL. */
void rollcall_destroy(struct rollcall *rollcall);

/* Whether it is time again: twice a second, and calling takes a twentieth of the time at most. */
bool rollcall_is_due(const struct rollcall *rollcall, uint64_t now_ns);
/* Calls it, at the threads of an earlier look; `now_ns` is monotonic. What cannot be read is left
 * out: GONE and NOT_PERMITTED alone are told. `*out` is borrowed until the next call. */
enum status rollcall_take(struct rollcall *rollcall, const struct raw_look *threads,
                          uint64_t now_ns, const struct roll_entry **out,
                          size_t *count_out) MUST_CHECK;

#endif
