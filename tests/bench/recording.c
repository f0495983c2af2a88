/* Records what a busy program would give, through the writer that attach uses:
 *
 *     recording FILE SAMPLES STACKS
 *
 * One thread at 10 kHz, each sample one of STACKS distinct stacks at random, so that there is not
 * one run of equal ones. Prints as JSON how much CPU time that took, the making up of the samples
 * included, and how long such a profile would have lasted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/model/trace.h"
#include "profiler/recording/writer.h"

enum { FUNCTIONS = 5000, FILES = 300, BASE_DEPTH = 15, DEPTH_MAX = 60, TICK_US = 100 };
/* What is gathered in half a second. */
enum { SAMPLES_IN_FLUSH = 5000 };

static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static _Noreturn void fail(const struct error *error) {
    fprintf(stderr, "recording: %s\n", error->detail);
    exit(1);
}

static struct stack_id call(struct trace *trace, struct stack_id parent, uint64_t *random) {
    char name[64];
    char file[64];
    uint32_t number = (uint32_t)(next_random(random) % FUNCTIONS);
    snprintf(name, sizeof name, "Component%u.method_%u", number / 20, number);
    snprintf(file, sizeof file, "/srv/app/package_%u/module_%u.py", number % 20, number % FILES);
    struct trace_function function = {.name = trace_text(trace, name, strlen(name)),
                                      .file = trace_text(trace, file, strlen(file)),
                                      .first_line = 10 + number % 1000};
    uint32_t line = function.first_line + (uint32_t)(next_random(random) % 20);
    struct trace_frame frame = {.function = trace_intern_function(trace, function),
                                .line = line,
                                .end_line = line,
                                .column = 5,
                                .end_column = 5 + number % 40};
    return trace_intern_stack(trace, parent, trace_intern_frame(trace, frame));
}

/* Calls from somewhere in the tree that there is, until there are so many stacks. */
static void grow(struct trace *trace, uint32_t stacks, uint64_t *random) {
    struct stack_id base = {0};
    for (int i = 0; i < BASE_DEPTH; i++) {
        base = call(trace, base, random);
    }
    while (trace->stacks.count < BASE_DEPTH + stacks) {
        uint32_t above = trace->stacks.count - BASE_DEPTH + 1;
        struct stack_id parent = {BASE_DEPTH + (uint32_t)(next_random(random) % above)};
        if (trace_stack(trace, parent)->depth < DEPTH_MAX) {
            call(trace, parent, random);
        }
    }
}

static void describe(struct trace *trace) {
    trace->run = (struct trace_run){.pid = 1000,
                                    .process_name = trace_text(trace, "python3", 7),
                                    .interval_ns = TICK_US * NS_PER_US};
    struct trace_thread thread = {
        .pid = 1000, .tid = 1000, .name = trace_text(trace, "MainThread", 10), .is_main = 1};
    trace_intern_thread(trace, thread);
}

static void record(struct writer *writer, struct trace *trace, uint64_t samples, uint32_t stacks,
                   uint64_t *random) {
    struct error error = {0};
    struct sample sample = {.thread = {1}};
    for (uint64_t i = 1; i <= samples; i++) {
        uint64_t random_bits = next_random(random);
        uint64_t time_ns = i * TICK_US * NS_PER_US + random_bits % (TICK_US * NS_PER_US);
        sample.weight_ns = time_ns - sample.time_ns;
        sample.time_ns = time_ns;
        sample.stack.id = BASE_DEPTH + 1 + (uint32_t)(random_bits >> 32) % stacks;
        trace->health.samples = i;
        trace->health.ticks = i;
        trace->health.duration_ns = time_ns;
        if (writer_push(writer, &sample, &error) != STATUS_OK) {
            fail(&error);
        }
        if (i % SAMPLES_IN_FLUSH == 0) {
            writer_flush(writer);
        }
    }
}

int main(int argc, char **argv) {
    struct trace trace;
    struct error error = {0};
    uint64_t random = 1;
    if (argc != 4 || trace_init(&trace, false, &error) != STATUS_OK) {
        fputs("usage: recording FILE SAMPLES STACKS\n", stderr);
        return 2;
    }
    uint64_t samples = strtoull(argv[2], NULL, 10);
    uint32_t stacks = (uint32_t)strtoul(argv[3], NULL, 10);
    describe(&trace);
    grow(&trace, stacks, &random);
    struct writer_plan plan = {.path = argv[1], .trace = &trace};
    uint64_t before_ns = clock_cpu_ns();
    struct writer *writer = writer_create(&plan);
    record(writer, &trace, samples, stacks, &random);
    if (writer_close(writer, &error) != STATUS_OK) {
        fail(&error);
    }
    printf("{\"cpu_s\": %.3f, \"profile_s\": %.3f}\n", (double)(clock_cpu_ns() - before_ns) / 1e9,
           (double)trace.health.duration_ns / 1e9);
    trace_deinit(&trace);
    return 0;
}
