#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "tests/unit/fake_memory.h"

/* Below the addresses that a program on x86-64 has, and far from any that a test chooses. */
#define FIRST_PLACE UINT64_C(0x100000000000)

enum { POISON = 0xa5 };

struct fake_page {
    uint64_t number; /* address / FAKE_PAGE_BYTES */
    uint8_t *bytes;
};

static uint64_t page_of(uint64_t address) {
    return address / FAKE_PAGE_BYTES;
}

/* Index of the first page whose number is not below `number`. */
static size_t first_at(const struct fake_memory *fake, uint64_t number) {
    size_t low = 0;
    size_t high = fake->page_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (fake->pages[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint8_t *find_page(const struct fake_memory *fake, uint64_t number) {
    size_t at = first_at(fake, number);
    bool is_there = at < fake->page_count && fake->pages[at].number == number;
    return is_there ? fake->pages[at].bytes : NULL;
}

static void add_page(struct fake_memory *fake, uint64_t number) {
    size_t at = first_at(fake, number);
    if (at < fake->page_count && fake->pages[at].number == number) {
        return;
    }
    if (fake->page_count == fake->page_capacity) {
        fake->pages = memory_grow(fake->pages, sizeof *fake->pages, fake->page_count + 1,
                                  &fake->page_capacity);
    }
    struct fake_page *place = fake->pages + at;
    memmove(place + 1, place, (fake->page_count - at) * sizeof *place);
    *place = (struct fake_page){number, memory_zeroed(1, FAKE_PAGE_BYTES)};
    fake->page_count++;
}

void fake_map(struct fake_memory *fake, uint64_t address, uint64_t bytes) {
    for (uint64_t number = page_of(address); number <= page_of(address + bytes - 1); number++) {
        add_page(fake, number);
    }
}

void fake_unmap(struct fake_memory *fake, uint64_t address, uint64_t bytes) {
    size_t from = first_at(fake, page_of(address));
    size_t to = first_at(fake, page_of(address + bytes - 1) + 1);
    for (size_t i = from; i < to; i++) {
        free(fake->pages[i].bytes);
    }
    memmove(fake->pages + from, fake->pages + to, (fake->page_count - to) * sizeof *fake->pages);
    fake->page_count -= to - from;
}

uint64_t fake_place(struct fake_memory *fake, uint64_t bytes, uint64_t alignment) {
    uint64_t room = (bytes + FAKE_PAGE_BYTES - 1) / FAKE_PAGE_BYTES * FAKE_PAGE_BYTES;
    room = room == 0 ? FAKE_PAGE_BYTES : room;
    uint64_t start = fake->next;
    fake_map(fake, start, room);
    fake->next += room + FAKE_PAGE_BYTES;
    return (start + room - bytes) / alignment * alignment;
}

/* Copies between the fake memory and ours, page by page; false when it is not all mapped. */
static bool copy(const struct fake_memory *fake, uint64_t address, uint8_t *ours, size_t bytes,
                 bool is_write) {
    for (size_t done = 0; done < bytes;) {
        uint8_t *page = find_page(fake, page_of(address + done));
        size_t skip = (size_t)((address + done) % FAKE_PAGE_BYTES);
        size_t part = bytes - done < FAKE_PAGE_BYTES - skip ? bytes - done : FAKE_PAGE_BYTES - skip;
        if (page == NULL) {
            return false;
        }
        if (is_write) {
            memcpy(page + skip, ours + done, part);
        } else {
            memcpy(ours + done, page + skip, part);
        }
        done += part;
    }
    return true;
}

void fake_write(struct fake_memory *fake, uint64_t address, const void *data, size_t bytes) {
    uint8_t *ours = memory_zeroed(bytes, 1);
    memcpy(ours, data, bytes);
    bool is_mapped = copy(fake, address, ours, bytes, true);
    free(ours);
    assert_true(is_mapped);
}

void fake_write_u64(struct fake_memory *fake, uint64_t address, uint64_t value) {
    fake_write(fake, address, &value, sizeof value);
}

uint64_t fake_value(const struct fake_memory *fake, uint64_t address, size_t bytes) {
    uint8_t value[8] = {0};
    assert_true(bytes <= sizeof value && copy(fake, address, value, bytes, false));
    return load_u64(value);
}

uint64_t fake_any_word(const struct fake_memory *fake, uint64_t choice) {
    for (uint64_t tries = 0;; tries++) {
        const struct fake_page *page = &fake->pages[(choice + tries) % fake->page_count];
        uint64_t words[FAKE_PAGE_BYTES / 8];
        size_t count = 0;
        for (uint64_t at = 0; at < FAKE_PAGE_BYTES; at += 8) {
            words[count] = page->number * FAKE_PAGE_BYTES + at;
            count += load_u64(page->bytes + at) != 0;
        }
        if (count > 0) {
            return words[choice / fake->page_count % count];
        }
        assert_true(tries < fake->page_count);
    }
}

/* ---- as a struct memory ---- */

static bool is_about_all(enum status status) {
    return status == STATUS_GONE || status == STATUS_NOT_PERMITTED;
}

/* What is not read is filled with what nobody should look at. */
static enum status read_one(struct fake_memory *fake, struct range *range) {
    uint64_t number = ++fake->reads;
    if (fake->before_read != NULL) {
        fake->before_read(fake->context, number);
    }
    bool is_late = is_about_all(fake->fail_status) && number > fake->fail_at;
    bool fails = fake->fail_at != 0 && (number == fake->fail_at || is_late);
    memset(range->to, POISON, range->bytes);
    range->status = STATUS_NOT_MAPPED;
    if (fails) {
        return fake->fail_status;
    }
    if (copy(fake, range->from.addr, range->to, range->bytes, false)) {
        range->status = STATUS_OK;
        fake->memory.bytes += range->bytes;
    } else {
        memset(range->to, POISON, range->bytes);
    }
    return STATUS_OK;
}

static enum status fake_read(struct memory *memory, struct range *ranges, size_t count) {
    struct fake_memory *fake = memory->state;
    memory->calls++;
    for (size_t i = 0; i < count; i++) {
        enum status status = read_one(fake, &ranges[i]);
        if (is_about_all(status)) {
            return status;
        }
    }
    return STATUS_OK;
}

static void fake_close(struct memory *memory) {
    (void)memory;
}

static const struct memory_ops fake_ops = {"fake", fake_read, fake_close};

void fake_init(struct fake_memory *fake) {
    *fake = (struct fake_memory){.next = FIRST_PLACE};
    fake->memory = (struct memory){.ops = &fake_ops, .state = fake};
}

void fake_deinit(struct fake_memory *fake) {
    for (size_t i = 0; i < fake->page_count; i++) {
        free(fake->pages[i].bytes);
    }
    free(fake->pages);
    *fake = (struct fake_memory){0};
}

void fake_restart(struct fake_memory *fake) {
    fake->reads = 0;
    fake->fail_at = 0;
    fake->before_read = NULL;
}
