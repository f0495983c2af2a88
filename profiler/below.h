/* What to say of a process that is no Python: perhaps some below it are. */
#ifndef PYROMETER_PROFILER_BELOW_H
#define PYROMETER_PROFILER_BELOW_H

#include <sys/types.h>

#include "profiler/base/status.h"
#include "reader/symbols.h"

/* ABOVE_PYTHON, with their PIDs in `error`, when there are Pythons below the process; else
 * NOT_PYTHON, and `error` is left as it is. `memo` as in runtime_attach. */
enum status below_explain(pid_t pid, struct symbols_memo *memo, struct error *error) MUST_CHECK;

#endif
