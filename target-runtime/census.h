/* Who is there: the lists of interpreters and of their threads, followed through the copies of a
 * look while the program goes on changing them, and every thread on them looked at. */
#ifndef PYROMETER_TARGET_RUNTIME_CENSUS_H
#define PYROMETER_TARGET_RUNTIME_CENSUS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/status.h"
#include "target-runtime/chain.h"
#include "target-runtime/runtime.h"
#include "target-runtime/slots.h"
#include "target-runtime/states.h"
#include "target-runtime/view.h"

/* What is kept from look to look, and the look that is being taken. */
struct census {
    struct runtime *runtime; /* borrowed */
    struct chains chains;
    struct slots slots;
    struct stretch runtime_fields;
    struct stretch interpreter_fields;
    struct handlers handlers;
    struct interpreter *interpreters; /* of the last look */
    size_t interpreter_count;
    size_t interpreter_capacity;
    bool is_partial; /* some threads are kept as they were (slot.is_kept) */
};

/* Adds all threads to the look. Range 0 of the snapshot is the copy of the runtime's fields, those
 * of the interpreters of the last look begin at `first`; what a slot has of its own, the slot says.
 * NOT_READY when there is no interpreter, NOT_MAPPED when none of them could be read, GONE,
 * NOT_PERMITTED. */
enum status census_take(struct census *census, size_t first) MUST_CHECK;

/* Takes in which thread the copy of a thread's fields belongs to. */
void census_identify(const struct layout *layout, const struct view *fields,
                     struct raw_thread *raw);

#endif
