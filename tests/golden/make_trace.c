/* Writes one fixed trace through every exporter:
 *
 *     make_trace FOLDER              FOLDER/<format><extension> for each of exporters[], and
 *                                    FOLDER/flamegraph-compared.html, and for each format that
 *                                    shows tasks FOLDER/<format>-tasks<extension>
 *     make_trace FOLDER RECORDING    the same from the recording that the first one wrote
 *
 * The trace has what is easy to get wrong: a main thread and two workers that had the same thread
 * id one after the other, recursion, one name in two files, a stack without its root, dropped
 * ticks, more functions than the table shows, names that are markup, separators, control
 * characters, not UTF-8, Chinese, or very long, a child process, states, bytecode and sources. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/exporter.h"
#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/model/trace.h"
#include "profiler/recording/reader.h"
#include "profiler/recording/writer.h"

#define TICK_NS           NS_PER_MS
#define LONG_NAME_BYTES   ((size_t)10000)
#define SMALL_FUNCTIONS   ((uint32_t)40)
#define ROUNDS            ((uint64_t)6)
#define DROPPED_TICKS     ((uint64_t)10)
#define SECOND_WORKER_GAP ((uint64_t)5)
#define SAMPLES_IN_CHUNK  ((uint64_t)25)

static _Noreturn void fail(const char *what, const struct error *error) {
    fprintf(stderr, "make_trace: %s: %s\n", what, error ? error->detail : "");
    exit(1);
}

static struct string_id text(struct trace *trace, const char *value) {
    return trace_text(trace, value, strlen(value));
}

/* A place in the code, as it stands in the tables below. */
struct place {
    const char *name;
    const char *file;
    uint32_t first_line;
    uint32_t line;
    uint32_t column;
    enum frame_kind kind;
};

