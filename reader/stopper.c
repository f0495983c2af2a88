#define _GNU_SOURCE
#include "reader/stopper.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "reader/stopper_helper.h"

enum { ANSWER_WITHIN_S = 10 };

/* The helper's next answer; signals that we get meanwhile do not matter. INTERNAL when there is
 * none: then the helper is killed, and with it the hold. */
static enum status hear(struct stopper *stopper, struct stopper_answer *out) {
    ssize_t got;
    do {
        got = recv(stopper->fd, out, sizeof *out, 0);
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof *out) {
        return STATUS_OK;
    }
    kill(stopper->helper, SIGKILL);
    return STATUS_INTERNAL;
}

static enum status order(struct stopper *stopper, struct stopper_order order,
                         struct stopper_answer *out) {
    *out = (struct stopper_answer){0};
    /* Should nobody be there to read it, nobody answers either. */
    ssize_t ignored = send(stopper->fd, &order, sizeof order, MSG_NOSIGNAL);
    (void)ignored;
    enum status status = hear(stopper, out);
    return status == STATUS_OK ? out->status : status;
}

/* Who waits for a core with the process stopped makes it wait as well. */
static bool set_policy(int policy) {
    const struct sched_param lowest = {.sched_priority = sched_get_priority_min(policy)};
    return sched_setscheduler(0, policy, &lowest) == 0;
}

/* A change of policy sets the timer slack as well (Linux 6.13), which the caller may have chosen.
 */
static void hurry(struct stopper *stopper, bool is_wanted) {
    if (stopper->may_hurry && is_wanted) {
        stopper->slack_ns = prctl(PR_GET_TIMERSLACK);
        set_policy(SCHED_RR);
    } else if (stopper->may_hurry) {
        set_policy(SCHED_OTHER);
        prctl(PR_SET_TIMERSLACK, (unsigned long)stopper->slack_ns);
    }
}

/* Of ourselves and the helper. That stays where it is, for the next stop; we have other things to
 * do as well. */
static void keep_off(struct stopper *stopper, int core) {
    if (core != stopper->helper_off) {
        cores_keep_off(&stopper->cores, stopper->helper, core);
        stopper->helper_off = core;
    }
    cores_keep_off(&stopper->cores, 0, core);
    stopper->is_off = true;
}

static void come_back(struct stopper *stopper) {
    hurry(stopper, false);
    if (stopper->is_off) {
        cores_keep_off(&stopper->cores, 0, -1);
        stopper->is_off = false;
    }
}

/* Not if somebody has chosen another policy for us. */
static bool may_hurry(void) {
    int slack_ns = prctl(PR_GET_TIMERSLACK);
    bool may =
        sched_getscheduler(0) == SCHED_OTHER && set_policy(SCHED_RR) && set_policy(SCHED_OTHER);
    prctl(PR_SET_TIMERSLACK, (unsigned long)slack_ns);
    return may;
}

static enum status stop(struct stopper *stopper, struct stopper_order what,
                        struct stopper_answer *answer, uint64_t *pause_ns_out) {
    hurry(stopper, true);
    enum status status = order(stopper, what, answer);
    *pause_ns_out = answer->pause_ns;
    if (status != STATUS_OK) {
        come_back(stopper);
    }
    return status;
}

enum status stopper_stop(struct stopper *stopper, uint64_t *pause_ns_out) {
    struct stopper_answer answer;
    return stop(stopper, (struct stopper_order){ORDER_STOP, 0}, &answer, pause_ns_out);
}

enum status stopper_stop_thread(struct stopper *stopper, pid_t tid, struct registers *out,
                                uint64_t *pause_ns_out) {
    struct stopper_answer answer;
    keep_off(stopper, core_of_thread(stopper->pid, tid));
    enum status status =
        stop(stopper, (struct stopper_order){ORDER_STOP_THREAD, tid}, &answer, pause_ns_out);
    *out = answer.registers;
    return status;
}

enum status stopper_continue(struct stopper *stopper, uint64_t *pause_ns_out) {
    struct stopper_answer answer;
    enum status status = order(stopper, (struct stopper_order){ORDER_CONTINUE, 0}, &answer);
    *pause_ns_out = answer.pause_ns;
    come_back(stopper);
    return status;
}

static enum status start_helper(struct stopper *out, pid_t pid, uint64_t bound_ns,
                                struct error *error) {
    int ends[2];
    const struct timeval patience = {.tv_sec = ANSWER_WITHIN_S};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return error_set(error, STATUS_INTERNAL, "making a pair of sockets");
    }
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    pid_t helper = fork();
    if (helper == 0) {
        stopper_helper_run(ends[1], pid, bound_ns);
    }
    close(ends[1]);
    if (helper < 0) {
        error_set(error, STATUS_INTERNAL, "forking the process that stops process %d", (int)pid);
        close(ends[0]);
        return STATUS_INTERNAL;
    }
    *out = (struct stopper){
        .helper = helper, .pid = pid, .fd = ends[0], .may_hurry = may_hurry(), .helper_off = -1};
    cores_init(&out->cores);
    return STATUS_OK;
}

enum status stopper_open(struct stopper *out, const struct process *process, uint64_t bound_ns,
                         struct error *error) {
    struct stopper_answer answer = {0};
    *out = (struct stopper){0};
    enum status status = start_helper(out, process->pid, bound_ns, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = hear(out, &answer);
    if (status != STATUS_OK) {
        error_set(error, status, "the process that stops process %d does not answer",
                  (int)process->pid);
    } else if (answer.status != STATUS_OK) {
        *error = answer.error;
        status = answer.status;
    }
    if (status != STATUS_OK) {
        stopper_close(out, NULL);
    }
    return status;
}

void stopper_close(struct stopper *stopper, uint64_t *cpu_ns_out) {
    struct rusage usage = {0};
    if (stopper->helper > 0) {
        close(stopper->fd);
        kill(stopper->helper, SIGKILL); /* as good an end for it as any */
        while (wait4(stopper->helper, NULL, 0, &usage) < 0 && errno == EINTR) {
        }
    }
    if (cpu_ns_out != NULL) {
        *cpu_ns_out = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
                      (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
    }
    *stopper = (struct stopper){0};
}
