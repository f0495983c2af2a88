#include "exporters/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

static void *allocate(size_t bytes) {
    return memory_zeroed(bytes, 1);
}

void json_init(void) {
    cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

void json_add_count(cJSON *object, const char *name, uint64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    cJSON_AddRawToObject(object, name, digits);
}

enum { MS_TEXT_BYTES = 32 };

static void format_ms(uint64_t time_ns, char text[static MS_TEXT_BYTES]) {
    uint64_t whole = time_ns / NS_PER_MS;
    uint64_t rest = time_ns % NS_PER_MS;
    int bytes = snprintf(text, MS_TEXT_BYTES, "%" PRIu64, whole);
    if (rest) {
        snprintf(text + bytes, (size_t)(MS_TEXT_BYTES - bytes), ".%06" PRIu64, rest);
    }
}

void json_add_ms(cJSON *object, const char *name, uint64_t time_ns) {
    char text[MS_TEXT_BYTES];
    format_ms(time_ns, text);
    cJSON_AddRawToObject(object, name, text);
}

void json_write_ms(FILE *out, uint64_t time_ns) {
    char text[MS_TEXT_BYTES];
    format_ms(time_ns, text);
    fputs(text, out);
}

static char *text_take(cJSON *value, size_t bytes_left_out) {
    char *text = cJSON_PrintUnformatted(value);
    assert(text);
    text[strlen(text) - bytes_left_out] = '\0';
    cJSON_Delete(value);
    return text;
}

static void write_cut(FILE *out, cJSON *value, size_t bytes_left_out) {
    char *text = text_take(value, bytes_left_out);
    fputs(text, out);
    free(text);
}

void json_write_take(FILE *out, cJSON *value) {
    write_cut(out, value, 0);
}

void json_write_open_take(FILE *out, cJSON *object) {
    assert(object->child);
    write_cut(out, object, 1);
}

char *json_text_open_take(cJSON *object) {
    assert(object->child);
    return text_take(object, 1);
}
