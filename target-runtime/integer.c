#include "target-runtime/integer.h"

#include <inttypes.h>
#include <string.h>

enum {
    DECIMAL_CHUNK = 1000000000, /* nine decimal digits at a time */
    DECIMAL_CHUNKS = INTEGER_DIGITS * INTEGER_DIGIT_BITS / 29 + 1,
    DIGIT_COUNT_LIMIT = 1 << 30, /* more does not fit into a memory */
};

/* The word that tells how many digits there are. */
static void integer_shape_of(enum integer_shape shape, uint64_t tag, struct integer *out) {
    switch (shape) {
    case INTEGER_SIZE:
        out->is_negative = (int64_t)tag < 0;
        out->digit_count = out->is_negative ? 0 - tag : tag;
        break;
    /* Include/cpython/longintrepr.h (3.12): sign 0 positive, 1 zero, 2 negative. */
    case INTEGER_TAG:
        out->is_negative = (tag & 3) == 2;
        out->digit_count = (tag & 3) == 1 ? 0 : tag >> 3;
        break;
    }
}

static enum status read_digits(const struct runtime *runtime, struct remote digits, uint64_t first,
                               uint32_t *out, size_t count) {
    enum status status = memory_read_one(runtime->memory, remote_at(digits, first * 4), out,
                                         (uint32_t)(count * sizeof *out));
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = out[i] >> INTEGER_DIGIT_BITS == 0 ? STATUS_OK : STATUS_TORN;
    }
    return status;
}

static uint64_t bits_of(uint64_t digit_count, uint32_t highest) {
    uint64_t bits = (digit_count - 1) * INTEGER_DIGIT_BITS;
    for (; highest != 0; highest >>= 1) {
        bits++;
    }
    return bits;
}

enum status integer_read(const struct runtime *runtime, struct remote object, struct integer *out) {
    const struct layout *layout = runtime->layout;
    struct remote digits = remote_at(object, LAYOUT_AT(layout, integer, digits));
    uint8_t tag[8];
    uint32_t highest;
    *out = (struct integer){0};
    enum status status = memory_read_one(
        runtime->memory, remote_at(object, LAYOUT_AT(layout, integer, tag)), tag, sizeof tag);
    if (status != STATUS_OK) {
        return status;
    }
    integer_shape_of(layout->integer_shape, load_u64(tag), out);
    if (out->digit_count == 0) {
        return STATUS_OK;
    }
    if (out->digit_count > DIGIT_COUNT_LIMIT) {
        return STATUS_TORN;
    }
    if (out->digit_count <= INTEGER_DIGITS) {
        status = read_digits(runtime, digits, 0, out->digits, out->digit_count);
        highest = out->digits[out->digit_count - 1];
    } else {
        status = read_digits(runtime, digits, out->digit_count - 1, &highest, 1);
    }
    out->bits = status == STATUS_OK ? bits_of(out->digit_count, highest) : 0;
    return status;
}

/* Divides the number in place and returns what remains. */
static uint32_t divide(uint32_t *digits, size_t count, uint32_t divisor) {
    uint64_t remainder = 0;
    for (size_t i = count; i > 0; i--) {
        uint64_t part = remainder << INTEGER_DIGIT_BITS | digits[i - 1];
        digits[i - 1] = (uint32_t)(part / divisor);
        remainder = part % divisor;
    }
    return (uint32_t)remainder;
}

void integer_print(const struct integer *integer, struct buffer *out) {
    uint32_t digits[INTEGER_DIGITS];
    uint32_t chunks[DECIMAL_CHUNKS] = {0};
    size_t count = integer->digit_count;
    size_t used = 0;
    if (count > INTEGER_DIGITS) {
        buffer_printf(out, "<int of %" PRIu64 " bits>", integer->bits);
        return;
    }
    memcpy(digits, integer->digits, sizeof digits);
    do {
        chunks[used++] = divide(digits, count, DECIMAL_CHUNK);
        while (count > 0 && digits[count - 1] == 0) {
            count--;
        }
    } while (count > 0);
    buffer_printf(out, "%s%" PRIu32, integer->is_negative ? "-" : "", chunks[used - 1]);
    for (size_t i = used - 1; i > 0; i--) {
        buffer_printf(out, "%09" PRIu32, chunks[i - 1]);
    }
}
