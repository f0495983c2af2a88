/* A part of a profile: a range of time, some processes, some threads, some stacks. */
#ifndef PYROMETER_RECORDING_SELECTION_H
#define PYROMETER_RECORDING_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/model/trace.h"
#include "profiler/recording/reader.h"

struct selection_words {
    const char **items; /* the array is the selection's, the words are borrowed */
    size_t count;
    size_t capacity;
};

struct selection {
    /* From the start, or from the end when negative. */
    int64_t from_ns;
    int64_t to_ns;
    bool has_from;
    bool has_to;
    bool main_only;
    struct selection_words processes; /* process ids or names; none: all */
    struct selection_words threads;   /* thread ids or names; none: all */
    /* POSIX extended regular expressions. A stack is kept when the name or the file of one of its
     * functions matches one of `include` (none: any stack), and none matches one of `exclude`. */
    struct selection_words include;
    struct selection_words exclude;
};

/* Adds a word to one of the four. */
void selection_add(struct selection_words *words, const char *word);
void selection_deinit(struct selection *selection);

/* Whether it leaves anything out. */
bool selection_is_all(const struct selection *selection);
/* USAGE when an expression is none. */
enum status selection_check(const struct selection *selection, struct error *error) MUST_CHECK;

/* Copies the selected part of `all`, which has a timeline, into `out`, which was initialised and is
 * empty. A sample counts when its time lies in the range; the samples of a run have equal
 * distances. The counts of health that are not of samples are those of the range, to the distance
 * of two marks. NO_OUTPUT when a timeline fails. */
enum status selection_apply(const struct selection *selection, const struct trace *all,
                            const struct reading *reading, struct trace *out,
                            struct error *error) MUST_CHECK;

#endif
