/* How Python writes floats, strings and bytes. Pure. */
#ifndef PYROMETER_TARGET_RUNTIME_REPR_TEXT_H
#define PYROMETER_TARGET_RUNTIME_REPR_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

/* The shortest decimal number that is this one: 0.1, 1e+16, -0.0, nan. */
void repr_text_float(double value, struct buffer *out);

/* Quoted and escaped; of `length` characters the first `count` are in `points`. */
void repr_text_string(const uint32_t *points, size_t count, uint64_t length, struct buffer *out);
void repr_text_bytes(const uint8_t *bytes, size_t count, uint64_t length, struct buffer *out);

#endif
