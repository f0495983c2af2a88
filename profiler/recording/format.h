/* The bytes of a recording (format.md says why): a file head, then chunks. All numbers are little
 * endian. */
#ifndef PYROMETER_RECORDING_FORMAT_H
#define PYROMETER_RECORDING_FORMAT_H

#include <stdint.h>

#define FORMAT_MAGIC       "\211PYRO\r\n\032" /* without its terminator */
#define FORMAT_VERSION     1u
#define FORMAT_CHUNK_MAGIC UINT32_C(0x4b4e4843) /* "CHNK" */

enum {
    FORMAT_MAGIC_BYTES = 8,
    FORMAT_HEAD_BYTES = 16,  /* magic, u32 version, u32 CRC-32 of the 12 bytes before */
    FORMAT_CHUNK_BYTES = 20, /* u32 magic, kind, stored bytes, plain bytes, CRC-32 of the 16 */
};

enum chunk_kind {
    CHUNK_SCHEMA = 1, /* which tables there are, and their columns */
    CHUNK_ROWS = 2,   /* new rows of some tables */
    CHUNK_END = 3,    /* the recording was finished */
};

/* What the writer keeps to, and the reader accepts. */
enum {
    LIMIT_CHUNK_BYTES = 32 << 20, /* of a chunk when decompressed */
    LIMIT_COLUMNS = 32,           /* of a table */
    LIMIT_TABLES = 32,
    LIMIT_DEPTH = (1 << 17) + 16, /* of a stack: what the walk takes, and markers */
};

/* No time in a recording is later: a hundred years. */
#define LIMIT_TIME_NS (UINT64_C(100) * 366 * 86400 * 1000000000)

/* What a recording may take in memory and in the temporary file of the timeline: so much, and so
 * much more for each byte of the file. A real one takes some ten bytes for each of its own. */
#define LIMIT_COST_BYTES    (UINT64_C(256) << 20)
#define LIMIT_COST_PER_BYTE UINT64_C(256)

#endif
