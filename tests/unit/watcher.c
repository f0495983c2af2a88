#include "tests/unit/watcher.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void watcher_open(struct watcher *watcher, struct python *python) {
    *watcher = (struct watcher){.python = python};
    python_attach(python, &watcher->runtime);
    watcher->walk = walk_create(&watcher->runtime);
}

void watcher_close(struct watcher *watcher) {
    walk_destroy(watcher->walk);
}

void watcher_start(struct watcher *watcher, struct python_thread *thread) {
    python_thread_start(watcher->python, thread, watcher->python->interpreter);
}

void watcher_start_at(struct watcher *watcher, struct python_thread *thread, size_t depth) {
    struct python *python = watcher->python;
    uint64_t code = python_function(python, "recursive");
    watcher_start(watcher, thread);
    python_enter(python, thread);
    for (size_t i = 0; i < depth; i++) {
        python_call(python, thread, code, 2 * (i % 8));
    }
    python_call(python, thread, python_function(python, "leaf"), 4);
}

void watcher_look(struct watcher *watcher) {
    assert_int_equal(walk_look(watcher->walk, &watcher->look), STATUS_OK);
}

void watcher_look_often(struct watcher *watcher, int looks) {
    for (int i = 0; i < looks; i++) {
        watcher_look(watcher);
    }
}

void watcher_look_cheaply(struct watcher *watcher, int looks) {
    for (int i = 0; i < looks; i++) {
        uint64_t before = watcher->python->fake.memory.calls;
        watcher_look(watcher);
        assert_int_equal(watcher->python->fake.memory.calls - before, 1);
    }
}

const struct raw_thread *watcher_find(const struct watcher *watcher,
                                      const struct python_thread *thread) {
    for (size_t i = 0; i < watcher->look->thread_count; i++) {
        if (watcher->look->threads[i].state.addr == thread->state) {
            return &watcher->look->threads[i];
        }
    }
    return NULL;
}

bool watcher_has_frames(const struct watcher *watcher, const struct raw_thread *raw,
                        const struct python_frame *frames, size_t count) {
    size_t found = 0;
    for (size_t i = count; i-- > 0;) {
        if (frames[i].code == 0) {
            continue;
        }
        uint64_t position = python_position(watcher->python, frames[i].code, frames[i].offset);
        const struct raw_frame *seen = &watcher->look->frames[raw->first_frame + found];
        if (found == raw->frame_count || seen->code != frames[i].code ||
            seen->position != position || seen->tlbc_index != 0) {
            return false;
        }
        found++;
    }
    return found == raw->frame_count;
}

const struct raw_thread *watcher_expect(const struct watcher *watcher,
                                        const struct python_thread *thread) {
    const struct raw_thread *raw = watcher_find(watcher, thread);
    assert_non_null(raw);
    assert_true(raw->is_complete);
    assert_false(raw->is_skipped);
    assert_true(watcher_has_frames(watcher, raw, thread->frames, thread->count));
    return raw;
}
