#include "target-runtime/code.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/objects.h"

enum {
    CODE_OBJECT_BYTES = 512,
    LINE_TABLE_LIMIT = 32 << 20,
    CODE_UNITS_LIMIT = 1 << 28,
    COPIES_LIMIT = 1 << 16, /* as many as there may be threads */
};

/* ---- fingerprints ---- */

static uint8_t *part_of(struct code_fingerprint *fingerprint, int part) {
    return part == 0 ? fingerprint->object : part == 1 ? fingerprint->name : fingerprint->file;
}

void code_fingerprint_ranges(const struct code_fingerprint *fingerprint,
                             struct code_fingerprint *copy,
                             struct range ranges[CODE_FINGERPRINT_PARTS]) {
    for (int i = 0; i < CODE_FINGERPRINT_PARTS; i++) {
        ranges[i] = (struct range){fingerprint->from[i], part_of(copy, i), fingerprint->bytes[i],
                                   STATUS_NOT_MAPPED};
    }
}

bool code_fingerprint_matches(const struct code_fingerprint *fingerprint,
                              const struct code_fingerprint *copy) {
    return memcmp(fingerprint->object, copy->object, fingerprint->bytes[0]) == 0 &&
           memcmp(fingerprint->name, copy->name, fingerprint->bytes[1]) == 0 &&
           memcmp(fingerprint->file, copy->file, fingerprint->bytes[2]) == 0;
}

uint32_t code_fingerprint_u32(const struct code *code, uint32_t place) {
    const struct code_fingerprint *fingerprint = &code->fingerprint;
    uint64_t at = code->address.addr + place - fingerprint->from[0].addr;
    return at + 4 <= fingerprint->bytes[0] ? load_u32(fingerprint->object + at) : 0;
}

/* From the field after the object's head to the table of lines: in every version these lie behind
 * one another, and nothing in between is written to after the object was made
 * (Objects/codeobject.c; what changes, co_extra, co_executors, the caches and the bytecode, comes
 * after). */
static void take_object(const struct layout *layout, struct remote address, const uint8_t *object,
                        struct code_fingerprint *out) {
    uint32_t from = LAYOUT_AT(layout, object, var_count);
    uint32_t to = LAYOUT_AT(layout, code, line_table) + 8;
    uint32_t bytes = to > from ? to - from : 0;
    out->bytes[0] = bytes < CODE_FINGERPRINT_BYTES ? bytes : CODE_FINGERPRINT_BYTES;
    out->from[0] = remote_at(address, from);
    memcpy(out->object, object + from, out->bytes[0]);
}

/* The last characters of a string, as many as there is room for: names and paths differ at their
 * end rather than at their beginning. */
static enum status take_text(const struct runtime *runtime, struct remote string, int part,
                             struct code_fingerprint *out) {
    struct remote chars;
    size_t bytes;
    enum status status = object_characters(runtime, string, &chars, &bytes);
    if (status != STATUS_OK) {
        return status;
    }
    out->bytes[part] = bytes < CODE_FINGERPRINT_TEXT ? (uint32_t)bytes : CODE_FINGERPRINT_TEXT;
    out->from[part] = remote_at(chars, bytes - out->bytes[part]);
    return memory_read_one(runtime->memory, out->from[part], part_of(out, part), out->bytes[part]);
}

/* ---- reading ---- */

/* How much of a code object to read so that every field is in it. */
static uint32_t object_extent(const struct layout *layout) {
    static const enum layout_field fields[] = {
        LAYOUT_code_argcount,    LAYOUT_code_flags,      LAYOUT_code_first_line,
        LAYOUT_code_filename,    LAYOUT_code_name,       LAYOUT_code_qualname,
        LAYOUT_code_line_table,  LAYOUT_code_unit_count, LAYOUT_code_first_traceable,
        LAYOUT_code_bytes_object};
    uint32_t extent = 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint32_t place = layout->place[fields[i]];
        uint32_t end = place == 0 ? 0 : place - 1 + layout_field_bytes(fields[i]);
        extent = end > extent ? end : extent;
    }
    return extent <= CODE_OBJECT_BYTES ? extent : 0;
}

