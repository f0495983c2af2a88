#include "target-runtime/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    NAME_BYTES = 32,
    BASES_LIMIT = 32, /* how far to look through the classes that a type is derived from */
    ROWS_LIMIT = 1 << 16,
};

/* Names of types, Objects/ and Modules/_asynciomodule.c, Modules/_functoolsmodule.c. Up to 3.9
 * some have no module in them. And of the module greenlet. */
static const struct {
    const char *name;
    enum object_kind kind;
} names[] = {
    {"NoneType", KIND_NONE},
    {"int", KIND_INTEGER},
    {"str", KIND_STRING},
    {"list", KIND_LIST},
    {"set", KIND_SET},
    {"weakref", KIND_WEAKREF},
    {"weakref.ReferenceType", KIND_WEAKREF},
    {"coroutine", KIND_GENERATOR},
    {"generator", KIND_GENERATOR},
    {"async_generator", KIND_GENERATOR},
    {"async_generator_asend", KIND_WRAPPER},
    {"async_generator_athrow", KIND_WRAPPER},
    {"coroutine_wrapper", KIND_WRAPPER},
    {"anext_awaitable", KIND_WRAPPER},
    {"_asyncio.FutureIter", KIND_FUTURE_ITERATOR},
    {"TaskWakeupMethWrapper", KIND_WAKEUP},
    {"_asyncio.Task", KIND_TASK},
    {"_asyncio.Future", KIND_FUTURE},
    {"builtin_function_or_method", KIND_BUILTIN},
    {"method", KIND_METHOD},
    {"function", KIND_FUNCTION},
    {"functools.partial", KIND_PARTIAL},
    {"greenlet.greenlet", KIND_GREENLET},
};

void kinds_deinit(struct kinds *kinds) {
    free(kinds->rows);
    *kinds = (struct kinds){0};
}

void kinds_clear(struct kinds *kinds) {
    if (kinds->count > 0) {
        memset(kinds->rows, 0, kinds->capacity * sizeof *kinds->rows);
    }
    kinds->count = 0;
}

static struct kind_row *row_of(const struct kinds *kinds, uint64_t type) {
    size_t at = (size_t)(type * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (kinds->capacity - 1);
    while (kinds->rows[at].type != 0 && kinds->rows[at].type != type) {
        at = (at + 1) & (kinds->capacity - 1);
    }
    return &kinds->rows[at];
}

static void make_room(struct kinds *kinds) {
    if (kinds->count * 2 < kinds->capacity) {
        return;
    }
    if (kinds->count >= ROWS_LIMIT) {
        kinds_clear(kinds);
        return;
    }
    struct kinds grown = {.capacity = kinds->capacity == 0 ? 256 : kinds->capacity * 2};
    grown.rows = memory_zeroed(grown.capacity, sizeof *grown.rows);
    for (size_t i = 0; i < kinds->capacity; i++) {
        if (kinds->rows[i].type != 0) {
            *row_of(&grown, kinds->rows[i].type) = kinds->rows[i];
        }
    }
    grown.count = kinds->count;
    free(kinds->rows);
    *kinds = grown;
}

/* The characters of a tp_name, at most NAME_BYTES - 1 of them. It may lie at the end of a page. */
static enum status read_name(const struct runtime *runtime, struct remote type, char *out) {
    struct remote at;
    enum status status = memory_read_remote(
        runtime->memory, remote_at(type, LAYOUT_AT(runtime->layout, type, name)), &at);
    memset(out, 0, NAME_BYTES);
    for (uint32_t bytes = NAME_BYTES - 1; status == STATUS_OK && bytes > 0; bytes /= 2) {
        status = memory_read_one(runtime->memory, at, out, bytes);
        if (status != STATUS_NOT_MAPPED) {
            return status;
        }
        status = STATUS_OK;
    }
    return status == STATUS_OK ? STATUS_NOT_MAPPED : status;
}

static enum object_kind kind_of_name(const char *name) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].kind;
        }
    }
    return KIND_OTHER;
}

/* Goes through the type and what it is derived from, until one is known. The classes of
 * Lib/asyncio that stand in for those made in C are told by their names alone. */
static enum status classify(const struct runtime *runtime, uint64_t type, struct kind_row *out) {
    const struct layout *layout = runtime->layout;
    struct remote at = {type};
    bool is_task = false;
    enum status status = STATUS_OK;
    *out = (struct kind_row){type, KIND_OTHER, 0};
    for (int i = 0; i < BASES_LIMIT && at.addr != 0 && out->kind == KIND_OTHER; i++) {
        char name[NAME_BYTES];
        uint8_t size[8];
        status = read_name(runtime, at, name);
        if (status == STATUS_OK) {
            status = memory_read_one(runtime->memory,
                                     remote_at(at, LAYOUT_AT(layout, type, basic_size)), size, 8);
        }
        if (status != STATUS_OK) {
            break;
        }
        out->kind = kind_of_name(name);
        out->size = load_u64(size);
        is_task = is_task || strcmp(name, "Task") == 0;
        if (strcmp(name, "Future") == 0) {
            out->kind = is_task ? KIND_PYTHON_TASK : KIND_PYTHON_FUTURE;
        }
        status =
            memory_read_remote(runtime->memory, remote_at(at, LAYOUT_AT(layout, type, base)), &at);
    }
    return status;
}

enum status kinds_find(struct kinds *kinds, const struct runtime *runtime, struct remote object,
                       enum object_kind *out, uint64_t *size_out) {
    struct remote type;
    *out = KIND_UNREADABLE;
    enum status status = memory_read_remote(
        runtime->memory, remote_at(object, LAYOUT_AT(runtime->layout, object, type)), &type);
    if (status != STATUS_OK || type.addr == 0) {
        return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
    }
    make_room(kinds);
    struct kind_row *row = row_of(kinds, type.addr);
    if (row->type == 0) {
        struct kind_row fresh;
        status = classify(runtime, type.addr, &fresh);
        if (status != STATUS_OK) {
            return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
        }
        *row = fresh;
        kinds->count++;
    }
    *out = row->kind;
    if (size_out != NULL) {
        *size_out = row->size;
    }
    return STATUS_OK;
}
