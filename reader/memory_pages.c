#include "reader/memory_pages.h"

#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/arena.h"

enum {
    PAGE_BYTES = 4096,
    PAGE_LIMIT = 8192, /* 32 MiB of copies */
    INDEX_COUNT = 4 * PAGE_LIMIT,
    RENEW_LIMIT = 1024, /* as many as one system call takes */
    LARGE_BYTES = 4 * PAGE_BYTES,
};

struct page {
    uint64_t number; /* address / PAGE_BYTES */
    enum status status;
    bool is_used; /* in this look */
    uint8_t bytes[PAGE_BYTES];
};

struct pages {
    struct memory *under;
    struct page **all;
    size_t count; /* in use; those behind are spare */
    size_t made;
    size_t capacity;
    uint32_t *index; /* page + 1 by number, open addressing; 0: free */
};

static size_t place_of(const struct pages *pages, uint64_t number) {
    size_t at = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 40) % INDEX_COUNT;
    while (pages->index[at] != 0 && pages->all[pages->index[at] - 1]->number != number) {
        at = (at + 1) % INDEX_COUNT;
    }
    return at;
}

static void forget_all(struct pages *pages) {
    memset(pages->index, 0, INDEX_COUNT * sizeof *pages->index);
    pages->count = 0;
}

static struct page *add_page(struct pages *pages, uint64_t number) {
    if (pages->count == PAGE_LIMIT) {
        forget_all(pages);
    }
    if (pages->count == pages->made) {
        if (pages->made == pages->capacity) {
            pages->all =
                memory_grow(pages->all, sizeof *pages->all, pages->made + 1, &pages->capacity);
        }
        pages->all[pages->made++] = memory_zeroed(1, sizeof **pages->all);
    }
    struct page *page = pages->all[pages->count++];
    page->number = number;
    page->status = STATUS_NOT_MAPPED;
    pages->index[place_of(pages, number)] = (uint32_t)pages->count;
    return page;
}

static struct range range_of(struct page *page) {
    return (struct range){{page->number * PAGE_BYTES}, page->bytes, PAGE_BYTES, STATUS_NOT_MAPPED};
}

/* The page with that number, read if it is not known. */
static struct page *find_page(struct pages *pages, uint64_t number, enum status *status_out) {
    uint32_t known = pages->index[place_of(pages, number)];
    struct page *page = known != 0 ? pages->all[known - 1] : add_page(pages, number);
    if (known == 0) {
        struct range range = range_of(page);
        *status_out = memory_read(pages->under, &range, 1);
        page->status = range.status;
    }
    page->is_used = true;
    return page;
}

/* Copies a range out of its pages. */
static enum status read_range(struct pages *pages, struct range *range) {
    uint64_t at = range->from.addr;
    uint8_t *to = range->to;
    uint32_t left = range->bytes;
    enum status status = STATUS_OK;
    range->status = at + left >= at ? STATUS_OK : STATUS_NOT_MAPPED;
    while (left > 0 && range->status == STATUS_OK && status == STATUS_OK) {
        const struct page *page = find_page(pages, at / PAGE_BYTES, &status);
        uint32_t skip = (uint32_t)(at % PAGE_BYTES);
        uint32_t bytes = left < PAGE_BYTES - skip ? left : PAGE_BYTES - skip;
        range->status = page->status;
        memcpy(to, page->bytes + skip, bytes);
        to += bytes;
        at += bytes;
        left -= bytes;
    }
    return status;
}

static enum status read_pages(struct memory *memory, struct range *ranges, size_t count) {
    struct pages *pages = memory->state;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = ranges[i].bytes > LARGE_BYTES ? memory_read(pages->under, &ranges[i], 1)
                                               : read_range(pages, &ranges[i]);
    }
    return status;
}

static void close_pages(struct memory *memory) {
    struct pages *pages = memory->state;
    for (size_t i = 0; i < pages->made; i++) {
        free(pages->all[i]);
    }
    free(pages->all);
    free(pages->index);
    free(pages);
}

static const struct memory_ops pages_ops = {"pages", read_pages, close_pages};

void memory_open_pages(struct memory *out, struct memory *under) {
    struct pages *pages = memory_zeroed(1, sizeof *pages);
    pages->under = under;
    pages->index = memory_zeroed(INDEX_COUNT, sizeof *pages->index);
    *out = (struct memory){.ops = &pages_ops, .state = pages};
}

/* Leaves the pages that were used at the front, RENEW_LIMIT at most, and the others behind them. */
static size_t keep_used(struct pages *pages) {
    size_t kept = 0;
    for (size_t i = 0; i < pages->count; i++) {
        struct page *page = pages->all[i];
        if (page->is_used && page->status == STATUS_OK && kept < RENEW_LIMIT) {
            pages->all[i] = pages->all[kept];
            pages->all[kept++] = page;
        }
        page->is_used = false;
    }
    return kept;
}

enum status memory_pages_renew(struct memory *memory) {
    struct pages *pages = memory->state;
    struct range ranges[RENEW_LIMIT];
    size_t kept = keep_used(pages);
    forget_all(pages);
    for (; pages->count < kept;) {
        struct page *page = pages->all[pages->count++];
        pages->index[place_of(pages, page->number)] = (uint32_t)pages->count;
        ranges[pages->count - 1] = range_of(page);
    }
    enum status status = kept > 0 ? memory_read(pages->under, ranges, kept) : STATUS_OK;
    for (size_t i = 0; i < kept; i++) {
        pages->all[i]->status = ranges[i].status;
    }
    return status;
}