/* The type of code objects is learned by name from the first one and compared by address after. */
static enum status check_code_type(struct runtime *runtime, struct remote type) {
    bool is_code = type.addr != 0 && type.addr == runtime->code_type.addr;
    enum status status = STATUS_OK;
    if (type.addr != 0 && runtime->code_type.addr == 0) {
        status = type_is_named(runtime, type, "code", &is_code);
        runtime->code_type.addr = is_code ? type.addr : 0;
    }
    return status == STATUS_OK && !is_code ? STATUS_TORN : status;
}

static enum status fetch_line_table(const struct runtime *runtime, struct remote table,
                                    struct code *out) {
    struct buffer bytes = {0};
    enum status status = object_bytes(runtime, table, LINE_TABLE_LIMIT, &bytes);
    out->line_table = (uint8_t *)bytes.data;
    out->line_table_bytes = bytes.length;
    return status;
}

/* Length of the bytecode: of the code object itself from 3.11, of a bytes object before. */
static enum status fetch_extent(const struct runtime *runtime, const uint8_t *object,
                                uint64_t *code_bytes_out) {
    const struct layout *layout = runtime->layout;
    uint64_t count;
    uint32_t unit = 1;
    if (LAYOUT_HAS(layout, code, unit_count)) {
        unit = 2;
        count = load_u64(object + LAYOUT_AT(layout, code, unit_count));
    } else {
        uint8_t bytes[8];
        struct remote code = load_remote(object + LAYOUT_AT(layout, code, bytes_object));
        enum status status = memory_read_one(
            runtime->memory, remote_at(code, LAYOUT_AT(layout, bytes, count)), bytes, sizeof bytes);
        if (status != STATUS_OK) {
            return status;
        }
        count = load_u64(bytes);
    }
    *code_bytes_out = count * unit;
    return count <= CODE_UNITS_LIMIT ? STATUS_OK : STATUS_TORN;
}

/* A class call that was specialised pushes a frame of its own whose code is three units long and
 * never becomes traceable (Python/specialize.c, _Py_InitCleanup; 3.13-). */
static bool is_shim(const struct layout *layout, const uint8_t *object, uint64_t code_bytes) {
    return LAYOUT_HAS(layout, code, first_traceable) &&
           load_u32(object + LAYOUT_AT(layout, code, first_traceable)) >= code_bytes / 2;
}

static enum status decode_object(struct runtime *runtime, const uint8_t *object, struct code *out) {
    const struct layout *layout = runtime->layout;
    uint32_t name_at = LAYOUT_HAS(layout, code, qualname) ? LAYOUT_AT(layout, code, qualname)
                                                          : LAYOUT_AT(layout, code, name);
    out->first_line = load_u32(object + LAYOUT_AT(layout, code, first_line));
    enum status status = fetch_extent(runtime, object, &out->code_bytes);
    if (status == STATUS_OK) {
        out->is_hidden = is_shim(layout, object, out->code_bytes);
        status = object_text(runtime, load_remote(object + name_at), &out->name);
    }
    if (status == STATUS_OK) {
        status = take_text(runtime, load_remote(object + name_at), 1, &out->fingerprint);
    }
    if (status == STATUS_OK) {
        status = object_text(runtime, load_remote(object + LAYOUT_AT(layout, code, filename)),
                             &out->file);
    }
    if (status == STATUS_OK) {
        status = take_text(runtime, load_remote(object + LAYOUT_AT(layout, code, filename)), 2,
                           &out->fingerprint);
    }
    if (status == STATUS_OK) {
        status = fetch_line_table(runtime,
                                  load_remote(object + LAYOUT_AT(layout, code, line_table)), out);
    }
    return status;
}

