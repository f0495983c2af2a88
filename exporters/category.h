/* What kind of code a frame is, and what the thread was at in it: one table for all formats that
 * colour. */
#ifndef PYROMETER_EXPORTERS_CATEGORY_H
#define PYROMETER_EXPORTERS_CATEGORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/model/trace.h"

struct category {
    const char *name;
    /* A colour that both CSS and the Firefox Profiler know by this name. */
    const char *color;
    /* Whether a function is of this kind, by its name and file ("" when there is none); NULL when
     * no function is. Of those that say so the first in the table wins. */
    bool (*fits)(const char *name, const char *file);
    /* Samples whose state has one of these bits (enum sample_state) are of this kind, whatever the
     * function on top of the stack is. Here, too, the first wins. */
    uint32_t states;
};

/* Every category. The first one is for what fits nothing. */
extern const struct category categories[];
extern const size_t category_count;

/* Index of the category of a function. */
size_t category_of_function(const struct trace *trace, struct function_id function);
/* Index of the category of a sample in this state (enum sample_state), whose newest frame is of
 * category `function`. */
size_t category_of_sample(size_t function, uint32_t state);
/* Index of the category of this name, which must be one. */
size_t category_by_name(const char *name);

#endif
