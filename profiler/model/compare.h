/* Two profiles of the same program: which functions take more of the time than before, and whether
 * that can be told from how much the profiles vary within themselves.
 *
 * All is normalised by the time a profile lasted: a load of 0.25 is a quarter of the time, 2.0 is
 * two threads all the time. So a profile of a minute compares with one of an hour, and a thread
 * that only waits changes nothing but the functions it waits in.
 *
 * The intervals are from a block bootstrap: each profile is cut into BLOCKS pieces of equal length,
 * which are drawn anew, with replacement, many times over. Samples that follow each other are
 * alike, so samples by themselves would promise far too much. The draws are the same in every run.
 */
#ifndef PYROMETER_MODEL_COMPARE_H
#define PYROMETER_MODEL_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/model/trace.h"

/* A load in both profiles, and the 95 % interval of what it grew by. */
struct change {
    double base;
    double fresh;
    double low;
    double high;
};

/* A function: one name in one file, whatever its line. */
struct comparison {
    struct function_id base;  /* in the base profile; 0: not seen there */
    struct function_id fresh; /* in the new profile; 0: not seen there */
    struct change self;
    struct change total;
};

/* How much a load grew. */
double change_growth(const struct change *change);
/* Whether its interval leaves out "no change". */
bool change_is_distinct(const struct change *change);

/* One row for each function of either profile, by how much their self load changed, those first
 * whose change is distinct. Both must have a timeline. The caller frees *out with free(). Returns
 * how many rows there are, or NO_OUTPUT in `*status_out` when a timeline cannot be read back. */
size_t compare_functions(const struct trace *base, const struct trace *fresh,
                         struct comparison **out, enum status *status_out);

#endif
