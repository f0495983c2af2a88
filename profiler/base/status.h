/* Every way in which Pyrometer can fail, as one list, and the one error type.
 *
 * A fallible function returns `enum status`; STATUS_OK is 0. Cold functions also take a
 * `struct error *` last and fill it where the failure is detected; hot functions return the status
 * alone. Only profiler/main.c turns a status into words and an exit status.
 *
 * To add a status: one row in STATUS_LIST. */
#ifndef PYROMETER_BASE_STATUS_H
#define PYROMETER_BASE_STATUS_H

#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

/* Process exit statuses: the contract with scripts, see docs/pyrometer.1. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_INTERNAL = 1,
    EXIT_USAGE = 2,
    EXIT_NO_PROCESS = 3,
    EXIT_NOT_PERMITTED = 4,
    EXIT_NOT_PYTHON = 5,
    EXIT_NO_SAMPLE = 6,
    EXIT_NO_OUTPUT = 7,
    EXIT_SLOWER = 8,
    EXIT_BAD_RECORDING = 9,
};

/* X(name, exit status, what happened, what to do about it) */
#define STATUS_LIST(X)                                                                             \
    X(OK, EXIT_DONE, "no error", "")                                                               \
    X(INTERNAL, EXIT_INTERNAL, "internal error", "please report this with the whole message")      \
    X(USAGE, EXIT_USAGE, "bad usage", "see 'pyrometer --help'")                                    \
    X(NO_PROCESS, EXIT_NO_PROCESS, "no such process", "check the PID, for example with 'ps'")      \
    X(GONE, EXIT_NO_PROCESS, "the process has ended", "attach sooner, or start it with 'run'")     \
    X(NOT_PERMITTED, EXIT_NOT_PERMITTED, "not permitted to read the process",                      \
      "run as the same user or as root; in a container grant CAP_SYS_PTRACE; if "                  \
      "/proc/sys/kernel/yama/ptrace_scope is 1, start the program with 'pyrometer run' or set it " \
      "to 0")                                                                                      \
    X(TRACED, EXIT_NOT_PERMITTED, "another process traces it already",                             \
      "end the debugger or tracer, or profile without --blocking and --native")                    \
    X(NOT_PYTHON, EXIT_NOT_PYTHON, "not a Python process, or one that cannot be read",             \
      "CPython 3.8 to 3.15 can be read; if this is one, report its version and how it was built")  \
    X(ABOVE_PYTHON, EXIT_NOT_PYTHON, "not a Python process, but there are some below it",          \
      "give one of those PIDs, or -s for all of them")                                             \
    X(NOT_READY, EXIT_NOT_PYTHON, "its Python has not started yet, or is ending",                  \
      "try again in a moment, or start it with 'pyrometer run'")                                   \
    X(NOT_MAPPED, EXIT_NOT_PYTHON, "address not mapped in the process", "")                        \
    X(BAD_LAYOUT, EXIT_NOT_PYTHON, "the interpreter's structures are not what they should be",     \
      "report the Python version and how it was built")                                            \
    X(TORN, EXIT_NO_SAMPLE, "the stack changed while it was read", "")                             \
    X(NOT_HELD, EXIT_NO_SAMPLE, "the process could not be stopped in time",                        \
      "try again when the machine is less busy, or profile without --blocking")                    \
    X(NO_SAMPLE, EXIT_NO_SAMPLE, "not one sample could be taken",                                  \
      "see whether the process runs Python code at all, or sample for longer")                     \
    X(NO_OUTPUT, EXIT_NO_OUTPUT, "an output could not be written",                                 \
      "check the folder, its permissions and the free space")                                      \
    X(BAD_RECORDING, EXIT_BAD_RECORDING, "the recording cannot be read",                           \
      "check that it is the file that 'attach -o x.pyro' wrote, whole and of this version")        \
    X(NO_SELECTED, EXIT_NO_SAMPLE, "the selection holds not one sample",                           \
      "check --from, --to, --process, --thread, --include and --exclude")                          \
    X(SLOWER, EXIT_SLOWER, "slower than the base profile by more than may be", "")                 \
    X(NOT_FOUND, EXIT_INTERNAL, "not found", "")

enum status {
#define STATUS_ENUM(name, exit, sentence, hint) STATUS_##name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
        STATUS_COUNT
};

/* A failure with its address. Plain data: it owns nothing and may be copied. */
struct error {
    enum status status;
    int os_errno;     /* errno at the point of detection, 0 if none */
    uint64_t address; /* address in the target that the failure is about, 0 if none */
    char detail[400]; /* what was tried, UTF-8, always terminated */
};

/* Fills `error` (NULL is allowed) and returns `status`, so that reporting and returning is one
 * line. `format` says what was tried. errno is captured, then left as it was. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with the address in the target that could not be used. */
enum status error_set_at(struct error *error, enum status status, uint64_t address,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Name ("NOT_PERMITTED"), sentence, hint (may be empty) and exit status of a status. */
const char *status_name(enum status status);
const char *status_sentence(enum status status);
const char *status_hint(enum status status);
enum exit_status status_exit(enum status status);

#endif
