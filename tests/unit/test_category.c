#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "exporters/category.h"
#include "exporters/states.h"
#include "profiler/model/trace.h"

enum { TICK_NS = 1000 };

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

static const char *category_name(struct trace *trace, const char *name, const char *file) {
    struct trace_function function = {.name = text(trace, name), .file = text(trace, file)};
    return categories[category_of_function(trace, trace_intern_function(trace, function))].name;
}

static void test_functions(void **state) {
    (void)state;
    static const struct {
        const char *name;
        const char *file;
        const char *category;
    } cases[] = {
        {"main", "/srv/app/main.py", "Python"},
        {"main", "main.py", "Python"},
        {"<module>", "<string>", "Python"},
        {"main", "/srv/library/main.py", "Python"},
        {"main", "/home/u/python3.11/app.py", "Python"},
        {"main", "/srv/lib/pythonic/app.py", "Python"},
        {"main", "/srv/lib/python/app.py", "Python"},
        {"main", "/srv/my-site-packages/app.py", "Python"},
        {"run", "/usr/lib/python3.11/threading.py", "Standard library"},
        {"run", "/usr/lib64/python3.9/json/decoder.py", "Standard library"},
        {"run", "/root/.pyenv/versions/3.8.18/lib/python3.8/queue.py", "Standard library"},
        {"run", "/usr/local/lib/python3.13t/threading.py", "Standard library"},
        {"run", "/opt/lib/python311.zip/threading.py", "Standard library"},
        {"_find_spec", "<frozen importlib._bootstrap>", "Standard library"},
        {"get", "/usr/lib/python3/dist-packages/requests/api.py", "Library"},
        {"get", "/srv/venv/lib/python3.11/site-packages/requests/api.py", "Library"},
        {"get", "site-packages/requests/api.py", "Library"},
        {"sum", "/srv/venv/lib/python3.11/site-packages/n.cpython-311-x86_64-linux-gnu.so",
         "Native"},
        {"malloc", "/lib/x86_64-linux-gnu/libc.so.6", "Native"},
        {"main", "/srv/a.sort/b.py", "Python"},
        {"main", "/srv/a.sort/b.so", "Native"},
        {"<GC>", "", "GC"},
        {"<GC>", "/srv/app/main.py", "Python"},
        {"<missing>", "", "Other"},
        {"", "", "Other"},
    };
    struct trace trace;
    struct error error;
    assert_int_equal(trace_init(&trace, false, &error), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = category_name(&trace, cases[i].name, cases[i].file);
        if (strcmp(found, cases[i].category) != 0) {
            fail_msg("%s (%s) is %s", cases[i].name, cases[i].file, found);
        }
    }
    struct trace_function native = {
        .name = text(&trace, "main"), .file = text(&trace, "/usr/bin/python3"), .is_native = 1};
    size_t category = category_of_function(&trace, trace_intern_function(&trace, native));
    assert_string_equal(categories[category].name, "Native");
    trace_deinit(&trace);
}

static void test_samples(void **state) {
    (void)state;
    static const struct {
        uint32_t state;
        const char *category; /* NULL: the function's */
    } cases[] = {
        {0, NULL},
        {STATE_RUNNING | STATE_HAS_GIL, NULL},
        {STATE_RUNNABLE, NULL},
        {STATE_EXCEPTION | STATE_RUNNING, NULL},
        {STATE_WAITING, "Idle"},
        {STATE_WAITING | STATE_WANTS_GIL, "GIL wait"},
        {STATE_RUNNABLE | STATE_WANTS_GIL, "GIL wait"},
        {STATE_COLLECTING | STATE_RUNNING, "GC"},
        {STATE_COLLECTING | STATE_WAITING | STATE_WANTS_GIL, "GC"},
    };
    size_t function = category_by_name("Library");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t found = category_of_sample(function, cases[i].state);
        const char *wanted = cases[i].category ? cases[i].category : "Library";
        assert_string_equal(categories[found].name, wanted);
    }
}

