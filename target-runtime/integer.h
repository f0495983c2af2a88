/* Python's int, of any size up to a bound. */
#ifndef PYROMETER_TARGET_RUNTIME_INTEGER_H
#define PYROMETER_TARGET_RUNTIME_INTEGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "target-runtime/runtime.h"

/* Digits are of 30 bits, the lowest first. */
enum { INTEGER_DIGITS = 40, INTEGER_DIGIT_BITS = 30 };

struct integer {
    bool is_negative;
    uint64_t digit_count;            /* 0: the number is 0 */
    uint64_t bits;                   /* of its absolute value */
    uint32_t digits[INTEGER_DIGITS]; /* all 0 when there are more than that */
};

/* TORN when it does not look like an int. */
enum status integer_read(const struct runtime *runtime, struct remote object,
                         struct integer *out) MUST_CHECK;

/* Appends it in decimal. Of one with too many digits only its size: "<int of 4000 bits>". */
void integer_print(const struct integer *integer, struct buffer *out);

#endif
