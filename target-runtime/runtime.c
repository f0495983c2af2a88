#include "target-runtime/runtime.h"

#include <stdio.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/objects.h"

enum { INTERPRETER_LIMIT = 4096 };

/* ---- which layout fits ---- */

/* Include/patchlevel.h, PY_VERSION_HEX: 0xMMmmppls, level a, b, c or f (final). */
static uint32_t version_minor(uint32_t version_hex) {
    return version_hex >> 16 & 0xff;
}

static void version_text(uint32_t version_hex, char *out, size_t bytes) {
    uint32_t level = version_hex >> 4 & 0xf;
    int length = snprintf(out, bytes, "%u.%u.%u", version_hex >> 24, version_minor(version_hex),
                          version_hex >> 8 & 0xff);
    if (level >= 0xa && level <= 0xc && length > 0 && (size_t)length < bytes) {
        const char *name = level == 0xa ? "a" : level == 0xb ? "b" : "rc";
        snprintf(out + length, bytes - (size_t)length, "%s%u", name, version_hex & 0xf);
    }
}

/* Whether the first thread of an interpreter points back at it, as it must. NOT_READY when it has
 * none. */
static enum status check_first_thread(const struct runtime *runtime, struct remote interpreter) {
    const struct layout *layout = runtime->layout;
    struct remote thread;
    struct remote owner;
    enum status status = memory_read_remote(
        runtime->memory, remote_at(interpreter, LAYOUT_AT(layout, interpreter, threads_head)),
        &thread);
    if (status != STATUS_OK || thread.addr == 0) {
        return status != STATUS_OK ? status : STATUS_NOT_READY;
    }
    status = memory_read_remote(runtime->memory,
                                remote_at(thread, LAYOUT_AT(layout, thread, interp)), &owner);
    return status != STATUS_OK              ? status
           : owner.addr == interpreter.addr ? STATUS_OK
                                            : STATUS_BAD_LAYOUT;
}

/* The first interpreter that has a thread: from 3.13 on one that runs no code has none
 * (_PyXI_NewInterpreter(), Python/crossinterp.c). */
static enum status first_interpreter(const struct runtime *runtime, struct remote *out) {
    const struct layout *layout = runtime->layout;
    struct remote link = remote_at(runtime->address, LAYOUT_AT(layout, runtime, interpreters_head));
    for (int i = 0; i < INTERPRETER_LIMIT; i++) {
        enum status status = memory_read_remote(runtime->memory, link, out);
        if (status != STATUS_OK || out->addr == 0) {
            return status != STATUS_OK ? status : STATUS_NOT_READY;
        }
        status = check_first_thread(runtime, *out);
        if (status != STATUS_NOT_READY) {
            return status;
        }
        link = remote_at(*out, LAYOUT_AT(layout, interpreter, next));
    }
    return STATUS_NOT_READY;
}

/* sys.hexversion, as the interpreter says it itself: what tells a right table from one that only
 * happens to fit. */
static enum status read_hexversion(const struct runtime *runtime, struct remote interpreter,
                                   uint32_t *out) {
    struct remote sysdict;
    struct remote value;
    uint64_t version_hex;
    enum status status = memory_read_remote(
        runtime->memory, remote_at(interpreter, LAYOUT_AT(runtime->layout, interpreter, sysdict)),
        &sysdict);
    if (status != STATUS_OK || sysdict.addr == 0) {
        return status != STATUS_OK ? status : STATUS_NOT_READY;
    }
    status = dict_find(runtime, sysdict, "hexversion", &value);
    if (status == STATUS_OK) {
        status = object_integer(runtime, value, &version_hex);
    }
    if (status == STATUS_OK) {
        *out = (uint32_t)version_hex;
    }
    return status;
}

