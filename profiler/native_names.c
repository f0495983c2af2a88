#include "profiler/native_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/base/table.h"
#include "reader/functions.h"
#include "reader/perf_map.h"

enum {
    MAP_AGAIN_MS = 1000,
    SPOT_LIMIT = 1 << 20, /* addresses that are remembered; then all are forgotten */
};

/* An address that was met. */
struct spot {
    uint64_t address;  /* identity: of an instruction */
    uint64_t frame;    /* payload: id */
    uint64_t function; /* payload: where its function begins; 0 unknown */
};

/* A file whose symbols were read. */
struct file {
    uint64_t inode;  /* identity */
    uint64_t path;   /* identity: string id */
    uint64_t serial; /* payload: index into the array of functions + 1 */
};

struct native_names {
    struct session *session;
    struct trace *trace;
    struct unwinder *unwinder;
    struct table spots; /* struct spot */
    struct table files; /* struct file */
    struct functions *functions;
    size_t function_count;
    size_t function_capacity;
    struct functions perf_map;
    uint64_t map_again_ns;
};

/* ---- frames ---- */

static struct frame_id intern(struct native_names *names, const char *name, size_t bytes,
                              const char *file) {
    struct trace *trace = names->trace;
    struct trace_function function = {
        .name = trace_text(trace, name, bytes),
        .file = *file != '\0' ? trace_text(trace, file, strlen(file)) : (struct string_id){0},
        .is_native = true,
    };
    struct trace_frame frame = {
        .function = trace_intern_function(trace, function),
        .kind = FRAME_NATIVE,
    };
    return trace_intern_frame(trace, frame);
}

struct frame_id native_names_gap(struct native_names *names) {
    static const char name[] = "<native>";
    return intern(names, name, sizeof name - 1, "");
}

/* ---- code of files ---- */

static const struct functions *functions_of(struct native_names *names,
                                            const struct module *module) {
    const char *path = module->mapping->path;
    struct file file = {module->mapping->inode, trace_text(names->trace, path, strlen(path)).id, 0};
    struct file *known = table_row(&names->files, table_intern(&names->files, &file));
    if (known->serial == 0) {
        if (names->function_count == names->function_capacity) {
            names->functions = memory_grow(names->functions, sizeof *names->functions,
                                           names->function_count + 1, &names->function_capacity);
        }
        functions_read(&names->functions[names->function_count++], names->session->process,
                       &names->session->memory, module);
        known->serial = names->function_count;
    }
    return &names->functions[known->serial - 1];
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static struct frame_id name_in_module(struct native_names *names, const struct module *module,
                                      const struct spot *spot) {
    const char *path = process_path_inside(names->session->process, module->mapping->path);
    const struct function *known =
        functions_find(functions_of(names, module), spot->address - module->bias);
    struct buffer text = {0};
    if (known != NULL) {
        functions_append_name(known->name, &text);
    } else {
        uint64_t at = spot->function != 0 ? spot->function : spot->address;
        buffer_printf(&text, "%s+0x%" PRIx64, base_name(path), at - module->bias);
    }
    struct frame_id frame = intern(names, text.data, text.length, path);
    buffer_deinit(&text);
    return frame;
}

/* ---- code of no file ---- */

static struct frame_id name_generated(struct native_names *names, const struct spot *spot,
                                      uint64_t now_ns) {
    static const char unknown[] = "<generated code>";
    const struct function *known = functions_find(&names->perf_map, spot->address);
    if (known == NULL && now_ns >= names->map_again_ns) {
        names->map_again_ns = now_ns + MAP_AGAIN_MS * NS_PER_MS;
        functions_free(&names->perf_map);
        perf_map_read(&names->perf_map, names->session->process);
        known = functions_find(&names->perf_map, spot->address);
    }
    return known != NULL ? intern(names, known->name, strlen(known->name), "")
                         : intern(names, unknown, sizeof unknown - 1, "");
}

/* ---- looking up ---- */

static const struct spot *spot_of(struct native_names *names, const struct native_frame *frame) {
    struct spot spot = {frame->pc - (frame->is_call ? 1 : 0), 0, 0};
    uint32_t id = table_find(&names->spots, &spot);
    if (id == 0) {
        if (names->spots.count >= SPOT_LIMIT) {
            native_names_forget(names);
        }
        spot.function = unwinder_function(names->unwinder, spot.address);
        id = table_intern(&names->spots, &spot);
    }
    return table_row(&names->spots, id);
}

uint64_t native_names_function(struct native_names *names, const struct native_frame *frame) {
    return spot_of(names, frame)->function;
}

/* What is generated may get its name later on. */
struct frame_id native_names_frame(struct native_names *names, const struct native_frame *frame,
                                   uint64_t now_ns) {
    struct spot spot = *spot_of(names, frame);
    if (spot.frame != 0) {
        return (struct frame_id){(uint32_t)spot.frame};
    }
    const struct module *module = modules_find(unwinder_modules(names->unwinder), spot.address);
    if (module == NULL) {
        return name_generated(names, &spot, now_ns);
    }
    struct frame_id id = name_in_module(names, module, &spot);
    struct spot *known = table_row(&names->spots, table_intern(&names->spots, &spot));
    known->frame = id.id;
    return id;
}

/* ---- life ---- */

void native_names_forget(struct native_names *names) {
    table_deinit(&names->spots);
    table_init(&names->spots, sizeof(struct spot), offsetof(struct spot, frame));
}

struct native_names *native_names_create(struct session *session, struct trace *trace,
                                         struct unwinder *unwinder) {
    struct native_names *names = memory_zeroed(1, sizeof *names);
    names->session = session;
    names->trace = trace;
    names->unwinder = unwinder;
    table_init(&names->files, sizeof(struct file), offsetof(struct file, serial));
    table_init(&names->spots, sizeof(struct spot), offsetof(struct spot, frame));
    return names;
}

void native_names_destroy(struct native_names *names) {
    if (names == NULL) {
        return;
    }
    for (size_t i = 0; i < names->function_count; i++) {
        functions_free(&names->functions[i]);
    }
    functions_free(&names->perf_map);
    free(names->functions);
    table_deinit(&names->files);
    table_deinit(&names->spots);
    free(names);
}
