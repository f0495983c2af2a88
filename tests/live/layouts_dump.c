/* layouts_dump LABEL           what our layout of that version says
 * layouts_dump LABEL filled    the same after layout_fill with the bytes on standard input
 *
 * Prints the lines of probe.c: "place structure.field offset", "published structure.field offset",
 * "choice name value". */
#include <stdio.h>
#include <string.h>

#include "target-runtime/layout.h"

static const struct layout *layout_labelled(const char *label) {
    for (size_t i = 0; layouts[i] != NULL; i++) {
        if (strcmp(layouts[i]->label, label) == 0) {
            return layouts[i];
        }
    }
    return NULL;
}

static void print_fields(const struct layout *layout) {
    for (uint32_t i = 0; i < LAYOUT_FIELD_COUNT; i++) {
        const char *name = layout_field_name((enum layout_field)i);
        if (layout->place[i] != 0) {
            printf("place %s %u\n", name, layout->place[i] - 1);
        }
        if (layout->published[i] != 0) {
            printf("published %s %u\n", name, layout->published[i]);
        }
    }
}

static void print_choice(bool is_told, const char *name, unsigned value) {
    if (is_told) {
        printf("choice %s %u\n", name, value);
    }
}

static void print_choices(const struct layout *layout) {
    bool is_publisher = layout->source == LAYOUT_FROM_TARGET;
    print_choice(true, "minor", layout->minor);
    print_choice(true, "kind_shift", layout->string_state == STRING_STATE_BYTE ? 8 : 2);
    print_choice(layout->entry_frames == ENTRY_FRAMES_OWNER, "owner_entry", layout->owner_entry);
    print_choice(layout->integer_shape == INTEGER_TAG, "integer_tag_bits", 3);
    print_choice(is_publisher, "tagged_code", layout->code_reference == CODE_REFERENCE_TAGGED);
    print_choice(is_publisher, "debug_offsets", 0);
    print_choice(true, "published_bytes", layout->published_bytes);
}

static bool fill(const struct layout *base, struct layout *filled) {
    uint8_t bytes[4096];
    struct error error = {0};
    size_t count = fread(bytes, 1, sizeof bytes, stdin);
    if (count != base->published_bytes) {
        fprintf(stderr, "%zu bytes of %u\n", count, base->published_bytes);
        return false;
    }
    if (layout_fill(base, bytes, filled, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.detail);
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    const struct layout *layout = argc > 1 ? layout_labelled(argv[1]) : NULL;
    struct layout filled;
    if (layout == NULL) {
        fprintf(stderr, "no such layout\n");
        return 2;
    }
    if (argc > 2) {
        if (!fill(layout, &filled)) {
            return 1;
        }
        layout = &filled;
    }
    print_fields(layout);
    print_choices(layout);
    return 0;
}
