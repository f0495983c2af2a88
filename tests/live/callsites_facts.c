/* callsites_facts PID LABEL    answers questions about the Python in PID, whose layout is LABEL
 *
 * One question a line on standard input, one answer a line; addresses are what id() gives.
 *
 * at CODE OFFSET
 *   KIND PUSHES OFFSET VERSION OPCODE of the call site at an f_lasti
 *
 * call FRAME FRAME CODE VERSION
 *   for the frame objects of a caller and of its callee, and the callee's code: whether C code lies
 *   between; whether that is the version of the code; whether it is that of the frame's function
 *
 * code CODE
 *   its co_version
 *
 * function FUNCTION
 *   its func_version
 *
 * sites CODE
 *   OFFSET:VERSION of each call site that names somebody
 *
 * of CODE OFFSET VERSION
 *   how many call sites name this version, and the offset of the nearest
 *
 * can FLAGS
 *   whether code with these co_flags can be proved
 *
 * hidden CODE
 *   how many of its instructions hide another one, as far as is certain
 *
 * The target must stand still meanwhile. Versions are 0 where the layout has none, and "?" is the
 * answer when something cannot be read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader/memory.h"
#include "target-runtime/callsite.h"
#include "target-runtime/layout.h"

enum { CODE_LIMIT = 1 << 20, FRAME_LIMIT = 16 };

static struct memory memory;
static const struct layout *layout;
static uint8_t *code;
static uint32_t code_bytes;

static bool read_at(uint64_t address, uint64_t offset, void *to, uint32_t bytes) {
    return memory_read_one(&memory, remote_at((struct remote){address}, offset), to, bytes) ==
           STATUS_OK;
}

/* What is `bytes` long at a field; 0 where there is none. */
static uint64_t field(uint64_t object, enum layout_field which) {
    uint64_t value = 0;
    uint32_t place = layout->place[which];
    return place != 0 && read_at(object, place - 1, &value, layout_field_bytes(which)) ? value : 0;
}

#define FIELD(object, structure, name) field(object, LAYOUT_##structure##_##name)

/* Into memory that is exactly as large, so that a sanitizer sees a read past its end. */
static bool read_code(uint64_t object) {
    uint64_t bytes_object = FIELD(object, code, bytes_object);
    bool is_apart = LAYOUT_HAS(layout, code, bytes_object);
    uint64_t count =
        is_apart ? FIELD(bytes_object, bytes, count) : FIELD(object, code, unit_count) * 2;
    uint64_t from = is_apart ? bytes_object + LAYOUT_AT(layout, bytes, data)
                             : object + LAYOUT_AT(layout, code, adaptive);
    if (count == 0 || count > CODE_LIMIT) {
        return false;
    }
    code_bytes = (uint32_t)count;
    code = realloc(code, code_bytes);
    return read_at(from, 0, code, code_bytes);
}

/* ---- frames ---- */

/* PyFrameObject.f_frame, the second member behind its head (Include/internal/pycore_frame.h). */
static uint64_t frame_in(uint64_t frame_object) {
    uint64_t frame = 0;
    uint32_t head_bytes = LAYOUT_AT(layout, object, type) + 8;
    return read_at(frame_object, head_bytes + 8, &frame, sizeof frame) ? frame : 0;
}

/* Whether the callee was called by C code; false up to 3.10, where nothing tells. */
static bool is_entered(uint64_t caller_object, uint64_t callee_object) {
    uint64_t caller = frame_in(caller_object);
    uint64_t frame = frame_in(callee_object);
    if (layout->entry_frames == ENTRY_FRAMES_NONE) {
        return false;
    }
    if (layout->entry_frames == ENTRY_FRAMES_FLAG) {
        return FIELD(frame, frame, is_entry) != 0;
    }
    for (int i = 0; i < FRAME_LIMIT && frame != 0 && frame != caller; i++) {
        if (FIELD(frame, frame, owner) >= layout->owner_entry) {
            return true;
        }
        frame = FIELD(frame, frame, previous);
    }
    return false;
}

/* The version of the function whose frame this is, if it still has this code; else 0. */
static uint64_t version_of_function(uint64_t frame_object, uint64_t callee) {
    uint64_t function = FIELD(frame_in(frame_object), frame, function);
    bool is_its_code = function != 0 && FIELD(function, function, code) == callee;
    return is_its_code ? FIELD(function, function, version) : 0;
}

/* ---- answers ---- */

