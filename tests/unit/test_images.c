/* Pythons that ran once, read again from what was recorded of their memory: tests/images/LABEL
 * holds the image and, as that Python told it itself, the stacks that must come out.
 *
 *   test_images                    as a unit test
 *   test_images record PID FILE    records a Python that stands still (tests/images/record.py)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/resolve.h"
#include "target-runtime/threads.h"
#include "tests/unit/image.h"
#include "tests/unit/stacks.h"

enum { LOOKS = 100, TEXT_LIMIT = 1 << 16 };

/* ---- what comes out of a memory ---- */

struct reading {
    struct runtime runtime;
    struct trace trace;
    struct walk *walk;
    struct resolve *resolve;
    uint64_t now_ns;
};

static void reading_open(struct reading *reading, const struct runtime *runtime) {
    *reading = (struct reading){.runtime = *runtime, .now_ns = NS_PER_S};
    if (runtime->layout == &runtime->filled) {
        reading->runtime.layout = &reading->runtime.filled;
    }
    assert_int_equal(trace_init(&reading->trace, false, NULL), STATUS_OK);
    reading->walk = walk_create(&reading->runtime);
    reading->resolve = resolve_create(&reading->runtime, &reading->trace);
}

static void reading_close(struct reading *reading) {
    resolve_destroy(reading->resolve);
    walk_destroy(reading->walk);
    trace_deinit(&reading->trace);
}

/* The Python name of a thread. */
static void append_name(const struct reading *reading, const struct raw_thread *thread,
                        struct buffer *out) {
    struct active_thread *active;
    size_t count;
    enum status status =
        threads_active(&reading->runtime, (struct remote){thread->interpreter}, &active, &count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (active[i].ident == thread->ident) {
            status = thread_object_name(&reading->runtime, active[i].object, out);
        }
    }
    free(active);
}

/* One line a thread, "NAME: root (file:line);...", in the order of the list. */
static void look(struct reading *reading, struct buffer *out) {
    const struct raw_look *seen;
    reading->now_ns += 2 * NS_PER_MS;
    assert_int_equal(walk_look(reading->walk, &seen), STATUS_OK);
    assert_int_equal(resolve_check(reading->resolve, seen, reading->now_ns), STATUS_OK);
    for (size_t i = 0; i < seen->thread_count; i++) {
        const struct raw_thread *thread = &seen->threads[i];
        struct resolved resolved = resolve_stack(reading->resolve, seen, thread, reading->now_ns);
        append_name(reading, thread, out);
        buffer_append(out, ": ", 2);
        stack_describe(&reading->trace, resolved.stack, out);
        buffer_append(out, "\n", 1);
        if (resolved.has_doubts) {
            walk_doubt(reading->walk, thread->slot, resolved.doubt_depth);
        }
    }
}

/* The last of many looks, as a program that stands still is known best. */
static void read_all(const struct runtime *runtime, struct buffer *out) {
    struct reading reading;
    reading_open(&reading, runtime);
    for (int i = 0; i < LOOKS; i++) {
        buffer_clear(out);
        look(&reading, out);
    }
    buffer_printf(out, "Python %s\n", runtime->version);
    reading_close(&reading);
}

/* ---- replaying ---- */

static void image_path(const struct layout *layout, char *out, size_t bytes) {
    snprintf(out, bytes, "tests/images/%s/memory.image", layout->label);
}

static void load_expected(const char *label, char *out) {
    char path[128];
    snprintf(path, sizeof path, "tests/images/%s/expected.txt", label);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t bytes = fread(out, 1, TEXT_LIMIT - 1, file);
    out[bytes] = '\0';
    fclose(file);
}

