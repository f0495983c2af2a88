#define _GNU_SOURCE
#include "reader/functions.h"

#include <ctype.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader/symbols.h"

enum {
    FUNCTION_LIMIT = 1 << 22,
    NAME_BYTES_MAX = 4096, /* longer ones are cut: nobody reads them, and demangling recurses */
    IMAGE_BYTES_MAX = 1 << 20,
};

/* ---- the list ---- */

void functions_add(struct functions *functions, uint64_t address, uint64_t bytes, const char *name,
                   uint32_t rank) {
    size_t length = strnlen(name, NAME_BYTES_MAX);
    char *copy = arena_alloc(&functions->names, length + 1);
    memcpy(copy, name, length);
    if (functions->count == functions->capacity) {
        functions->items = memory_grow(functions->items, sizeof *functions->items,
                                       functions->count + 1, &functions->capacity);
    }
    functions->items[functions->count++] = (struct function){address, bytes, copy, rank};
}

static size_t underscores(const char *name) {
    return strspn(name, "_");
}

/* Of several names the one that a program would use: "read" before "__read". */
static int compare_functions(const void *a, const void *b) {
    const struct function *one = a;
    const struct function *other = b;
    if (one->address != other->address) {
        return one->address < other->address ? -1 : 1;
    }
    if (one->rank != other->rank) {
        return one->rank < other->rank ? -1 : 1;
    }
    if (underscores(one->name) != underscores(other->name)) {
        return underscores(one->name) < underscores(other->name) ? -1 : 1;
    }
    return strcmp(one->name, other->name);
}

void functions_sort(struct functions *functions) {
    size_t kept = 0;
    if (functions->count == 0) {
        return;
    }
    qsort(functions->items, functions->count, sizeof *functions->items, compare_functions);
    for (size_t i = 1; i < functions->count; i++) {
        struct function *last = &functions->items[kept];
        const struct function *next = &functions->items[i];
        if (next->address != last->address) {
            functions->items[++kept] = *next;
        } else if (last->bytes == 0) {
            last->bytes = next->bytes;
        }
    }
    functions->count = kept + 1;
}

/* One that does not say how long it is ends where the next one begins. */
const struct function *functions_find(const struct functions *functions, uint64_t address) {
    size_t low = 0;
    size_t high = functions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (functions->items[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    const struct function *found = &functions->items[low - 1];
    return found->bytes == 0 || address - found->address < found->bytes ? found : NULL;
}

void functions_free(struct functions *functions) {
    free(functions->items);
    arena_release(&functions->names);
    *functions = (struct functions){0};
}

/* ---- ELF ---- */

static bool is_function(const GElf_Sym *symbol, const char *name) {
    unsigned kind = GELF_ST_TYPE(symbol->st_info);
    bool is_code =
        kind == STT_FUNC || kind == STT_GNU_IFUNC || (kind == STT_NOTYPE && symbol->st_size > 0);
    return is_code && symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS &&
           symbol->st_value != 0 && name != NULL && *name != '\0';
}

static uint32_t rank_of(const GElf_Sym *symbol) {
    switch (GELF_ST_BIND(symbol->st_info)) {
    case STB_GLOBAL: return 0;
    case STB_WEAK: return 1;
    default: return 2;
    }
}

static void add_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                      struct functions *functions) {
    Elf_Data *data = elf_getdata(section, NULL);
    size_t count =
        data != NULL && header->sh_entsize > 0 ? header->sh_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count && functions->count < FUNCTION_LIMIT; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, (int)i, &symbol) == NULL) {
            return;
        }
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (is_function(&symbol, name)) {
            functions_add(functions, symbol.st_value, symbol.st_size, name, rank_of(&symbol));
        }
    }
}

static void add_elf(Elf *elf, struct functions *functions) {
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != NULL &&
            (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM)) {
            add_table(elf, section, &header, functions);
        }
    }
}

static void add_file(int fd, struct functions *functions, struct buffer *build_id) {
    Elf *elf = elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : NULL;
    if (elf != NULL && elf_kind(elf) == ELF_K_ELF) {
        add_elf(elf, functions);
        if (build_id != NULL) {
            symbols_append_elf_build_id(elf, build_id);
        }
    }
    elf_end(elf);
}

/* The kernel's own library. */
static void add_image(struct memory *memory, const struct module *module,
                      struct functions *functions) {
    uint64_t bytes = module->mapping->end - module->mapping->start;
    if (bytes > IMAGE_BYTES_MAX || elf_version(EV_CURRENT) == EV_NONE) {
        return;
    }
    char *image = memory_zeroed(1, bytes);
    if (memory_read_one(memory, (struct remote){module->mapping->start}, image, (uint32_t)bytes) ==
        STATUS_OK) {
        Elf *elf = elf_memory(image, bytes);
        if (elf != NULL && elf_kind(elf) == ELF_K_ELF) {
            add_elf(elf, functions);
        }
        elf_end(elf);
    }
    free(image);
}

/* Where Debian's and others' packages of debug symbols put them. */
static void add_debug_file(const struct process *process, const char *build_id,
                           struct functions *functions) {
    for (int way = 0; way < 2; way++) {
        struct buffer path = {0};
        if (way == 0) {
            buffer_printf(&path, "/proc/%d/root", (int)process->pid);
        }
        buffer_printf(&path, "/usr/lib/debug/.build-id/%.2s/%s.debug", build_id, build_id + 2);
        int fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        buffer_deinit(&path);
        if (fd >= 0) {
            add_file(fd, functions, NULL);
            close(fd);
            return;
        }
    }
}

void functions_read(struct functions *out, const struct process *process, struct memory *memory,
                    const struct module *module) {
    struct buffer build_id = {0};
    *out = (struct functions){0};
    int fd = module->mapping->inode != 0 ? process_open_mapped(process, module->mapping) : -1;
    if (fd >= 0) {
        add_file(fd, out, &build_id);
        close(fd);
    } else {
        add_image(memory, module, out);
    }
    if (build_id.length > 2) {
        add_debug_file(process, build_id.data, out);
    }
    functions_sort(out);
    buffer_deinit(&build_id);
}

/* ---- names ---- */

/* The bytes of the name without the suffixes that the compiler and the linker append to it. */
static size_t plain_length(const char *symbol) {
    static const char *const suffixes[] = {".cold",  ".part.",     ".constprop.",
                                           ".isra.", ".lto_priv.", ".localalias",
                                           ".llvm.", ".warm",      "@"};
    size_t length = strnlen(symbol, NAME_BYTES_MAX);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const char *found = memmem(symbol, length, suffixes[i], strlen(suffixes[i]));
        length = found != NULL && found > symbol ? (size_t)(found - symbol) : length;
    }
    return length;
}

void functions_append_name(const char *symbol, struct buffer *out) {
    size_t length = plain_length(symbol);
    char *plain = strndup(symbol, length);
    /* The older ones of Rust's names are C++'s too, with a hash at the end. */
    char *shown = plain != NULL ? rust_demangle(plain, DMGL_NO_OPTS) : NULL;
    if (shown == NULL && plain != NULL) {
        shown = cplus_demangle_v3(plain, DMGL_NO_OPTS);
    }
    buffer_append(out, shown != NULL ? shown : symbol, shown != NULL ? strlen(shown) : length);
    free(shown);
    free(plain);
}
