#include "profiler/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"

/* Bytes of the character that starts with `lead`; the text is valid UTF-8. */
static size_t bytes_of(unsigned char lead) {
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static uint32_t code_point_of(const char *text, size_t bytes) {
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = (unsigned char)text[0] & masks[bytes];
    for (size_t i = 1; i < bytes; i++) {
        code_point = code_point << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return code_point;
}

struct range {
    uint32_t first;
    uint32_t last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code_point) {
    for (size_t i = 0; i < count; i++) {
        if (code_point >= ranges[i].first && code_point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}
#define IS_IN(ranges, code_point) is_in(ranges, sizeof(ranges) / sizeof(ranges)[0], code_point)

/* Control characters, line ends, and what changes the direction of the text around it. */
static const struct range unsafe[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},
    {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
};

static void append_escape(struct buffer *out, uint32_t code_point) {
    switch (code_point) {
    case '\n': buffer_append(out, "\\n", 2); return;
    case '\r': buffer_append(out, "\\r", 2); return;
    case '\t': buffer_append(out, "\\t", 2); return;
    default: buffer_printf(out, code_point < 0x80 ? "\\x%02x" : "\\u%04x", code_point); return;
    }
}

/* Whether the character must be escaped; most are ASCII, and found not to be without a search. */
static bool is_escaped(uint32_t code_point, const char *also) {
    if (code_point >= 0x20 && code_point < 0x7f) {
        while (*also && (unsigned char)*also != code_point) {
            also++;
        }
        return *also != '\0';
    }
    return IS_IN(unsafe, code_point);
}

void text_append_escaped(struct buffer *out, const char *text, const char *also) {
    const char *kept = text; /* from here on nothing was appended yet */
    while (*text) {
        size_t bytes = bytes_of((unsigned char)*text);
        uint32_t code_point = code_point_of(text, bytes);
        if (is_escaped(code_point, also)) {
            buffer_append(out, kept, (size_t)(text - kept));
            append_escape(out, code_point);
            kept = text + bytes;
        }
        text += bytes;
    }
    buffer_append(out, kept, (size_t)(text - kept));
}

static const struct range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d}, {0x20d0, 0x20ff},
    {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

static size_t columns_of(uint32_t code_point) {
    return IS_IN(combining, code_point) ? 0 : IS_IN(wide, code_point) ? 2 : 1;
}

size_t text_next(const char *text, uint32_t *code_point_out, size_t *columns_out) {
    size_t bytes = bytes_of((unsigned char)*text);
    *code_point_out = code_point_of(text, bytes);
    *columns_out = columns_of(*code_point_out);
    return bytes;
}

size_t text_columns(const char *text) {
    size_t columns = 0;
    while (*text) {
        size_t bytes = bytes_of((unsigned char)*text);
        columns += columns_of(code_point_of(text, bytes));
        text += bytes;
    }
    return columns;
}

/* The end of the longest start of `text` that is at most `columns` wide. */
static const char *skip_columns(const char *text, size_t columns) {
    while (*text) {
        size_t bytes = bytes_of((unsigned char)*text);
        size_t width = columns_of(code_point_of(text, bytes));
        if (width > columns) {
            break;
        }
        columns -= width;
        text += bytes;
    }
    return text;
}

void text_append_shortened(struct buffer *out, const char *text, size_t columns) {
    assert(columns >= 5);
    size_t whole = text_columns(text);
    if (whole <= columns) {
        buffer_append(out, text, strlen(text));
        return;
    }
    size_t head_columns = (columns - 3) / 2;
    size_t tail_columns = columns - 3 - head_columns;
    const char *head_end = skip_columns(text, head_columns);
    const char *tail = skip_columns(text, whole - tail_columns);
    if (text_columns(tail) > tail_columns) { /* a wide character is across the cut */
        tail += bytes_of((unsigned char)*tail);
    }
    buffer_append(out, text, (size_t)(head_end - text));
    buffer_append(out, "...", 3);
    buffer_append(out, tail, strlen(tail));
}

void text_append_count(struct buffer *out, uint64_t count) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            buffer_append(out, ",", 1);
        }
        buffer_append(out, &digits[i], 1);
    }
}

void text_append_time(struct buffer *out, uint64_t time_ns) {
    static const struct {
        uint64_t unit_ns;
        const char *name;
    } units[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"}, {NS_PER_US, "us"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (time_ns >= units[i].unit_ns) {
            double value = (double)time_ns / (double)units[i].unit_ns;
            int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
            buffer_printf(out, "%.*f %s", decimals, value, units[i].name);
            return;
        }
    }
    buffer_printf(out, "%" PRIu64 " ns", time_ns);
}
