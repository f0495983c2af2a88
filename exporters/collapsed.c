/* Collapsed stacks: one line for each stack that a thread was seen in, at the grain of lines:
 *
 *     process NAME (PID);thread NAME (TID);FUNC (FILE:LINE);... COUNT
 *
 * root first, COUNT in samples; a frame without a file is FUNC alone. flamegraph.pl and speedscope
 * read it. A line always parses: ';' and control characters in names are escaped (';' is \x3b, see
 * text_append_escaped), and the count follows the last space. The order is that of
 * threads_sorted(), and in a thread the one in which the stacks were first seen by any thread. */
#include <inttypes.h>
#include <stdlib.h>

#include "exporters/exporter.h"
#include "profiler/base/text.h"
#include "exporters/threads.h"
#include "profiler/base/arena.h"
#include "profiler/model/tree.h"

/* One line to be. */
struct line {
    uint32_t rank; /* of the thread */
    uint32_t thread;
    uint32_t node;
    uint64_t samples;
};

static int compare_lines(const void *left, const void *right) {
    const struct line *a = left;
    const struct line *b = right;
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    return (a->node > b->node) - (a->node < b->node);
}

static struct line *lines_sorted(const struct trace *trace, const struct tree *tree) {
    uint32_t *ranks = memory_zeroed((size_t)trace->threads.count + 1, sizeof *ranks);
    struct thread_ref *threads;
    size_t thread_count = threads_sorted(trace, &threads);
    for (size_t i = 0; i < thread_count; i++) {
        ranks[threads[i].id] = (uint32_t)i;
    }
    free(threads);
    struct line *lines = memory_zeroed(tree->selves.count, sizeof *lines);
    for (uint32_t i = 0; i < tree->selves.count; i++) {
        const struct tree_self *self = table_row(&tree->selves, i + 1);
        lines[i] = (struct line){.rank = ranks[self->thread],
                                 .thread = self->thread,
                                 .node = self->node,
                                 .samples = self->samples};
    }
    free(ranks);
    qsort(lines, tree->selves.count, sizeof *lines, compare_lines);
    return lines;
}

static void append_frame(struct buffer *out, const struct trace *trace, uint32_t frame_number) {
    const struct trace_frame *frame = trace_frame(trace, (struct frame_id){frame_number});
    const struct trace_function *function = trace_function(trace, frame->function);
    text_append_escaped(out, trace_string(trace, function->name), ";");
    if (function->file.id) {
        buffer_append(out, " (", 2);
        text_append_escaped(out, trace_string(trace, function->file), ";");
        buffer_printf(out, ":%" PRIu32 ")", frame->line);
    }
}

/* What the writing of all lines needs; the buffers are reused from line to line. */
struct writer {
    const struct trace *trace;
    const struct tree *tree;
    uint32_t thread; /* whose names are in `head`, 0 none yet */
    struct buffer raw;
    struct buffer head;
    struct buffer text;
    uint32_t *path; /* nodes, leaf first */
    size_t path_capacity;
};

/* "process NAME (PID);thread NAME (TID)" */
static void set_head(struct writer *writer, struct thread_ref thread) {
    if (writer->thread == thread.id) {
        return;
    }
    writer->thread = thread.id;
    buffer_clear(&writer->head);
    buffer_clear(&writer->raw);
    threads_append_process(&writer->raw, writer->trace, thread);
    text_append_escaped(&writer->head, writer->raw.data, ";");
    buffer_append(&writer->head, ";", 1);
    buffer_clear(&writer->raw);
    threads_append_thread(&writer->raw, writer->trace, thread);
    text_append_escaped(&writer->head, writer->raw.data, ";");
}

static void write_line(struct writer *writer, const struct line *line, FILE *out) {
    size_t depth = 0;
    for (uint32_t node = line->node; node; node = tree_node(writer->tree, node)->parent) {
        writer->path =
            memory_grow(writer->path, sizeof *writer->path, depth + 1, &writer->path_capacity);
        writer->path[depth++] = node;
    }
    set_head(writer, (struct thread_ref){line->thread});
    buffer_clear(&writer->text);
    buffer_append(&writer->text, writer->head.data, writer->head.length);
    while (depth > 0) {
        buffer_append(&writer->text, ";", 1);
        uint32_t node = writer->path[--depth];
        append_frame(&writer->text, writer->trace, tree_node(writer->tree, node)->frame);
    }
    buffer_printf(&writer->text, " %" PRIu64 "\n", line->samples);
    fwrite(writer->text.data, 1, writer->text.length, out);
}

static enum status collapsed_write(const struct trace *trace, FILE *out, struct error *error) {
    (void)error;
    struct tree tree;
    tree_init(&tree, trace, GRAIN_LINE);
    struct line *lines = lines_sorted(trace, &tree);
    struct writer writer = {.trace = trace, .tree = &tree};
    for (uint32_t i = 0; i < tree.selves.count && !ferror(out); i++) {
        write_line(&writer, &lines[i], out);
    }
    free(writer.path);
    buffer_deinit(&writer.text);
    buffer_deinit(&writer.head);
    buffer_deinit(&writer.raw);
    free(lines);
    tree_deinit(&tree);
    return STATUS_OK;
}

static const char *const extensions[] = {".collapsed", ".folded", NULL};

const struct exporter exporter_collapsed = {
    .name = "collapsed",
    .extensions = extensions,
    .help = "one line a stack, for flamegraph.pl and scripts",
    .write = collapsed_write,
};