static struct stack_id call(struct trace *trace, struct stack_id parent,
                            const struct place *place) {
    struct trace_function function = {.name = text(trace, place->name),
                                      .file = text(trace, place->file),
                                      .first_line = place->first_line};
    struct trace_frame frame = {.function = trace_intern_function(trace, function),
                                .line = place->line,
                                .end_line = place->line,
                                .column = place->column,
                                .end_column = place->column ? place->column + 8 : 0,
                                .kind = place->kind};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

static const struct place module = {"<module>", "/srv/app/main.py", 1, 60, 1, FRAME_PYTHON};
static const struct place run_early = {"Application.run", "/srv/app/main.py", 20, 22, 5,
                                       FRAME_PYTHON};
static const struct place run_late = {"Application.run", "/srv/app/main.py", 20, 31, 9,
                                      FRAME_PYTHON};
static const struct place fib_left = {"fib", "/srv/app/fib.py", 3, 6, 12, FRAME_PYTHON};
static const struct place fib_right = {"fib", "/srv/app/fib.py", 3, 6, 25, FRAME_PYTHON};
static const struct place fib_base = {"fib", "/srv/app/fib.py", 3, 5, 16, FRAME_PYTHON};
static const struct place helper_here = {"helper", "/srv/app/main.py", 40, 41, 5, FRAME_PYTHON};
static const struct place helper_there = {"helper", "/srv/app/other.py", 40, 41, 5, FRAME_PYTHON};
static const struct place bootstrap = {
    "Thread._bootstrap", "/usr/lib/python3.11/threading.py", 990, 1002, 9, FRAME_PYTHON};
static const struct place missing = {"<missing>", "", 0, 0, 0, FRAME_MISSING};
static const struct place no_line = {"generated", "<string>", 1, 0, 0, FRAME_PYTHON};

static const struct place hostile[] = {
    {"</script><script>alert(1)</script>", "/srv/<b>&amp;.py", 7, 8, 1, FRAME_PYTHON},
    {"quote\"apostrophe'back\\slash", "/srv/app/a \"b\" (c).py", 7, 8, 1, FRAME_PYTHON},
    {"a&b<c>d", "/srv/app/semi;colon.py", 7, 8, 1, FRAME_PYTHON},
    {"one;two 3", "/srv/app/new\nline.py", 7, 8, 1, FRAME_PYTHON},
    {"line\nbreak\ttab\rreturn", "/srv/app/x.py", 7, 8, 1, FRAME_PYTHON},
    {"\x01\x1b[31mred\x7f", "/srv/app/x.py", 9, 10, 1, FRAME_PYTHON},
    {"\xff\xfe not UTF-8", "/srv/app/\xc3\x28.py", 7, 8, 1, FRAME_PYTHON},
    {"\xe8\xae\xa1\xe7\xae\x97", "/srv/\xe6\x96\x87\xe4\xbb\xb6.py", 7, 8, 1, FRAME_PYTHON},
    {"caf\x65\xcc\x81 \xf0\x9f\x90\x8d", "/srv/app/x.py", 11, 12, 1, FRAME_PYTHON},
    {"\xc2\x9b\xe2\x80\xa8\xe2\x80\xae hidden", "/srv/app/x.py", 13, 14, 1, FRAME_PYTHON},
    {"", "/srv/app/x.py", 15, 16, 1, FRAME_PYTHON},
};

struct maker {
    struct trace *trace;
    struct writer *writer; /* NULL: it is not recorded */
    uint64_t time_ns;
};

/* What a thread does in a sample: the main thread works, and collects garbage now and then; the
 * others wait for the GIL, or in the kernel. */
static uint32_t state_of(const struct maker *maker, struct thread_ref thread) {
    uint64_t number = maker->time_ns / TICK_NS;
    if (trace_thread(maker->trace, thread)->is_main) {
        return STATE_RUNNING | STATE_HAS_GIL | (number % 16 == 0 ? STATE_COLLECTING : 0);
    }
    return number % 3 == 0 ? STATE_WAITING : STATE_RUNNABLE | STATE_WANTS_GIL;
}

/* One sample of `thread` that ends now. */
static void sample(struct maker *maker, struct thread_ref thread, struct stack_id stack,
                   uint32_t flags) {
    struct sample taken = {.time_ns = maker->time_ns,
                           .weight_ns = TICK_NS,
                           .thread = thread,
                           .stack = stack,
                           .flags = flags,
                           .state = state_of(maker, thread)};
    struct error error;
    if (trace_add(maker->trace, &taken, &error)) {
        fail("trace_add", &error);
    }
    struct health *health = &maker->trace->health;
    health->samples++;
    health->unverified += (flags & SAMPLE_UNVERIFIED) != 0;
    health->truncated += (flags & SAMPLE_TRUNCATED) != 0;
    if (maker->writer && writer_push(maker->writer, &taken, &error)) {
        fail("writer_push", &error);
    }
    if (maker->writer && health->samples % SAMPLES_IN_CHUNK == 0) {
        writer_flush(maker->writer);
    }
}

static void tick(struct maker *maker) {
    maker->time_ns += TICK_NS;
    maker->trace->health.ticks++;
}

static struct thread_ref thread(struct trace *trace, uint32_t tid, uint64_t serial,
                                const char *name) {
    struct trace_thread row = {.pid = trace->run.pid,
                               .tid = tid,
                               .serial = serial,
                               .name = text(trace, name),
                               .is_main = tid == trace->run.pid};
    return trace_intern_thread(trace, row);
}

/* ---- bytecode and sources ---- */

static const char fib_source[] = "# fib.py \xe6\x96\x87\n\n"
                                 "def fib(n):\n"
                                 "    if n < 2:\n"
                                 "        return n  # </script>\n"
                                 "    return fib(n - 1) + fib(n - 2)\n";

/* fib as CPython 3.11 compiles and specialises it; caches lie in the gaps between the offsets. */
static const struct listed {
    uint32_t offset;
    const char *opcode;
    const char *base;
    uint32_t argument;
    uint32_t line;
    uint32_t column;
    uint32_t end_column;
} fib_listing[] = {
    {0, "RESUME_QUICK", "RESUME", 0, 3, 0, 0},
    {2, "LOAD_FAST__LOAD_CONST", "LOAD_FAST", 0, 4, 8, 9},
    {4, "LOAD_CONST", "LOAD_CONST", 1, 4, 12, 13},
    {6, "COMPARE_OP_INT_JUMP", "COMPARE_OP", 0, 4, 8, 13},
    {12, "POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_FORWARD_IF_FALSE", 2, 4, 8, 13},
    {14, "LOAD_FAST", "LOAD_FAST", 0, 5, 16, 17},
    {16, "RETURN_VALUE", "RETURN_VALUE", 0, 5, 16, 17},
    {18, "LOAD_GLOBAL_MODULE", "LOAD_GLOBAL", 1, 6, 12, 15},
    {30, "LOAD_FAST", "LOAD_FAST", 0, 6, 16, 17},
    {32, "LOAD_CONST", "LOAD_CONST", 2, 6, 20, 21},
    {34, "BINARY_OP_SUBTRACT_INT", "BINARY_OP", 10, 6, 16, 21},
    {38, "PRECALL_PYFUNC", "PRECALL", 1, 6, 12, 22},
    {42, "CALL_PY_EXACT_ARGS", "CALL", 1, 6, 12, 22},
    {52, "RETURN_VALUE", "RETURN_VALUE", 0, 6, 12, 22},
};

/* Enters the listing; returns the id of the instruction at `offset`. */
static uint32_t list_fib(struct trace *trace, uint32_t offset) {
    struct trace_function fib = {.name = text(trace, fib_left.name),
                                 .file = text(trace, fib_left.file),
                                 .first_line = fib_left.first_line};
    struct trace_code code = {.function = trace_intern_function(trace, fib), .serial = 1};
    uint32_t code_id = trace_intern_code(trace, code);
    uint32_t found = 0;
    for (size_t i = 0; i < sizeof fib_listing / sizeof fib_listing[0]; i++) {
        const struct listed *listed = &fib_listing[i];
        struct trace_instruction row = {.code = code_id,
                                        .offset = listed->offset,
                                        .opcode = text(trace, listed->opcode),
                                        .base = text(trace, listed->base),
                                        .argument = listed->argument,
                                        .line = listed->line,
                                        .end_line = listed->line,
                                        .column = listed->column,
                                        .end_column = listed->end_column};
        uint32_t id = trace_intern_instruction(trace, &row);
        found = listed->offset == offset ? id : found;
    }
    return found;
}

/* fib(0) or fib(1) as the newest frame, at an instruction. */
static struct stack_id call_listed(struct trace *trace, struct stack_id parent, uint32_t offset,
                                   const char *opcode) {
    struct trace_stack plain = *trace_stack(trace, call(trace, parent, &fib_base));
    struct trace_frame frame = *trace_frame(trace, plain.frame);
    frame.instruction = list_fib(trace, offset);
    frame.opcode = text(trace, opcode);
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

/* ---- what the threads do ---- */

/* The main thread: recursion of changing depth, and the same function from two lines. */
static void main_work(struct maker *maker, struct thread_ref who) {
    struct trace *trace = maker->trace;
    struct stack_id top = call(trace, (struct stack_id){0}, &module);
    struct stack_id early = call(trace, top, &run_early);
    struct stack_id late = call(trace, top, &run_late);
    for (uint32_t depth = 1; depth <= 5; depth++) {
        struct stack_id stack = early;
        for (uint32_t i = 0; i < depth; i++) {
            stack = call(trace, stack, i % 2 ? &fib_right : &fib_left);
        }
        tick(maker);
        sample(maker, who, call_listed(trace, stack, 14, "LOAD_FAST"), 0);
        tick(maker);
        sample(maker, who, call_listed(trace, stack, 16, "RETURN_VALUE"), 0);
        tick(maker);
        sample(maker, who, stack, 0);
    }
    const struct place *const ends[] = {&helper_here, &helper_here, &helper_there, &no_line};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        tick(maker);
        sample(maker, who, call(trace, late, ends[i]), i == 2 ? SAMPLE_UNVERIFIED : 0);
    }
}

/* Both threads in the same ticks: names that harm, and a stack without its root. */
static void hostile_work(struct maker *maker, struct thread_ref who, struct thread_ref worker) {
    struct trace *trace = maker->trace;
    struct stack_id top = call(trace, (struct stack_id){0}, &module);
    struct stack_id base = call(trace, (struct stack_id){0}, &bootstrap);
    struct stack_id cut = call(trace, (struct stack_id){0}, &missing);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        tick(maker);
        sample(maker, who, call(trace, top, &hostile[i]), 0);
        sample(maker, worker, call(trace, base, &hostile[0]), 0);
    }
    tick(maker);
    sample(maker, worker, call(trace, cut, &helper_there), SAMPLE_TRUNCATED);
}

