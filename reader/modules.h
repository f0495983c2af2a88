/* The programs and libraries that are mapped into a process: where each lies, and where it says how
 * to unwind its functions. All of it is read from the process's memory, so it does not matter what
 * became of the files. */
#ifndef PYROMETER_READER_MODULES_H
#define PYROMETER_READER_MODULES_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/memory.h"
#include "reader/process.h"

struct module {
    uint64_t start; /* of its lowest segment */
    uint64_t end;   /* of its highest one */
    uint64_t bias;  /* add it to an address in the file */
    /* Its .eh_frame_hdr: where that begins, and the sorted table in it; 0 when there is none. */
    uint64_t unwind_header;
    uint64_t unwind_table;
    uint64_t unwind_count;         /* of entries in the table */
    const struct mapping *mapping; /* the first of its file; borrowed from the modules */
};

struct modules {
    struct maps maps;
    struct module *items; /* by rising address */
    size_t count;
};

/* GONE, NOT_PERMITTED. On failure `out` is zeroed. */
enum status modules_read(struct modules *out, const struct process *process,
                         struct memory *memory) MUST_CHECK;
/* Accepts zeroed modules. */
void modules_free(struct modules *modules);

/* The module, or the mapping, that an address lies in; NULL if there is none. Borrowed. */
const struct module *modules_find(const struct modules *modules, uint64_t address);
const struct mapping *modules_mapping(const struct modules *modules, uint64_t address);

#endif
