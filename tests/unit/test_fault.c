/* Each read from the target fails in turn, the first, the second, and so on until all goes well:
 * nothing wrong may come of it, and nothing may stay wrong afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/resolve.h"
#include "target-runtime/threads.h"
#include "tests/unit/scenarios.h"
#include "tests/unit/stacks.h"

enum { THREADS = 3, LOOKS = 12, LATER_LOOKS = 90 };

struct target {
    struct python *python;
    struct python_thread threads[THREADS];
    struct buffer truths[THREADS];
};

struct session {
    struct runtime runtime;
    struct trace trace;
    struct walk *walk;
    struct resolve *resolve;
    uint64_t now_ns;
};

/* ---- a program that stands still ---- */

static void target_open(struct target *target, struct python *python) {
    *target = (struct target){.python = python};
    uint64_t main = python_function(python, "main");
    uint64_t generator = python_function(python, "generator");
    for (size_t i = 0; i < THREADS; i++) {
        struct python_thread *thread = &target->threads[i];
        python_thread_start(python, thread, python->interpreter);
        python_enter(python, thread);
        python_call(python, thread, main, 2);
        for (size_t depth = 0; depth < 4 * i; depth++) {
            python_call(python, thread, python_function(python, "recursive"), 4);
        }
        if (i > 0) {
            python_enter(python, thread);
            python_call_elsewhere(python, thread, generator, 6);
        }
        python_call(python, thread, python_function(python, "leaf"), 8);
        python_describe(python, thread, &target->truths[i]);
    }
    const struct python_entry attributes[] = {
        {python_text(python, "_name"), python_text(python, "worker")},
        {python_text(python, "_native_id"), python_number(python, 1002)},
    };
    const struct python_entry active[] = {
        {python_number(python,
                       python_get(python, target->threads[1].state, LAYOUT_thread_thread_id)),
         python_instance(python, INSTANCE_VALUES, attributes, 2)},
    };
    python_know_threads(python, python->interpreter, active, 1);
}

static void target_close(struct target *target) {
    for (size_t i = 0; i < THREADS; i++) {
        python_thread_free(&target->threads[i]);
        buffer_deinit(&target->truths[i]);
    }
}

static const char *truth_of(const struct target *target, uint64_t state) {
    for (size_t i = 0; i < THREADS; i++) {
        if (target->threads[i].state == state) {
            return target->truths[i].data;
        }
    }
    fail_msg("there is no such thread");
    return NULL;
}

/* ---- what is done with it ---- */

/* A stack that claims to be whole is the truth; else its first frame or its last one says what is
 * wrong, and the rest of it is true. */
static void expect_honest(struct session *session, const struct raw_look *look,
                          const struct raw_thread *thread, const char *truth) {
    struct buffer text = {0};
    struct resolved resolved = resolve_stack(session->resolve, look, thread, session->now_ns);
    stack_describe(&session->trace, resolved.stack, &text);
    const char *shown = text.data != NULL ? text.data : "";
    bool is_honest = resolved.stack.id == 0 ? resolved.flags != 0 || thread->frame_count == 0
                     : (resolved.flags & SAMPLE_TRUNCATED) != 0  ? !thread->is_complete
                     : (resolved.flags & SAMPLE_UNVERIFIED) != 0 ? stack_is_part(shown, truth)
                                                                 : strcmp(shown, truth) == 0;
    if (!is_honest) {
        fail_msg("%s (flags %u) of %s", shown, resolved.flags, truth);
    }
    if (resolved.has_doubts) {
        walk_doubt(session->walk, thread->slot, resolved.doubt_depth);
    }
    buffer_deinit(&text);
}

static enum status look_once(struct session *session, const struct target *target) {
    const struct raw_look *look;
    session->now_ns += 2 * NS_PER_MS;
    enum status status = walk_look(session->walk, &look);
    if (status == STATUS_OK) {
        status = resolve_check(session->resolve, look, session->now_ns);
    }
    for (size_t i = 0; i < look->thread_count && status == STATUS_OK; i++) {
        expect_honest(session, look, &look->threads[i],
                      truth_of(target, look->threads[i].state.addr));
    }
    return status;
}

