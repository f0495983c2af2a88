/* Self-contained HTML pages: the profile inside, and nobody asked for anything.
 *
 * A page is exporters/page/page.html with its {{markers}} filled in: the body, style and scripts of
 * its kind, which are built in as they stand in exporters/<kind>/ and exporters/page/, and the
 * profile as JSON, which is written as it is made. In that JSON ids count from 1 as in the trace,
 * and every column of numbers holds the differences from the row before (from 0 in the first): most
 * are then one digit long. In JavaScript column() in exporters/page/words.js undoes that. */
#ifndef PYROMETER_EXPORTERS_PAGE_H
#define PYROMETER_EXPORTERS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/base/status.h"
#include "profiler/model/trace.h"

/* A file that is built in. */
struct page_file {
    const char *start;
    const char *end;
};

/* Defines what PAGE_FILE(name) then stands for; the path is relative to the root of the tree, where
 * the compiler is started. The assembler's .incbin is the one way to embed a file that old gcc and
 * clang share. */
#define PAGE_EMBED(name, path)                                                                     \
    __asm__(".pushsection .rodata\n"                                                               \
            ".hidden page_" #name "\n"                                                             \
            ".hidden page_" #name "_end\n"                                                         \
            ".global page_" #name "\n"                                                             \
            ".global page_" #name "_end\n"                                                         \
            "page_" #name ":\n"                                                                    \
            ".incbin \"" path "\"\n"                                                               \
            "page_" #name "_end:\n"                                                                \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char page_##name[] __attribute__((visibility("hidden")));                         \
    extern const char page_##name##_end[] __attribute__((visibility("hidden")))

#define PAGE_FILE(name) ((struct page_file){page_##name, page_##name##_end})

/* A kind of page. Lists end in an empty file; they come after what all pages share. */
struct page {
    const char *title; /* "flame graph": what follows the process in the title */
    struct page_file body;
    const struct page_file *styles;
    const struct page_file *scripts;
    /* Writes a JSON object. */
    enum status (*write_data)(FILE *out, const struct trace *trace, struct error *error);
};

/* Writes the page. INTERNAL when it has a marker that nothing stands for; else what write_data
 * says. */
enum status page_write(const struct page *page, const struct trace *trace, FILE *out,
                       struct error *error) MUST_CHECK;

/* Opens the data's object with what every page says: run, health and all strings by id. The caller
 * adds members, each after a comma, and the closing brace. */
void page_write_head(FILE *out, const struct trace *trace);

/* A number of each row of a table. */
struct page_column {
    const char *name;
    size_t offset;
    bool is_64_bits;
    const uint32_t *map; /* the id to write for an id; NULL when that is the same */
};

/* Writes `,"name":{"column":[...],...}`. Rows with used[id] == 0 are left out; all are written when
 * it is NULL. */
void page_write_rows(FILE *out, const char *name, const struct table *rows,
                     const struct page_column *columns, size_t column_count, const uint32_t *used);

#define PAGE_WRITE_ROWS(out, name, rows, columns, used)                                            \
    page_write_rows(out, name, rows, columns, sizeof(columns) / sizeof((columns)[0]), used)

/* Writes text as a JSON string that is harmless in HTML. */
void page_write_text(FILE *out, const char *text);

#endif
