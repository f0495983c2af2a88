#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "target-runtime/objects.h"
#include "tests/unit/scenarios.h"

/* ---- helpers ---- */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum status attach(struct python *python, struct runtime *out, struct error *error) {
    *error = (struct error){0};
    return runtime_attach_at(out, &python->fake.memory, (struct remote){python->runtime}, error);
}

static void expect_attached(struct python *python, const char *version) {
    struct runtime runtime;
    struct error error;
    if (attach(python, &runtime, &error) != STATUS_OK) {
        fail_msg("%s", error.detail);
    }
    assert_string_equal(runtime.layout->label, python->layout->label);
    assert_string_equal(runtime.version, version);
    assert_int_equal(runtime.address.addr, python->runtime);
    assert_ptr_equal(runtime.memory, &python->fake.memory);
}

static void expect_refused(struct python *python, enum status status) {
    struct runtime runtime;
    struct error error;
    assert_int_equal(attach(python, &runtime, &error), status);
    assert_int_equal(error.status, status);
    assert_true(strlen(error.detail) > 0);
}

/* Not to be attached to. Some other table may find no thread where it looks for one, and take that
 * for a Python that is yet to begin. */
static void expect_unfit(struct python *python) {
    struct runtime runtime;
    struct error error;
    enum status status = attach(python, &runtime, &error);
    assert_true(status == STATUS_NOT_PYTHON || status == STATUS_NOT_READY);
    assert_int_equal(error.status, status);
}

static bool is_published(const struct layout *layout) {
    return layout->source == LAYOUT_FROM_TARGET;
}

static bool is_table(const struct layout *layout) {
    return !is_published(layout);
}

/* Makes the Python say that it is another. */
static void set_version(struct python *python, uint64_t version_hex) {
    if (is_published(python->layout)) {
        fake_write_u64(&python->fake, python->runtime + 8, version_hex);
        return;
    }
    const struct python_entry sys[] = {
        {python_text(python, "hexversion"), python_number(python, version_hex)}};
    python_set(python, python->interpreter, LAYOUT_interpreter_sysdict,
               python_dict(python, DICT_UNICODE, sys, 1));
}

static void start_thread(struct python *python, struct python_thread *thread) {
    python_thread_start(python, thread, python->interpreter);
}

/* ---- the right layout ---- */

static void layout_is_found(struct python *python) {
    struct python_thread thread;
    char version[16];
    start_thread(python, &thread);
    snprintf(version, sizeof version, "3.%u.2", python->layout->minor);
    expect_attached(python, version);
    python_thread_free(&thread);
}

static void versions_are_spelled_out(struct python *python) {
    static const struct {
        uint32_t low; /* of PY_VERSION_HEX */
        const char *text;
    } rows[] = {{0x00f0, "0"}, {0xfff0, "255"}, {0x00a3, "0a3"}, {0x01b1, "1b1"}, {0x00c2, "0rc2"}};
    struct python_thread thread;
    start_thread(python, &thread);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char version[16];
        set_version(python, 3U << 24 | python->layout->minor << 16 | rows[i].low);
        snprintf(version, sizeof version, "3.%u.%s", python->layout->minor, rows[i].text);
        expect_attached(python, version);
    }
    python_thread_free(&thread);
}

/* Offsets that are not those of our table are believed when the target publishes them. */
static void published_offsets_count(struct python *python) {
    struct runtime runtime;
    struct error error;
    struct python_thread thread;
    enum layout_field field = LAYOUT_interpreter_threads_head;
    start_thread(python, &thread);
    uint64_t head = python_get(python, python->interpreter, field);
    uint64_t other = LAYOUT_AT(python->layout, interpreter, threads_head) + 80;
    fake_write_u64(&python->fake, python->runtime + python->layout->published[field], other);
    fake_write_u64(&python->fake, python->interpreter + other, head);
    python_set(python, python->interpreter, field, 0);
    assert_int_equal(attach(python, &runtime, &error), STATUS_OK);
    assert_int_equal(LAYOUT_AT(runtime.layout, interpreter, threads_head), other);
    python_thread_free(&thread);
}

