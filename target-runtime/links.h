/* Links between frames that do not last as long as a look takes. A generator that yields has no
 * caller any more; a frame on the C stack, which C code pushes when it calls Python, is overwritten
 * as soon as that returns. Both had one when the pointer to the newest frame was read: most likely
 * the same as in the last looks. Whether such a call can be is judged afterwards, as of any other
 * (profiler/verify.h). */
#ifndef PYROMETER_TARGET_RUNTIME_LINKS_H
#define PYROMETER_TARGET_RUNTIME_LINKS_H

#include <stdbool.h>
#include <stdint.h>

enum link_kind {
    LINK_NONE,
    LINK_GENERATOR, /* of a generator's or coroutine's frame to the one that goes on with it */
    LINK_ENTRY,     /* of a frame that C code pushed to the one that called that C code */
};

struct link {
    uint64_t at; /* address of the frame */
    uint64_t previous;
    enum link_kind kind;
};

/* The last links of one thread. Zeroed: none. Of two whose addresses collide the newer is kept. */
struct links {
    struct link *rows;
};

/* Accepts zeroed links. */
void links_deinit(struct links *links);
/* Forgets all. */
void links_clear(struct links *links);
void links_note(struct links *links, const struct link *link);
/* The link of the frame at that address, borrowed until the next links_note; NULL. */
const struct link *links_find(const struct links *links, uint64_t at);

#endif
