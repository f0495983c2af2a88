#include "target-runtime/greenlets.h"

#include "target-runtime/frame.h"
#include "target-runtime/objects.h"

enum {
    IMPLEMENTATION_WORDS = 20, /* at its start that are looked at: none of another block */
    FRAMES_LIMIT = 1 << 16,
    FRAME_BYTES = 256,
};

void greenlets_init(struct greenlets *greenlets, const struct runtime *runtime,
                    const struct process *process) {
    *greenlets = (struct greenlets){0};
    greenlets->search.process = process;
    greenlets->search.memory = runtime->memory;
    /* greenlet.h: the head, weakreflist, dict, pimpl. */
    greenlets->search.implementation_at = LAYOUT_AT(runtime->layout, object, type) + 8 + 16;
}

void greenlets_deinit(struct greenlets *greenlets) {
    greenlet_search_deinit(&greenlets->search);
    types_deinit(&greenlets->types);
}

/* ---- the newest frame ---- */

static enum status read_word(const struct runtime *runtime, uint64_t at, uint64_t *out) {
    struct remote word = {0};
    enum status status = memory_read_remote(runtime->memory, (struct remote){at}, &word);
    *out = word.addr;
    return status;
}

static uint64_t type_of(const struct runtime *runtime, uint64_t object) {
    uint64_t type;
    uint64_t at = object + LAYOUT_AT(runtime->layout, object, type);
    bool is_object = object != 0 && object % 8 == 0 && object >> 47 == 0;
    return is_object && read_word(runtime, at, &type) == STATUS_OK ? type : 0;
}

/* Learns where the newest frame is from the first greenlet that has one. */
static enum status learn_place(struct greenlets *greenlets, const struct runtime *around,
                               const uint64_t *words) {
    enum status status = STATUS_OK;
    for (uint32_t i = 1; i < IMPLEMENTATION_WORDS && greenlets->newest_at == 0; i++) {
        bool is_frame = false;
        uint64_t type = type_of(around, words[i]);
        if (type != 0) {
            status = type_is_named(around, (struct remote){type}, "frame", &is_frame);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (is_frame) {
            greenlets->newest_at = i * 8;
            greenlets->frame_type = type;
        }
    }
    return STATUS_OK;
}

/* Address of its newest frame's object; 0 if it has none now. */
static enum status read_newest(const struct greenlets *greenlets, const struct runtime *runtime,
                               uint64_t implementation, uint64_t *out) {
    *out = 0;
    if (greenlets->newest_at == 0) {
        return STATUS_OK;
    }
    enum status status = read_word(runtime, implementation + greenlets->newest_at, out);
    bool is_right = *out == 0 || type_of(runtime, *out) == greenlets->frame_type;
    return status != STATUS_OK || is_right ? status : STATUS_TORN;
}

/* ---- the chain ---- */

/* The fields of a frame that frame_decode() wants. */
static struct stretch frame_stretch(const struct layout *layout) {
    return layout->frame_chain == FRAME_CHAIN_OBJECTS
               ? STRETCH_OF(layout, LAYOUT_frame_object_back, LAYOUT_frame_object_code,
                            LAYOUT_frame_object_globals, LAYOUT_frame_object_lasti,
                            LAYOUT_frame_object_generator, LAYOUT_frame_object_executing)
               : STRETCH_OF(layout, LAYOUT_frame_previous, LAYOUT_frame_executable,
                            LAYOUT_frame_instr_ptr, LAYOUT_frame_globals, LAYOUT_frame_is_entry,
                            LAYOUT_frame_frame_obj, LAYOUT_frame_function, LAYOUT_frame_owner,
                            LAYOUT_frame_tlbc_index);
}

/* From 3.11 on a frame object points to the frame (pycore_frame.h, struct _frame: the head, f_back,
 * f_frame); before it is the frame. */
static enum status find_frame(const struct runtime *runtime, uint64_t object, uint64_t *out) {
    const struct layout *layout = runtime->layout;
    *out = object;
    return layout->frame_chain == FRAME_CHAIN_OBJECTS
               ? STATUS_OK
               : read_word(runtime, object + LAYOUT_AT(layout, object, type) + 8 + 8, out);
}

static void put_oldest_first(struct raw_frame *frames, size_t count) {
    for (size_t i = 0; i < count / 2; i++) {
        struct raw_frame frame = frames[i];
        frames[i] = frames[count - 1 - i];
        frames[count - 1 - i] = frame;
    }
}

/* Appends the frames to the look, the oldest first. */
static enum status follow_frames(const struct runtime *runtime, uint64_t at, struct task_look *look,
                                 struct raw_task *task) {
    const struct layout *layout = runtime->layout;
    struct stretch fields = frame_stretch(layout);
    uint8_t bytes[FRAME_BYTES];
    struct view view = {bytes, fields.at};
    enum status status = fields.bytes <= sizeof bytes ? STATUS_OK : STATUS_BAD_LAYOUT;
    task->first_frame = look->frame_count;
    for (size_t i = 0; at != 0 && status == STATUS_OK; i++) {
        bool ignored;
        status = i == FRAMES_LIMIT
                     ? STATUS_TORN
                     : memory_read_one(runtime->memory, (struct remote){at + fields.at}, bytes,
                                       fields.bytes);
        if (status == STATUS_OK) {
            uint64_t previous;
            struct raw_frame frame = frame_decode(layout, &view, &previous);
            frame.at = at;
            frame.is_left = false;
            if (frame_class_of(layout, &view, &ignored) == CLASS_PYTHON) {
                task_look_push_frame(look, &frame);
            }
            at = previous;
        }
    }
    task->frame_count = look->frame_count - task->first_frame;
    put_oldest_first(look->frames + task->first_frame, task->frame_count);
    return status;
}

/* ---- one greenlet ---- */

static void put_name(struct greenlets *greenlets, const struct runtime *around, uint64_t at,
                     struct task_look *look, struct raw_task *task) {
    const struct type *type =
        types_find(&greenlets->types, around, (struct remote){type_of(around, at)});
    task->name_at = look->texts.length;
    if (type != NULL) {
        buffer_append(&look->texts, type->name.data, type->name.length);
    }
    task->name_length = look->texts.length - task->name_at;
}

enum status greenlets_read(struct greenlets *greenlets, const struct runtime *runtime,
                           struct memory *beside, struct task_look *look, struct raw_task *task) {
    struct runtime around = *runtime;
    uint64_t words[IMPLEMENTATION_WORDS];
    uint64_t implementation;
    uint64_t newest = 0;
    uint64_t frame = 0;
    around.memory = beside;
    enum status status =
        read_word(runtime, task->at + greenlets->search.implementation_at, &implementation);
    if (status == STATUS_OK) {
        status =
            memory_read_one(around.memory, (struct remote){implementation}, words, sizeof words);
    }
    if (status == STATUS_OK) {
        status = learn_place(greenlets, &around, words);
    }
    if (status == STATUS_OK) {
        status = read_newest(greenlets, runtime, implementation, &newest);
    }
    task->is_greenlet = true;
    task->is_running = newest == 0;
    task->awaited = newest;
    task->loop_ident = status == STATUS_OK
                           ? greenlet_search_thread(&greenlets->search, words, IMPLEMENTATION_WORDS)
                           : 0;
    if (status != STATUS_OK || newest == 0) {
        return status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
    }
    put_name(greenlets, &around, task->at, look, task);
    status = find_frame(runtime, newest, &frame);
    if (status == STATUS_OK) {
        status = follow_frames(runtime, frame, look, task);
    }
    return status == STATUS_NOT_MAPPED ? STATUS_TORN : status;
}
