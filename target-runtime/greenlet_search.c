#include "target-runtime/greenlet_search.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

/* Objects/obmalloc.c, 3.8 to 3.15: a pool begins with a struct pool_header, of which the last four
 * words of 32 bits are arenaindex, szidx, nextoffset and maxnextoffset; blocks are behind it. */
enum {
    POOL_HEADER = 48,
    POOL_TELLS_AT = 36,
    POOL_SMALL = 1 << 12, /* up to 3.9 */
    POOL_LARGE = 1 << 14,
    ALIGNMENT = 16,
    BLOCK_LEAST = 144, /* greenlet::UserGreenlet, by what it has in it */
    BLOCK_MOST = 320,
    BLOCK_WORDS = BLOCK_MOST / 8,
};

enum {
    REGION_LEAST = 1 << 18, /* an arena, up to 3.9 */
    REGIONS_LIMIT = 1 << 16,
    MAPS_MS = 1000,
};

#define SEARCH_LIMIT (UINT64_C(8) << 30) /* bytes of memory in all */

static bool is_within(const struct span *span, uint64_t addr) {
    return addr >= span->start && addr < span->end;
}

static bool is_fatal(enum status status) {
    return status == STATUS_GONE || status == STATUS_NOT_PERMITTED;
}

void greenlet_search_deinit(struct greenlet_search *search) {
    free(search->regions);
    free(search->idents);
    *search = (struct greenlet_search){0};
}

/* ---- what is mapped ---- */

static bool is_module(const char *path) {
    static const char name[] = "_greenlet.";
    const char *slash = strrchr(path, '/');
    return slash != NULL && strncmp(slash + 1, name, sizeof name - 1) == 0;
}

bool greenlet_search_is_loaded(const struct process *process) {
    struct error ignored;
    struct maps maps = {0};
    bool is_loaded = false;
    if (maps_read(process, &maps, &ignored) == STATUS_OK) {
        for (size_t i = 0; i < maps.count && !is_loaded; i++) {
            is_loaded = is_module(maps.items[i].path);
        }
    }
    maps_free(&maps);
    return is_loaded;
}

/* Memory of nobody's file. 3.15 gives its arenas names, which come as "[anon:...]". */
static bool may_hold_pools(const struct mapping *mapping) {
    bool is_anonymous = mapping->path[0] == '\0' || strncmp(mapping->path, "[anon", 5) == 0;
    return mapping->inode == 0 && is_anonymous && mapping->is_writable && !mapping->is_executable &&
           mapping->end - mapping->start >= REGION_LEAST;
}

static void add_region(struct greenlet_search *search, const struct mapping *mapping,
                       uint64_t *bytes) {
    *bytes += mapping->end - mapping->start;
    if (*bytes > SEARCH_LIMIT || search->region_count == REGIONS_LIMIT) {
        return;
    }
    search->regions = memory_grow(search->regions, sizeof *search->regions,
                                  search->region_count + 1, &search->region_capacity);
    search->regions[search->region_count++] = (struct span){mapping->start, mapping->end};
}

static void note_maps(struct greenlet_search *search, const struct maps *maps) {
    uint64_t bytes = 0;
    search->module = (struct span){0};
    search->region_count = 0;
    for (size_t i = 0; i < maps->count; i++) {
        const struct mapping *mapping = &maps->items[i];
        if (is_module(mapping->path)) {
            bool is_first = search->module.start == 0;
            search->module.start = is_first ? mapping->start : search->module.start;
            search->module.end = mapping->end;
        } else if (strcmp(mapping->path, "[stack]") == 0) {
            search->stack = (struct span){mapping->start, mapping->end};
        } else if (may_hold_pools(mapping)) {
            add_region(search, mapping, &bytes);
        }
    }
}

/* The main thread is the first that the main interpreter had. */
static void note_threads(struct greenlet_search *search, const struct raw_look *threads) {
    uint64_t first = UINT64_MAX;
    search->idents = memory_grow(search->idents, sizeof *search->idents, threads->thread_count + 1,
                                 &search->ident_capacity);
    search->ident_count = threads->thread_count;
    for (size_t i = 0; i < threads->thread_count; i++) {
        const struct raw_thread *thread = &threads->threads[i];
        search->idents[i] = thread->ident;
        if (thread->interpreter_id == 0 && thread->serial < first) {
            first = thread->serial;
            search->main_ident = thread->ident;
        }
    }
}

