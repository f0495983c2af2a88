#include "tests/unit/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    MARGIN_BYTES = 64,  /* recorded around each read, so that a slightly other reader does too */
    GUESS_BYTES = 4096, /* what is read around an address that was not foreseen (snapshot.c) */
    PIECE_LIMIT = 1 << 20,
    BYTES_LIMIT = 1 << 24,
};

static const char magic[8] = "pyroimg1";

struct piece {
    uint64_t start;
    uint64_t bytes;
    uint8_t *data;
};

void image_free(struct image *image) {
    for (size_t i = 0; i < image->count; i++) {
        free(image->pieces[i].data);
    }
    free(image->pieces);
    *image = (struct image){0};
}

/* Index of the first piece that ends at or after `address`. */
static size_t first_near(const struct image *image, uint64_t address) {
    size_t low = 0;
    size_t high = image->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->pieces[middle].start + image->pieces[middle].bytes < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t end_of(const struct piece *piece) {
    return piece->start + piece->bytes;
}

/* Puts `new` in the place of pieces `from` to `to` - 1. */
static void replace(struct image *image, size_t from, size_t to, struct piece new) {
    for (size_t i = from; i < to; i++) {
        free(image->pieces[i].data);
    }
    if (from == to && image->count == image->capacity) {
        image->pieces =
            memory_grow(image->pieces, sizeof *image->pieces, image->count + 1, &image->capacity);
    }
    memmove(image->pieces + from + 1, image->pieces + to,
            (image->count - to) * sizeof *image->pieces);
    image->pieces[from] = new;
    image->count = image->count + 1 - (to - from);
}

void image_add(struct image *image, uint64_t address, const void *data, size_t bytes) {
    size_t from = first_near(image, address);
    size_t to = from;
    struct piece new = {address, bytes, NULL};
    uint64_t end = address + bytes;
    for (; to < image->count && image->pieces[to].start <= address + bytes; to++) {
        const struct piece *old = &image->pieces[to];
        new.start = old->start < new.start ? old->start : new.start;
        end = end_of(old) > end ? end_of(old) : end;
    }
    new.bytes = end - new.start;
    new.data = memory_zeroed(new.bytes, 1);
    for (size_t i = from; i < to; i++) {
        memcpy(new.data + (image->pieces[i].start - new.start), image->pieces[i].data,
               image->pieces[i].bytes);
    }
    memcpy(new.data + (address - new.start), data, bytes);
    replace(image, from, to, new);
}

void image_leave_out(const struct image *image, uint64_t every, struct image *out) {
    *out = (struct image){.runtime = image->runtime};
    for (size_t i = 0; i < image->count; i++) {
        const struct piece *piece = &image->pieces[i];
        if ((i + 1) % every != 0) {
            image_add(out, piece->start, piece->data, piece->bytes);
        }
    }
}

/* ---- files ---- */

static bool read_piece(struct image *image, FILE *file) {
    uint64_t head[2];
    if (fread(head, sizeof head, 1, file) != 1 || head[1] > BYTES_LIMIT) {
        return false;
    }
    uint8_t *data = memory_zeroed(head[1], 1);
    bool is_read = fread(data, 1, head[1], file) == head[1];
    if (is_read) {
        image_add(image, head[0], data, head[1]);
    }
    free(data);
    return is_read;
}

bool image_load(struct image *image, const char *path) {
    char found[sizeof magic];
    uint64_t head[2];
    FILE *file = fopen(path, "rb");
    *image = (struct image){0};
    if (file == NULL) {
        return false;
    }
    bool is_good = fread(found, sizeof found, 1, file) == 1 &&
                   memcmp(found, magic, sizeof magic) == 0 &&
                   fread(head, sizeof head, 1, file) == 1 && head[1] <= PIECE_LIMIT;
    for (uint64_t i = 0; is_good && i < head[1]; i++) {
        is_good = read_piece(image, file);
    }
    image->runtime = is_good ? head[0] : 0;
    fclose(file);
    return is_good;
}

bool image_save(const struct image *image, const char *path) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return false;
    }
    const uint64_t head[2] = {image->runtime, image->count};
    fwrite(magic, sizeof magic, 1, file);
    fwrite(head, sizeof head, 1, file);
    for (size_t i = 0; i < image->count; i++) {
        const struct piece *piece = &image->pieces[i];
        const uint64_t piece_head[2] = {piece->start, piece->bytes};
        fwrite(piece_head, sizeof piece_head, 1, file);
        fwrite(piece->data, 1, piece->bytes, file);
    }
    bool is_written = !ferror(file);
    return fclose(file) == 0 && is_written;
}

/* ---- as a struct memory ---- */

static enum status image_read(struct memory *memory, struct range *ranges, size_t count) {
    const struct image *image = memory->state;
    memory->calls++;
    for (size_t i = 0; i < count; i++) {
        struct range *range = &ranges[i];
        size_t at = first_near(image, range->from.addr);
        const struct piece *piece = at < image->count ? &image->pieces[at] : NULL;
        bool is_there = piece != NULL && piece->start <= range->from.addr &&
                        end_of(piece) - range->from.addr >= range->bytes;
        range->status = is_there ? STATUS_OK : STATUS_NOT_MAPPED;
        if (is_there) {
            memcpy(range->to, piece->data + (range->from.addr - piece->start), range->bytes);
            memory->bytes += range->bytes;
        }
    }
    return STATUS_OK;
}

static void close_nothing(struct memory *memory) {
    (void)memory;
}

static const struct memory_ops image_ops = {"image", image_read, close_nothing};

void image_open(struct memory *out, struct image *image) {
    *out = (struct memory){.ops = &image_ops, .state = image};
}

/* The margins are read apart, because they may not be mapped. */
static void record_around(const struct recorder *recorder, uint64_t address) {
    uint8_t margin[MARGIN_BYTES];
    struct remote from = {address - address % MARGIN_BYTES};
    if (memory_read_one(recorder->memory, from, margin, sizeof margin) == STATUS_OK) {
        image_add(recorder->image, from.addr, margin, sizeof margin);
    }
}

/* A guess is refused, so that what is needed of it is asked for by itself and the image is small.
 */
static enum status record_read(struct memory *memory, struct range *ranges, size_t count) {
    const struct recorder *recorder = memory->state;
    if (count == 1 && ranges->bytes == GUESS_BYTES) {
        ranges->status = STATUS_NOT_MAPPED;
        return STATUS_OK;
    }
    enum status status = memory_read(recorder->memory, ranges, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        uint64_t from = ranges[i].from.addr;
        if (ranges[i].status == STATUS_OK && ranges[i].bytes > 0) {
            record_around(recorder, from);
            record_around(recorder, from + ranges[i].bytes - 1);
            image_add(recorder->image, from, ranges[i].to, ranges[i].bytes);
        }
    }
    return status;
}

static const struct memory_ops record_ops = {"recorder", record_read, close_nothing};

void image_record(struct memory *out, struct recorder *recorder) {
    *out = (struct memory){.ops = &record_ops, .state = recorder};
}
