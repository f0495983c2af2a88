/* Text for people and for line-based formats: one line, and as wide as it looks. */
#ifndef PYROMETER_BASE_TEXT_H
#define PYROMETER_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

/* Appends valid UTF-8 so that it stays on one line and moves no cursor: newline, tab and return
 * become \n, \t and \r, other control characters \xNN (below U+0080) or \uNNNN, and so do the
 * Unicode line ends and what reorders text on a screen. ASCII characters in `also` become \xNN.
 * A backslash stays as it is. */
void text_append_escaped(struct buffer *out, const char *text, const char *also);

/* The first character of valid UTF-8 that is not empty, and the columns it takes. Returns its
 * bytes. */
size_t text_next(const char *text, uint32_t *code_point_out, size_t *columns_out);

/* Columns that valid UTF-8 takes on a terminal: 2 for wide East Asian characters and most emoji, 0
 * for combining ones. By blocks of Unicode, so right for nearly all text. */
size_t text_columns(const char *text);

/* Appends `text`, at most `columns` wide: of a wider one the middle is left out and "..." stands
 * for it. `columns` is at least 5. */
void text_append_shortened(struct buffer *out, const char *text, size_t columns);

/* Appends 12345678 as "12,345,678". */
void text_append_count(struct buffer *out, uint64_t count);

/* Appends a time with three digits or more and its unit, as in "12.3 ms" and "1234 s". */
void text_append_time(struct buffer *out, uint64_t time_ns);

#endif