bool greenlet_search_is_worth(struct greenlet_search *search, const struct raw_look *threads) {
    uint64_t now_ns = clock_monotonic_ns();
    bool is_at_start = search->region == 0 && search->at == 0 && search->pool_count == 0;
    bool is_due =
        search->mapped_ns == 0 || (is_at_start && now_ns - search->mapped_ns > MAPS_MS * NS_PER_MS);
    if (search->process != NULL && is_due) {
        struct error ignored;
        struct maps maps = {0};
        search->mapped_ns = now_ns;
        if (maps_read(search->process, &maps, &ignored) == STATUS_OK) {
            note_maps(search, &maps);
            note_threads(search, threads);
        }
        maps_free(&maps);
    }
    return search->module.start != 0;
}

/* glibc: a stack ends below the struct pthread that get_ident() is the address of. */
static uint64_t thread_above(const struct greenlet_search *search, const struct span *region,
                             uint64_t addr) {
    uint64_t nearest = 0;
    for (size_t i = 0; i < search->ident_count; i++) {
        uint64_t ident = search->idents[i];
        if (ident > addr && is_within(region, ident) && (nearest == 0 || ident < nearest)) {
            nearest = ident;
        }
    }
    return nearest;
}

uint64_t greenlet_search_thread(const struct greenlet_search *search, const uint64_t *words,
                                size_t count) {
    uint64_t ident = 0;
    for (size_t i = 0; i < count && ident == 0; i++) {
        ident = is_within(&search->stack, words[i]) ? search->main_ident : 0;
        for (size_t r = 0; r < search->region_count && ident == 0; r++) {
            if (is_within(&search->regions[r], words[i])) {
                ident = thread_above(search, &search->regions[r], words[i]);
            }
        }
    }
    return ident;
}

/* ---- pools ---- */

/* Whether what lies at `at` tells that it is a pool of blocks of the size that is looked for. Main
 * greenlets' blocks are a size smaller than the others'. */
static bool is_wanted(const struct greenlet_search *search, uint64_t at, const uint32_t tells[3],
                      struct greenlet_pool *out) {
    uint64_t block_bytes = ((uint64_t)tells[0] + 1) * ALIGNMENT;
    uint64_t bytes = block_bytes + tells[2];
    uint64_t known = search->block_bytes;
    bool is_pool = (bytes == POOL_SMALL || bytes == POOL_LARGE) && at % bytes == 0 &&
                   tells[1] >= POOL_HEADER && tells[1] <= bytes;
    bool is_near =
        known == 0 || (block_bytes + ALIGNMENT >= known && block_bytes <= known + ALIGNMENT);
    *out = (struct greenlet_pool){at, (uint32_t)bytes, (uint32_t)block_bytes};
    return is_pool && is_near && block_bytes >= BLOCK_LEAST && block_bytes <= BLOCK_MOST;
}

/* The next places where a pool may begin; how many, up to GREENLET_POOLS. */
static size_t next_places(struct greenlet_search *search, uint64_t *places) {
    uint64_t stride = search->pool_bytes != 0 ? search->pool_bytes : POOL_SMALL;
    size_t count = 0;
    while (count < GREENLET_POOLS && search->region < search->region_count) {
        const struct span *region = &search->regions[search->region];
        uint64_t at = search->at != 0 ? search->at : region->start;
        at = (at + stride - 1) & ~(stride - 1);
        if (at + stride > region->end) {
            search->region++;
            search->at = 0;
            continue;
        }
        places[count++] = at;
        search->at = at + stride;
    }
    return count;
}

/* Asks the next pools for what they hold. */
static enum status find_pools(struct greenlet_search *search, bool *is_over_out) {
    uint64_t places[GREENLET_POOLS];
    uint32_t tells[GREENLET_POOLS][3];
    struct range ranges[GREENLET_POOLS];
    size_t count = next_places(search, places);
    *is_over_out = count == 0;
    for (size_t i = 0; i < count; i++) {
        ranges[i] = (struct range){
            {places[i] + POOL_TELLS_AT}, tells[i], sizeof tells[i], STATUS_NOT_MAPPED};
    }
    enum status status = count > 0 ? memory_read(search->memory, ranges, count) : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (ranges[i].status == STATUS_OK &&
            is_wanted(search, places[i], tells[i], &search->pools[search->pool_count])) {
            search->pool_count++;
        }
    }
    return status;
}

