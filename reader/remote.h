/* An address in the target. A type of its own, so that it cannot be dereferenced here or mixed up
 * with one of our pointers. */
#ifndef PYROMETER_READER_REMOTE_H
#define PYROMETER_READER_REMOTE_H

#include <stdint.h>
#include <string.h>

struct remote {
    uint64_t addr; /* 0 is NULL */
};

/* `base` + `offset`; NULL when that would wrap or when `base` is NULL. */
static inline struct remote remote_at(struct remote base, uint64_t offset) {
    struct remote at = {base.addr + offset};
    if (base.addr == 0 || at.addr < base.addr) {
        at.addr = 0;
    }
    return at;
}

/* Values in bytes that were copied from the target; they need not be aligned. */
static inline uint64_t load_u64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t load_u32(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline struct remote load_remote(const uint8_t *bytes) {
    return (struct remote){load_u64(bytes)};
}

#endif
