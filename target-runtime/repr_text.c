#include "target-runtime/repr_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- float ---- */

enum {
    DIGITS_MAX = 17,     /* always enough for a double */
    EXPONENT_FIXED = 16, /* from 1e16 on, and below 1e-4, there is an exponent */
    EXPONENT_SMALL = -4, /* (Objects/floatobject.c, float_repr; Python/pystrtod.c, 'r') */
};

/* The digits of the shortest number that reads back as `value`, "d.ddde+xx", without its sign. */
static void shortest(double value, char *out, size_t bytes) {
    for (int digits = 1; digits <= DIGITS_MAX; digits++) {
        snprintf(out, bytes, "%.*e", digits - 1, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
}

static void append_zeros(struct buffer *out, int count) {
    for (int i = 0; i < count; i++) {
        buffer_append(out, "0", 1);
    }
}

/* `digits` digits, the point behind the one of 10 to the `exponent`. */
static void append_fixed(const char *digits, int count, int exponent, struct buffer *out) {
    if (exponent < 0) {
        buffer_printf(out, "0.");
        append_zeros(out, -exponent - 1);
        buffer_printf(out, "%s", digits);
        return;
    }
    int whole = exponent + 1;
    int shown = count < whole ? count : whole;
    buffer_printf(out, "%.*s", shown, digits);
    append_zeros(out, whole - shown);
    buffer_printf(out, ".%s", count > whole ? digits + whole : "0");
}

void repr_text_float(double value, struct buffer *out) {
    char text[40];
    char digits[DIGITS_MAX + 2];
    int count = 0;
    if (isnan(value)) {
        buffer_printf(out, "nan");
        return;
    }
    buffer_printf(out, "%s", signbit(value) ? "-" : "");
    if (isinf(value)) {
        buffer_printf(out, "inf");
        return;
    }
    shortest(fabs(value), text, sizeof text);
    const char *exponent_at = strchr(text, 'e');
    for (const char *at = text; at < exponent_at && count <= DIGITS_MAX; at++) {
        digits[count] = *at;
        count += *at != '.';
    }
    digits[count] = '\0';
    int exponent = atoi(exponent_at + 1);
    if (exponent >= EXPONENT_SMALL && exponent < EXPONENT_FIXED) {
        append_fixed(digits, count, exponent, out);
    } else {
        buffer_printf(out, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "", digits + 1,
                      exponent < 0 ? '-' : '+', abs(exponent));
    }
}

/* ---- str and bytes ---- */

/* Objects/unicodeobject.c, unicode_repr: double quotes only around what has single ones alone. */
struct quoting {
    bool has_single;
    bool has_double;
};

static void note_quotes(struct quoting *quoting, uint32_t point) {
    quoting->has_single = quoting->has_single || point == '\'';
    quoting->has_double = quoting->has_double || point == '"';
}

static char quote_of(const struct quoting *quoting) {
    return quoting->has_single && !quoting->has_double ? '"' : '\'';
}

static bool append_short_escape(uint32_t point, char quote, struct buffer *out) {
    switch (point) {
    case '\n': buffer_printf(out, "\\n"); return true;
    case '\r': buffer_printf(out, "\\r"); return true;
    case '\t': buffer_printf(out, "\\t"); return true;
    case '\\': buffer_printf(out, "\\\\"); return true;
    default: break;
    }
    if (point == (uint32_t)quote) {
        buffer_printf(out, "\\%c", quote);
    }
    return point == (uint32_t)quote;
}

static void append_point(uint32_t point, char quote, struct buffer *out) {
    bool is_printable = (point >= 0x20 && point < 0x7f) || (point > 0xa0 && point != 0xad);
    if (append_short_escape(point, quote, out)) {
        return;
    }
    if (is_printable) {
        buffer_append_code_point(out, point);
    } else {
        buffer_printf(out, "\\x%02x", point);
    }
}

static void append_end(char quote, bool is_whole, struct buffer *out) {
    buffer_printf(out, "%c%s", quote, is_whole ? "" : "...");
}

void repr_text_string(const uint32_t *points, size_t count, uint64_t length, struct buffer *out) {
    struct quoting quoting = {0};
    for (size_t i = 0; i < count; i++) {
        note_quotes(&quoting, points[i]);
    }
    char quote = quote_of(&quoting);
    buffer_append(out, &quote, 1);
    for (size_t i = 0; i < count; i++) {
        append_point(points[i], quote, out);
    }
    append_end(quote, count == length, out);
}

void repr_text_bytes(const uint8_t *bytes, size_t count, uint64_t length, struct buffer *out) {
    struct quoting quoting = {0};
    for (size_t i = 0; i < count; i++) {
        note_quotes(&quoting, bytes[i]);
    }
    char quote = quote_of(&quoting);
    buffer_printf(out, "b%c", quote);
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] < 0x7f) {
            append_point(bytes[i], quote, out);
        } else {
            buffer_printf(out, "\\x%02x", bytes[i]);
        }
    }
    append_end(quote, count == length, out);
}
