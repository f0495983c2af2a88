/* Which samples count. Each weighs the time that it stands for, so the time of a mode is that
 * during which threads were in its states: "wall" is all time, "cpu" CPU time. Every sample is
 * recorded with its state, whatever the mode, so that another one can be chosen afterwards.
 *
 * To add a mode: a row in mode.c. --mode and its help follow from it. */
#ifndef PYROMETER_MODEL_MODE_H
#define PYROMETER_MODEL_MODE_H

#include <stdbool.h>
#include <stdint.h>

struct mode {
    const char *name; /* for --mode, and what the outputs call the time that is counted */
    const char *help;
    uint32_t states; /* enum sample_state: one of these the thread was in; 0: any, or none */
};

/* Every mode, the default one first; ends with a row whose name is NULL. */
extern const struct mode modes[];

/* By name; NULL if there is none. */
const struct mode *mode_by_name(const char *name);

/* Whether a sample in this state counts. */
bool mode_keeps(const struct mode *mode, uint32_t state);

#endif
