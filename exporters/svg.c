/* A flame graph that stands still: one SVG file for reports and chats that show no HTML. The root
 * is at the bottom, all threads of a process are merged, the heaviest of a frame's callees is the
 * leftmost. Hovering over a box shows its name, place and share (the browser's own tooltip). Boxes
 * too narrow to be seen are left out, and the caption says how many. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporters/by_process.h"
#include "exporters/exporter.h"
#include "profiler/base/arena.h"
#include "profiler/base/text.h"
#include "profiler/model/tree.h"

enum {
    WIDTH = 1200, /* of the drawing in pixels, as all below */
    MARGIN = 10,
    ROW_HEIGHT = 17,
    CAPTION_HEIGHT = 46,
    LETTER_WIDTH = 7, /* of monospaced letters, 12 px high: 7.2 in most fonts */
    SHADES = 8,
};
static const double NARROWEST = 0.1;

static const char style[] =
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#222}"
    ".s{fill:#666}.m{fill:#c9c9c9}.all{fill:#e6dfd0}"
    ".p0{fill:#f6c06b}.p1{fill:#f2b35e}.p2{fill:#f0a558}.p3{fill:#ee9754}"
    ".p4{fill:#f4cb7f}.p5{fill:#eda764}.p6{fill:#f3bd78}.p7{fill:#e99b60}"
    "rect{stroke:#fff;stroke-width:.5}g:hover rect{stroke:#000;stroke-width:1}"
    "@media(prefers-color-scheme:dark){svg{background:#1b1b1b}.c{fill:#ddd}.s{fill:#999}"
    "rect{stroke:#1b1b1b}}";

/* ---- the tree, laid out ---- */

struct box {
    uint64_t samples;
    uint64_t weight_ns;
    uint64_t start_ns; /* where it begins, as time from the left */
    uint64_t used_ns;  /* by the callees that were laid out */
    uint32_t depth;    /* of a root frame: 1 */
};

struct rank {
    uint64_t weight_ns;
    uint32_t node;
};

/* Parents come before their callees: they weigh no less, and their ids are smaller. */
static int compare_ranks(const void *left, const void *right) {
    const struct rank *a = left;
    const struct rank *b = right;
    if (a->weight_ns != b->weight_ns) {
        return a->weight_ns > b->weight_ns ? -1 : 1;
    }
    return (a->node > b->node) - (a->node < b->node);
}

static void boxes_sum(struct box *boxes, const struct tree *tree) {
    for (uint32_t i = 1; i <= tree->selves.count; i++) {
        const struct tree_self *self = table_row(&tree->selves, i);
        boxes[self->node].samples += self->samples;
        boxes[self->node].weight_ns += self->weight_ns;
    }
    for (uint32_t id = tree->nodes.count; id >= 1; id--) {
        struct box *parent = &boxes[tree_node(tree, id)->parent];
        parent->samples += boxes[id].samples;
        parent->weight_ns += boxes[id].weight_ns;
    }
}

static void boxes_place(struct box *boxes, const struct tree *tree) {
    uint32_t count = tree->nodes.count;
    struct rank *ranks = memory_zeroed(count, sizeof *ranks);
    for (uint32_t id = 1; id <= count; id++) {
        ranks[id - 1] = (struct rank){boxes[id].weight_ns, id};
    }
    qsort(ranks, count, sizeof *ranks, compare_ranks);
    for (uint32_t i = 0; i < count; i++) {
        struct box *box = &boxes[ranks[i].node];
        struct box *parent = &boxes[tree_node(tree, ranks[i].node)->parent];
        box->start_ns = parent->start_ns + parent->used_ns;
        box->depth = parent->depth + 1;
        parent->used_ns += box->weight_ns;
    }
    free(ranks);
}