static enum status try_table(struct runtime *runtime, const struct layout *layout) {
    struct remote interpreter;
    uint32_t version_hex;
    runtime->layout = layout;
    enum status status = first_interpreter(runtime, &interpreter);
    if (status == STATUS_OK) {
        status = read_hexversion(runtime, interpreter, &version_hex);
    }
    if (status != STATUS_OK) {
        return status;
    }
    version_text(version_hex, runtime->version, sizeof runtime->version);
    return version_hex >> 24 == 3 && version_minor(version_hex) == layout->minor
               ? STATUS_OK
               : STATUS_BAD_LAYOUT;
}

/* A runtime without an interpreter looks the same through every table that puts the list of
 * interpreters in that place, so NOT_READY of any table means "ask again". */
static enum status choose_table(struct runtime *runtime, struct error *error) {
    enum status verdict = STATUS_NOT_PYTHON;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        if (layouts[i]->source != LAYOUT_FROM_TABLE) {
            continue;
        }
        enum status status = try_table(runtime, layouts[i]);
        if (status == STATUS_OK) {
            return status;
        }
        if (status == STATUS_GONE || status == STATUS_NOT_PERMITTED) {
            return error_set(error, status, "reading its interpreters");
        }
        verdict = status == STATUS_NOT_READY ? STATUS_NOT_READY : verdict;
    }
    char versions[32];
    runtime_describe_versions(versions, sizeof versions);
    return verdict == STATUS_NOT_READY
               ? error_set_at(error, verdict, runtime->address.addr,
                              "there is a _PyRuntime, but no interpreter in it")
               : error_set_at(error, verdict, runtime->address.addr,
                              "there is a _PyRuntime, but no table of CPython %s fits it",
                              versions);
}

static enum status fill_from_target(struct runtime *runtime, struct published_head head,
                                    struct error *error) {
    enum { PUBLISHED_LIMIT = 4096 };
    uint8_t published[PUBLISHED_LIMIT];
    struct remote interpreter;
    uint32_t minor = version_minor(head.version_hex);
    const struct layout *base = layout_for(minor, head.is_free_threaded);
    version_text(head.version_hex, runtime->version, sizeof runtime->version);
    if (head.version_hex >> 24 != 3 || base == NULL || base->source != LAYOUT_FROM_TARGET ||
        base->published_bytes > PUBLISHED_LIMIT) {
        return error_set(error, STATUS_NOT_PYTHON, "Python %s%s is not known", runtime->version,
                         head.is_free_threaded ? " (free-threaded)" : "");
    }
    enum status status =
        memory_read_one(runtime->memory, runtime->address, published, base->published_bytes);
    if (status != STATUS_OK) {
        return error_set_at(error, status, runtime->address.addr, "reading its table of offsets");
    }
    status = layout_fill(base, published, &runtime->filled, error);
    if (status != STATUS_OK) {
        return status;
    }
    runtime->layout = &runtime->filled;
    status = first_interpreter(runtime, &interpreter);
    return status == STATUS_OK ? status
                               : error_set_at(error, status, runtime->address.addr,
                                              "Python %s, its list of threads", runtime->version);
}

enum status runtime_attach_at(struct runtime *out, struct memory *memory, struct remote address,
                              struct error *error) {
    uint8_t bytes[PUBLISHED_HEAD_BYTES];
    struct published_head head;
    *out = (struct runtime){.memory = memory, .address = address};
    enum status status = memory_read_one(memory, address, bytes, sizeof bytes);
    if (status != STATUS_OK) {
        return error_set_at(error, status, address.addr, "reading _PyRuntime");
    }
    return layout_published_head(bytes, &head) ? fill_from_target(out, head, error)
                                               : choose_table(out, error);
}

enum status runtime_attach_fork(struct runtime *out, const struct runtime *parent,
                                struct memory *memory, struct error *error) {
    struct remote interpreter;
    *out = *parent;
    out->memory = memory;
    out->layout = parent->layout == &parent->filled ? &out->filled : parent->layout;
    enum status status = first_interpreter(out, &interpreter);
    return status == STATUS_OK ? status
                               : error_set_at(error, status, out->address.addr,
                                              "Python %s, its list of threads", out->version);
}

/* ---- where the runtime is ---- */