/* A fork is known by its parent, whatever its own memory says of versions and offsets. */
static void fork_of_a_python(struct python *python) {
    struct runtime parent;
    struct runtime child;
    struct memory memory = python->fake.memory;
    struct error error = {0};
    struct python_thread thread;
    start_thread(python, &thread);
    assert_int_equal(attach(python, &parent, &error), STATUS_OK);
    set_version(python, 0x02070000);
    assert_int_equal(runtime_attach_fork(&child, &parent, &memory, &error), STATUS_OK);
    assert_string_equal(child.version, parent.version);
    assert_ptr_equal(child.memory, &memory);
    assert_true(child.layout == parent.layout || child.layout == &child.filled);
    assert_int_equal(LAYOUT_AT(child.layout, interpreter, threads_head),
                     LAYOUT_AT(parent.layout, interpreter, threads_head));
    python_set(python, python->runtime, LAYOUT_runtime_interpreters_head, 0);
    assert_int_equal(runtime_attach_fork(&child, &parent, &memory, &error), STATUS_NOT_READY);
    python_thread_free(&thread);
}

/* ---- what is none, or none yet ---- */

static void python_that_has_not_begun(struct python *python) {
    struct python_thread thread;
    expect_refused(python, STATUS_NOT_READY); /* no thread */
    start_thread(python, &thread);
    python_set(python, python->runtime, LAYOUT_runtime_interpreters_head, 0);
    expect_refused(python, STATUS_NOT_READY); /* no interpreter */
    python_thread_free(&thread);
}

static void python_without_sys_yet(struct python *python) {
    struct python_thread thread;
    start_thread(python, &thread);
    python_set(python, python->interpreter, LAYOUT_interpreter_sysdict, 0);
    expect_refused(python, STATUS_NOT_READY);
    python_thread_free(&thread);
}

static void thread_of_nobody(struct python *python) {
    struct python_thread thread;
    start_thread(python, &thread);
    python_set(python, thread.state, LAYOUT_thread_interp, 0x1234560);
    if (is_published(python->layout)) {
        expect_refused(python, STATUS_BAD_LAYOUT);
    } else {
        expect_unfit(python);
    }
    python_thread_free(&thread);
}

/* The layout fits, but the Python says that it is none that we know. */
static void unknown_versions(struct python *python) {
    static const uint32_t versions[] = {0x030700f0, 0x031000f0, 0x02071200, 0xffffffff, 0};
    struct python_thread thread;
    start_thread(python, &thread);
    for (size_t i = 0; i < COUNT(versions); i++) {
        set_version(python, versions[i]);
        expect_unfit(python);
    }
    set_version(python, 4U << 24 | python->layout->minor << 16 | 0x00f0);
    expect_unfit(python);
    python_thread_free(&thread);
}

static void version_that_is_no_number(struct python *python) {
    struct python_thread thread;
    static const uint32_t digits[] = {1, 2, 3, 4};
    start_thread(python, &thread);
    const struct python_entry sys[] = {
        {python_text(python, "hexversion"), python_integer(python, digits, 4, false)}};
    python_set(python, python->interpreter, LAYOUT_interpreter_sysdict,
               python_dict(python, DICT_UNICODE, sys, 1));
    expect_unfit(python);
    python_set(python, python->interpreter, LAYOUT_interpreter_sysdict,
               python_dict(python, DICT_UNICODE, sys, 0));
    expect_unfit(python);
    python_thread_free(&thread);
}

