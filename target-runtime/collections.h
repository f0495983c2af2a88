/* Lists, tuples, sets and sets of weak references, read from the target an element at a time.
 * Bounded as objects.h is; what is mutated meanwhile may be missed or met twice. */
#ifndef PYROMETER_TARGET_RUNTIME_COLLECTIONS_H
#define PYROMETER_TARGET_RUNTIME_COLLECTIONS_H

#include <stdbool.h>

#include "target-runtime/runtime.h"

/* More elements are not looked at. */
#define COLLECTION_LIMIT (1 << 22)

/* Called with each element until it returns false. */
typedef bool element_visit(void *context, struct remote element);

enum status list_each(const struct runtime *runtime, struct remote list, element_visit *visit,
                      void *context) MUST_CHECK;
enum status tuple_each(const struct runtime *runtime, struct remote tuple, element_visit *visit,
                       void *context) MUST_CHECK;
enum status set_each(const struct runtime *runtime, struct remote set, element_visit *visit,
                     void *context) MUST_CHECK;
/* The objects that the references of a weakref.WeakSet lead to. */
enum status weak_set_each(const struct runtime *runtime, struct remote set, element_visit *visit,
                          void *context) MUST_CHECK;

#endif
