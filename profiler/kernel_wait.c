#include "profiler/kernel_wait.h"

#include <stddef.h>
#include <sys/syscall.h>

#include "profiler/model/sample.h"

static const struct {
    int number;
    uint32_t state;
} calls[] = {
    {SYS_nanosleep, STATE_SLEEPS},
    {SYS_clock_nanosleep, STATE_SLEEPS},
    {SYS_pause, STATE_SLEEPS},
    {SYS_rt_sigsuspend, STATE_SLEEPS},
    {SYS_rt_sigtimedwait, STATE_SLEEPS},
    {SYS_futex, STATE_LOCKED},
    {SYS_futex_waitv, STATE_LOCKED},
    {SYS_flock, STATE_LOCKED},
    {SYS_fcntl, STATE_LOCKED},
    {SYS_semop, STATE_LOCKED},
    {SYS_semtimedop, STATE_LOCKED},
    {SYS_poll, STATE_POLLS},
    {SYS_ppoll, STATE_POLLS},
    {SYS_select, STATE_POLLS},
    {SYS_pselect6, STATE_POLLS},
    {SYS_epoll_wait, STATE_POLLS},
    {SYS_epoll_pwait, STATE_POLLS},
    {SYS_epoll_pwait2, STATE_POLLS},
    {SYS_io_uring_enter, STATE_POLLS},
    {SYS_accept, STATE_NETWORK},
    {SYS_accept4, STATE_NETWORK},
    {SYS_connect, STATE_NETWORK},
    {SYS_recvfrom, STATE_NETWORK},
    {SYS_recvmsg, STATE_NETWORK},
    {SYS_recvmmsg, STATE_NETWORK},
    {SYS_sendto, STATE_NETWORK},
    {SYS_sendmsg, STATE_NETWORK},
    {SYS_sendmmsg, STATE_NETWORK},
    {SYS_read, STATE_FILE},
    {SYS_pread64, STATE_FILE},
    {SYS_readv, STATE_FILE},
    {SYS_preadv, STATE_FILE},
    {SYS_preadv2, STATE_FILE},
    {SYS_write, STATE_FILE},
    {SYS_pwrite64, STATE_FILE},
    {SYS_writev, STATE_FILE},
    {SYS_pwritev, STATE_FILE},
    {SYS_pwritev2, STATE_FILE},
    {SYS_sendfile, STATE_FILE},
    {SYS_splice, STATE_FILE},
    {SYS_copy_file_range, STATE_FILE},
    {SYS_fsync, STATE_FILE},
    {SYS_fdatasync, STATE_FILE},
    {SYS_msync, STATE_FILE},
    {SYS_open, STATE_FILE},
    {SYS_openat, STATE_FILE},
    {SYS_getdents64, STATE_FILE},
    {SYS_newfstatat, STATE_FILE},
    {SYS_stat, STATE_FILE},
    {SYS_lstat, STATE_FILE},
    {SYS_unlink, STATE_FILE},
    {SYS_rename, STATE_FILE},
    {SYS_wait4, STATE_CHILD},
    {SYS_waitid, STATE_CHILD},
};

/* time.sleep() is a select() of no files up to 3.10 (pysleep() in Modules/timemodule.c). */
static bool sleeps(const struct task_state *task) {
    return (task->syscall == SYS_select || task->syscall == SYS_pselect6) && task->first == 0;
}

uint32_t kernel_wait_state(const struct task_state *task) {
    if (sleeps(task)) {
        return STATE_SLEEPS;
    }
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (calls[i].number == task->syscall) {
            return calls[i].state;
        }
    }
    return 0;
}