/* A function with a very long name, and many that were seen once. */
static void wide_work(struct maker *maker, struct thread_ref who) {
    struct trace *trace = maker->trace;
    struct stack_id top = call(trace, (struct stack_id){0}, &module);
    struct buffer name = {0};
    while (name.length < LONG_NAME_BYTES) {
        buffer_append(&name, "abcdefghij", 10);
    }
    struct place place = {name.data, "/srv/app/long.py", 1, 2, 3, FRAME_PYTHON};
    tick(maker);
    sample(maker, who, call(trace, top, &place), 0);
    for (uint32_t i = 0; i < SMALL_FUNCTIONS; i++) {
        buffer_clear(&name);
        buffer_printf(&name, "small.f%02u", i);
        struct place small = {name.data, "/srv/app/small.py", 10 * i + 1, 10 * i + 4,
                              5,         FRAME_PYTHON};
        tick(maker);
        sample(maker, who, call(trace, top, &small), 0);
    }
    buffer_deinit(&name);
}

/* A child of the process that was asked for. */
static void child_work(struct maker *maker) {
    struct trace *trace = maker->trace;
    struct trace_process child = {.pid = 4300,
                                  .start_ticks = 2000,
                                  .parent_pid = 4242,
                                  .name = text(trace, "worker <2>"),
                                  .command = text(trace, "python3 -m app --worker"),
                                  .executable = text(trace, "/usr/bin/python3.11"),
                                  .python_version = text(trace, "3.11.2")};
    trace_intern_process(trace, &child);
    struct trace_thread row = {
        .pid = 4300, .tid = 4300, .serial = 5, .name = text(trace, "MainThread"), .is_main = 1};
    struct thread_ref who = trace_intern_thread(trace, row);
    struct stack_id top = call(trace, (struct stack_id){0}, &module);
    for (size_t i = 0; i < 3; i++) {
        tick(maker);
        sample(maker, who, call(trace, top, &helper_there), 0);
    }
}