/* By node id; 0 is the root that stands for everything. The caller frees it with free(). */
static struct box *boxes_create(const struct tree *tree) {
    struct box *boxes = memory_zeroed((size_t)tree->nodes.count + 1, sizeof *boxes);
    boxes_sum(boxes, tree);
    boxes_place(boxes, tree);
    return boxes;
}

/* ---- the drawing ---- */

struct drawing {
    const struct trace *trace;
    const struct box *boxes;
    FILE *out;
    uint32_t height;
};

static double width_of(const struct drawing *drawing, uint64_t time_ns) {
    uint64_t all_ns = drawing->boxes[0].weight_ns;
    return all_ns ? (double)(WIDTH - 2 * MARGIN) * (double)time_ns / (double)all_ns : 0;
}

/* Text of one line that is safe between tags. */
static void write_text(FILE *out, const char *text) {
    struct buffer escaped = {0};
    text_append_escaped(&escaped, text, "");
    for (size_t i = 0; i < escaped.length; i++) {
        switch (escaped.data[i]) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        default: fputc(escaped.data[i], out);
        }
    }
    buffer_deinit(&escaped);
}

static void append_place(struct buffer *out, const struct trace *trace,
                         const struct trace_function *function) {
    if (function->file.id && function->first_line) {
        buffer_printf(out, " (%s:%" PRIu32 ")", trace_string(trace, function->file),
                      function->first_line);
    } else if (function->file.id) {
        buffer_printf(out, " (%s)", trace_string(trace, function->file));
    }
}

static void append_share(struct buffer *out, const struct drawing *drawing, const struct box *box) {
    uint64_t all_ns = drawing->boxes[0].weight_ns;
    buffer_printf(out, ": ");
    text_append_time(out, box->weight_ns);
    buffer_printf(out, ", ");
    text_append_count(out, box->samples);
    buffer_printf(out, " samples, %.2f %%",
                  all_ns ? 100.0 * (double)box->weight_ns / (double)all_ns : 0.0);
}

static void write_box(const struct drawing *drawing, const struct box *box, const char *name,
                      const char *tooltip, const char *class) {
    double x = MARGIN + width_of(drawing, box->start_ns);
    double width = width_of(drawing, box->weight_ns);
    uint32_t y = drawing->height - MARGIN - (box->depth + 1) * ROW_HEIGHT;
    size_t letters = width > MARGIN ? (size_t)((width - 4) / LETTER_WIDTH) : 0;
    fputs("<g><title>", drawing->out);
    write_text(drawing->out, tooltip);
    fprintf(drawing->out,
            "</title><rect x=\"%.2f\" y=\"%" PRIu32
            "\" width=\"%.2f\" height=\"%d\" class=\"%s\"/>",
            x, y, width, ROW_HEIGHT - 1, class);
    if (letters >= 5) { /* the least that text_append_shortened takes */
        struct buffer shown = {0};
        struct buffer escaped = {0};
        text_append_escaped(&escaped, name, "");
        text_append_shortened(&shown, escaped.length ? escaped.data : "?", letters);
        fprintf(drawing->out, "<text x=\"%.2f\" y=\"%" PRIu32 "\">", x + 3, y + ROW_HEIGHT - 5);
        write_text(drawing->out, shown.data);
        fputs("</text>", drawing->out);
        buffer_deinit(&escaped);
        buffer_deinit(&shown);
    }
    fputs("</g>\n", drawing->out);
}

static void write_node(const struct drawing *drawing, const struct tree *tree, uint32_t id) {
    const struct trace *trace = drawing->trace;
    const struct trace_frame *frame =
        trace_frame(trace, (struct frame_id){tree_node(tree, id)->frame});
    const struct trace_function *function = trace_function(trace, frame->function);
    const char *name = trace_string(trace, function->name);
    struct buffer tooltip = {0};
    buffer_printf(&tooltip, "%s", *name ? name : "?");
    append_place(&tooltip, trace, function);
    append_share(&tooltip, drawing, &drawing->boxes[id]);
    char class[] = "p0";
    class[1] = (char)('0' + hash_bytes(name, strlen(name)) % SHADES);
    write_box(drawing, &drawing->boxes[id], name, tooltip.data,
              frame->kind == FRAME_PYTHON || frame->kind == FRAME_NATIVE ? class : "m");
    buffer_deinit(&tooltip);
}

