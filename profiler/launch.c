#define _GNU_SOURCE
#include "profiler/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/signals.h"

enum { EXIT_BY_SIGNAL = 128 };

/* Yama's ptrace_scope 1 lets a parent read its children, so the child need not do anything. */
static void execute(char *const *command, int report_fd) {
    signals_reset();
    execvp(command[0], command);
    int code = errno;
    ssize_t ignored = write(report_fd, &code, sizeof code);
    (void)ignored;
    _exit(127);
}

/* The pipe closes by itself when the command is executed; otherwise errno comes through it. */
enum status launch_start(char *const *command, pid_t *pid_out, struct error *error) {
    int ends[2];
    int code = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(error, STATUS_INTERNAL, "making a pipe");
    }
    pid_t pid = fork();
    if (pid < 0) {
        code = errno;
    } else if (pid == 0) {
        execute(command, ends[1]);
    }
    close(ends[1]);
    ssize_t got;
    do {
        got = pid > 0 ? read(ends[0], &code, sizeof code) : 0;
    } while (got < 0 && errno == EINTR);
    close(ends[0]);
    if (pid > 0 && got == (ssize_t)sizeof code) {
        waitpid(pid, NULL, 0);
    }
    if (code != 0) {
        errno = code;
        return error_set(error, pid < 0 ? STATUS_INTERNAL : STATUS_USAGE, "starting %s",
                         command[0]);
    }
    *pid_out = pid;
    return STATUS_OK;
}

int launch_wait(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return 0;
        }
    }
    return WIFSIGNALED(status) ? EXIT_BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