/* Tasks have waited in the first frame that there was, and in the last, which has a strange name.
 */
static void dwell(struct trace *trace) {
    struct trace_dwell first = {{1}, 40, 1234, 3, 61 * NS_PER_S, 90 * NS_PER_MS, NS_PER_S};
    struct trace_dwell last = {{trace->frames.count}, 1, 1, 1, NS_PER_MS, NS_PER_MS, NS_PER_MS};
    trace_set_dwell(trace, &last);
    trace_set_dwell(trace, &first);
    trace->health.tasks_there = 40 * trace->health.ticks;
    trace->health.tasks_seen = 10 * trace->health.ticks;
}

static void describe(struct trace *trace) {
    trace->run = (struct trace_run){
        .pid = 4242,
        .process_name = text(trace, "python3 <&>;"),
        .command = text(trace, "python3 -m app --title \"</title><script>\" \xe6\x96\x87.py"),
        .python_version = text(trace, "3.11.2"),
        .mode = text(trace, "wall"),
        .profiler = text(trace, "pyrometer 0.1.0"),
        .host = text(trace, "db-7.example"),
        .start_wall_ns = UINT64_C(1700000000) * NS_PER_S,
        .interval_ns = TICK_NS};
    struct trace_process process = {.pid = 4242,
                                    .start_ticks = 1000,
                                    .parent_pid = 1,
                                    .name = trace->run.process_name,
                                    .command = trace->run.command,
                                    .executable = text(trace, "/usr/bin/python3.11"),
                                    .build_id =
                                        text(trace, "0123456789abcdef0123456789abcdef01234567"),
                                    .python_version = trace->run.python_version};
    trace_intern_process(trace, &process);
    trace_set_source(trace, text(trace, fib_left.file), fib_source, sizeof fib_source - 1);
}