enum status code_fetch(struct runtime *runtime, struct remote address, struct code *out) {
    const struct layout *layout = runtime->layout;
    uint8_t object[CODE_OBJECT_BYTES];
    uint32_t extent = object_extent(layout);
    *out = (struct code){.address = address};
    if (extent == 0) {
        return STATUS_BAD_LAYOUT;
    }
    enum status status = memory_read_one(runtime->memory, address, object, extent);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
    }
    status = check_code_type(runtime, load_remote(object + LAYOUT_AT(layout, object, type)));
    if (status != STATUS_OK) {
        return status;
    }
    take_object(layout, address, object, &out->fingerprint);
    status = decode_object(runtime, object, out);
    return status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
}

/* ---- bytecode ---- */

enum status code_read_copies(const struct runtime *runtime, const struct code *code,
                             struct code_copies *copies) {
    const struct layout *layout = runtime->layout;
    struct remote array;
    struct remote size;
    code_free_copies(copies);
    if (!LAYOUT_HAS(layout, code, tlbc)) {
        return STATUS_OK;
    }
    enum status status = memory_read_remote(
        runtime->memory, remote_at(code->address, LAYOUT_AT(layout, code, tlbc)), &array);
    if (status == STATUS_OK) {
        status = memory_read_remote(runtime->memory,
                                    remote_at(array, LAYOUT_AT(layout, code_array, size)), &size);
    }
    if (status != STATUS_OK || size.addr == 0 || size.addr > COPIES_LIMIT) {
        return status == STATUS_OK || status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
    }
    copies->count = (uint32_t)size.addr;
    copies->at = memory_zeroed(copies->count, sizeof *copies->at);
    status =
        memory_read_one(runtime->memory, remote_at(array, LAYOUT_AT(layout, code_array, entries)),
                        copies->at, copies->count * (uint32_t)sizeof *copies->at);
    if (status != STATUS_OK) {
        code_free_copies(copies);
    }
    return status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
}

void code_free_copies(struct code_copies *copies) {
    free(copies->at);
    *copies = (struct code_copies){0};
}

enum status code_read_bytecode(const struct runtime *runtime, const struct code *code,
                               uint64_t copy, uint8_t *out) {
    const struct layout *layout = runtime->layout;
    struct remote at = code->address;
    if (copy != 0) {
        at = (struct remote){copy};
    } else if (LAYOUT_HAS(layout, code, adaptive)) {
        at = remote_at(at, LAYOUT_AT(layout, code, adaptive));
    } else {
        struct remote bytes;
        enum status status = memory_read_remote(
            runtime->memory, remote_at(at, LAYOUT_AT(layout, code, bytes_object)), &bytes);
        if (status != STATUS_OK) {
            return status;
        }
        at = remote_at(bytes, LAYOUT_AT(layout, bytes, data));
    }
    return memory_read_one(runtime->memory, at, out, (uint32_t)code->code_bytes);
}

void code_free(struct code *code) {
    buffer_deinit(&code->name);
    buffer_deinit(&code->file);
    free(code->line_table);
    code->line_table = NULL;
}

bool code_position(const struct layout *layout, const struct code *code, uint64_t position,
                   uint64_t copy, int64_t *offset_out) {
    int64_t offset = -1;
    uint64_t begin = copy;
    switch (layout->position) {
    case POSITION_BYTE_INDEX: offset = (int64_t)position; break;
    case POSITION_UNIT_INDEX: offset = (int64_t)position < 0 ? -1 : (int64_t)position * 2; break;
    case POSITION_INSTRUCTION_POINTER:
        if (copy == 0) {
            begin = code->address.addr + LAYOUT_AT(layout, code, adaptive);
        }
        offset = (int64_t)(position - begin);
        break;
    }
    /* One unit before the first instruction: a frame that has not begun (3.11, 3.12). */
    *offset_out = offset < 0 ? -1 : offset;
    return offset >= -2 && offset < (int64_t)code->code_bytes;
}