/* What the Firefox Profiler relies on. */
static void test_table(void **state) {
    (void)state;
    assert_string_equal(categories[0].color, "grey");
    assert_null(categories[0].fits);
    for (size_t i = 0; i < category_count; i++) {
        assert_int_equal(category_by_name(categories[i].name), i);
    }
    for (size_t i = 0; i < STATES; i++) {
        assert_int_equal(states[i].bit, 1 << i);
        assert_true(category_by_name(states[i].category) < category_count);
        assert_true(strlen(states[i].help) > 0);
        assert_null(strpbrk(states[i].name, "\"\\")); /* written into JSON as it is */
    }
}

struct seen {
    struct state_interval intervals[32];
    size_t count;
    size_t limit; /* the visit after that many fails */
};

static enum status see(void *context, const struct state_interval *interval) {
    struct seen *seen = context;
    assert_in_range(interval->state, 0, STATES - 1);
    seen->intervals[seen->count++] = *interval;
    return seen->count == seen->limit ? STATUS_INTERNAL : STATUS_OK;
}

static void push(struct trace *trace, uint64_t tick, uint32_t id, uint32_t state) {
    struct sample sample = {.time_ns = tick * TICK_NS,
                            .weight_ns = TICK_NS,
                            .thread = {1},
                            .stack = {id},
                            .state = state};
    assert_int_equal(trace_add(trace, &sample, NULL), STATUS_OK);
}

static void make_states(struct trace *trace) {
    struct error error;
    assert_int_equal(trace_init(trace, true, &error), STATUS_OK);
    trace_intern_thread(trace, (struct trace_thread){.pid = 1, .tid = 1});
    for (uint32_t line = 1; line <= 2; line++) {
        struct trace_frame frame = {
            .function = trace_intern_function(trace, (struct trace_function){.first_line = 1}),
            .line = line};
        trace_intern_stack(trace, (struct stack_id){0}, trace_intern_frame(trace, frame));
    }
    push(trace, 1, 1, STATE_RUNNING | STATE_HAS_GIL);
    push(trace, 2, 2, STATE_RUNNING); /* another stack is no break */
    push(trace, 3, 2, STATE_RUNNING);
    push(trace, 4, 2, STATE_WAITING);
    push(trace, 6, 2, STATE_WAITING); /* the thread was not seen for a tick */
    push(trace, 7, 2, 0);
}

static void test_intervals(void **state) {
    (void)state;
    static const struct state_interval wanted[] = {{3, 0, 1000, 1, NULL},
                                                   {0, 0, 3000, 3, NULL},
                                                   {2, 3000, 4000, 1, NULL},
                                                   {2, 5000, 6000, 1, NULL}};
    struct trace trace;
    struct seen seen = {0};
    make_states(&trace);
    struct culprits culprits;
    assert_int_equal(culprits_find(&trace, &culprits), STATUS_OK);
    assert_int_equal(states_each(&trace, &culprits, (struct thread_ref){1}, see, &seen), STATUS_OK);
    assert_int_equal(seen.count, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < seen.count; i++) {
        assert_int_equal(seen.intervals[i].state, wanted[i].state);
        assert_int_equal(seen.intervals[i].start_ns, wanted[i].start_ns);
        assert_int_equal(seen.intervals[i].end_ns, wanted[i].end_ns);
        assert_int_equal(seen.intervals[i].samples, wanted[i].samples);
    }
    culprits_free(&culprits);
    trace_deinit(&trace);
}

static void test_intervals_end_when_told(void **state) {
    (void)state;
    struct trace trace;
    struct culprits culprits;
    make_states(&trace);
    assert_int_equal(culprits_find(&trace, &culprits), STATUS_OK);
    for (size_t limit = 1; limit <= 4; limit++) {
        struct seen seen = {.limit = limit};
        enum status status = states_each(&trace, &culprits, (struct thread_ref){1}, see, &seen);
        assert_int_equal(status, STATUS_INTERNAL);
        assert_int_equal(seen.count, limit);
    }
    culprits_free(&culprits);
    trace_deinit(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_intervals_end_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