static void fill(struct trace *trace, struct writer *writer) {
    describe(trace);
    struct maker maker = {.trace = trace, .writer = writer};
    struct thread_ref main_thread = thread(trace, 4242, 1, "MainThread");
    struct thread_ref first = thread(trace, 4250, 2, "worker;1\n</script>");
    struct thread_ref second = thread(trace, 4250, 3, "");
    thread(trace, 4251, 4, "never sampled");
    for (uint64_t round = 0; round < ROUNDS; round++) {
        main_work(&maker, main_thread);
    }
    hostile_work(&maker, main_thread, first);
    maker.time_ns += DROPPED_TICKS * TICK_NS;
    trace->health.late += DROPPED_TICKS;
    wide_work(&maker, main_thread);
    maker.time_ns += SECOND_WORKER_GAP * TICK_NS;
    hostile_work(&maker, main_thread, second);
    child_work(&maker);
    dwell(trace);
    trace->health.lost = 3;
    trace->health.empty = 1;
    trace->health.duration_ns = maker.time_ns;
    trace->health.cpu_ns = 12 * NS_PER_MS;
    trace->health.rss_bytes = UINT64_C(5) << 20;
    trace->health.read_calls = 1000;
    trace->health.read_bytes = UINT64_C(1) << 20;
}

/* The same program a week ago: without its child, and the worker did less. */
static void fill_base(struct trace *trace) {
    describe(trace);
    struct maker maker = {.trace = trace};
    struct thread_ref main_thread = thread(trace, 4242, 1, "MainThread");
    for (uint64_t round = 0; round < ROUNDS; round++) {
        main_work(&maker, main_thread);
        main_work(&maker, main_thread);
        wide_work(&maker, main_thread);
    }
    trace->health.duration_ns = maker.time_ns;
}

/* ---- tasks ---- */

static struct stack_id mark_task(struct trace *trace, struct stack_id parent, const char *name) {
    struct place place = {name, "", 0, 0, 0, FRAME_TASK};
    return call(trace, parent, &place);
}

/* What a loop does: tasks with names, more of them than have tracks of their own, on the one that
 * waits for them; tasks without; the loop itself, a callback, and nothing. */
