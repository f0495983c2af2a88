#include "profiler/base/status.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct status_row {
    const char *name;
    enum exit_status exit;
    const char *sentence;
    const char *hint;
};

static const struct status_row rows[STATUS_COUNT] = {
#define STATUS_ROW(name, exit, sentence, hint) [STATUS_##name] = {#name, exit, sentence, hint},
    STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

/* Cuts a UTF-8 sequence off that the end of the space left incomplete. */
static void drop_partial_character(char *text) {
    size_t end = strlen(text);
    size_t start = end;
    while (start > 0 && end - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return;
    }
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (end - start < wanted) {
        text[start - 1] = '\0';
    }
}

static void fill(struct error *error, enum status status, uint64_t address, const char *format,
                 va_list arguments) __attribute__((format(printf, 4, 0)));

static void fill(struct error *error, enum status status, uint64_t address, const char *format,
                 va_list arguments) {
    int os_errno = errno;
    if (error) {
        error->status = status;
        error->os_errno = os_errno;
        error->address = address;
        int length = vsnprintf(error->detail, sizeof error->detail, format, arguments);
        if (length < 0) {
            error->detail[0] = '\0';
        } else if ((size_t)length >= sizeof error->detail) {
            drop_partial_character(error->detail);
        }
    }
    errno = os_errno;
}

enum status error_set(struct error *error, enum status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, 0, format, arguments);
    va_end(arguments);
    return status;
}

enum status error_set_at(struct error *error, enum status status, uint64_t address,
                         const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, address, format, arguments);
    va_end(arguments);
    return status;
}

static const struct status_row *row_of(enum status status) {
    assert((unsigned)status < STATUS_COUNT);
    return &rows[status];
}

const char *status_name(enum status status) {
    return row_of(status)->name;
}

const char *status_sentence(enum status status) {
    return row_of(status)->sentence;
}

const char *status_hint(enum status status) {
    return row_of(status)->hint;
}

enum exit_status status_exit(enum status status) {
    return row_of(status)->exit;
}
