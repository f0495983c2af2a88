/* Chunks as bytes: compressed, checked, told apart from what is no chunk. */
#ifndef PYROMETER_RECORDING_CHUNK_H
#define PYROMETER_RECORDING_CHUNK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "profiler/recording/format.h"

/* What compresses; one for many chunks. */
struct packer;
struct packer *packer_create(void);
/* Accepts NULL. */
void packer_destroy(struct packer *packer);

/* Appends the head of a file. */
void chunk_append_head(struct buffer *out);
/* Appends a chunk with this payload of at most LIMIT_CHUNK_BYTES (asserted). */
void chunk_append(struct packer *packer, enum chunk_kind kind, const struct buffer *payload,
                  struct buffer *out);

/* Chunks, one after the other, from a file or a pipe. */
struct unpacker {
    FILE *in; /* borrowed */
    struct ZSTD_DCtx_s *zstd;
    struct buffer stored;
    uint64_t bytes_read; /* of whole chunks, and the head of the file */
    /* The newest chunk, when it is known to be undamaged. */
    uint32_t kind; /* enum chunk_kind, or one that a later version made */
    struct buffer payload;
    bool is_cut; /* the file ends within a chunk */
};

/* Reads the head of the file. BAD_RECORDING when it is none of ours, or of a later version. */
enum status unpacker_open(struct unpacker *out, FILE *in, struct error *error) MUST_CHECK;
/* Accepts a zeroed one. */
void unpacker_close(struct unpacker *unpacker);
/* The next chunk, or `*is_end_out` when there is no whole one any more. BAD_RECORDING. */
enum status unpacker_next(struct unpacker *unpacker, bool *is_end_out,
                          struct error *error) MUST_CHECK;

#endif
