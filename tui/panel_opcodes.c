/* The bytecode of a function, with the time spent on each instruction. */
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "tui/panel.h"

enum { SHARE_AT = 0, OFFSET_AT = 7, LINE_AT = 15, OPCODE_AT = 22, OPCODE_WIDTH = 30 };

/* An instruction of the function. */
struct spot {
    uint32_t id; /* of a trace_instruction */
    const struct trace_instruction *instruction;
};

struct spots {
    struct spot *items;
    size_t count;
    size_t capacity;
    uint64_t *selves_ns; /* by id of a trace_instruction */
    uint64_t whole_ns;
};

static int compare_spots(const void *left, const void *right) {
    const struct trace_instruction *a = ((const struct spot *)left)->instruction;
    const struct trace_instruction *b = ((const struct spot *)right)->instruction;
    return a->code != b->code ? (a->code < b->code ? -1 : 1)
                              : (a->offset > b->offset) - (a->offset < b->offset);
}

static void take_spots(struct spots *spots, const struct trace *trace,
                       struct function_id function) {
    for (uint32_t id = 1; id <= trace->instructions.count; id++) {
        const struct trace_instruction *instruction = table_row(&trace->instructions, id);
        const struct trace_code *code = table_row(&trace->codes, instruction->code);
        if (code->function.id != function.id) {
            continue;
        }
        if (spots->count == spots->capacity) {
            spots->items =
                memory_grow(spots->items, sizeof *spots->items, spots->count + 1, &spots->capacity);
        }
        spots->items[spots->count++] = (struct spot){id, instruction};
    }
    if (spots->count > 1) {
        qsort(spots->items, spots->count, sizeof *spots->items, compare_spots);
    }
}

static void take_times(struct spots *spots, const struct trace *trace) {
    spots->selves_ns =
        memory_zeroed((size_t)trace->instructions.count + 1, sizeof *spots->selves_ns);
    for (uint32_t i = 1; i <= trace->tallies.count; i++) {
        const struct trace_tally *tally = table_row(&trace->tallies, i);
        spots->whole_ns += tally->weight_ns;
        if (tally->stack.id != 0) {
            struct frame_id leaf = trace_stack(trace, tally->stack)->frame;
            uint32_t id = trace_frame(trace, leaf)->instruction;
            spots->selves_ns[id <= trace->instructions.count ? id : 0] += tally->weight_ns;
        }
    }
}

static void draw_share(struct grid *grid, int row, uint64_t part_ns, uint64_t whole_ns) {
    char text[16];
    double share = whole_ns > 0 ? (double)part_ns / (double)whole_ns : 0;
    view_format_share(share, text);
    if (part_ns > 0) {
        grid_printf(grid, row, SHARE_AT,
                    share >= 0.3    ? STYLE_HOT
                    : share >= 0.05 ? STYLE_WARM
                                    : STYLE_PLAIN,
                    "%6s", text);
    }
}

static void draw_spot(const struct view *view, const struct spots *spots, const struct spot *spot,
                      struct grid *grid, int row) {
    const struct trace_instruction *instruction = spot->instruction;
    const char *name = trace_string(view->trace, instruction->opcode);
    bool is_special = instruction->opcode.id != instruction->base.id;
    draw_share(grid, row, spots->selves_ns[spot->id], spots->whole_ns);
    grid_printf(grid, row, OFFSET_AT, STYLE_DIM, "%6u", instruction->offset);
    if (instruction->line > 0) {
        grid_printf(grid, row, LINE_AT, STYLE_PLACE, "%5u", instruction->line);
    }
    int at =
        grid_print(grid, row, OPCODE_AT, grid->columns, is_special ? STYLE_GOOD : STYLE_NAME, name);
    at = at > OPCODE_AT + OPCODE_WIDTH ? at : OPCODE_AT + OPCODE_WIDTH;
    at = grid_printf(grid, row, at + 1, STYLE_PLAIN, "%5u", instruction->argument);
    if (is_special) {
        grid_print(grid, row, at + 2, grid->columns, STYLE_DIM,
                   trace_string(view->trace, instruction->base));
    }
}

static void draw_title(const struct view *view, struct grid *grid) {
    const struct trace_function *function = trace_function(view->trace, view->function);
    struct buffer text = {0};
    buffer_printf(&text, "  SELF  OFFSET   LINE  ");
    buffer_printf(&text, "%s ", trace_string(view->trace, function->name));
    view_append_place(view, view->function, function->first_line, &text);
    grid_fill(grid, 0, 0, grid->columns, STYLE_TITLE);
    grid_print(grid, 0, 0, grid->columns, STYLE_TITLE, text.data);
    buffer_deinit(&text);
}

static void draw_spots(struct view *view, const struct spots *spots, struct grid *grid) {
    struct list *list = view_list(view);
    list_fit(list, (int)spots->count, grid->rows - 1);
    list->first = 1;
    for (int row = 1; row < grid->rows && list->top + row - 1 < list->count; row++) {
        draw_spot(view, spots, &spots->items[list->top + row - 1], grid, row);
        if (list->top + row - 1 == list->cursor) {
            grid_paint(grid, row, 0, grid->columns, STYLE_CURSOR);
        }
    }
    if (spots->count == 0) {
        grid_print(grid, 2, 1, grid->columns, STYLE_DIM,
                   trace_function(view->trace, view->function)->is_native != 0
                       ? "It is machine code."
                       : "Its bytecode is not known yet: it is read when the function runs.");
    }
}

static void draw(struct view *view, struct grid *grid) {
    struct spots spots = {0};
    view->wants_opcodes = true;
    if (view->function.id == 0) {
        list_fit(view_list(view), 0, 1);
        grid_print(grid, 1, 1, grid->columns, STYLE_DIM, "Choose a function first.");
        return;
    }
    take_spots(&spots, view->trace, view->function);
    take_times(&spots, view->trace);
    draw_title(view, grid);
    draw_spots(view, &spots, grid);
    free(spots.items);
    free(spots.selves_ns);
}

const struct panel panel_opcodes = {
    .name = "Opcodes",
    .key = 'o',
    .help = "of the function chosen last, as specialised as they are",
    .draw = draw,
};
