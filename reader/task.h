/* One thread as the kernel sees it: whether it runs or sleeps, on what it sleeps, and how long it
 * has run. Linux: see proc(5) on /proc/PID/task/TID/syscall, stat, wchan and schedstat. The files
 * are kept open: reading one then takes a microsecond or less. */
#ifndef PYROMETER_READER_TASK_H
#define PYROMETER_READER_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { TASK_WAIT_BYTES = 40 };

struct task {
    pid_t pid;
    pid_t tid;       /* both in our pid namespace */
    int state_fd;    /* syscall, or stat where that cannot be read; -1: not open */
    int wait_fd;     /* wchan, with stat only; -1: not open */
    int schedule_fd; /* schedstat; -1: not open */
    bool has_syscall;
    bool is_kept; /* its files stay open between reads */
};

/* What a thread is at. */
struct task_state {
    bool is_asleep; /* it waits in the kernel; else it runs, or waits for a CPU */
    uint64_t futex; /* the word that it waits on, if that is what it waits for, else 0 */
    int syscall;    /* number of the system call that it is asleep in; -1: none, or not known */
    uint64_t first; /* the first argument of that */
    /* Where system calls are not told: the kernel's function that it is asleep in, cut to fit; ""
     * if that is not known either. */
    char wait[TASK_WAIT_BYTES];
};

/* What the scheduler has counted since the thread began. */
struct task_times {
    uint64_t run_ns; /* on a CPU; while it runs this lags behind by up to a tick of the scheduler */
    uint64_t turns;  /* how often it got a CPU: while this stays the same it has not run */
};

/* A thread that was not looked at yet. With `is_kept` its files stay open until task_close. */
struct task task_of(pid_t pid, pid_t tid, bool is_kept);
/* Accepts a zeroed task. */
void task_close(struct task *task);

/* False when the kernel does not say: the thread has ended, or it is not for us to know. */
bool task_read_state(struct task *task, struct task_state *out);
bool task_read_times(struct task *task, struct task_times *out);

#endif
