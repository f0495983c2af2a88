#include "target-runtime/join.h"

#include <stdlib.h>

#include "profiler/base/arena.h"

/* From one evaluation loop to that which it runs in, on one C stack, it is not farther. The stacks
 * of two threads may be nearer to each other: there a thread's own structure lies between. */
#define STACK_REACH (UINT64_C(64) << 20)

/* A place on a C stack: the newest evaluation loop of a thread, or the end of a stack, where the C
 * library keeps the thread's structure, to which its ident points (glibc's allocate_stack(), musl's
 * pthread_create()). */
struct stack_mark {
    uint64_t at;
    size_t thread; /* index in the look + 1; 0: the end of a stack */
};

void join_deinit(struct join *join) {
    free(join->marks);
    *join = (struct join){0};
}

static void add_mark(struct join *join, uint64_t at, size_t thread) {
    if (join->count == join->capacity) {
        join->marks =
            memory_grow(join->marks, sizeof *join->marks, join->count + 1, &join->capacity);
    }
    join->marks[join->count++] = (struct stack_mark){at, thread};
}

static int compare_marks(const void *a, const void *b) {
    const struct stack_mark *one = a;
    const struct stack_mark *other = b;
    return one->at < other->at ? -1 : one->at > other->at;
}

/* The lowest mark above an address; NULL if there is none. */
static const struct stack_mark *mark_above(const struct join *join, uint64_t at) {
    size_t low = 0;
    size_t high = join->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (join->marks[middle].at > at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < join->count ? &join->marks[low] : NULL;
}

static bool is_whole(const struct raw_thread *thread) {
    return thread->frame_count > 0 && thread->is_complete;
}

/* What `index` is to stand on is found; nobody else may stand there. */
static void put_on(struct raw_look *look, size_t index, size_t below) {
    struct raw_thread *thread = &look->threads[index];
    struct raw_thread *caller = &look->threads[below];
    if (caller->interpreter != thread->interpreter && !caller->is_cut && !caller->is_carried) {
        thread->below = below + 1;
        caller->is_carried = true;
    }
}

static void join_by_stack(struct join *join, struct raw_look *look) {
    join->count = 0;
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        add_mark(join, thread->ident, 0);
        if (is_whole(thread) && thread->stack_newest != 0) {
            add_mark(join, thread->stack_newest, i + 1);
        }
    }
    qsort(join->marks, join->count, sizeof *join->marks, compare_marks);
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        const struct stack_mark *mark = is_whole(thread) && thread->stack_oldest != 0
                                            ? mark_above(join, thread->stack_oldest)
                                            : NULL;
        if (mark != NULL && mark->thread != 0 && mark->at - thread->stack_oldest < STACK_REACH) {
            put_on(look, i, mark->thread - 1);
        }
    }
}

/* 3.8 and 3.9 leave nothing on the C stack. Where two thread states have frames, of one ident, they
 * are one thread's: who runs the other's code had to call it, and would have frames as well. */
static void join_by_number(struct raw_look *look) {
    size_t found[2];
    size_t count = 0;
    for (size_t i = 0; i < look->thread_count; i++) {
        if (look->threads[i].frame_count > 0 && count++ < 2) {
            found[count - 1] = i;
        }
    }
    if (count != 2 || look->threads[found[0]].ident != look->threads[found[1]].ident) {
        return;
    }
    size_t below = look->threads[found[0]].interpreter_id == 0 ? 0 : 1;
    if (look->threads[found[below]].interpreter_id == 0 && is_whole(&look->threads[found[0]]) &&
        is_whole(&look->threads[found[1]])) {
        put_on(look, found[1 - below], found[below]);
    }
}

void join_threads(struct join *join, struct raw_look *look) {
    const struct raw_thread *first = NULL;
    bool has_others = false;
    bool has_places = false;
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        if (thread->frame_count > 0) {
            first = first == NULL ? thread : first;
            has_others |= thread->interpreter != first->interpreter;
            has_places |= thread->stack_newest != 0;
        }
    }
    if (has_others && has_places) {
        join_by_stack(join, look);
    } else if (has_others) {
        join_by_number(look);
    }
}

const struct raw_thread *join_bottom(const struct raw_look *look, const struct raw_thread *thread) {
    for (const struct raw_thread *below = thread; below != NULL; below = join_below(look, below)) {
        thread = below;
    }
    return thread;
}

/* How many frames are below those of this thread. */
static size_t frames_below(const struct raw_look *look, const struct raw_thread *thread) {
    size_t count = 0;
    while ((thread = join_below(look, thread)) != NULL) {
        count += thread->frame_count;
    }
    return count;
}

void join_doubt(struct walk *walk, const struct raw_look *look, const struct raw_thread *thread,
                size_t depth) {
    for (; thread != NULL; thread = join_below(look, thread)) {
        size_t below = frames_below(look, thread);
        if (depth < below + thread->frame_count) {
            walk_doubt(walk, thread->slot, depth > below ? depth - below : 0);
        }
        if (depth >= below) {
            return;
        }
    }
}
