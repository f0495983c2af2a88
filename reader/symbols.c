#include "reader/symbols.h"

#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/arena.h"

/* ---- in a file ---- */

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

/* ---- what is remembered ---- */

/* The last files that were looked into; the next one goes to `next`. */
enum { MEMO_FILES = 64, SEGMENTS_MAX = 4 };

struct code_segment {
    uint64_t offset;  /* in the file, cut to pages */
    uint64_t address; /* link-time, cut to pages */
};

struct found {
    dev_t device;
    ino_t inode; /* 0: none */
    off_t bytes;
    struct timespec changed;
    uint64_t address; /* link-time; 0: it has neither the symbol nor the section */
    struct code_segment segments[SEGMENTS_MAX];
    size_t segment_count;
};

struct symbols_memo {
    struct found files[MEMO_FILES];
    size_t next;
};

struct symbols_memo *symbols_memo_create(void) {
    return memory_zeroed(1, sizeof(struct symbols_memo));
}

void symbols_memo_destroy(struct symbols_memo *memo) {
    free(memo);
}

static bool is_same_file(const struct found *a, const struct found *b) {
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Whether the file that `out` names was looked into before; then all of `out` is filled. */
static bool recall(const struct symbols_memo *memo, struct found *out) {
    for (size_t i = 0; memo != NULL && i < MEMO_FILES; i++) {
        if (is_same_file(&memo->files[i], out)) {
            *out = memo->files[i];
            return true;
        }
    }
    return false;
}

static void remember(struct symbols_memo *memo, const struct found *found) {
    if (memo != NULL) {
        memo->files[memo->next] = *found;
        memo->next = (memo->next + 1) % MEMO_FILES;
    }
}

/* ---- from a file into a process ---- */

static uint64_t page_of(uint64_t address) {
    return address & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
}

static void find_segments(Elf *elf, struct found *out) {
    size_t count;
    if (elf_getphdrnum(elf, &count) != 0) {
        return;
    }
    for (size_t i = 0; i < count && out->segment_count < SEGMENTS_MAX; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) != NULL && segment.p_type == PT_LOAD &&
            (segment.p_flags & PF_X) != 0) {
            out->segments[out->segment_count++] =
                (struct code_segment){page_of(segment.p_offset), page_of(segment.p_vaddr)};
        }
    }
}

static void look_into(int fd, const char *symbol, const char *section, struct found *out) {
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf != NULL && elf_kind(elf) == ELF_K_ELF) {
        out->address = symbol != NULL ? find_symbol(elf, symbol) : 0;
        out->address =
            out->address == 0 && section != NULL ? find_section(elf, section) : out->address;
        find_segments(elf, out);
    }
    elf_end(elf);
}

/* Where a link-time address lies in the process: the segment with code was mapped, executable, from
 * its offset in the file, cut to pages, and all segments moved by the same distance. A program may
 * map its own file once more, to read it; it is hardly executable then. */
static bool address_in_process(const struct found *found, const struct maps *maps, uint64_t inode,
                               struct remote *out) {
    for (size_t i = 0; i < found->segment_count; i++) {
        const struct code_segment *segment = &found->segments[i];
        for (size_t m = 0; m < maps->count; m++) {
            const struct mapping *mapping = &maps->items[m];
            if (mapping->inode == inode && mapping->is_executable &&
                mapping->offset == segment->offset) {
                out->addr = found->address + (mapping->start - segment->address);
                return true;
            }
        }
    }
    return false;
}

enum status symbols_locate(const struct process *process, const struct maps *maps,
                           const struct mapping *file, const char *symbol, const char *section,
                           struct symbols_memo *memo, struct remote *out) {
    struct stat info;
    int fd = elf_version(EV_CURRENT) != EV_NONE ? process_open_mapped(process, file) : -1;
    if (fd < 0) {
        return STATUS_NOT_FOUND;
    }
    bool is_known = fstat(fd, &info) == 0;
    struct found found = {.device = info.st_dev,
                          .inode = info.st_ino,
                          .bytes = info.st_size,
                          .changed = info.st_ctim};
    if (is_known && !recall(memo, &found)) {
        look_into(fd, symbol, section, &found);
        remember(memo, &found);
    }
    close(fd);
    return is_known && found.address != 0 && address_in_process(&found, maps, file->inode, out)
               ? STATUS_OK
               : STATUS_NOT_FOUND;
}

/* ---- build ids ---- */

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

void symbols_append_elf_build_id(struct Elf *elf, struct buffer *out) {
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
        symbols_append_elf_build_id(elf, out);
    }
    elf_end(elf);
    close(fd);
}
