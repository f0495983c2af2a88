/* From the numbers of a look to stacks of a trace: what each code address means, and the line each
 * frame is at. Knows every code object it has met; checks again that it is still the same one. */
#ifndef PYROMETER_PROFILER_RESOLVE_H
#define PYROMETER_PROFILER_RESOLVE_H

#include "profiler/base/status.h"
#include "profiler/model/trace.h"
#include "target-runtime/runtime.h"
#include "target-runtime/walk.h"

struct resolve;

/* Both are borrowed and must outlive it. */
struct resolve *resolve_create(struct runtime *runtime, struct trace *trace);
/* Accepts NULL. */
void resolve_destroy(struct resolve *resolve);

/* Whether from now on stacks were read while their threads stood still, so that each is what it was
 * at one instant and needs no proof. At first it is not so. */
void resolve_trust(struct resolve *resolve, bool is_trusted);

/* From now on the newest frame of each stack says at which instruction it is. */
void resolve_list_opcodes(struct resolve *resolve);

/* From now on no frame <GC> stands for the garbage collector. */
void resolve_hide_collector(struct resolve *resolve);

/* Before the stacks of a look: makes sure that the code objects in it which are known are still
 * what they were, when there is reason to doubt it: the target says that one was freed (3.14-), or
 * the last check is old, by the age of the code object. One batched read. */
enum status resolve_check(struct resolve *resolve, const struct raw_look *look,
                          uint64_t now_ns) MUST_CHECK;

struct resolved {
    struct stack_id stack; /* 0: nothing of it could be read */
    uint32_t flags;        /* enum sample_flag */
    bool has_doubts;       /* there was a call of which nothing but standing still can speak; */
    size_t doubt_depth;    /* how many frames were below the first one that made such a call: for
                              join_doubt() */
};

/* The stack of one thread of the look: as much of it, from the root up, as can be shown to have
 * existed (verify.h). A newest frame that has just gone is named by the call that made it where
 * that is certain. Whatever else could not be shown is not in the stack; a frame <unverified>
 * stands for it, or <missing frames> at the root when the chain was not followed to its base, and
 * flags say so. */
struct resolved resolve_stack(struct resolve *resolve, const struct raw_look *look,
                              const struct raw_thread *thread, uint64_t now_ns);
/* The same on top of a stack that is there already (0: none). */
struct resolved resolve_stack_on(struct resolve *resolve, const struct raw_look *look,
                                 const struct raw_thread *thread, struct stack_id base,
                                 uint64_t now_ns);
/* Judges a stack that was read at `taken_ns` and could not be verified then once more, by what has
 * been learned of its calls since: SAMPLE_UNVERIFIED is among the flags if it still cannot. `look`
 * has the frames of that thread as they were resolved then, and nothing is learned from them. */
struct resolved resolve_again(struct resolve *resolve, const struct raw_look *look,
                              const struct raw_thread *thread, struct stack_id base,
                              uint64_t taken_ns, uint64_t now_ns);
/* The function whose code object is at an address; 0 if there is none. */
struct function_id resolve_function(struct resolve *resolve, uint64_t code, uint64_t now_ns);
/* The same, but 0 for one that is none of the program's, which no stack shows. */
struct function_id resolve_shown_function(struct resolve *resolve, uint64_t code, uint64_t now_ns);
/* Frames of coroutines that await one another, outermost first, on top of a stack: none of them is
 * on a thread's stack, so that each is where it says. A frame <unverified> and the flag stand for
 * what could not be read of them. */
struct resolved resolve_awaits(struct resolve *resolve, const struct raw_frame *frames,
                               size_t count, struct stack_id base, uint64_t now_ns);
/* The same of those that nothing stands on: with the newest one's instruction, if these are listed.
 */
struct resolved resolve_newest_awaits(struct resolve *resolve, const struct raw_frame *frames,
                                      size_t count, struct stack_id base, uint64_t now_ns);

/* How the stack came about that was resolved last of this thread: for each frame of the look,
 * oldest first, the stack as it was with that frame on it (the same as before for one that is
 * hidden). Borrowed until the next stack is resolved. As many as could be shown; so fewer than
 * frames when the stack ends with something else. */
const struct stack_id *resolve_steps(const struct resolve *resolve, const struct raw_thread *thread,
                                     size_t *count_out);

#endif
