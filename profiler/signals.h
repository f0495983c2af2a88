/* What the user asks for while we run, by signals: finish (SIGINT, SIGTERM, SIGHUP), write now and
 * go on (SIGUSR1). A second SIGINT aborts at once, without leaving a half-written file behind. */
#ifndef PYROMETER_PROFILER_SIGNALS_H
#define PYROMETER_PROFILER_SIGNALS_H

#include <stdbool.h>

/* Installs the handlers. Call once, before anything is started. */
void signals_install(void);
/* In a child, before exec: back to what a program expects. */
void signals_reset(void);

bool signals_want_stop(void);
/* Whether SIGUSR1 came since the last call. */
bool signals_take_write(void);

/* A file to remove if the user aborts; NULL for none. The text is borrowed and must stay until the
 * next call. */
void signals_guard_file(const char *path);
/* What else to do if the user aborts, in the signal's handler; NULL for nothing. */
void signals_at_abort(void (*act)(void));

#endif
