#include "exporters/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

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

static void write_cut(FILE *out, cJSON *value, size_t bytes_left_out) {
    char *text = cJSON_PrintUnformatted(value);
    assert(text);
    fwrite(text, 1, strlen(text) - bytes_left_out, out);
    cJSON_free(text);
    cJSON_Delete(value);
}

void json_write_take(FILE *out, cJSON *value) {
    write_cut(out, value, 0);
}

void json_write_open_take(FILE *out, cJSON *object) {
    assert(object->child);
    write_cut(out, object, 1);
}
