#include "reader/memory_tape.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

enum {
    NOTE_LIMIT = 4096,
    NOTE_BYTES = (1 << 16) - 1,
};

#define NOTE_END (UINT64_C(1) << 48)

struct tape {
    struct memory *under;
    struct memory_note *notes;
    size_t count;
    size_t capacity;
    bool is_whole;
};

static void note(struct tape *tape, const struct range *range) {
    bool fits = range->status == STATUS_OK && range->bytes <= NOTE_BYTES &&
                range->from.addr < NOTE_END && tape->count < NOTE_LIMIT;
    tape->is_whole = tape->is_whole && fits;
    if (!fits) {
        return;
    }
    if (tape->count == tape->capacity) {
        tape->notes =
            memory_grow(tape->notes, sizeof *tape->notes, tape->count + 1, &tape->capacity);
    }
    tape->notes[tape->count].from = range->from.addr & (NOTE_END - 1);
    tape->notes[tape->count++].bytes = range->bytes & NOTE_BYTES;
}

static enum status read_tape(struct memory *memory, struct range *ranges, size_t count) {
    struct tape *tape = memory->state;
    enum status status = memory_read(tape->under, ranges, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        note(tape, &ranges[i]);
    }
    return status;
}

static void close_tape(struct memory *memory) {
    struct tape *tape = memory->state;
    free(tape->notes);
    free(tape);
}

static const struct memory_ops tape_ops = {"tape", read_tape, close_tape};

void memory_open_tape(struct memory *out, struct memory *under) {
    struct tape *tape = memory_zeroed(1, sizeof *tape);
    tape->under = under;
    *out = (struct memory){.ops = &tape_ops, .state = tape};
}

void memory_tape_begin(struct memory *memory) {
    struct tape *tape = memory->state;
    tape->count = 0;
    tape->is_whole = true;
}

static int compare_notes(const void *a, const void *b) {
    const struct memory_note *one = a;
    const struct memory_note *other = b;
    return one->from < other->from ? -1 : one->from > other->from;
}

/* Makes one of notes that overlap or touch, as long as one can tell of both. */
static size_t merge_notes(struct memory_note *notes, size_t count) {
    size_t kept = 0;
    qsort(notes, count, sizeof *notes, compare_notes);
    for (size_t i = 0; i < count; i++) {
        struct memory_note *last = kept > 0 ? &notes[kept - 1] : NULL;
        uint64_t end = (uint64_t)notes[i].from + notes[i].bytes;
        if (last != NULL && notes[i].from <= (uint64_t)last->from + last->bytes &&
            end - last->from <= NOTE_BYTES) {
            uint64_t bytes = end - last->from;
            last->bytes = bytes > last->bytes ? bytes & NOTE_BYTES : last->bytes;
        } else {
            notes[kept++] = notes[i];
        }
    }
    return kept;
}

bool memory_tape_notes(struct memory *memory, const struct memory_note **out, size_t *count_out) {
    struct tape *tape = memory->state;
    if (tape->count > 1) {
        tape->count = merge_notes(tape->notes, tape->count);
    }
    *out = tape->notes;
    *count_out = tape->count;
    return tape->is_whole;
}

struct range memory_note_range(struct memory_note note, void *to) {
    return (struct range){{note.from}, to, (uint32_t)note.bytes, STATUS_NOT_MAPPED};
}

bool memory_notes_digest(const struct range *ranges, size_t count, uint64_t *out) {
    uint64_t digest = count;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = ranges[i].to;
        if (ranges[i].status != STATUS_OK) {
            return false;
        }
        for (uint32_t at = 0; at < ranges[i].bytes; at += 8) {
            uint64_t word = 0;
            uint32_t left = ranges[i].bytes - at;
            memcpy(&word, bytes + at, left < 8 ? left : 8);
            digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
            digest ^= digest >> 29;
        }
    }
    *out = digest;
    return true;
}
