#include "reader/symbols.h"

#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool is_symbol(Elf *elf, const GElf_Shdr *header, const GElf_Sym *symbol,
                      const char *wanted) {
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_value == 0) {
        return false;
    }
    const char *name = elf_strptr(elf, header->sh_link, symbol->st_name);
    return name != NULL && strcmp(name, wanted) == 0;
}

/* The link-time address of a symbol in one symbol table; 0 if it is not there. */
static uint64_t symbol_in_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                                const char *wanted) {
    Elf_Data *data = elf_getdata(section, NULL);
    if (data == NULL || header->sh_entsize == 0) {
        return 0;
    }
    size_t count = header->sh_size / header->sh_entsize;
    for (size_t i = 0; i < count; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, (int)i, &symbol) == NULL) {
            return 0;
        }
        if (is_symbol(elf, header, &symbol, wanted)) {
            return symbol.st_value;
        }
    }
    return 0;
}

static uint64_t find_symbol(Elf *elf, const char *wanted) {
    static const uint32_t kinds[] = {SHT_DYNSYM, SHT_SYMTAB};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
            GElf_Shdr header;
            if (gelf_getshdr(section, &header) == NULL || header.sh_type != kinds[i]) {
                continue;
            }
            uint64_t address = symbol_in_table(elf, section, &header, wanted);
            if (address != 0) {
                return address;
            }
        }
    }
    return 0;
}

static uint64_t find_section(Elf *elf, const char *wanted) {
    size_t names;
    if (elf_getshdrstrndx(elf, &names) != 0) {
        return 0;
    }
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        const char *name =
            gelf_getshdr(section, &header) != NULL ? elf_strptr(elf, names, header.sh_name) : NULL;
        if (name != NULL && strcmp(name, wanted) == 0) {
            return header.sh_addr;
        }
    }
    return 0;
}

/* Where a link-time address lies in the process: the loadable segment that holds it was mapped from
 * a file offset, and some mapping of the same file begins at that offset, cut to pages. */
static bool address_in_process(Elf *elf, const struct maps *maps, uint64_t inode, uint64_t address,
                               struct remote *out) {
    size_t count;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    if (elf_getphdrnum(elf, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD) {
            continue;
        }
        for (size_t m = 0; m < maps->count; m++) {
            const struct mapping *mapping = &maps->items[m];
            if (mapping->inode == inode && mapping->offset == (segment.p_offset & ~(page - 1))) {
                out->addr = address + (mapping->start - (segment.p_vaddr & ~(page - 1)));
                return true;
            }
        }
    }
    return false;
}

enum status symbols_locate(const struct process *process, const struct maps *maps,
                           const struct mapping *file, const char *symbol, const char *section,
                           struct remote *out) {
    enum status status = STATUS_NOT_FOUND;
    int fd = process_open_mapped(process, file);
    if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE) {
        return status;
    }
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    uint64_t address = 0;
    if (elf != NULL && elf_kind(elf) == ELF_K_ELF) {
        address = symbol != NULL ? find_symbol(elf, symbol) : 0;
        address = address == 0 && section != NULL ? find_section(elf, section) : address;
    }
    if (address != 0 && address_in_process(elf, maps, file->inode, address, out)) {
        status = STATUS_OK;
    }
    elf_end(elf);
    close(fd);
    return status;
}
