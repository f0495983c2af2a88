#include "reader/memory.h"

void memory_close(struct memory *memory) {
    if (memory->ops != NULL) {
        memory->ops->close(memory);
    }
    *memory = (struct memory){0};
}

enum status memory_read(struct memory *memory, struct range *ranges, size_t count) {
    return memory->ops->read(memory, ranges, count);
}

enum status memory_read_one(struct memory *memory, struct remote from, void *to, uint32_t bytes) {
    struct range range = {from, to, bytes, STATUS_NOT_MAPPED};
    if (from.addr == 0) {
        return STATUS_NOT_MAPPED;
    }
    enum status status = memory_read(memory, &range, 1);
    return status != STATUS_OK ? status : range.status;
}

enum status memory_read_remote(struct memory *memory, struct remote from, struct remote *out) {
    uint8_t bytes[8];
    enum status status = memory_read_one(memory, from, bytes, sizeof bytes);
    *out = status == STATUS_OK ? load_remote(bytes) : (struct remote){0};
    return status;
}
