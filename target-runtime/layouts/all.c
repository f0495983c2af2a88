/* The list of layouts: a new version is a line here. */
#include "target-runtime/layout.h"

/* Oldest first: X(name of its file, flavour's letter included). */
#define LAYOUT_LIST(X)                                                                             \
    X(py3_8)                                                                                       \
    X(py3_9)                                                                                       \
    X(py3_10)                                                                                      \
    X(py3_11)                                                                                      \
    X(py3_12)                                                                                      \
    X(py3_13)                                                                                      \
    X(py3_13t)                                                                                     \
    X(py3_14)                                                                                      \
    X(py3_14t)                                                                                     \
    X(py3_15)                                                                                      \
    X(py3_15t)

#define DECLARE(name) extern const struct layout layout_##name;
LAYOUT_LIST(DECLARE)
#undef DECLARE

#define ENTRY(name) &layout_##name,
const struct layout *const layouts[] = {LAYOUT_LIST(ENTRY) NULL};
#undef ENTRY
