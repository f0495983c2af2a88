/* The registers of a stopped thread that unwinding begins with, by their numbers in DWARF (System V
 * ABI, AMD64 supplement, figure 3.36). */
#ifndef PYROMETER_READER_REGISTERS_H
#define PYROMETER_READER_REGISTERS_H

#include <stdint.h>

enum {
    REGISTER_SP = 7,
    REGISTER_PC = 16,
    REGISTER_COUNT = 17,
};

struct registers {
    uint64_t value[REGISTER_COUNT];
    uint32_t known; /* a bit for each: the kernel does not tell all of a thread that waits */
};

#endif
