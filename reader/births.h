/* Which processes were started since one last asked.
 *
 * The kernel gives out ids in ascending order and tells the newest one (the last number of
 * /proc/loadavg, proc(5)), which takes a microsecond to read. So whoever asks often has to look at
 * no process but the new ones, whatever else there is on the machine. */
#ifndef PYROMETER_READER_BIRTHS_H
#define PYROMETER_READER_BIRTHS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { BIRTHS_PENDING = 64 };

/* An id that was given out, but nobody has it yet: or nobody has it any more. */
struct birth {
    pid_t pid;
    int tries_left;
};

struct births {
    int fd; /* -1: it cannot be had */
    pid_t last;
    struct birth pending[BIRTHS_PENDING];
    size_t pending_count;
};

/* From now on. */
void births_open(struct births *out);
void births_close(struct births *births);

/* Told of each new process with its parent. */
typedef void births_meet(void *context, pid_t pid, pid_t parent);

/* Meets the processes of our pid namespace that were started since the last call and still run; a
 * child may come before its parent. False when there were too many, or ids have begun anew: then
 * the caller has to look for itself. */
bool births_next(struct births *births, births_meet *meet, void *context);

/* The last number of a text like that of /proc/loadavg; 0 when there is none. Pure. */
pid_t births_parse(const char *text);

#endif
