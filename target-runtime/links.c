#include "target-runtime/links.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum { LINK_BITS = 7 };

static size_t place_of(uint64_t at) {
    return (size_t)((at >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LINK_BITS));
}

void links_deinit(struct links *links) {
    free(links->rows);
    links->rows = NULL;
}

void links_clear(struct links *links) {
    if (links->rows != NULL) {
        memset(links->rows, 0, sizeof *links->rows << LINK_BITS);
    }
}

void links_note(struct links *links, const struct link *link) {
    if (links->rows == NULL) {
        links->rows = memory_zeroed(UINT64_C(1) << LINK_BITS, sizeof *links->rows);
    }
    links->rows[place_of(link->at)] = *link;
}

const struct link *links_find(const struct links *links, uint64_t at) {
    const struct link *link = links->rows != NULL ? &links->rows[place_of(at)] : NULL;
    return link != NULL && link->at == at && link->kind != LINK_NONE ? link : NULL;
}
