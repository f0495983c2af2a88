#define _GNU_SOURCE
#include "reader/stopper_helper.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "reader/tracer.h"

/* Who waits for a core is not held by us: that it is to stop does it no harm. For one thread alone
 * the look does not wait so long; others are to be seen too. */
enum { PATIENCE_MS = 100, THREAD_PATIENCE_MS = 20 };

struct helper {
    int orders_fd;
    int news_fd; /* readable when SIGCHLD has come */
    uint64_t bound_ns;
    struct tracer tracer;
    bool is_holding;
    uint64_t pause_ns; /* how long it was; 0 while it lasts */
};

/* No signal reaches it but those that nobody can block; nothing that we have open stays open
 * because of it. */
static void cut_loose(struct helper *helper, int fd) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGCHLD, SIG_DFL); /* who ignores it gets no news */
    setsid();
    prctl(PR_SET_NAME, "pyrometer-hold");
    helper->orders_fd = dup2(fd, 0);
    syscall(SYS_close_range, 1U, ~0U, 0U);
    sigset_t news;
    sigemptyset(&news);
    sigaddset(&news, SIGCHLD);
    helper->news_fd = signalfd(-1, &news, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* The bound must hold on a busy machine as well: where we may, we run when we want to. That is some
 * ten microseconds at a time. */
static void go_first(void) {
    const struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_RR)};
    sched_setscheduler(0, SCHED_RR, &lowest);
}

static void let_go(struct helper *helper) {
    tracer_continue(&helper->tracer);
    uint64_t since_ns = helper->tracer.since_ns;
    helper->pause_ns = since_ns != 0 ? clock_monotonic_ns() - since_ns : 0;
    helper->is_holding = false;
    tracer_attend(&helper->tracer);
}

static enum status hold_thread(struct helper *helper, pid_t tid, struct registers *out) {
    enum status status =
        tracer_stop_thread(&helper->tracer, tid, THREAD_PATIENCE_MS * NS_PER_MS, helper->bound_ns);
    return status == STATUS_OK ? tracer_registers(&helper->tracer, tid, out) : status;
}

static void hold(struct helper *helper, const struct stopper_order *order,
                 struct stopper_answer *answer) {
    helper->pause_ns = 0;
    helper->is_holding = true;
    answer->status = order->what == ORDER_STOP_THREAD
                         ? hold_thread(helper, order->tid, &answer->registers)
                         : tracer_stop(&helper->tracer, PATIENCE_MS * NS_PER_MS, helper->bound_ns);
    if (answer->status != STATUS_OK) {
        let_go(helper);
    }
}

/* False when there is nobody any more who could order anything. */
static bool obey(struct helper *helper) {
    struct stopper_order order;
    struct stopper_answer answer = {.status = STATUS_NOT_HELD};
    if (recv(helper->orders_fd, &order, sizeof order, 0) != (ssize_t)sizeof order) {
        return false;
    }
    if (order.what != ORDER_CONTINUE) {
        hold(helper, &order, &answer);
    } else if (helper->is_holding) {
        let_go(helper);
        answer.status = STATUS_OK;
    }
    answer.pause_ns = helper->pause_ns;
    return send(helper->orders_fd, &answer, sizeof answer, MSG_NOSIGNAL) > 0;
}

static void take_news(struct helper *helper) {
    struct signalfd_siginfo news;
    while (read(helper->news_fd, &news, sizeof news) > 0) {
    }
    if (!helper->is_holding) {
        tracer_attend(&helper->tracer);
    }
}

/* Waits for an order, for news of the process, and while it is held for the bound. */
static bool serve_once(struct helper *helper) {
    struct pollfd fds[] = {{helper->orders_fd, POLLIN, 0}, {helper->news_fd, POLLIN, 0}};
    struct timespec left = {0};
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t end_ns = helper->tracer.since_ns + helper->bound_ns;
    if (helper->is_holding && now_ns < end_ns) {
        left.tv_sec = (time_t)((end_ns - now_ns) / NS_PER_S);
        left.tv_nsec = (long)((end_ns - now_ns) % NS_PER_S);
    }
    int count = ppoll(fds, 2, helper->is_holding ? &left : NULL, NULL);
    if (helper->is_holding && clock_monotonic_ns() >= end_ns) {
        let_go(helper);
    }
    if (count > 0 && fds[1].revents != 0) {
        take_news(helper);
    }
    return count <= 0 || fds[0].revents == 0 || obey(helper);
}

void stopper_helper_run(int fd, pid_t pid, uint64_t bound_ns) {
    struct helper helper = {.bound_ns = bound_ns};
    struct stopper_answer answer = {0};
    cut_loose(&helper, fd);
    go_first();
    answer.status = tracer_init(&helper.tracer, pid, &answer.error);
    bool is_wanted = send(helper.orders_fd, &answer, sizeof answer, MSG_NOSIGNAL) > 0 &&
                     answer.status == STATUS_OK;
    while (is_wanted) {
        is_wanted = serve_once(&helper);
    }
    _exit(0); /* and the kernel lets go of all that is still held */
}
