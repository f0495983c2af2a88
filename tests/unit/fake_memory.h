/* A target whose memory is made by hand: what is placed in it ends where a page ends, so that a
 * read of one byte more fails; reads fail on order; contents change between two reads. */
#ifndef PYROMETER_TESTS_UNIT_FAKE_MEMORY_H
#define PYROMETER_TESTS_UNIT_FAKE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/memory.h"

enum { FAKE_PAGE_BYTES = 4096 };

struct fake_memory {
    struct memory memory;    /* for what is tested; memory.calls counts the calls of memory_read */
    struct fake_page *pages; /* sorted by address */
    size_t page_count;
    size_t page_capacity;
    uint64_t next; /* where fake_place() puts the next object */

    uint64_t reads; /* ranges asked for so far */
    /* The read with this number, counted from 1, fails with `fail_status`: NOT_MAPPED is about that
     * one, GONE and NOT_PERMITTED are about it and all later ones. 0: none. */
    uint64_t fail_at;
    enum status fail_status;
    /* Called before each range is read, with its number; may change the memory. */
    void (*before_read)(void *context, uint64_t number);
    void *context;
};

/* An empty target. `fake` must not move until fake_deinit(). */
void fake_init(struct fake_memory *fake);
void fake_deinit(struct fake_memory *fake);

/* Maps zeroed pages over these bytes; what is mapped already stays as it is. */
void fake_map(struct fake_memory *fake, uint64_t address, uint64_t bytes);
/* Unmaps every page that holds one of these bytes. */
void fake_unmap(struct fake_memory *fake, uint64_t address, uint64_t bytes);

/* Maps room for `bytes` zeroed bytes, at an address that is a multiple of `alignment`, as close to
 * the end of a page as that allows. Nothing is mapped behind that page. */
uint64_t fake_place(struct fake_memory *fake, uint64_t bytes, uint64_t alignment);

/* Fails the test when it is not all mapped. */
void fake_write(struct fake_memory *fake, uint64_t address, const void *data, size_t bytes);
void fake_write_u64(struct fake_memory *fake, uint64_t address, uint64_t value);
/* The `bytes` (at most 8) bytes at `address` as a little-endian number. Counts as no read. */
uint64_t fake_value(const struct fake_memory *fake, uint64_t address, size_t bytes);

/* The address of 8 mapped bytes that are not all 0, which ones depends on `choice`. */
uint64_t fake_any_word(const struct fake_memory *fake, uint64_t choice);

/* Counts reads anew, and lets them succeed again from now on. */
void fake_restart(struct fake_memory *fake);

#endif