/* All threads, and each of them whole. */
static void expect_whole(struct session *session, const struct target *target) {
    const struct raw_look *look;
    session->now_ns += 2 * NS_PER_MS;
    assert_int_equal(walk_look(session->walk, &look), STATUS_OK);
    assert_int_equal(resolve_check(session->resolve, look, session->now_ns), STATUS_OK);
    assert_int_equal(look->thread_count, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        struct buffer text = {0};
        struct resolved resolved =
            resolve_stack(session->resolve, look, &look->threads[i], session->now_ns);
        assert_int_equal(resolved.flags, 0);
        stack_describe(&session->trace, resolved.stack, &text);
        assert_string_equal(text.data, truth_of(target, look->threads[i].state.addr));
        buffer_deinit(&text);
    }
}

static enum status read_names(struct session *session, const struct target *target) {
    struct active_thread *active;
    size_t count;
    enum status status = threads_active(
        &session->runtime, (struct remote){target->python->interpreter}, &active, &count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct buffer name = {0};
        uint64_t native_id;
        status = thread_object_name(&session->runtime, active[i].object, &name);
        if (status == STATUS_OK) {
            assert_string_equal(name.data, "worker");
            status = thread_object_native_id(&session->runtime, active[i].object, &native_id);
        }
        if (status == STATUS_OK) {
            assert_int_equal(native_id, 1002);
        }
        buffer_deinit(&name);
    }
    free(active);
    return status;
}

/* Everything, with one read that fails. True when it was reached. */
static bool fail_at(struct target *target, uint64_t number, enum status failure) {
    struct fake_memory *fake = &target->python->fake;
    struct session session = {.now_ns = NS_PER_S};
    struct error error = {0};
    fake_restart(fake);
    fake->fail_at = number;
    fake->fail_status = failure;
    enum status status = runtime_attach_at(&session.runtime, &fake->memory,
                                           (struct remote){target->python->runtime}, &error);
    if (status != STATUS_OK) {
        assert_int_equal(error.status, status);
        assert_true(strlen(error.detail) > 0);
        assert_true(failure == STATUS_NOT_MAPPED || status == failure);
        return true;
    }
    assert_int_equal(trace_init(&session.trace, false, NULL), STATUS_OK);
    session.walk = walk_create(&session.runtime);
    session.resolve = resolve_create(&session.runtime, &session.trace);
    for (int i = 0; i < LOOKS && status == STATUS_OK; i++) {
        status = look_once(&session, target);
        if (i == LOOKS / 2 && status == STATUS_OK) {
            enum status named = read_names(&session, target);
            assert_true(named == STATUS_OK || fake->reads >= number);
        }
    }
    bool was_reached = fake->reads >= number;
    assert_true(status == STATUS_OK || was_reached);
    if (failure != STATUS_NOT_MAPPED && was_reached) {
        assert_int_equal(look_once(&session, target), failure);
    } else {
        fake->fail_at = 0;
        for (int i = 0; i < LATER_LOOKS; i++) {
            assert_int_equal(look_once(&session, target), STATUS_OK);
        }
        expect_whole(&session, target);
    }
    resolve_destroy(session.resolve);
    walk_destroy(session.walk);
    trace_deinit(&session.trace);
    return was_reached;
}

static void fail_each(struct python *python, enum status failure) {
    struct target target;
    uint64_t number = 1;
    target_open(&target, python);
    while (fail_at(&target, number, failure)) {
        number++;
    }
    assert_true(number > 100);
    target_close(&target);
}

static void each_read_is_not_mapped(struct python *python) {
    fail_each(python, STATUS_NOT_MAPPED);
}

static void each_read_finds_the_process_gone(struct python *python) {
    fail_each(python, STATUS_GONE);
}

static void each_read_is_not_permitted(struct python *python) {
    fail_each(python, STATUS_NOT_PERMITTED);
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(each_read_is_not_mapped),
        SCENARIO(each_read_finds_the_process_gone),
        SCENARIO(each_read_is_not_permitted),
    };
    return scenarios_run("fault", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
