/* Finding a symbol or a section in an ELF file that a process has mapped, by libelf. */
#ifndef PYROMETER_READER_SYMBOLS_H
#define PYROMETER_READER_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/process.h"
#include "reader/remote.h"

/* What the last files that were looked into hold: parsing a symbol table takes milliseconds, and a
 * Python that is waited for, or has many children, is looked into again and again. One memo is for
 * one pair of names. */
struct symbols_memo;
struct symbols_memo *symbols_memo_create(void);
/* Accepts NULL. */
void symbols_memo_destroy(struct symbols_memo *memo);

/* Looks in the file behind `file`, one of the mappings of `maps`, for a symbol (in .dynsym, then
 * .symtab) and, when there is none, for a section of that name; either name may be NULL. Gives its
 * address in the process, for position-independent files and others. NOT_FOUND when the file
 * cannot be opened, is not ELF or has neither. `memo` may be NULL: nothing is remembered. */
enum status symbols_locate(const struct process *process, const struct maps *maps,
                           const struct mapping *file, const char *symbol, const char *section,
                           struct symbols_memo *memo, struct remote *out) MUST_CHECK;

/* Appends the build id, in hex, of the file that is mapped at `address` or nearest below it (what
 * is zero at first lies behind a file, in memory of no file). Nothing when the file cannot be
 * opened, is not ELF or has none. */
void symbols_append_build_id(const struct process *process, const struct maps *maps,
                             uint64_t address, struct buffer *out);
struct Elf; /* libelf's */
/* The same of an ELF file that is open. */
void symbols_append_elf_build_id(struct Elf *elf, struct buffer *out);

#endif
