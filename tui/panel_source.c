/* The source around a function, with the time spent on each line beside it. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "tui/panel.h"

enum {
    SELF_AT = 0,
    TOTAL_AT = 7,
    BAR_AT = 14,
    BAR_WIDTH = 8,
    LINE_AT = 23,
    LINE_WIDTH = 6,
    TEXT_AT = 30
};
enum { TAB_COLUMNS = 4, TEXT_BYTES_MAX = 1024, LINES_MAX = 1 << 18 };

/* A line of the file: its text, none when the file cannot be read, and its time. */
struct source_line {
    const char *text; /* borrowed, not terminated */
    size_t bytes;
    uint32_t number; /* 1-based */
    uint64_t self_ns;
    uint64_t total_ns;
    uint32_t counted; /* for which tally last: recursion counts once */
};

struct source {
    struct source_line *lines; /* by number, less one */
    uint32_t count;
    bool has_text;
    bool has_time; /* any line */
    uint64_t whole_ns;
    uint64_t most_ns; /* of any line itself */
};

/* ---- what there is to show ---- */

static void take_text(struct source *source, const struct trace_source *from) {
    const char *at = from->text;
    const char *end = from->text + from->bytes;
    while (at < end && source->count < LINES_MAX) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        struct source_line *line = &source->lines[source->count++];
        *line =
            (struct source_line){.text = at, .bytes = (size_t)(stop - at), .number = source->count};
        at = stop + 1;
    }
}

static uint32_t count_lines(const char *text, size_t bytes) {
    uint32_t count = 1;
    for (const char *at = text; (at = memchr(at, '\n', bytes - (size_t)(at - text))) != NULL;
         at++) {
        count++;
    }
    return count < LINES_MAX ? count : LINES_MAX;
}

/* The last line of a file that a frame is in. */
static uint32_t last_line(const struct trace *trace, struct string_id file) {
    uint32_t last = 0;
    for (uint32_t id = 1; id <= trace->frames.count; id++) {
        const struct trace_frame *frame = trace_frame(trace, (struct frame_id){id});
        bool is_here = trace_function(trace, frame->function)->file.id == file.id;
        last = is_here && frame->line > last && frame->line <= LINES_MAX ? frame->line : last;
    }
    return last;
}

static void add_stack(struct source *source, const struct trace *trace, uint32_t tally_id,
                      struct string_id file) {
    const struct trace_tally *tally = table_row(&trace->tallies, tally_id);
    source->whole_ns += tally->weight_ns;
    for (struct stack_id at = tally->stack; at.id != 0; at = trace_stack(trace, at)->parent) {
        const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, at)->frame);
        if (frame->line == 0 || frame->line > source->count ||
            trace_function(trace, frame->function)->file.id != file.id) {
            continue;
        }
        struct source_line *line = &source->lines[frame->line - 1];
        line->self_ns += at.id == tally->stack.id ? tally->weight_ns : 0;
        line->total_ns += line->counted != tally_id ? tally->weight_ns : 0;
        line->counted = tally_id;
        source->has_time = true;
        source->most_ns = line->self_ns > source->most_ns ? line->self_ns : source->most_ns;
    }
}

/* Without text only lines with time are of use. */
static void drop_cold(struct source *source) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < source->count; i++) {
        if (source->lines[i].total_ns > 0) {
            source->lines[kept++] = source->lines[i];
        }
    }
    source->count = kept;
}

static void source_init(struct source *out, const struct trace *trace, struct string_id file) {
    const struct trace_source *text = trace_source(trace, file);
    uint32_t count = text != NULL ? count_lines(text->text, text->bytes) : last_line(trace, file);
    *out = (struct source){.lines = memory_zeroed((size_t)count + 1, sizeof *out->lines),
                           .has_text = text != NULL};
    if (text != NULL) {
        take_text(out, text);
    }
    for (; text == NULL && out->count < count; out->count++) {
        out->lines[out->count].number = out->count + 1;
    }
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        add_stack(out, trace, i, file);
    }
    if (text == NULL) {
        drop_cold(out);
    }
}

/* ---- where to begin ---- */

/* The hottest line of the function, or its first: index into lines. */
static int find_start(const struct source *source, const struct trace *trace,
                      struct function_id function) {
    uint64_t most_ns = 0;
    uint32_t best = trace_function(trace, function)->first_line;
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        for (struct stack_id at = tally->stack; at.id != 0; at = trace_stack(trace, at)->parent) {
            const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, at)->frame);
            bool is_its = frame->function.id == function.id && frame->line > 0;
            if (is_its && tally->weight_ns > most_ns) {
                most_ns = tally->weight_ns;
                best = frame->line;
            }
        }
    }
    for (uint32_t i = 0; i < source->count; i++) {
        if (source->lines[i].number >= best) {
            return (int)i;
        }
    }
    return 0;
}

