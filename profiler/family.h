/* The processes of a run: the one that was asked for and, when they are followed, those below it.
 *
 * With `follows` of the plan every Python among them is a target. With `keep_waiting` and without
 * that, the first that is found is one, and when it has ended the next: so a command that starts a
 * Python (a shell script, uv, sudo) leads to it. Else only the process itself can be one. Who runs
 * no Python is watched, in case it executes one. */
#ifndef PYROMETER_PROFILER_FAMILY_H
#define PYROMETER_PROFILER_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/status.h"
#include "profiler/target.h"
#include "reader/births.h"
#include "reader/process.h"

struct relative;

struct family {
    struct run *run; /* borrowed */
    struct births births;
    struct relative **items;
    size_t count;
    size_t capacity;
    size_t attached_count;
    bool is_complete; /* all that there were have been met, and births tells of new ones */
    uint64_t meet_ns; /* not before then */
    const struct process *root; /* borrowed */
    uint64_t alone_ns;          /* since when nobody is attached */
    struct error error;         /* what came of the attempts to attach, at its most telling */
};

/* Knows the root alone, and is attached to nobody. */
void family_open(struct family *out, struct run *run, const struct process *root);
/* Detaches. */
void family_close(struct family *family);

/* Waits until somebody is attached: while the process that was asked for has a Python that is not
 * ready, or, with `keep_waiting` of the plan, as long as it lives. Statuses as of session_open, and
 * ABOVE_PYTHON when it is no Python but some below it are. */
enum status family_wait(struct family *family, struct error *error) MUST_CHECK;

/* Finds who is new and attaches to those who have become a Python, if that is due: finding out
 * takes a tenth of the time at most. */
void family_meet(struct family *family, uint64_t now_ns);
/* Whether there is anybody to be found. */
bool family_is_seeking(const struct family *family);

/* Rehearses with everybody who is attached. */
void family_rehearse(struct family *family);

/* Looks at everybody who is attached, in turn. Who has ended or runs no Python any more is no
 * failure. */
enum status family_look(struct family *family, uint64_t now_ns) MUST_CHECK;
/* What need not happen in every look. */
void family_keep_house(struct family *family, uint64_t now_ns);
/* Whether there is nothing more to come: a command has ended; all processes that were followed
 * have; the process that was asked for has, or it has not run a Python for a while. */
bool family_is_over(const struct family *family, uint64_t now_ns);

/* Once more, all names of those who still live. */
void family_read_names(struct family *family, uint64_t now_ns);
/* Enters into the trace how long tasks have waited where; nothing unless the plan shows them. */
void family_tell_waits(const struct family *family);
/* What reading has cost until now. */
void family_count_reads(const struct family *family, uint64_t *calls_out, uint64_t *bytes_out);

#endif
