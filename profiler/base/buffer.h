/* Growable bytes, for text that is put together and for data read from files. */
#ifndef PYROMETER_BASE_BUFFER_H
#define PYROMETER_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data; /* data[length] is always 0 once anything was appended */
    size_t length;
    size_t capacity;
};

/* A zeroed buffer is an empty one. */
void buffer_deinit(struct buffer *buffer);
void buffer_clear(struct buffer *buffer);
/* Makes room for `bytes` more and a terminator. Returns where they go; the length is the caller's
 * to change. */
char *buffer_reserve(struct buffer *buffer, size_t bytes);
void buffer_append(struct buffer *buffer, const void *data, size_t bytes);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends `bytes` bytes of text as valid UTF-8: what is not UTF-8 becomes \xNN. */
void buffer_append_utf8(struct buffer *buffer, const char *text, size_t bytes);
/* Appends one code point as UTF-8; a surrogate or one past U+10FFFF becomes \uNNNN. */
void buffer_append_code_point(struct buffer *buffer, uint32_t code_point);

#endif
