/* lines_check MINOR IS_FREE_THREADED <what lines_dump.py prints
 *
 * Decodes each line table as the layout of that version says, and compares the result with what the
 * interpreter said. Shows the first differences, then counts, as "name=count" on the last line.
 * Exit status 0 if nothing differs, 1 if something does, 2 if the input is not what it should be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target-runtime/layout.h"
#include "target-runtime/lines.h"

enum { SHOWN_DIFFERENCES = 20 };

struct code {
    uint32_t first_line;
    size_t bytes;
    uint8_t *table;
};

struct counts {
    unsigned long codes;
    unsigned long compared;
    unsigned long without_line;
    unsigned long with_columns;
    unsigned long steps_back;
    unsigned long differences;
};

static void give_up(const char *line) {
    fprintf(stderr, "lines_check: not understood: %s\n", line);
    exit(2);
}

/* "-" or hexadecimal digits, into memory that is exactly as large, so that a sanitizer sees a read
 * past its end. */
static void read_table(const char *hex, struct code *code) {
    code->bytes = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    code->table = realloc(code->table, code->bytes > 0 ? code->bytes : 1);
    for (size_t i = 0; i < code->bytes; i++) {
        unsigned int byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            give_up(hex);
        }
        code->table[i] = (uint8_t)byte;
    }
}

static void read_code(char *line, struct code *code) {
    strtok(line, " ");
    const char *first_line = strtok(NULL, " ");
    const char *hex = strtok(NULL, " ");
    if (first_line == NULL || hex == NULL) {
        give_up(line);
        return;
    }
    code->first_line = (uint32_t)strtoul(first_line, NULL, 10);
    read_table(hex, code);
}

/* A number of the interpreter's, or 0 for what it does not know. */
static uint32_t next_number(uint32_t counted_from) {
    const char *word = strtok(NULL, " ");
    if (word == NULL) {
        give_up("too few numbers");
        return 0;
    }
    return strcmp(word, "-") == 0 ? 0 : (uint32_t)strtoul(word, NULL, 10) + 1 - counted_from;
}

static struct source_range read_expected(void) {
    struct source_range range;
    range.line = next_number(1);
    range.end_line = next_number(1);
    range.column = next_number(0);
    range.end_column = next_number(0);
    return range.line == 0 ? (struct source_range){0} : range;
}

static void show(const char *who, struct source_range range) {
    printf(" %s %u-%u:%u-%u", who, range.line, range.end_line, range.column, range.end_column);
}

static void compare(enum line_table kind, const struct code *code, long offset,
                    struct counts *counts) {
    static uint32_t line_before;
    struct source_range wanted = read_expected();
    struct source_range found = line_at(kind, code->table, code->bytes, code->first_line, offset);
    counts->compared++;
    counts->without_line += wanted.line == 0;
    counts->with_columns += wanted.column != 0;
    counts->steps_back += offset != 0 && wanted.line != 0 && wanted.line < line_before;
    line_before = wanted.line;
    if (memcmp(&found, &wanted, sizeof found) == 0) {
        return;
    }
    if (counts->differences++ < SHOWN_DIFFERENCES) {
        printf("code object %lu, first line %u, offset %ld:", counts->codes, code->first_line,
               offset);
        show("found", found);
        show("wanted", wanted);
        printf("\n");
    }
}

static void compare_all(enum line_table kind, struct counts *counts) {
    struct code code = {0};
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "code ", 5) == 0) {
            read_code(line, &code);
            counts->codes++;
        } else {
            const char *offset = strtok(line, " ");
            compare(kind, &code, strtol(offset == NULL ? "" : offset, NULL, 10), counts);
        }
    }
    free(code.table);
    free(line);
}

int main(int argc, char **argv) {
    const struct layout *layout =
        argc == 3 ? layout_for((uint32_t)atoi(argv[1]), atoi(argv[2]) != 0) : NULL;
    if (layout == NULL) {
        give_up("no layout of that version");
        return 2;
    }
    struct counts counts = {0};
    compare_all(layout->line_table, &counts);
    printf("codes=%lu compared=%lu without_line=%lu with_columns=%lu steps_back=%lu "
           "differences=%lu\n",
           counts.codes, counts.compared, counts.without_line, counts.with_columns,
           counts.steps_back, counts.differences);
    return counts.differences != 0;
}
