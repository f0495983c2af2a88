/* Recorded memory: what was read of a live Python once, to read the same again without it.
 *
 * A file holds the address of _PyRuntime and pieces of memory, each with its address. */
#ifndef PYROMETER_TESTS_UNIT_IMAGE_H
#define PYROMETER_TESTS_UNIT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/memory.h"

struct image {
    uint64_t runtime;     /* address of _PyRuntime */
    struct piece *pieces; /* sorted by address, not touching one another */
    size_t count;
    size_t capacity;
};

/* Accepts a zeroed image. */
void image_free(struct image *image);
/* Adds bytes; what was there is replaced. */
void image_add(struct image *image, uint64_t address, const void *data, size_t bytes);

/* Adds every piece of `image` but one in `every` to `out`, which is empty. */
void image_leave_out(const struct image *image, uint64_t every, struct image *out);

/* False when the file cannot be read or written, or is none. */
bool image_load(struct image *image, const char *path);
bool image_save(const struct image *image, const char *path);

/* A memory that holds what is in the image and nothing else. `image` is borrowed. */
void image_open(struct memory *out, struct image *image);

/* Passes reads on to `memory` and adds what they gave, and some bytes around it, to `image`. All
 * are borrowed. */
struct recorder {
    struct memory *memory;
    struct image *image;
};
void image_record(struct memory *out, struct recorder *recorder);

#endif
