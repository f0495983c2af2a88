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

static uint64_t page_of(uint64_t address) {
    return address & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
}

/* Where a link-time address lies in the process: the segment with code was mapped, executable, from
 * its offset in the file, cut to pages, and all segments moved by the same distance. A program may
 * map its own file once more, to read it; it is hardly executable then. */
static bool address_in_process(Elf *elf, const struct maps *maps, uint64_t inode, uint64_t address,
                               struct remote *out) {
    size_t count;
    if (elf_getphdrnum(elf, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD ||
            (segment.p_flags & PF_X) == 0) {
            continue;
        }
        for (size_t m = 0; m < maps->count; m++) {
            const struct mapping *mapping = &maps->items[m];
            if (mapping->inode == inode && mapping->is_executable &&
                mapping->offset == page_of(segment.p_offset)) {
                out->addr = address + (mapping->start - page_of(segment.p_vaddr));
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
    int fd = elf_version(EV_CURRENT) != EV_NONE ? process_open_mapped(process, file) : -1;
    if (fd < 0) {
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

static void append_hex(const uint8_t *bytes, size_t count, struct buffer *out) {
    for (size_t i = 0; i < count; i++) {
        buffer_printf(out, "%02x", bytes[i]);
    }
}

/* The build id among the notes of one segment (elf(5), NT_GNU_BUILD_ID). */
static bool append_noted_id(Elf_Data *notes, struct buffer *out) {
    enum { ID_BYTES_MAX = 64 };
    GElf_Nhdr note;
    size_t name_at;
    size_t content_at;
    size_t at = 0;
    while (notes != NULL && (at = gelf_getnote(notes, at, &note, &name_at, &content_at)) > 0) {
        const uint8_t *bytes = notes->d_buf;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(bytes + name_at, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0 &&
            note.n_descsz <= ID_BYTES_MAX) {
            append_hex(bytes + content_at, note.n_descsz, out);
            return true;
        }
    }
    return false;
}

static void append_build_id(Elf *elf, struct buffer *out) {
    size_t count;
    if (elf_getphdrnum(elf, &count) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_NOTE) {
            continue;
        }
        Elf_Type kind = segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
        Elf_Data *notes =
            elf_getdata_rawchunk(elf, (int64_t)segment.p_offset, segment.p_filesz, kind);
        if (append_noted_id(notes, out)) {
            return;
        }
    }
}

void symbols_append_build_id(const struct process *process, const struct maps *maps,
                             uint64_t address, struct buffer *out) {
    const struct mapping *file = NULL;
    for (size_t i = 0; i < maps->count && maps->items[i].start <= address; i++) {
        file = maps->items[i].inode != 0 ? &maps->items[i] : file;
    }
    int fd = file != NULL && elf_version(EV_CURRENT) != EV_NONE ? process_open_mapped(process, file)
                                                                : -1;
    if (fd < 0) {
        return;
    }
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf != NULL && elf_kind(elf) == ELF_K_ELF) {
        append_build_id(elf, out);
    }
    elf_end(elf);
    close(fd);
}
