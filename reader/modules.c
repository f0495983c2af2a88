#include "reader/modules.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    SEGMENTS_MAX = 64,
    /* DW_EH_PE_pcrel | sdata4, udata4, datarel | sdata4: what every linker writes (Linux Standard
     * Base, .eh_frame_hdr). */
    HEADER_POINTER = 0x1b,
    HEADER_COUNT = 0x03,
    HEADER_TABLE = 0x3b,
    HEADER_BYTES = 12,
    ENTRY_LIMIT = 1 << 24,
};

struct segments {
    Elf64_Phdr items[SEGMENTS_MAX];
    size_t count;
};

static bool read_segments(struct memory *memory, uint64_t at, struct segments *out) {
    Elf64_Ehdr header;
    if (memory_read_one(memory, (struct remote){at}, &header, sizeof header) != STATUS_OK ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
        header.e_phnum > SEGMENTS_MAX) {
        return false;
    }
    out->count = header.e_phnum;
    return memory_read_one(memory, remote_at((struct remote){at}, header.e_phoff), out->items,
                           (uint32_t)(out->count * sizeof *out->items)) == STATUS_OK;
}

/* How far the file was moved: its first bytes lie at `at`. False when no segment holds them. */
static bool find_bias(const struct segments *segments, uint64_t at, uint64_t *out) {
    for (size_t i = 0; i < segments->count; i++) {
        const Elf64_Phdr *segment = &segments->items[i];
        if (segment->p_type == PT_LOAD && segment->p_offset < 4096) {
            *out = at - (segment->p_vaddr - segment->p_offset);
            return true;
        }
    }
    return false;
}

static void measure(const struct segments *segments, struct module *module) {
    for (size_t i = 0; i < segments->count; i++) {
        const Elf64_Phdr *segment = &segments->items[i];
        uint64_t start = module->bias + segment->p_vaddr;
        uint64_t end = start + segment->p_memsz;
        if (segment->p_type != PT_LOAD || end < start) {
            continue;
        }
        module->start = module->end == 0 || start < module->start ? start : module->start;
        module->end = end > module->end ? end : module->end;
    }
}

/* version, three encodings, pointer to .eh_frame, number of entries, entries. */
static void find_unwind_table(struct memory *memory, const struct segments *segments,
                              struct module *module) {
    uint8_t header[HEADER_BYTES];
    for (size_t i = 0; i < segments->count; i++) {
        uint64_t at = module->bias + segments->items[i].p_vaddr;
        if (segments->items[i].p_type != PT_GNU_EH_FRAME ||
            memory_read_one(memory, (struct remote){at}, header, sizeof header) != STATUS_OK ||
            header[0] != 1 || header[1] != HEADER_POINTER || header[2] != HEADER_COUNT ||
            header[3] != HEADER_TABLE || load_u32(header + 8) > ENTRY_LIMIT) {
            continue;
        }
        module->unwind_header = at;
        module->unwind_table = at + HEADER_BYTES;
        module->unwind_count = load_u32(header + 8);
    }
}

/* A file's header is mapped where its first byte is. The kernel's own library has no file. */
static bool read_module(struct memory *memory, const struct mapping *mapping, struct module *out) {
    struct segments segments;
    bool is_head =
        mapping->offset == 0 && (mapping->inode != 0 || strcmp(mapping->path, "[vdso]") == 0);
    *out = (struct module){.mapping = mapping};
    if (!is_head || !read_segments(memory, mapping->start, &segments) ||
        !find_bias(&segments, mapping->start, &out->bias)) {
        return false;
    }
    measure(&segments, out);
    find_unwind_table(memory, &segments, out);
    return out->end > out->start;
}

/* Many files are mapped that are no programs: only those with code are asked. */
static bool has_code(const struct maps *maps, const struct mapping *head) {
    for (size_t i = 0; i < maps->count; i++) {
        const struct mapping *mapping = &maps->items[i];
        if (mapping->is_executable && mapping->inode == head->inode) {
            return true;
        }
    }
    return false;
}

static int compare_modules(const void *a, const void *b) {
    const struct module *one = a;
    const struct module *other = b;
    return one->start < other->start ? -1 : one->start > other->start;
}

enum status modules_read(struct modules *out, const struct process *process,
                         struct memory *memory) {
    struct error ignored;
    *out = (struct modules){0};
    enum status status = maps_read(process, &out->maps, &ignored);
    if (status != STATUS_OK) {
        return status;
    }
    out->items = memory_zeroed(out->maps.count, sizeof *out->items);
    for (size_t i = 0; i < out->maps.count; i++) {
        const struct mapping *mapping = &out->maps.items[i];
        out->count +=
            has_code(&out->maps, mapping) && read_module(memory, mapping, &out->items[out->count]);
    }
    qsort(out->items, out->count, sizeof *out->items, compare_modules);
    return STATUS_OK;
}

void modules_free(struct modules *modules) {
    free(modules->items);
    maps_free(&modules->maps);
    *modules = (struct modules){0};
}

const struct module *modules_find(const struct modules *modules, uint64_t address) {
    size_t low = 0;
    size_t high = modules->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (modules->items[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && address < modules->items[low - 1].end ? &modules->items[low - 1] : NULL;
}

const struct mapping *modules_mapping(const struct modules *modules, uint64_t address) {
    size_t low = 0;
    size_t high = modules->maps.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (modules->maps.items[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct mapping *found = low > 0 ? &modules->maps.items[low - 1] : NULL;
    return found != NULL && address < found->end ? found : NULL;
}
