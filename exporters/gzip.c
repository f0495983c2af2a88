#define _GNU_SOURCE /* fopencookie */
#include "exporters/gzip.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <zlib.h>

#include "profiler/base/arena.h"

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* the largest window; + 16 makes it gzip (zlib.h, deflateInit2) */
    MEMORY_LEVEL = 8,
    BLOCK_BYTES = 1 << 16,
};

struct gzip {
    FILE *out;
    z_stream stream;
    unsigned char block[BLOCK_BYTES];
};

/* Deflates what is in the stream's input, and with Z_FINISH all that is still held. */
static int gzip_pump(struct gzip *gzip, int flush) {
    do {
        gzip->stream.next_out = gzip->block;
        gzip->stream.avail_out = BLOCK_BYTES;
        deflate(&gzip->stream, flush);
        size_t made = BLOCK_BYTES - gzip->stream.avail_out;
        if (fwrite(gzip->block, 1, made, gzip->out) != made) {
            return -1;
        }
    } while (gzip->stream.avail_out == 0);
    return 0;
}

static ssize_t gzip_write(void *cookie, const char *data, size_t bytes) {
    struct gzip *gzip = cookie;
    gzip->stream.next_in = (Bytef *)(uintptr_t)data; /* zlib 1.2 has no const there */
    gzip->stream.avail_in = (uInt)bytes;
    return gzip_pump(gzip, Z_NO_FLUSH) == 0 ? (ssize_t)bytes
                                            : 0; /* 0: error, as fopencookie wants */
}

static int gzip_close(void *cookie) {
    struct gzip *gzip = cookie;
    gzip->stream.avail_in = 0;
    int result = ferror(gzip->out) ? -1 : gzip_pump(gzip, Z_FINISH);
    deflateEnd(&gzip->stream);
    free(gzip);
    return result;
}

FILE *gzip_open(FILE *out) {
    struct gzip *gzip = memory_zeroed(1, sizeof *gzip);
    gzip->out = out;
    int made = deflateInit2(&gzip->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                            MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    assert(made == Z_OK); /* it fails for want of memory alone */
    (void)made;
    FILE *stream =
        fopencookie(gzip, "w", (cookie_io_functions_t){.write = gzip_write, .close = gzip_close});
    assert(stream);
    return stream;
}
