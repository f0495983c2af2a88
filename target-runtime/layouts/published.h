/* Columns of the versions from 3.13, which publish most of their offsets and come in two flavours.
 * Their files hold one list of fields,
 *
 *   X(field, offset in the default build, offset in the free-threaded build, published word)
 *
 * from which these make the tables of both. The published word is the offset in _Py_DebugOffsets of
 * the u64 that holds the field's offset. Three have another name there: where the characters of a
 * compact string begin is published as the size of the header before them (asciiobject_size,
 * compactunicodeobject_size), and the count of every PyVarObject as that of bytes_object. */
#ifndef PYROMETER_TARGET_RUNTIME_LAYOUTS_PUBLISHED_H
#define PYROMETER_TARGET_RUNTIME_LAYOUTS_PUBLISHED_H

#include "target-runtime/layout.h"

#define ABSENT      (-1) /* the flavour lacks the field: LAYOUT_PLACE makes 0 of it */
#define UNPUBLISHED 0

#define PLACE_DEFAULT(field, plain, threaded, word)  [LAYOUT_##field] = LAYOUT_PLACE(plain),
#define PLACE_THREADED(field, plain, threaded, word) [LAYOUT_##field] = LAYOUT_PLACE(threaded),

/* A flavour that lacks a field publishes 0 for it, which is not its offset. */
#define PUBLISHED_DEFAULT(field, plain, threaded, word)                                            \
    [LAYOUT_##field] = (plain) == ABSENT ? UNPUBLISHED : (word),
#define PUBLISHED_THREADED(field, plain, threaded, word)                                           \
    [LAYOUT_##field] = (threaded) == ABSENT ? UNPUBLISHED : (word),

#endif
