/* The statistics that Python's own pstats module loads, of every version since 3.8: a dictionary
 * (file, line, function) -> (cc, nc, tt, ct, callers), written by marshal. The format is that of
 * Python/marshal.c, the members are those of Lib/pstats.py; what is written here has been in both
 * since 3.4.
 *
 * A sampling profiler cannot count calls. In their place stand samples, as Tachyon has it:
 *
 *     cc  samples with the function on top of the stack     nc  with it anywhere on the stack
 *     tt  seconds on top                                    ct  seconds anywhere
 *
 * so that pstats shows ncalls as "total/self", and the sum of cc is the number of samples. In
 * callers they are those of the function while that caller called it directly. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/exporter.h"
#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/model/tree.h"

/* ---- marshal ---- */

static void write_little_endian(FILE *out, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        fputc((int)(value >> (8 * i) & 0xff), out);
    }
}

/* A long: digits of 15 bits, the lowest first. */
static void write_long(FILE *out, uint64_t value) {
    uint32_t digits = 0;
    for (uint64_t rest = value; rest; rest >>= 15) {
        digits++;
    }
    fputc('l', out);
    write_little_endian(out, digits, 4);
    for (; value; value >>= 15) {
        write_little_endian(out, value & 0x7fff, 2);
    }
}

static void write_int(FILE *out, uint64_t value) {
    if (value > INT32_MAX) {
        write_long(out, value);
        return;
    }
    fputc('i', out);
    write_little_endian(out, value, 4);
}

static void write_seconds(FILE *out, uint64_t time_ns) {
    double seconds = (double)time_ns / (double)NS_PER_S;
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    fputc('g', out);
    write_little_endian(out, bits, sizeof bits);
}

static void write_text(FILE *out, const char *text) {
    size_t bytes = strlen(text);
    assert(bytes <= INT32_MAX);
    fputc('u', out);
    write_little_endian(out, bytes, 4);
    fwrite(text, 1, bytes, out);
}

static void write_tuple(FILE *out, uint32_t count) {
    fputc('(', out);
    write_little_endian(out, count, 4);
}

static void write_dict_begin(FILE *out) {
    fputc('{', out);
}

static void write_dict_end(FILE *out) {
    fputc('0', out);
}

/* ---- who called whom ---- */

struct measure {
    uint64_t self_samples;
    uint64_t total_samples;
    uint64_t self_ns;
    uint64_t total_ns;
};

/* A function while a certain caller called it directly. */
struct edge {
    uint32_t callee;
    uint32_t caller;
    struct measure measure; /* payload, as is the rest */
    uint32_t counted_for;   /* the stack that was counted last: recursion counts once */
    uint32_t reserved;
};

static void edge_add(struct table *edges, uint32_t callee, uint32_t caller,
                     const struct trace_tally *tally, uint32_t mark, bool is_leaf) {
    struct edge key = {.callee = callee, .caller = caller};
    struct edge *edge = table_row(edges, table_intern(edges, &key));
    if (is_leaf) {
        edge->measure.self_samples += tally->samples;
        edge->measure.self_ns += tally->weight_ns;
    }
    if (edge->counted_for != mark) {
        edge->counted_for = mark;
        edge->measure.total_samples += tally->samples;
        edge->measure.total_ns += tally->weight_ns;
    }
}

static uint32_t function_of(const struct trace *trace, const struct trace_stack *stack) {
    return trace_frame(trace, stack->frame)->function.id;
}

static void edges_init(struct table *edges, const struct trace *trace) {
    table_init(edges, sizeof(struct edge), offsetof(struct edge, measure));
    for (uint32_t mark = 1; mark <= trace->tallies.count; mark++) {
        const struct trace_tally *tally = table_row(&trace->tallies, mark);
        const struct trace_stack *at = trace_stack(trace, tally->stack);
        for (bool is_leaf = true; at->parent.id; is_leaf = false) {
            const struct trace_stack *caller = trace_stack(trace, at->parent);
            edge_add(edges, function_of(trace, at), function_of(trace, caller), tally, mark,
                     is_leaf);
            at = caller;
        }
    }
}

/* Ids of the edges by callee: those of function F are ids[first[F]] up to ids[first[F + 1]]. */
struct edge_index {
    uint32_t *first;
    uint32_t *ids;
};

static struct edge_index index_create(const struct table *edges, uint32_t functions) {
    struct edge_index index = {.first = memory_zeroed((size_t)functions + 2, sizeof(uint32_t)),
                               .ids = memory_zeroed((size_t)edges->count + 1, sizeof(uint32_t))};
    for (uint32_t id = 1; id <= edges->count; id++) {
        const struct edge *edge = table_row(edges, id);
        index.first[edge->callee + 1]++;
    }
    for (uint32_t function = 1; function <= functions; function++) {
        index.first[function + 1] += index.first[function];
    }
    uint32_t *next = memory_zeroed((size_t)functions + 2, sizeof *next);
    memcpy(next, index.first, ((size_t)functions + 2) * sizeof *next);
    for (uint32_t id = 1; id <= edges->count; id++) {
        const struct edge *edge = table_row(edges, id);
        index.ids[next[edge->callee]++] = id;
    }
    free(next);
    return index;
}

static void index_destroy(struct edge_index *index) {
    free(index->first);
    free(index->ids);
}

/* ---- the dictionary ---- */

/* What is no Python function goes by pstats' name for built-in ones, ("~", 0, name). */
static void write_function(FILE *out, const struct trace *trace, uint32_t id) {
    const struct trace_function *function = trace_function(trace, (struct function_id){id});
    write_tuple(out, 3);
    write_text(out, function->file.id ? trace_string(trace, function->file) : "~");
    write_int(out, function->file.id ? function->first_line : 0);
    write_text(out, trace_string(trace, function->name));
}

static void write_measure(FILE *out, const struct measure *measure) {
    write_int(out, measure->self_samples);
    write_int(out, measure->total_samples);
    write_seconds(out, measure->self_ns);
    write_seconds(out, measure->total_ns);
}

static void write_callers(FILE *out, const struct trace *trace, const struct table *edges,
                          const struct edge_index *index, uint32_t callee) {
    write_dict_begin(out);
    for (uint32_t i = index->first[callee]; i < index->first[callee + 1]; i++) {
        const struct edge *edge = table_row(edges, index->ids[i]);
        write_function(out, trace, edge->caller);
        write_tuple(out, 4);
        write_measure(out, &edge->measure);
    }
    write_dict_end(out);
}

static enum status pstats_write(const struct trace *trace, FILE *out, struct error *error) {
    (void)error;
    struct function_total *totals;
    size_t count = tree_function_totals(trace, &totals);
    struct table edges;
    edges_init(&edges, trace);
    struct edge_index index = index_create(&edges, trace->functions.count);
    write_dict_begin(out);
    for (size_t i = 0; i < count && !ferror(out); i++) {
        struct measure measure = {totals[i].self_samples, totals[i].total_samples,
                                  totals[i].self_ns, totals[i].total_ns};
        write_function(out, trace, totals[i].function.id);
        write_tuple(out, 5);
        write_measure(out, &measure);
        write_callers(out, trace, &edges, &index, totals[i].function.id);
    }
    write_dict_end(out);
    index_destroy(&index);
    table_deinit(&edges);
    free(totals);
    return STATUS_OK;
}

static const char *const extensions[] = {".pstats", NULL};

const struct exporter exporter_pstats = {
    .name = "pstats",
    .extensions = extensions,
    .help = "statistics for the pstats module of any Python",
    .write = pstats_write,
};
