/* Whole numbers in as few bytes as they need: seven bits a byte, low ones first, the eighth bit set
 * in all but the last (LEB128). Signed ones are folded first: 0, -1, 1, -2 become 0, 1, 2, 3. */
#ifndef PYROMETER_RECORDING_VARINT_H
#define PYROMETER_RECORDING_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

void varint_append(struct buffer *out, uint64_t value);
void varint_append_signed(struct buffer *out, int64_t value);

/* Bytes that are read from front to back. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* False when the bytes end too early or the number is too big for 64 bits. */
bool varint_take(struct cursor *from, uint64_t *out);
bool varint_take_signed(struct cursor *from, int64_t *out);
/* Cuts `bytes` bytes off the front. False when there are not so many. */
bool varint_take_bytes(struct cursor *from, uint64_t bytes, struct cursor *out);

#endif
