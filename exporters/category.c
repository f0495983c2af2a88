#include "exporters/category.h"

#include <assert.h>
#include <string.h>

#include "profiler/model/origin.h"

/* Extension modules are files NAME.so or NAME.cpython-311-x86_64-linux-gnu.so, libraries of the
 * system NAME.so.6. */
static bool is_native(const char *name, const char *file) {
    (void)name;
    const char *found = strstr(file, ".so");
    while (found && found[3] != '\0' && found[3] != '.') {
        found = strstr(found + 1, ".so");
    }
    return found;
}

static bool is_library(const char *name, const char *file) {
    (void)name;
    return origin_is_library(file);
}

static bool is_standard(const char *name, const char *file) {
    (void)name;
    return origin_is_standard(file);
}

static bool is_python(const char *name, const char *file) {
    (void)name;
    return *file;
}

static bool is_collection(const char *name, const char *file) {
    return !*file && strcmp(name, "<GC>") == 0;
}

/* The Firefox Profiler takes the first grey one for what has no category, and samples of the one
 * called "Idle" can be left out there. A thread that waits for the GIL waits in the kernel too. */
const struct category categories[] = {
    {.name = "Other", .color = "grey"},
    {.name = "Native", .color = "orange", .fits = is_native},
    {.name = "Library", .color = "green", .fits = is_library},
    {.name = "Standard library", .color = "lightblue", .fits = is_standard},
    {.name = "Python", .color = "yellow", .fits = is_python},
    {.name = "GC", .color = "red", .fits = is_collection, .states = STATE_COLLECTING},
    {.name = "GIL wait", .color = "magenta", .states = STATE_WANTS_GIL},
    {.name = "Idle", .color = "transparent", .states = STATE_WAITING},
};

const size_t category_count = sizeof categories / sizeof categories[0];

size_t category_of_function(const struct trace *trace, struct function_id id) {
    const struct trace_function *function = trace_function(trace, id);
    const char *name = trace_string(trace, function->name);
    const char *file = trace_string(trace, function->file);
    if (function->is_native) {
        return category_by_name("Native");
    }
    for (size_t i = 0; i < category_count; i++) {
        if (categories[i].fits && categories[i].fits(name, file)) {
            return i;
        }
    }
    return 0;
}

size_t category_of_sample(size_t function, uint32_t state) {
    for (size_t i = 0; i < category_count; i++) {
        if (categories[i].states & state) {
            return i;
        }
    }
    return function;
}

size_t category_by_name(const char *name) {
    size_t i = 0;
    while (strcmp(categories[i].name, name) != 0) {
        i++;
        assert(i < category_count);
    }
    return i;
}