static void published_table_that_is_cut(struct python *python) {
    struct python_thread thread;
    start_thread(python, &thread);
    uint64_t last = python->runtime + python->layout->published_bytes - 1;
    if (last / FAKE_PAGE_BYTES != python->runtime / FAKE_PAGE_BYTES) {
        fail_msg("the table is on two pages: %llu", (unsigned long long)python->runtime);
    }
    /* A table at the end of a page, with as much missing as it is moved. */
    for (uint64_t missing = 8; missing < python->layout->published_bytes - 24U; missing += 200) {
        uint8_t head[24];
        uint64_t page = fake_place(&python->fake, FAKE_PAGE_BYTES, 8);
        uint64_t at = page + FAKE_PAGE_BYTES - (python->layout->published_bytes - missing);
        for (uint64_t i = 0; i < sizeof head; i++) {
            head[i] = (uint8_t)fake_value(&python->fake, python->runtime + i, 1);
        }
        fake_write(&python->fake, at, head, sizeof head);
        struct runtime runtime;
        struct error error = {0};
        assert_int_equal(
            runtime_attach_at(&runtime, &python->fake.memory, (struct remote){at}, &error),
            STATUS_NOT_MAPPED);
        assert_int_equal(error.status, STATUS_NOT_MAPPED);
    }
    python_thread_free(&thread);
}

/* From 3.13 on an interpreter that runs no code has no thread. */
static void interpreter_without_threads_is_passed(struct python *python) {
    struct python_thread thread;
    struct runtime runtime;
    struct error error = {0};
    struct remote at = {python->runtime};
    python_interpreter(python);
    python_interpreter(python);
    assert_int_equal(runtime_attach_at(&runtime, &python->fake.memory, at, &error),
                     STATUS_NOT_READY);
    python_thread_start(python, &thread, python->interpreter);
    assert_int_equal(runtime_attach_at(&runtime, &python->fake.memory, at, &error), STATUS_OK);
    python_thread_free(&thread);
}

static void address_of_nothing(struct python *python) {
    static const uint64_t addresses[] = {0, 8, 0x1000, UINT64_MAX - 7};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct runtime runtime;
        struct error error = {0};
        assert_int_equal(runtime_attach_at(&runtime, &python->fake.memory,
                                           (struct remote){addresses[i]}, &error),
                         STATUS_NOT_MAPPED);
        assert_int_equal(error.address, addresses[i]);
        assert_int_equal(error.status, STATUS_NOT_MAPPED);
    }
}

/* ---- processes ---- */

/* This test, which has no Python in it; asked as often as there are layouts, to the same end. */
static void process_without_python(struct python *python) {
    struct process process;
    struct memory memory;
    struct runtime runtime;
    struct error error = {0};
    (void)python;
    assert_int_equal(process_open(&process, getpid(), NULL), STATUS_OK);
    assert_int_equal(memory_open_live(&memory, getpid(), NULL), STATUS_OK);
    assert_int_equal(runtime_attach(&runtime, &process, &memory, NULL, &error), STATUS_NOT_PYTHON);
    assert_int_equal(error.status, STATUS_NOT_PYTHON);
    assert_non_null(strstr(error.detail, "test_runtime"));
    memory_close(&memory);
    process_close(&process);
}

static bool is_oldest(const struct layout *layout) {
    return layout == layouts[0];
}

static void versions_are_described(struct python *python) {
    char text[32];
    char cut[5];
    (void)python;
    runtime_describe_versions(text, sizeof text);
    assert_string_equal(text, "3.8 to 3.15");
    runtime_describe_versions(cut, sizeof cut);
    assert_string_equal(cut, "3.8 ");
}

int main(void) {
    static const struct scenario scenarios[] = {
        SCENARIO(layout_is_found),
        SCENARIO(versions_are_spelled_out),
        SCENARIO_FOR(published_offsets_count, is_published),
        SCENARIO(fork_of_a_python),
        SCENARIO(python_that_has_not_begun),
        SCENARIO_FOR(python_without_sys_yet, is_table),
        SCENARIO(thread_of_nobody),
        SCENARIO(unknown_versions),
        SCENARIO_FOR(version_that_is_no_number, is_table),
        SCENARIO_FOR(published_table_that_is_cut, is_published),
        SCENARIO(interpreter_without_threads_is_passed),
        SCENARIO(address_of_nothing),
        SCENARIO_FOR(process_without_python, is_oldest),
        SCENARIO_FOR(versions_are_described, is_oldest),
    };
    return scenarios_run("runtime", scenarios, COUNT(scenarios));
}
