#include "profiler/base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

#define FIRST_BYTES ((size_t)64)

void buffer_deinit(struct buffer *buffer) {
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer) {
    buffer->length = 0;
    if (buffer->data) {
        buffer->data[0] = '\0';
    }
}

char *buffer_reserve(struct buffer *buffer, size_t bytes) {
    size_t wanted;
    if (__builtin_add_overflow(buffer->length + 1, bytes, &wanted)) {
        wanted = SIZE_MAX; /* memory_grow ends the program */
    }
    if (wanted < FIRST_BYTES) {
        wanted = FIRST_BYTES;
    }
    buffer->data = memory_grow(buffer->data, 1, wanted, &buffer->capacity);
    return buffer->data + buffer->length;
}

void buffer_append(struct buffer *buffer, const void *data, size_t bytes) {
    char *end = buffer_reserve(buffer, bytes);
    if (bytes) {
        memcpy(end, data, bytes);
    }
    end[bytes] = '\0';
    buffer->length += bytes;
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    size_t room = FIRST_BYTES;
    for (;;) {
        char *end = buffer_reserve(buffer, room);
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(end, room + 1, format, arguments);
        va_end(arguments);
        assert(length >= 0);
        if ((size_t)length <= room) {
            buffer->length += (size_t)length;
            return;
        }
        room = (size_t)length; /* once more, with room for all of it */
    }
}

/* What may follow a lead byte (Unicode 15, table 3-7): the second byte's range keeps overlong
 * forms, surrogates and code points past U+10FFFF out; further bytes are 80..BF. */
struct utf8_row {
    unsigned char lead_low, lead_high;
    unsigned char second_low, second_high;
    unsigned char length;
};

static const struct utf8_row utf8_rows[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct utf8_row *row_of(unsigned char lead) {
    for (size_t i = 0; i < sizeof utf8_rows / sizeof utf8_rows[0]; i++) {
        if (lead >= utf8_rows[i].lead_low && lead <= utf8_rows[i].lead_high) {
            return &utf8_rows[i];
        }
    }
    return NULL;
}

/* Length of the character at `text`, 1 to 4, or 0 when it is not one. `bytes` is at least 1. */
static size_t character_length(const unsigned char *text, size_t bytes) {
    const struct utf8_row *row = row_of(text[0]);
    if (!row || row->length > bytes) {
        return 0;
    }
    if (row->length > 1 && (text[1] < row->second_low || text[1] > row->second_high)) {
        return 0;
    }
    for (size_t i = 2; i < row->length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return row->length;
}

void buffer_append_utf8(struct buffer *buffer, const char *text, size_t bytes) {
    const unsigned char *next = (const unsigned char *)text;
    const unsigned char *end = next + bytes;
    const unsigned char *valid = next; /* start of what is valid and not yet appended */
    buffer_reserve(buffer, bytes);
    while (next < end) {
        size_t length = character_length(next, (size_t)(end - next));
        if (length) {
            next += length;
            continue;
        }
        buffer_append(buffer, valid, (size_t)(next - valid));
        buffer_printf(buffer, "\\x%02x", *next);
        valid = ++next;
    }
    buffer_append(buffer, valid, (size_t)(next - valid));
}

void buffer_append_code_point(struct buffer *buffer, uint32_t code_point) {
    if ((code_point >= 0xd800 && code_point <= 0xdfff) || code_point > 0x10ffff) {
        buffer_printf(buffer, "\\u%04x", code_point);
        return;
    }
    unsigned char out[4];
    size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (unsigned char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    out[0] = (unsigned char)(leads[length] | code_point);
    buffer_append(buffer, out, length);
}