/* Files that may define _PyRuntime, best first: the program, then what is named for Python, then
 * everything else that has code. */
enum { RANK_PROGRAM, RANK_NAMED, RANK_OTHER, RANK_COUNT };

static int rank_of(const struct mapping *mapping, uint64_t program) {
    const char *name = strrchr(mapping->path, '/');
    return mapping->inode == program                        ? RANK_PROGRAM
           : name != NULL && strstr(name, "python") != NULL ? RANK_NAMED
                                                            : RANK_OTHER;
}

static bool is_first_of_its_file(const struct maps *maps, size_t index) {
    for (size_t i = index; i-- > 0 && index - i < 16;) {
        const struct mapping *earlier = &maps->items[i];
        if (earlier->inode == maps->items[index].inode && earlier->is_executable) {
            return false;
        }
    }
    return true;
}

struct hunt {
    struct runtime *runtime;
    struct memory *memory;
    struct symbols_memo *memo;
    const struct process *process;
    const struct maps *maps;
    uint64_t program;
};

/* Tries the files of one rank. NOT_FOUND when none of them is it; else what came of the one that
 * defines _PyRuntime (the last such one, when several do and none can be attached to). */
static enum status hunt_rank(struct hunt *hunt, int rank, struct error *error) {
    enum status verdict = STATUS_NOT_FOUND;
    for (size_t i = 0; i < hunt->maps->count; i++) {
        const struct mapping *mapping = &hunt->maps->items[i];
        struct remote address;
        if (mapping->inode == 0 || !mapping->is_executable ||
            rank_of(mapping, hunt->program) != rank || !is_first_of_its_file(hunt->maps, i) ||
            symbols_locate(hunt->process, hunt->maps, mapping, "_PyRuntime", ".PyRuntime",
                           hunt->memo, &address) != STATUS_OK) {
            continue;
        }
        verdict = runtime_attach_at(hunt->runtime, hunt->memory, address, error);
        if (verdict == STATUS_OK || verdict == STATUS_GONE || verdict == STATUS_NOT_PERMITTED) {
            break;
        }
    }
    return verdict;
}

static enum status hunt_all(struct hunt *hunt, struct error *error) {
    enum status verdict = STATUS_NOT_FOUND;
    for (int rank = 0; rank < RANK_COUNT; rank++) {
        enum status status = hunt_rank(hunt, rank, error);
        if (status == STATUS_OK) {
            return status;
        }
        verdict = status != STATUS_NOT_FOUND ? status : verdict;
    }
    return verdict;
}

enum status runtime_attach(struct runtime *out, const struct process *process,
                           struct memory *memory, struct symbols_memo *memo, struct error *error) {
    struct maps maps;
    *out = (struct runtime){.memory = memory};
    enum status status = maps_read(process, &maps, error);
    if (status != STATUS_OK) {
        return status;
    }
    struct hunt hunt = {out, memory, memo, process, &maps, process_program_inode(process)};
    status = hunt_all(&hunt, error);
    if (status == STATUS_NOT_FOUND) {
        struct buffer command = {0};
        process_command(process, &command);
        status = process_is_alive(process)
                     ? error_set(error, STATUS_NOT_PYTHON,
                                 "process %d (%.200s): none of its %zu mapped files defines "
                                 "_PyRuntime",
                                 (int)process->pid, command.data, maps.count)
                     : error_set(error, STATUS_GONE, "process %d", (int)process->pid);
        buffer_deinit(&command);
    }
    maps_free(&maps);
    return status;
}

void runtime_describe_versions(char *out, size_t bytes) {
    uint32_t oldest = UINT32_MAX;
    uint32_t newest = 0;
    for (size_t i = 0; layouts[i] != NULL; i++) {
        oldest = layouts[i]->minor < oldest ? layouts[i]->minor : oldest;
        newest = layouts[i]->minor > newest ? layouts[i]->minor : newest;
    }
    snprintf(out, bytes, "3.%u to 3.%u", oldest, newest);
}
