#define _GNU_SOURCE /* qsort_r */
#include "exporters/threads.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/arena.h"

static int compare(uint64_t left, uint64_t right) {
    return (left > right) - (left < right);
}

static int compare_threads(const void *left, const void *right, void *context) {
    const struct trace *trace = context;
    const struct trace_thread *a = trace_thread(trace, *(const struct thread_ref *)left);
    const struct trace_thread *b = trace_thread(trace, *(const struct thread_ref *)right);
    uint32_t first = trace->run.pid;
    int orders[] = {compare(b->pid == first, a->pid == first), compare(a->pid, b->pid),
                    compare(b->is_main, a->is_main), compare(a->tid, b->tid),
                    compare(a->serial, b->serial)};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (orders[i]) {
            return orders[i];
        }
    }
    return 0;
}

size_t threads_sorted(const struct trace *trace, struct thread_ref **out) {
    size_t known = trace->threads.count;
    bool *has_samples = memory_zeroed(known + 1, sizeof *has_samples);
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        has_samples[tally->thread.id] = true;
    }
    struct thread_ref *sorted = memory_zeroed(known, sizeof *sorted);
    size_t count = 0;
    for (uint32_t id = 1; id <= known; id++) {
        if (has_samples[id]) {
            sorted[count++].id = id;
        }
    }
    free(has_samples);
    struct trace *context = (struct trace *)(uintptr_t)trace; /* qsort_r takes no const */
    qsort_r(sorted, count, sizeof *sorted, compare_threads, context);
    *out = sorted;
    return count;
}

static void append_named(struct buffer *out, const char *kind, const char *name, uint32_t number) {
    buffer_printf(out, "%s %s (%" PRIu32 ")", kind, *name ? name : "?", number);
}

/* The last one of those that had this pid one after the other. */
const struct trace_process *threads_process(const struct trace *trace, uint32_t pid) {
    for (uint32_t row = trace->processes.count; row >= 1; row--) {
        const struct trace_process *process = table_row(&trace->processes, row);
        if (process->pid == pid) {
            return process;
        }
    }
    return NULL;
}

struct string_id threads_process_name(const struct trace *trace, struct thread_ref id) {
    const struct trace_process *process = threads_process(trace, trace_thread(trace, id)->pid);
    return process ? process->name : trace->run.process_name;
}

void threads_append_process(struct buffer *out, const struct trace *trace, struct thread_ref id) {
    const char *name = trace_string(trace, threads_process_name(trace, id));
    append_named(out, "process", name, trace_thread(trace, id)->pid);
}

void threads_append_thread(struct buffer *out, const struct trace *trace, struct thread_ref id) {
    const struct trace_thread *thread = trace_thread(trace, id);
    append_named(out, "thread", trace_string(trace, thread->name), thread->tid);
}
