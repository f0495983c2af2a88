/* Stacks of a trace as text, to compare them with python_describe(). */
#ifndef PYROMETER_TESTS_UNIT_STACKS_H
#define PYROMETER_TESTS_UNIT_STACKS_H

#include <stdbool.h>

#include "profiler/base/buffer.h"
#include "profiler/model/trace.h"

/* Appends "root (file:line);caller (file:line);leaf (file:line)"; markers have no file. Nothing for
 * stack 0. */
void stack_describe(const struct trace *trace, struct stack_id stack, struct buffer *out);

/* Whether `text` is some of the root side of `whole`, or none of it, and then a frame <unverified>.
 */
bool stack_is_part(const char *text, const char *whole);

#endif
