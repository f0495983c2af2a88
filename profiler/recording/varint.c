#include "profiler/recording/varint.h"

enum { BYTES_MAX = 10 };

void varint_append(struct buffer *out, uint64_t value) {
    uint8_t *end = (uint8_t *)buffer_reserve(out, BYTES_MAX);
    size_t count = 0;
    while (value >= 0x80) {
        end[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    end[count++] = (uint8_t)value;
    end[count] = 0;
    out->length += count;
}

void varint_append_signed(struct buffer *out, int64_t value) {
    varint_append(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

bool varint_take(struct cursor *from, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; from->at < from->end && shift < 64; shift += 7) {
        uint8_t byte = *from->at++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

bool varint_take_signed(struct cursor *from, int64_t *out) {
    uint64_t folded;
    if (!varint_take(from, &folded)) {
        return false;
    }
    *out = (int64_t)(folded >> 1 ^ (~(folded & 1) + 1));
    return true;
}

bool varint_take_bytes(struct cursor *from, uint64_t bytes, struct cursor *out) {
    if (bytes > (uint64_t)(from->end - from->at)) {
        return false;
    }
    *out = (struct cursor){from->at, from->at + bytes};
    from->at += bytes;
    return true;
}