/* ---- blocks ---- */

/* A word of a block, and the word that its Python object would have to point back with. */
struct pair {
    uint64_t self;
    uint64_t back;
};

/* The Python object that the word at `at` in the block leads to, if one can be there. */
static bool want_self(const struct greenlet_search *search, const uint8_t *bytes, uint32_t at,
                      struct pair *pair, struct range *range) {
    *pair = (struct pair){.self = load_u64(bytes + at)};
    *range =
        (struct range){{pair->self + search->implementation_at}, &pair->back, 8, STATUS_NOT_MAPPED};
    return pair->self != 0 && pair->self % ALIGNMENT == 0 && pair->self >> 47 == 0;
}

/* The Python object of the block at `block`, if that is a greenlet's: one of the words from `at` to
 * `end` leads to what points back. Else 0. */
static enum status find_self_in(struct greenlet_search *search, uint64_t block,
                                const uint8_t *bytes, uint32_t at, uint32_t end,
                                uint64_t *self_out) {
    struct range ranges[BLOCK_WORDS];
    struct pair pairs[BLOCK_WORDS];
    uint32_t places[BLOCK_WORDS];
    size_t count = 0;
    *self_out = 0;
    for (; at + 8 <= end; at += 8) {
        places[count] = at;
        count += want_self(search, bytes, at, &pairs[count], &ranges[count]);
    }
    enum status status = count > 0 ? memory_read(search->memory, ranges, count) : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK && *self_out == 0; i++) {
        if (ranges[i].status == STATUS_OK && pairs[i].back == block) {
            *self_out = pairs[i].self;
            search->self_at = places[i];
        }
    }
    return status;
}

/* Mostly it is where that of the last one was. */
static enum status find_self(struct greenlet_search *search, uint64_t block, const uint8_t *bytes,
                             uint32_t block_bytes, uint64_t *self_out) {
    uint32_t at = search->self_at;
    enum status status = STATUS_OK;
    *self_out = 0;
    if (at != 0 && at + 8 <= block_bytes) {
        status = find_self_in(search, block, bytes, at, at + 8, self_out);
    }
    return status != STATUS_OK || *self_out != 0
               ? status
               : find_self_in(search, block, bytes, 8, block_bytes, self_out);
}

/* Searches the last of the pools that are to be. */
static enum status search_pool(struct greenlet_search *search, uint64_t found[GREENLETS_PER_STEP],
                               size_t *count_out) {
    struct greenlet_pool pool = search->pools[--search->pool_count];
    uint8_t bytes[POOL_LARGE];
    enum status status =
        memory_read_one(search->memory, (struct remote){pool.at}, bytes, pool.bytes);
    for (uint32_t at = POOL_HEADER; status == STATUS_OK && at + pool.block_bytes <= pool.bytes &&
                                    *count_out < GREENLETS_PER_STEP;
         at += pool.block_bytes) {
        uint64_t self = 0;
        if (is_within(&search->module, load_u64(bytes + at))) {
            status = find_self(search, pool.at + at, bytes + at, pool.block_bytes, &self);
        }
        if (self != 0) {
            search->pool_bytes = pool.bytes;
            search->block_bytes = search->block_bytes != 0 ? search->block_bytes : pool.block_bytes;
            found[(*count_out)++] = self;
        }
    }
    return status;
}

enum status greenlet_search_step(struct greenlet_search *search, uint64_t found[GREENLETS_PER_STEP],
                                 size_t *count_out, bool *is_over_out) {
    enum status status;
    *count_out = 0;
    *is_over_out = false;
    if (search->pool_count > 0) {
        status = search_pool(search, found, count_out);
    } else {
        status = find_pools(search, is_over_out);
    }
    if (*is_over_out) {
        search->region = 0;
        search->at = 0;
    }
    return is_fatal(status) ? status : STATUS_OK;
}

enum status greenlet_search_each(struct greenlet_search *search, element_visit *visit,
                                 void *context) {
    enum status status = STATUS_OK;
    bool is_over = false;
    bool more = true;
    while (!is_over && more && status == STATUS_OK) {
        uint64_t found[GREENLETS_PER_STEP];
        size_t count;
        status = greenlet_search_step(search, found, &count, &is_over);
        for (size_t i = 0; i < count && more && status == STATUS_OK; i++) {
            more = visit(context, (struct remote){found[i]});
        }
    }
    return status;
}
