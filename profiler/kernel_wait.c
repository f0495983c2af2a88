#include "profiler/kernel_wait.h"

#include <stddef.h>
#include <string.h>
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

/* The first that a name begins with counts: compilers append what they did ("do_wait.part.0"), and
 * kernels differ (futex_wait_queue_me, futex_wait_queue, futex_do_wait). wait_woken() is none of
 * them: sockets wait there, and terminals. */
static const struct {
    const char *start;
    uint32_t state;
} functions[] = {
    {"hrtimer_nanosleep", STATE_SLEEPS},
    {"do_nanosleep", STATE_SLEEPS},
    {"common_nsleep", STATE_SLEEPS},
    {"sigsuspend", STATE_SLEEPS},
    {"do_sigtimedwait", STATE_SLEEPS},
    {"__do_sys_pause", STATE_SLEEPS},
    {"__x64_sys_pause", STATE_SLEEPS},
    {"futex_", STATE_LOCKED},
    {"flock_lock_", STATE_LOCKED},
    {"locks_lock_", STATE_LOCKED},
    {"fcntl_setlk", STATE_LOCKED},
    {"do_semtimedop", STATE_LOCKED},
    {"__do_semtimedop", STATE_LOCKED},
    {"ep_poll", STATE_POLLS},
    {"do_epoll_", STATE_POLLS},
    {"poll_schedule_timeout", STATE_POLLS},
    {"do_poll", STATE_POLLS},
    {"do_sys_poll", STATE_POLLS},
    {"do_select", STATE_POLLS},
    {"io_cqring_wait", STATE_POLLS},
    {"inet_", STATE_NETWORK},
    {"sk_", STATE_NETWORK},
    {"tcp_", STATE_NETWORK},
    {"unix_", STATE_NETWORK},
    {"skb_wait_for_more_packets", STATE_NETWORK},
    {"__skb_wait_for_more_packets", STATE_NETWORK},
    {"sock_alloc_send_pskb", STATE_NETWORK},
    {"vsock_", STATE_NETWORK},
    {"pipe_", STATE_FILE},
    {"anon_pipe_", STATE_FILE},
    {"fifo_", STATE_FILE},
    {"wait_for_partner", STATE_FILE},
    {"n_tty_", STATE_FILE},
    {"eventfd_", STATE_FILE},
    {"signalfd_", STATE_FILE},
    {"timerfd_", STATE_FILE},
    {"inotify_", STATE_FILE},
    {"folio_wait_", STATE_FILE},
    {"wait_on_page_bit", STATE_FILE},
    {"io_schedule", STATE_FILE},
    {"blkdev_", STATE_FILE},
    {"jbd2_", STATE_FILE},
    {"xfs_", STATE_FILE},
    {"nfs", STATE_FILE},
    {"rpc_wait_bit_killable", STATE_FILE},
    {"request_wait_answer", STATE_FILE},
    {"do_wait_intr", STATE_FILE},
    {"do_wait", STATE_CHILD},
    {"kernel_wait4", STATE_CHILD},
    {"kernel_waitid", STATE_CHILD},
};

/* time.sleep() is a select() of no files up to 3.10 (pysleep() in Modules/timemodule.c). */
static bool sleeps(const struct task_state *task) {
    return (task->syscall == SYS_select || task->syscall == SYS_pselect6) && task->first == 0;
}

static uint32_t state_of_call(const struct task_state *task) {
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

static uint32_t state_of_function(const char *name) {
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (strncmp(name, functions[i].start, strlen(functions[i].start)) == 0) {
            return functions[i].state;
        }
    }
    return 0;
}

uint32_t kernel_wait_state(const struct task_state *task) {
    return task->syscall >= 0 ? state_of_call(task) : state_of_function(task->wait);
}
