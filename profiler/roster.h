/* Who the threads are: ids and names of every thread met, and whether the user wants it. */
#ifndef PYROMETER_PROFILER_ROSTER_H
#define PYROMETER_PROFILER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/trace.h"
#include "profiler/session.h"

/* Which threads to profile: all of them, the main one, or those named. A name is a kernel thread id
 * (as seen from here or from inside the target's pid namespace), Python's name for the thread, or
 * the kernel's. */
struct thread_filter {
    bool main_only;
    const char *const *names;
    size_t name_count;
};

struct member {
    struct thread_ref thread;
    uint32_t tid; /* in our pid namespace; 0: not known */
    bool is_wanted;
    bool is_settled; /* nothing that is still to be learned of it will change is_wanted */
};

struct roster;

/* All three are borrowed and must outlive it. */
struct roster *roster_create(struct session *session, struct trace *trace,
                             const struct thread_filter *filter);
/* Accepts NULL. */
void roster_destroy(struct roster *roster);

/* Takes in the threads that are new in this look, or turned out to be others. */
void roster_meet(struct roster *roster, const struct raw_look *look, uint64_t now_ns);
/* Who a thread of the last look is. With `has_sample` one that is wanted is entered into the trace;
 * else its thread may be 0. */
struct member roster_member(struct roster *roster, const struct raw_thread *thread,
                            bool has_sample);

/* Asks Python again for names: those that are still unknown and due (a thread registers its name
 * a moment after it began), or with `all` every one, since a name may change. */
void roster_read_names(struct roster *roster, uint64_t now_ns, bool all);

#endif
