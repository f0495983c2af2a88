#include "profiler/recording/chunk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "profiler/base/arena.h"

enum { LEVEL = 3 };

static void put_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t get_u32(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t checksum(const uint8_t *data, size_t bytes) {
    return (uint32_t)crc32(0, data, (uInt)bytes);
}

/* ---- packing ---- */

struct packer {
    ZSTD_CCtx *zstd;
};

struct packer *packer_create(void) {
    struct packer *packer = memory_zeroed(1, sizeof *packer);
    packer->zstd = ZSTD_createCCtx();
    assert(packer->zstd != NULL);
    ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_checksumFlag, 1);
    return packer;
}

void packer_destroy(struct packer *packer) {
    if (packer != NULL) {
        ZSTD_freeCCtx(packer->zstd);
        free(packer);
    }
}

void chunk_append_head(struct buffer *out) {
    uint8_t head[FORMAT_HEAD_BYTES];
    memcpy(head, FORMAT_MAGIC, FORMAT_MAGIC_BYTES);
    put_u32(head + 8, FORMAT_VERSION);
    put_u32(head + 12, checksum(head, 12));
    buffer_append(out, head, sizeof head);
}

void chunk_append(struct packer *packer, enum chunk_kind kind, const struct buffer *payload,
                  struct buffer *out) {
    assert(payload->length <= LIMIT_CHUNK_BYTES);
    size_t room = ZSTD_compressBound(payload->length);
    uint8_t *head = (uint8_t *)buffer_reserve(out, FORMAT_CHUNK_BYTES + room);
    size_t stored = ZSTD_compress2(packer->zstd, head + FORMAT_CHUNK_BYTES, room,
                                   payload->length > 0 ? payload->data : "", payload->length);
    assert(!ZSTD_isError(stored));
    put_u32(head, FORMAT_CHUNK_MAGIC);
    put_u32(head + 4, kind);
    put_u32(head + 8, (uint32_t)stored);
    put_u32(head + 12, (uint32_t)payload->length);
    put_u32(head + 16, checksum(head, 16));
    out->length += FORMAT_CHUNK_BYTES + stored;
    out->data[out->length] = '\0';
}

/* ---- unpacking ---- */

/* Reads up to `bytes` bytes; fewer only at the end of the file. */
static enum status read_bytes(FILE *in, void *out, size_t bytes, size_t *got_out,
                              struct error *error) {
    *got_out = fread(out, 1, bytes, in);
    if (*got_out < bytes && ferror(in)) {
        return error_set(error, STATUS_BAD_RECORDING, "reading it failed");
    }
    return STATUS_OK;
}

static enum status damaged(const struct unpacker *unpacker, const char *what, struct error *error) {
    errno = 0;
    return error_set(error, STATUS_BAD_RECORDING, "the chunk at byte %llu is damaged: %s",
                     (unsigned long long)unpacker->bytes_read, what);
}

enum status unpacker_open(struct unpacker *out, FILE *in, struct error *error) {
    uint8_t head[FORMAT_HEAD_BYTES];
    size_t got;
    *out = (struct unpacker){.in = in};
    enum status status = read_bytes(in, head, sizeof head, &got, error);
    if (status != STATUS_OK) {
        return status;
    }
    errno = 0;
    if (got < sizeof head || memcmp(head, FORMAT_MAGIC, FORMAT_MAGIC_BYTES) != 0) {
        return error_set(error, STATUS_BAD_RECORDING,
                         "it does not begin as a recording of Pyrometer does");
    }
    if (get_u32(head + 12) != checksum(head, 12)) {
        return error_set(error, STATUS_BAD_RECORDING, "its first bytes are damaged");
    }
    if (get_u32(head + 8) != FORMAT_VERSION) {
        return error_set(error, STATUS_BAD_RECORDING,
                         "its format has version %u, and this pyrometer reads version %u",
                         get_u32(head + 8), FORMAT_VERSION);
    }
    out->zstd = ZSTD_createDCtx();
    assert(out->zstd != NULL);
    out->bytes_read = sizeof head;
    return STATUS_OK;
}

void unpacker_close(struct unpacker *unpacker) {
    ZSTD_freeDCtx(unpacker->zstd);
    buffer_deinit(&unpacker->stored);
    buffer_deinit(&unpacker->payload);
    *unpacker = (struct unpacker){0};
}

/* What a head of a chunk says is possible. NULL, or what is wrong. */
static const char *wrong_head(const uint8_t *head) {
    if (get_u32(head + 16) != checksum(head, 16)) {
        return "its head does not fit its checksum";
    }
    if (get_u32(head) != FORMAT_CHUNK_MAGIC) {
        return "it does not begin as a chunk does";
    }
    if (get_u32(head + 12) > LIMIT_CHUNK_BYTES ||
        get_u32(head + 8) > ZSTD_compressBound(LIMIT_CHUNK_BYTES)) {
        return "it is too big";
    }
    return NULL;
}

static enum status unpack(struct unpacker *unpacker, size_t plain_bytes, struct error *error) {
    const struct buffer *stored = &unpacker->stored;
    struct buffer *payload = &unpacker->payload;
    buffer_clear(payload);
    /* The frame says its size as well: no room is made for what it does not claim to hold. */
    if (ZSTD_getFrameContentSize(stored->data, stored->length) != plain_bytes) {
        return damaged(unpacker, "its sizes do not agree", error);
    }
    char *room = buffer_reserve(payload, plain_bytes);
    size_t got =
        ZSTD_decompressDCtx(unpacker->zstd, room, plain_bytes, stored->data, stored->length);
    if (ZSTD_isError(got) || got != plain_bytes) {
        return damaged(unpacker, ZSTD_isError(got) ? ZSTD_getErrorName(got) : "it is too short",
                       error);
    }
    payload->length = plain_bytes;
    return STATUS_OK;
}

enum status unpacker_next(struct unpacker *unpacker, bool *is_end_out, struct error *error) {
    uint8_t head[FORMAT_CHUNK_BYTES];
    size_t got;
    *is_end_out = true;
    enum status status = read_bytes(unpacker->in, head, sizeof head, &got, error);
    unpacker->is_cut = got > 0;
    if (status != STATUS_OK || got < sizeof head) {
        return status;
    }
    const char *wrong = wrong_head(head);
    if (wrong != NULL) {
        return damaged(unpacker, wrong, error);
    }
    size_t stored_bytes = get_u32(head + 8);
    buffer_clear(&unpacker->stored);
    char *room = buffer_reserve(&unpacker->stored, stored_bytes);
    status = read_bytes(unpacker->in, room, stored_bytes, &got, error);
    if (status != STATUS_OK || got < stored_bytes) {
        return status;
    }
    unpacker->stored.length = stored_bytes;
    status = unpack(unpacker, get_u32(head + 12), error);
    unpacker->kind = get_u32(head + 4);
    unpacker->bytes_read += sizeof head + stored_bytes;
    unpacker->is_cut = false;
    *is_end_out = false;
    return status;
}
