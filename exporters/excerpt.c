#include "exporters/excerpt.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"

/* More is not read in a tooltip; it also bounds what minified code brings along. */
#define MAX_LINE_BYTES ((size_t)240)

struct place {
    uint32_t file;
    uint32_t line;
};

static int compare_places(const void *left, const void *right) {
    const struct place *a = left;
    const struct place *b = right;
    if (a->file != b->file) {
        return a->file < b->file ? -1 : 1;
    }
    return a->line < b->line ? -1 : a->line > b->line;
}

/* Where the frames are, sorted, those without a line left out. The caller frees *out. */
static size_t find_places(const struct trace *trace, struct place **out) {
    struct place *places = memory_zeroed((size_t)trace->frames.count + 1, sizeof *places);
    size_t count = 0;
    for (uint32_t id = 1; id <= trace->frames.count; id++) {
        const struct trace_frame *frame = trace_frame(trace, (struct frame_id){id});
        if (frame->line) {
            places[count++] = (struct place){
                .file = trace_function(trace, frame->function)->file.id, .line = frame->line};
        }
    }
    qsort(places, count, sizeof *places, compare_places);
    *out = places;
    return count;
}

/* Not in the middle of a character: bytes 10xxxxxx go on with one. */
static size_t shorten(const char *text, size_t bytes) {
    if (bytes <= MAX_LINE_BYTES) {
        return bytes;
    }
    bytes = MAX_LINE_BYTES;
    while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80) {
        bytes--;
    }
    return bytes;
}

static void tell(struct place place, const char *text, size_t bytes, excerpt_visit *visit,
                 void *context) {
    size_t indent = 0;
    while (indent < bytes && (text[indent] == ' ' || text[indent] == '\t')) {
        indent++;
    }
    while (bytes > indent && (text[bytes - 1] == ' ' || text[bytes - 1] == '\r')) {
        bytes--;
    }
    struct excerpt_line line = {.file = {place.file},
                                .line = place.line,
                                .text = text + indent,
                                .bytes = shorten(text + indent, bytes - indent)};
    visit(context, &line);
}

/* The places of one file, `count` of them, in one pass over its text. */
static void visit_file(const struct trace_source *source, const struct place *places, size_t count,
                       excerpt_visit *visit, void *context) {
    const char *at = source->text;
    const char *end = at + source->bytes;
    uint32_t line = 1;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && places[i].line == places[i - 1].line) {
            continue;
        }
        for (const char *next; line < places[i].line && at < end; line++) {
            next = memchr(at, '\n', (size_t)(end - at));
            at = next ? next + 1 : end;
        }
        if (at >= end) {
            return;
        }
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        tell(places[i], at, (size_t)((stop ? stop : end) - at), visit, context);
    }
}

void excerpt_each(const struct trace *trace, excerpt_visit *visit, void *context) {
    if (!trace->sources.count) {
        return;
    }
    struct place *places;
    size_t count = find_places(trace, &places);
    for (size_t from = 0, to; from < count; from = to) {
        to = from + 1;
        while (to < count && places[to].file == places[from].file) {
            to++;
        }
        const struct trace_source *source =
            trace_source(trace, (struct string_id){places[from].file});
        if (source) {
            visit_file(source, places + from, to - from, visit, context);
        }
    }
    free(places);
}
