#include "exporters/merge.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

/* In the serial of a base's thread, so that it is no thread of the other trace. */
#define OF_BASE (UINT64_C(1) << 63)

/* What the ids of one trace are in the other: [id of `from`] = id of `into`. */
struct mapping {
    const struct trace *from;
    struct trace *into;
    uint32_t *strings;
    uint32_t *functions;
    uint32_t *frames;
    uint32_t *stacks;
    uint32_t *threads;
};

static uint32_t *new_ids(uint32_t count) {
    return memory_zeroed((size_t)count + 1, sizeof(uint32_t));
}

static void map_strings(struct mapping *map) {
    map->strings = new_ids(map->from->strings.count);
    for (uint32_t id = 1; id <= map->from->strings.count; id++) {
        size_t bytes;
        const char *text = strings_text(&map->from->strings, id, &bytes);
        map->strings[id] = strings_intern(&map->into->strings, text, bytes);
    }
}

static void map_functions(struct mapping *map) {
    map->functions = new_ids(map->from->functions.count);
    for (uint32_t id = 1; id <= map->from->functions.count; id++) {
        struct trace_function function = *trace_function(map->from, (struct function_id){id});
        function.name.id = map->strings[function.name.id];
        function.file.id = map->strings[function.file.id];
        map->functions[id] = trace_intern_function(map->into, function).id;
    }
}

/* Without bytecode, whose tables are not merged: instructions keep numbers that only tell them
 * apart, so that every frame keeps an id of its own. */
static void map_frames(struct mapping *map) {
    map->frames = new_ids(map->from->frames.count);
    for (uint32_t id = 1; id <= map->from->frames.count; id++) {
        struct trace_frame frame = *trace_frame(map->from, (struct frame_id){id});
        frame.function.id = map->functions[frame.function.id];
        frame.opcode.id = map->strings[frame.opcode.id];
        map->frames[id] = trace_intern_frame(map->into, frame).id;
    }
}

static void map_stacks(struct mapping *map) {
    map->stacks = new_ids(map->from->stacks.count);
    for (uint32_t id = 1; id <= map->from->stacks.count; id++) {
        const struct trace_stack *stack = trace_stack(map->from, (struct stack_id){id});
        struct stack_id parent = {map->stacks[stack->parent.id]};
        struct frame_id frame = {map->frames[stack->frame.id]};
        map->stacks[id] = trace_intern_stack(map->into, parent, frame).id;
    }
}

static void map_threads(struct mapping *map, uint64_t mark) {
    map->threads = new_ids(map->from->threads.count);
    for (uint32_t id = 1; id <= map->from->threads.count; id++) {
        struct trace_thread thread = *trace_thread(map->from, (struct thread_ref){id});
        thread.name.id = map->strings[thread.name.id];
        thread.serial |= mark;
        map->threads[id] = trace_intern_thread(map->into, thread).id;
    }
}

static void map_tallies(struct mapping *map) {
    for (uint32_t i = 1; i <= map->from->tallies.count; i++) {
        struct trace_tally tally = *(const struct trace_tally *)table_row(&map->from->tallies, i);
        tally.thread.id = map->threads[tally.thread.id];
        tally.stack.id = map->stacks[tally.stack.id];
        table_intern(&map->into->tallies, &tally);
    }
}

static void map_sources(struct mapping *map) {
    for (uint32_t i = 1; i <= map->from->sources.count; i++) {
        const struct trace_source *source = table_row(&map->from->sources, i);
        struct string_id file = {map->strings[source->file.id]};
        trace_set_source(map->into, file, source->text, source->bytes);
    }
}

static void add_all(struct trace *into, const struct trace *from, uint64_t mark) {
    struct mapping map = {.from = from, .into = into};
    map_strings(&map);
    map_functions(&map);
    map_frames(&map);
    map_stacks(&map);
    map_threads(&map, mark);
    map_tallies(&map);
    map_sources(&map);
    free(map.strings);
    free(map.functions);
    free(map.frames);
    free(map.stacks);
    free(map.threads);
}

enum status merge_base(struct trace *both, const struct trace *trace, struct error *error) {
    enum status status = trace_init(both, false, error);
    if (status) {
        return status;
    }
    both->run = trace->run;
    both->health = trace->health;
    memcpy(both->state_ns, trace->state_ns, sizeof both->state_ns);
    add_all(both, trace, 0);
    if (trace->base) {
        add_all(both, trace->base, OF_BASE);
    }
    return STATUS_OK;
}