static void write_root(const struct drawing *drawing) {
    struct buffer tooltip = {0};
    buffer_printf(&tooltip, "all");
    append_share(&tooltip, drawing, &drawing->boxes[0]);
    write_box(drawing, &drawing->boxes[0], "all", tooltip.data, "all");
    buffer_deinit(&tooltip);
}

static void write_caption(const struct drawing *drawing, uint32_t hidden) {
    const struct trace *trace = drawing->trace;
    struct buffer line = {0};
    const char *name = trace_string(trace, trace->run.process_name);
    buffer_printf(&line, "%s (%" PRIu32 "): %s", *name ? name : "?", trace->run.pid,
                  trace_string(trace, trace->run.command));
    fprintf(drawing->out, "<text x=\"%d\" y=\"18\" class=\"c\">", MARGIN);
    struct buffer shown = {0};
    text_append_shortened(&shown, line.data, (WIDTH - 2 * MARGIN) / LETTER_WIDTH);
    write_text(drawing->out, shown.data);
    buffer_clear(&line);
    const struct health *health = &trace->health;
    text_append_count(&line, drawing->boxes[0].samples);
    buffer_printf(&line, " samples in ");
    text_append_time(&line, health->duration_ns);
    buffer_printf(&line, ", %s time; %" PRIu64 " lost, %" PRIu64 " unverified",
                  trace_string(trace, trace->run.mode), health->lost, health->unverified);
    if (hidden) {
        buffer_printf(&line, "; %" PRIu32 " boxes too narrow to be shown", hidden);
    }
    fprintf(drawing->out, "</text><text x=\"%d\" y=\"36\" class=\"s\">", MARGIN);
    write_text(drawing->out, line.data);
    fputs("</text>\n", drawing->out);
    buffer_deinit(&shown);
    buffer_deinit(&line);
}

static enum status write_picture(const struct trace *trace, FILE *out, struct error *error) {
    (void)error;
    struct tree tree;
    tree_init(&tree, trace, GRAIN_FUNCTION);
    struct box *boxes = boxes_create(&tree);
    struct drawing drawing = {.trace = trace, .boxes = boxes, .out = out};
    uint32_t depth_max = 0;
    uint32_t hidden = 0;
    for (uint32_t id = 1; id <= tree.nodes.count; id++) {
        bool is_shown = width_of(&drawing, boxes[id].weight_ns) >= NARROWEST;
        depth_max = is_shown && boxes[id].depth > depth_max ? boxes[id].depth : depth_max;
        hidden += !is_shown;
    }
    drawing.height = CAPTION_HEIGHT + (depth_max + 1) * ROW_HEIGHT + MARGIN;
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%" PRIu32
            "\" viewBox=\"0 0 %d %" PRIu32 "\">\n<style>%s</style>\n",
            WIDTH, drawing.height, WIDTH, drawing.height, style);
    write_caption(&drawing, hidden);
    write_root(&drawing);
    for (uint32_t id = 1; id <= tree.nodes.count && !ferror(out); id++) {
        if (width_of(&drawing, boxes[id].weight_ns) >= NARROWEST) {
            write_node(&drawing, &tree, id);
        }
    }
    fputs("</svg>\n", out);
    free(boxes);
    tree_deinit(&tree);
    return STATUS_OK;
}

static enum status svg_write(const struct trace *trace, FILE *out, struct error *error) {
    return by_process(trace, write_picture, out, error);
}

static const char *const extensions[] = {".svg", NULL};

const struct exporter exporter_svg = {
    .name = "svg",
    .extensions = extensions,
    .help = "flame graph as a picture",
    .write = svg_write,
};
