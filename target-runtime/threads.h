/* Who a thread is: its kernel id and the name that Python gave it. Read seldom. */
#ifndef PYROMETER_TARGET_RUNTIME_THREADS_H
#define PYROMETER_TARGET_RUNTIME_THREADS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"
#include "reader/process.h"
#include "target-runtime/runtime.h"
#include "target-runtime/walk.h"

/* Where the C library keeps a thread's kernel id, as bytes from its pthread_t; -1 until learned. */
struct thread_id_place {
    int32_t offset;
};
#define THREAD_ID_PLACE_UNKNOWN ((struct thread_id_place){-1})

/* The kernel id of a thread in the target's own pid namespace: what CPython keeps from 3.11 on;
 * before that, what the C library keeps behind pthread_self(), learned once from the fact that it
 * must be the id of one of `tasks`. 0 when it cannot be known. */
uint64_t thread_native_id(const struct runtime *runtime, const struct raw_thread *thread,
                          const struct thread_ids *tasks, size_t task_count,
                          struct thread_id_place *place);

/* An entry of threading._active: the threads that the threading module knows. */
struct active_thread {
    uint64_t ident;
    struct remote object; /* threading.Thread */
};

/* Reads threading._active of an interpreter; the caller frees *out with free(). NOT_FOUND when the
 * program has not imported threading. */
enum status threads_active(const struct runtime *runtime, struct remote interpreter,
                           struct active_thread **out, size_t *count_out) MUST_CHECK;
/* Appends the name of a threading.Thread. */
enum status thread_object_name(const struct runtime *runtime, struct remote object,
                               struct buffer *out) MUST_CHECK;
/* Its native_id: the kernel id in the target's pid namespace. Idents are used again as soon as a
 * thread has ended, so this tells whose name it is. */
enum status thread_object_native_id(const struct runtime *runtime, struct remote object,
                                    uint64_t *out) MUST_CHECK;

#endif