static void loop_work(struct maker *maker, struct thread_ref who) {
    static const struct place serve = {"serve", "/srv/app/main.py", 70, 75, 5, FRAME_PYTHON};
    static const struct place fetch = {"fetch", "/srv/app/main.py", 80, 84, 9, FRAME_PYTHON};
    static const char *const without[] = {"<loop>", "<callback>", "<idle>"};
    struct trace *trace = maker->trace;
    struct stack_id none = {0};
    struct stack_id waiting = call(trace, mark_task(trace, none, "<task serve>"), &serve);
    tick(maker);
    sample(maker, who, waiting, 0);
    for (uint32_t i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "<task fetch <%02u>>", i);
        struct stack_id stack = call(trace, mark_task(trace, waiting, name), &fetch);
        for (uint32_t ticks = 0; ticks <= i % 7; ticks++) {
            tick(maker);
            sample(maker, who, ticks % 2 ? call(trace, stack, &helper_here) : stack, 0);
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct stack_id nameless = mark_task(trace, none, "<task>");
        tick(maker);
        sample(maker, who, call(trace, nameless, i == 1 ? &serve : &fetch), 0);
    }
    struct stack_id stack = none;
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        stack = mark_task(trace, i == 2 ? mark_task(trace, none, without[0]) : stack, without[i]);
        tick(maker);
        sample(maker, who, i == 0 ? call(trace, stack, &run_early) : stack, 0);
    }
}

static void fill_tasks(struct trace *trace) {
    describe(trace);
    struct maker maker = {.trace = trace};
    struct thread_ref main_thread = thread(trace, 4242, 1, "MainThread");
    struct thread_ref worker = thread(trace, 4250, 2, "worker");
    struct stack_id base = call(trace, (struct stack_id){0}, &bootstrap);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        loop_work(&maker, main_thread);
        sample(&maker, worker, call(trace, base, &helper_there), 0);
    }
    trace->health.duration_ns = maker.time_ns;
}

/* FOLDER/<format><what><extension> */
static void write_one(const struct trace *trace, const struct exporter *exporter,
                      const char *folder, const char *what) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s%s", folder, exporter->name, what, exporter->extensions[0]);
    FILE *out = fopen(path, "w");
    struct error error = {0};
    if (!out || exporter->write(trace, out, &error) || ferror(out) || fclose(out)) {
        fail(path, &error);
    }
}

/* Makes the trace, and records it while it grows. */
static void make(struct trace *trace, const char *folder) {
    char path[4096];
    struct error error = {0};
    snprintf(path, sizeof path, "%s/recording.pyro", folder);
    struct writer_plan plan = {.path = path, .trace = trace};
    struct writer *writer = writer_create(&plan);
    fill(trace, writer);
    if (writer_close(writer, &error)) {
        fail(path, &error);
    }
}

static void write_tasks(const char *folder) {
    static const char *const formats[] = {"chrome", "firefox", "flamegraph", "pprof", "speedscope"};
    struct trace trace;
    struct error error;
    if (trace_init(&trace, true, &error)) {
        fail("trace_init", &error);
    }
    fill_tasks(&trace);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        write_one(&trace, exporter_by_name(formats[i]), folder, "-tasks");
    }
    trace_deinit(&trace);
}

static void read_back(struct trace *trace, const char *path) {
    struct error error = {0};
    struct reading reading;
    FILE *in = fopen(path, "r");
    if (!in || reader_read(in, NULL, trace, &reading, &error) || !reading.is_finished) {
        fail(path, &error);
    }
    reading_deinit(&reading);
    fclose(in);
}

int main(int argc, char **argv) {
    struct trace trace;
    struct trace base;
    struct error error;
    if (argc != 2 && argc != 3) {
        fail("usage: make_trace FOLDER [RECORDING]", NULL);
    }
    if (trace_init(&trace, true, &error) || trace_init(&base, true, &error)) {
        fail("trace_init", &error);
    }
    if (argc == 2) {
        make(&trace, argv[1]);
    } else {
        read_back(&trace, argv[2]);
    }
    fill_base(&base);
    for (const struct exporter *const *at = exporters; *at; at++) {
        trace.base = (*at)->needs_base ? &base : NULL;
        if (!(*at)->grows) {
            write_one(&trace, *at, argv[1], "");
        }
    }
    trace.base = &base; /* a page that can compare, and need not */
    write_one(&trace, exporter_by_name("flamegraph"), argv[1], "-compared");
    write_tasks(argv[1]);
    trace_deinit(&base);
    trace_deinit(&trace);
    return 0;
}
