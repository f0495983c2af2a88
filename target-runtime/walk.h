/* One look at every thread of a Python: the frame chains, as numbers. No names, no files; what the
 * numbers mean is found out afterwards (code.h, profiler/resolve.h).
 *
 * A look is one system call in the steady state: everything that the last looks needed is fetched
 * at once, then walked locally; what was not foreseen is fetched on the spot and foreseen next
 * time. The pointer to a thread's newest frame is read first, then its frames; while there are
 * doubts about calls on its stack, then the pointer and those frames once more: what is the same
 * and still on the stack has stood still. */
#ifndef PYROMETER_TARGET_RUNTIME_WALK_H
#define PYROMETER_TARGET_RUNTIME_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "reader/snapshot.h"
#include "target-runtime/predict.h"
#include "target-runtime/runtime.h"

struct raw_frame {
    uint64_t at;         /* address of the frame itself */
    uint64_t code;       /* address of the code object */
    uint64_t position;   /* enum instruction_position says what */
    uint64_t function;   /* address of its function object (3.11 only, where versions are there) */
    uint64_t globals;    /* address of the dict of its globals */
    uint32_t tlbc_index; /* which copy of the bytecode the position is in (free-threaded 3.14-) */
    bool is_left;        /* it has returned or given way since it was the newest (-3.10, 3.14-) */
    bool is_patched;     /* that the frame below called it is known from the last looks alone */
    bool is_watched;     /* it was copied twice: the next two are known, else they are false */
    /* Alive: on the stack between two copies, of the same code and called by the same frame in
     * both. Still: moreover at the same instruction. Of a call whose caller was still and whose
     * callee was alive, it is known that it was. */
    bool is_alive;
    bool is_still;
    bool is_from_c; /* entered through C code: any instruction of its caller may have done that */
    uint64_t entry; /* 3.12-: address, on the C stack, of the entry frame below it; else 0 */
    bool is_generator; /* of a generator, coroutine or asynchronous generator */
};

/* A call that was watched: caller and callee, each copied twice in turns. */
struct raw_sight {
    struct raw_frame caller;
    struct raw_frame callee;
    bool is_still; /* the caller did not move */
};

/* What _gil_runtime_state has from `cond` on: two conditions of 48 bytes and two mutexes of 40
 * (Include/internal/pycore_gil.h; glibc's on x86-64). */
enum { GIL_LOCK_BYTES = 176 };

/* One thread in one look. Frames are leaf first, borrowed until the next look. */
struct raw_thread {
    size_t slot;  /* small number, the same for this thread in every look; reused after its end */
    bool is_new;  /* first look at it in this slot */
    bool is_kept; /* it cannot have moved since the last look, and was not read again (epoch.h) */
    struct remote state;     /* PyThreadState */
    uint64_t interpreter;    /* address of its PyInterpreterState */
    uint64_t interpreter_id; /* PyInterpreterState.id: 0 is the main one, never reused */
    uint64_t serial;         /* PyThreadState.id: unique in its interpreter, never reused */
    uint64_t ident;          /* threading.get_ident(): a pthread_t */
    uint64_t native_id;      /* kernel thread id in the target's pid namespace; 0 before 3.11 */
    uint64_t cframe;    /* 3.10 to 3.12: address of its newest cframe, on the C stack; else 0 */
    size_t first_frame; /* into raw_look.frames */
    size_t frame_count;
    size_t first_sight; /* into raw_look.sights: calls seen while the frames were read */
    size_t sight_count;
    bool is_complete; /* the chain was followed to its base */
    bool is_cut;      /* newer frames than these could not be found */
    bool is_skipped;  /* walk_skip: not walked, and of the following only has_gil is known */
    bool has_gil;     /* holds the GIL of its interpreter; is attached, where there is none */
    bool wants_gil;   /* asks for it (3.15-; see gil_lock) */
    bool is_collecting;
    size_t collected_above; /* the index of the newest frame that is not the collector's: what is
                               above it are finalizers (3.15-) */
    bool has_exception;     /* handles one, in a generator that it runs or below */
    struct remote gil_lock; /* GIL_LOCK_BYTES that a thread sleeps on when it waits for the GIL */
    /* Where on its C stack evaluation loops run its frames, the newest and the oldest one; with
     * cframes (3.10, 3.11) twice the newest. 0: not known. */
    uint64_t stack_newest;
    uint64_t stack_oldest;
    size_t below;    /* join.h: index + 1 of the thread in whose call it runs; 0: none */
    bool is_carried; /* another one runs in a call of it */
};

struct raw_look {
    struct raw_thread *threads;
    size_t thread_count;
    size_t thread_capacity;
    struct raw_frame *frames;
    size_t frame_count;
    size_t frame_capacity;
    struct raw_sight *sights;
    size_t sight_count;
    size_t sight_capacity;
    size_t interpreter_count;
    bool has_code_generation; /* 3.14-: the sum below is there */
    uint64_t code_generation; /* over all interpreters; grows whenever a code object was freed */
};

struct walk;

/* `runtime` is borrowed and must outlive the walk. */
struct walk *walk_create(struct runtime *runtime);
/* Accepts NULL. */
void walk_destroy(struct walk *walk);

/* From now on one system call may copy up to so many looks (at least 1), one right after the other:
 * it does when only one thread has to be read for them. For those who cannot keep up otherwise. */
void walk_ahead(struct walk *walk, size_t looks);
/* How many looks have been copied and not been taken yet. */
size_t walk_left(const struct walk *walk);

/* Takes a look at everything, or the next one of those that were copied. OK even when single
 * threads could not be read (they say so); NOT_READY when the runtime has no interpreter,
 * NOT_MAPPED when its memory is no longer what it was (another program was executed), GONE,
 * NOT_PERMITTED. `*out` is borrowed until the next. */
enum status walk_look(struct walk *walk, const struct raw_look **out) MUST_CHECK;

/* Reads one thread of the last look anew, by its index there: its frames, and what is known of
 * them, become those of now. The caller sees to it that the thread does not run. NOT_MAPPED when it
 * has ended. */
enum status walk_look_again(struct walk *walk, size_t index) MUST_CHECK;

/* There are calls on the stack of the thread in `slot` that nothing is known of, the oldest by the
 * frame that has `depth` frames below it: for some looks to come, find out whether what is from
 * there on stands still. */
void walk_doubt(struct walk *walk, size_t slot, size_t depth);

/* From now on there may be greenlets: a chain may end without the frames that others end in. */
void walk_expect_greenlets(struct walk *walk);
/* Whether a chain looked as if there were, although none are expected. */
bool walk_wonders(const struct walk *walk);

/* From now on the thread in `slot` is listed, but its frames are not read. */
void walk_skip(struct walk *walk, size_t slot);

#endif
