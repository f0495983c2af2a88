#include "profiler/dump/source_line.h"

#include <string.h>

#include "profiler/base/text.h"

enum { LINE_BYTES = 400 };

struct span {
    const char *text;
    size_t bytes;
};

/* The line with that number, counted from 1, without its end; empty if there is none. */
static struct span find_line(const char *text, size_t bytes, uint32_t number) {
    const char *end = text + bytes;
    for (uint32_t line = 1; line < number && text != NULL; line++) {
        text = memchr(text, '\n', (size_t)(end - text));
        text = text != NULL ? text + 1 : NULL;
    }
    if (text == NULL || number == 0) {
        return (struct span){"", 0};
    }
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    return (struct span){text, (size_t)((newline != NULL ? newline : end) - text)};
}

static bool is_blank(char character) {
    return character == ' ' || character == '\t' || character == '\r' || character == '\f';
}

static struct span trim(struct span line, size_t *indent_out) {
    *indent_out = 0;
    for (; line.bytes > 0 && is_blank(line.text[0]); line.text++, line.bytes--) {
        (*indent_out)++;
    }
    while (line.bytes > 0 && is_blank(line.text[line.bytes - 1])) {
        line.bytes--;
    }
    return line;
}

/* Not in the middle of a character. */
static size_t cut(struct span line) {
    size_t bytes = line.bytes < LINE_BYTES ? line.bytes : LINE_BYTES;
    while (bytes > 0 && bytes < line.bytes && ((unsigned char)line.text[bytes] & 0xc0) == 0x80) {
        bytes--;
    }
    return bytes;
}

/* Columns of a terminal that the first `bytes` bytes take, as they are shown. */
static size_t columns_of(struct span line, size_t bytes) {
    struct buffer raw = {0};
    struct buffer shown = {0};
    buffer_append_utf8(&raw, line.text, bytes);
    buffer_append(&shown, "", 0);
    text_append_escaped(&shown, raw.data, "");
    size_t columns = text_columns(shown.data);
    buffer_deinit(&raw);
    buffer_deinit(&shown);
    return columns;
}

/* Columns of a frame are bytes, counted from 1 at the start of the line. Of what goes on over
 * several lines the first one's part is marked. */
static void set_mark(const struct trace_frame *frame, struct span line, size_t indent,
                     struct source_line *out) {
    size_t end = indent + line.bytes + 1;
    size_t to = frame->end_line > frame->line ? end : frame->end_column;
    if (frame->column <= indent || to <= frame->column || to > end) {
        return;
    }
    out->mark_at = columns_of(line, frame->column - 1 - indent);
    out->mark_columns = columns_of(line, to - 1 - indent) - out->mark_at;
}

bool source_line_of(const struct trace *trace, const struct trace_frame *frame,
                    struct source_line *out) {
    *out = (struct source_line){0};
    const struct trace_source *source =
        trace_source(trace, trace_function(trace, frame->function)->file);
    if (source == NULL) {
        return false;
    }
    size_t indent;
    struct span line = trim(find_line(source->text, source->bytes, frame->line), &indent);
    size_t bytes = cut(line);
    if (bytes == 0) {
        return false;
    }
    struct buffer raw = {0};
    buffer_append(&raw, line.text, bytes);
    text_append_escaped(&out->text, raw.data, "");
    buffer_deinit(&raw);
    if (bytes == line.bytes) {
        set_mark(frame, line, indent, out);
    }
    return true;
}

void source_line_free(struct source_line *line) {
    buffer_deinit(&line->text);
}
