/* Names of machine code: the function symbols of an ELF file, those of its separate debug file
 * included, by address.
 *
 * Symbols are the target's, and untrusted: sizes and counts are bounded. */
#ifndef PYROMETER_READER_FUNCTIONS_H
#define PYROMETER_READER_FUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/arena.h"
#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "reader/memory.h"
#include "reader/modules.h"

struct function {
    uint64_t address; /* in the file */
    uint64_t bytes;   /* 0: not said */
    const char *name; /* as in the file, mangled; owned by the functions */
    uint32_t rank;    /* of those at one address the lowest is its name */
};

/* Zeroed: none. */
struct functions {
    struct function *items; /* by rising address, one for each */
    size_t count;
    size_t capacity;
    struct arena names;
};

/* Reads the functions of a module: of its file (.symtab and .dynsym) and of the debug file that has
 * its build id, below /usr/lib/debug as the process sees it or as we do. What has no file is read
 * from memory. Nothing can be read: there are none. */
void functions_read(struct functions *out, const struct process *process, struct memory *memory,
                    const struct module *module);
/* Accepts zeroed functions. */
void functions_free(struct functions *functions);

/* Adds one, before functions_sort; the name is copied. */
void functions_add(struct functions *functions, uint64_t address, uint64_t bytes, const char *name,
                   uint32_t rank);
/* Sorts what was added, and keeps one for each address. */
void functions_sort(struct functions *functions);
/* The function that an address in the file lies in; NULL when it lies in none that is known. */
const struct function *functions_find(const struct functions *functions, uint64_t address);

/* Appends a symbol's name as people know it: demangled, without what the compiler appends to parts
 * and copies of a function (".cold", ".constprop.0") and without versions ("@@GLIBC_2.34"). */
void functions_append_name(const char *symbol, struct buffer *out);

#endif
