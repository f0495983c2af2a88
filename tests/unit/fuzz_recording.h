/* Fuzz targets for recordings (fuzz_targets.h): what a reader takes must go through every exporter,
 * and be recorded again. */
#ifndef PYROMETER_TESTS_UNIT_FUZZ_RECORDING_H
#define PYROMETER_TESTS_UNIT_FUZZ_RECORDING_H

#include <stddef.h>
#include <stdint.h>

/* A whole recording, changed at some places. */
void fuzz_recording(const uint8_t *data, size_t bytes);
/* A chunk that is well packed, but holds anything. */
void fuzz_payload(const uint8_t *data, size_t bytes);
/* Rows of our tables with odd numbers in them. */
void fuzz_tables(const uint8_t *data, size_t bytes);

#endif