static const char *kind_name(enum callsite_kind kind) {
    switch (kind) {
    case CALLSITE_NONE: return "NONE";
    case CALLSITE_POSSIBLE: return "POSSIBLE";
    case CALLSITE_NAMED: return "NAMED";
    case CALLSITE_GENERATOR: return "GENERATOR";
    }
    return "?";
}

static bool answer_at(const char *question) {
    uint64_t object;
    uint32_t offset;
    if (sscanf(question, "at %" SCNu64 " %" SCNu32, &object, &offset) != 2 || !read_code(object)) {
        return false;
    }
    struct callsite site = callsite_at(layout->opcodes, code, code_bytes, offset);
    const char *name =
        site.offset < code_bytes ? opcode_name(layout->opcodes, code[site.offset]) : NULL;
    printf("%s %d %u %u %s\n", kind_name(site.kind), site.pushes, site.offset, site.callee_version,
           name == NULL ? "nothing" : name);
    return true;
}

static bool answer_call(const char *question) {
    uint64_t caller_frame;
    uint64_t callee_frame;
    uint64_t callee;
    uint64_t version;
    if (sscanf(question, "call %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &caller_frame,
               &callee_frame, &callee, &version) != 4) {
        return false;
    }
    printf("%d %d %d\n", is_entered(caller_frame, callee_frame),
           version != 0 && FIELD(callee, code, version) == version,
           version != 0 && version_of_function(callee_frame, callee) == version);
    return true;
}

static bool answer_object(const char *question) {
    uint64_t object;
    if (sscanf(question, "code %" SCNu64, &object) == 1) {
        printf("%" PRIu64 "\n", FIELD(object, code, version));
        return true;
    }
    if (sscanf(question, "function %" SCNu64, &object) == 1) {
        printf("%" PRIu64 "\n", FIELD(object, function, version));
        return true;
    }
    return false;
}

static bool answer_can(const char *question) {
    uint32_t flags;
    if (sscanf(question, "can %" SCNu32, &flags) != 1) {
        return false;
    }
    printf("%d\n", callsite_can_prove(flags));
    return true;
}

static bool answer_sites(const char *question) {
    uint64_t object;
    struct instruction instruction;
    if (sscanf(question, "sites %" SCNu64, &object) != 1 || !read_code(object)) {
        return false;
    }
    struct opcode_walk walk = opcode_walk_begin(layout->opcodes, code, code_bytes);
    while (opcode_walk_next(&walk, &instruction)) {
        struct callsite site = callsite_at(layout->opcodes, code, code_bytes, instruction.start);
        if (site.kind == CALLSITE_NAMED) {
            printf("%u:%u ", site.offset, site.callee_version);
        }
    }
    printf("\n");
    return true;
}

static bool answer_hidden(const char *question) {
    uint64_t object;
    uint32_t count = 0;
    struct instruction instruction;
    if (sscanf(question, "hidden %" SCNu64, &object) != 1 || !read_code(object)) {
        return false;
    }
    struct opcode_walk walk = opcode_walk_begin(layout->opcodes, code, code_bytes);
    while (opcode_walk_next(&walk, &instruction)) {
        count += (layout->opcodes->rows[instruction.opcode].flags & OPCODE_HIDDEN) != 0;
    }
    printf("%u\n", count);
    return true;
}

static bool answer_of(const char *question) {
    uint64_t object;
    uint32_t offset;
    uint32_t version;
    struct callsite site;
    if (sscanf(question, "of %" SCNu64 " %" SCNu32 " %" SCNu32, &object, &offset, &version) != 3 ||
        !read_code(object)) {
        return false;
    }
    uint32_t count = callsite_of_callee(layout->opcodes, code, code_bytes, offset, version, &site);
    printf("%u %u\n", count, site.offset);
    return true;
}

static bool answer(const char *question) {
    return answer_at(question) || answer_call(question) || answer_object(question) ||
           answer_sites(question) || answer_can(question) || answer_hidden(question) ||
           answer_of(question);
}

static const struct layout *layout_labelled(const char *label) {
    for (size_t i = 0; layouts[i] != NULL; i++) {
        if (strcmp(layouts[i]->label, label) == 0) {
            return layouts[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    char question[256];
    struct error error = {0};
    layout = argc == 3 ? layout_labelled(argv[2]) : NULL;
    if (layout == NULL || memory_open_live(&memory, atoi(argv[1]), &error) != STATUS_OK) {
        fprintf(stderr, "callsites_facts: no layout or no process: %s\n", error.detail);
        return 2;
    }
    while (fgets(question, sizeof question, stdin) != NULL) {
        if (!answer(question)) {
            printf("?\n");
        }
        fflush(stdout);
    }
    memory_close(&memory);
    free(code);
    return 0;
}