/* Goes to the function when it is another one than before, or its text or its time has come. */
static void place_cursor(struct view *view, const struct source *source, int page) {
    struct list *list = view_list(view);
    bool is_same = list->chosen >> 2 == view->function.id;
    bool has_time = source->has_time || (is_same && (list->chosen & 1) != 0);
    uint64_t shown = (uint64_t)view->function.id << 2 | (uint64_t)source->has_text << 1 | has_time;
    if (list->chosen != shown) {
        list->chosen = shown;
        list->cursor = find_start(source, view->trace, view->function);
        list->top = list->cursor > page / 2 ? list->cursor - page / 2 : 0;
    }
    list_fit(list, (int)source->count, page);
}

/* ---- drawing ---- */

/* A line as it looks: tabs become spaces, and of a very long one the end is left out. */
static void append_line(const struct source_line *line, struct buffer *out) {
    size_t bytes = line->bytes < TEXT_BYTES_MAX ? line->bytes : TEXT_BYTES_MAX;
    while (bytes < line->bytes && bytes > 0 && ((unsigned char)line->text[bytes] & 0xc0) == 0x80) {
        bytes--;
    }
    for (size_t i = 0; i < bytes; i++) {
        size_t spaces = TAB_COLUMNS - out->length % TAB_COLUMNS;
        if (line->text[i] == '\t') {
            buffer_printf(out, "%*s", (int)spaces, "");
        } else if (line->text[i] != '\r') {
            buffer_append(out, line->text + i, 1);
        }
    }
}

static void draw_share(struct grid *grid, int row, int at, uint64_t part_ns, uint64_t whole_ns) {
    char text[16];
    double share = whole_ns > 0 ? (double)part_ns / (double)whole_ns : 0;
    view_format_share(share, text);
    if (part_ns > 0) {
        grid_printf(grid, row, at,
                    share >= 0.3    ? STYLE_HOT
                    : share >= 0.05 ? STYLE_WARM
                                    : STYLE_PLAIN,
                    "%6s", text);
    }
}

/* How hot a line is, among those of its file. */
static void draw_bar(const struct view *view, struct grid *grid, int row, uint64_t part_ns,
                     uint64_t most_ns) {
    int eighths = most_ns > 0 ? (int)((double)part_ns / (double)most_ns * BAR_WIDTH * 8 + 0.5) : 0;
    for (int i = 0; i < BAR_WIDTH && eighths > 0; i++, eighths -= 8) {
        int level = eighths >= 8 ? GLYPH_LEVELS - 1 : eighths - 1;
        grid_print(grid, row, BAR_AT + i, 1, STYLE_HOT, view->glyphs->widths[level]);
    }
}

static void draw_line(const struct view *view, const struct source *source,
                      const struct source_line *line, struct grid *grid, int row) {
    struct buffer text = {0};
    draw_share(grid, row, SELF_AT, line->self_ns, source->whole_ns);
    draw_share(grid, row, TOTAL_AT, line->total_ns, source->whole_ns);
    draw_bar(view, grid, row, line->self_ns, source->most_ns);
    grid_printf(grid, row, LINE_AT, STYLE_DIM, "%*u", LINE_WIDTH, line->number);
    append_line(line, &text);
    grid_print(grid, row, TEXT_AT, grid->columns - TEXT_AT,
               line->total_ns > 0 ? STYLE_NAME : STYLE_PLAIN, text.data != NULL ? text.data : "");
    buffer_deinit(&text);
}

static void draw_title(const struct view *view, const struct source *source, struct grid *grid) {
    const struct trace_function *function = trace_function(view->trace, view->function);
    struct buffer text = {0};
    buffer_printf(&text, "%s: %s%s", trace_string(view->trace, function->file),
                  trace_string(view->trace, function->name),
                  source->has_text           ? ""
                  : function->is_native != 0 ? " (machine code)"
                                             : " (its source cannot be read)");
    grid_fill(grid, 0, 0, grid->columns, STYLE_TITLE);
    grid_print(grid, 0, 0, grid->columns, STYLE_TITLE, "  SELF  TOTAL            LINE");
    grid_print_shortened(grid, 0, TEXT_AT, grid->columns - TEXT_AT, STYLE_TITLE, text.data);
    buffer_deinit(&text);
}

static void draw(struct view *view, struct grid *grid) {
    struct list *list = view_list(view);
    struct source source;
    view->wants_source = true;
    if (view->function.id == 0) {
        list_fit(list, 0, 1);
        grid_print(grid, 1, 1, grid->columns, STYLE_DIM, "Choose a function first.");
        return;
    }
    source_init(&source, view->trace, trace_function(view->trace, view->function)->file);
    place_cursor(view, &source, grid->rows - 1);
    list->first = 1;
    draw_title(view, &source, grid);
    for (int row = 1; row < grid->rows && list->top + row - 1 < list->count; row++) {
        draw_line(view, &source, &source.lines[list->top + row - 1], grid, row);
        if (list->top + row - 1 == list->cursor) {
            grid_paint(grid, row, LINE_AT, grid->columns - LINE_AT, STYLE_CURSOR);
        }
    }
    free(source.lines);
}

const struct panel panel_source = {
    .name = "Source",
    .key = 'v',
    .help = "of the function chosen last; beside each line its time",
    .draw = draw,
};