static void replay(void **state) {
    static char expected[TEXT_LIMIT];
    const struct layout *layout = *state;
    char path[128];
    struct image image;
    struct memory memory;
    struct runtime runtime;
    struct buffer text = {0};
    struct error error = {0};
    image_path(layout, path, sizeof path);
    assert_true(image_load(&image, path));
    image_open(&memory, &image);
    if (runtime_attach_at(&runtime, &memory, (struct remote){image.runtime}, &error) != STATUS_OK) {
        fail_msg("%s", error.detail);
    }
    assert_string_equal(runtime.layout->label, layout->label);
    read_all(&runtime, &text);
    load_expected(layout->label, expected);
    assert_string_equal(text.data, expected);
    buffer_deinit(&text);
    image_free(&image);
}

/* An image of which a piece is missing is a target of which a page is not mapped. */
static void replay_in_part(void **state) {
    const struct layout *layout = *state;
    char path[128];
    image_path(layout, path, sizeof path);
    for (uint64_t every = 2; every < 40; every += 3) {
        struct image image;
        struct image part = {0};
        struct memory memory;
        struct runtime runtime;
        struct buffer text = {0};
        assert_true(image_load(&image, path));
        image_leave_out(&image, every, &part);
        image_open(&memory, &part);
        if (runtime_attach_at(&runtime, &memory, (struct remote){part.runtime}, NULL) ==
            STATUS_OK) {
            struct reading reading;
            const struct raw_look *seen;
            reading_open(&reading, &runtime);
            if (walk_look(reading.walk, &seen) == STATUS_OK) {
                look(&reading, &text);
            }
            reading_close(&reading);
        }
        buffer_deinit(&text);
        image_free(&image);
        image_free(&part);
    }
}

/* ---- recording ---- */

static int complain(const char *what, const struct error *error) {
    fprintf(stderr, "%s: %s: %s\n", what, status_name(error->status), error->detail);
    return 1;
}

static int record(pid_t pid, const char *path) {
    struct process process;
    struct memory live;
    struct memory recording;
    struct runtime runtime;
    struct error error = {0};
    struct image image = {0};
    struct recorder recorder = {&live, &image};
    struct buffer text = {0};
    if (process_open(&process, pid, &error) != STATUS_OK ||
        memory_open_live(&live, pid, &error) != STATUS_OK) {
        return complain("opening", &error);
    }
    image_record(&recording, &recorder);
    if (runtime_attach(&runtime, &process, &recording, NULL, &error) != STATUS_OK) {
        return complain("attaching", &error);
    }
    image.runtime = runtime.address.addr;
    read_all(&runtime, &text);
    printf("%s", text.data);
    bool is_saved = image_save(&image, path);
    buffer_deinit(&text);
    image_free(&image);
    memory_close(&live);
    process_close(&process);
    return is_saved ? 0 : 1;
}

/* Of each default build there must be one; nobody packages all the free-threaded ones. */
static bool has_image(const struct layout *layout) {
    char path[128];
    image_path(layout, path, sizeof path);
    return !layout->is_free_threaded || access(path, F_OK) == 0;
}

static int replay_all(void) {
    enum { LAYOUTS_LIMIT = 64 };
    struct CMUnitTest tests[2 * LAYOUTS_LIMIT] = {{0}};
    struct buffer names[2 * LAYOUTS_LIMIT] = {{0}};
    size_t count = 0;
    for (size_t i = 0; layouts[i] != NULL && i < LAYOUTS_LIMIT; i++) {
        for (int in_part = 0; in_part < 2 && has_image(layouts[i]); in_part++) {
            void *layout = (void *)(uintptr_t)layouts[i];
            buffer_printf(&names[count], "%s, %s", in_part ? "image_in_part" : "whole_image",
                          layouts[i]->label);
            tests[count] = (struct CMUnitTest){names[count].data, in_part ? replay_in_part : replay,
                                               NULL, NULL, layout};
            count++;
        }
    }
    int failed = _cmocka_run_group_tests("images", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        buffer_deinit(&names[i]);
    }
    return failed;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "record") == 0) {
        return record((pid_t)strtol(argv[2], NULL, 10), argv[3]);
    }
    return replay_all();
}
