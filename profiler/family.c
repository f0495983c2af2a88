#define _GNU_SOURCE
#include "profiler/family.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/below.h"
#include "profiler/model/dwell.h"
#include "profiler/signals.h"
#include "reader/tree.h"

enum {
    FAMILY_LIMIT = TREE_LIMIT,
    MEET_MS = 1,
    MEET_SHARE = 10,   /* meeting takes one part in so many of the time */
    SETTLE_MS = 1,     /* a child of subprocess is a fork of its parent for about half of that */
    GLANCE_SHARE = 64, /* who has run a program for a while is not soon to execute another: */
    TRY_SHARE = 4,     /* one looks again after so many parts of that while */
    FORK_REHEARSALS = 32,
    REHEARSALS = 100, /* a deep stack that stands still is learned call by call */
    REHEARSAL_US = 100,
    READY_WAIT_S = 5,    /* how long a Python that is there may take to have an interpreter */
    RETRY_FIRST_US = 50, /* the first bytecode comes some milliseconds after exec */
    RETRY_LAST_US = 2000,
    WITHOUT_PYTHON_MS = 2000, /* after exec: how long to look for a Python in the new program */
};

/* One process of the family. */
struct relative {
    struct process process;
    pid_t parent; /* when it was met */
    struct target target;
    bool is_gone;        /* about to be removed */
    bool was_python;     /* some time */
    enum status why;     /* of the last attempt to attach */
    uint64_t image_mark; /* of the program it was last seen to run; while it is not attached */
    uint64_t since_ns;   /* since when it runs that, as far as we know */
    uint64_t glance_ns;  /* when to see whether it runs another */
    uint64_t try_ns;     /* when to try to attach */
    uint64_t names_ns;   /* when to ask for names */
};

/* ---- who belongs to it ---- */

static struct relative *find(const struct family *family, pid_t pid) {
    for (size_t i = 0; i < family->count; i++) {
        if (family->items[i]->process.pid == pid && !family->items[i]->is_gone) {
            return family->items[i];
        }
    }
    return NULL;
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most) {
    return value < least ? least : value < most ? value : most;
}

static void begin_image(struct relative *relative, uint64_t mark, uint64_t now_ns) {
    relative->image_mark = mark;
    relative->since_ns = now_ns;
    relative->glance_ns = now_ns;
    relative->try_ns = now_ns;
}

static struct relative *add(struct family *family, const struct process *process, pid_t parent) {
    struct relative *relative = memory_zeroed(1, sizeof *relative);
    relative->process = *process;
    relative->parent = parent;
    target_init(&relative->target, family->run, &relative->process);
    begin_image(relative, process_image_mark(process), clock_monotonic_ns());
    if (family->count == family->capacity) {
        family->items =
            memory_grow(family->items, sizeof *family->items, family->count + 1, &family->capacity);
    }
    family->items[family->count++] = relative;
    return relative;
}

/* Of a fork that is as its parent was: it may be about to execute something. */
static bool is_unsettled(const struct relative *relative, const struct relative *parent) {
    return target_is_attached(&parent->target) &&
           relative->image_mark == parent->target.session.image_mark;
}

static void meet_child(void *context, pid_t pid, pid_t parent_pid) {
    struct family *family = context;
    const struct relative *parent = find(family, parent_pid);
    struct process process;
    if (parent == NULL || find(family, pid) != NULL || family->count >= FAMILY_LIMIT ||
        process_open(&process, pid, NULL) != STATUS_OK) {
        return;
    }
    struct relative *relative = add(family, &process, parent_pid);
    if (is_unsettled(relative, parent)) {
        relative->try_ns += SETTLE_MS * NS_PER_MS;
    }
}

/* Everybody there is. */
static void read_all(struct family *family) {
    struct tree tree;
    births_next(&family->births, meet_child, family);
    tree_read(&tree, family->root->pid);
    for (size_t i = 1; i < tree.count; i++) {
        meet_child(family, tree.nodes[i].pid, tree.nodes[i].parent);
    }
    tree_free(&tree);
    family->is_complete = true;
}

static void release(struct family *family, struct relative *relative) {
    family->run->trace->health.not_python += !relative->was_python;
    target_close(&relative->target);
    process_close(&relative->process);
    free(relative);
}

static void remove_gone(struct family *family) {
    size_t kept = 0;
    for (size_t i = 0; i < family->count; i++) {
        if (family->items[i]->is_gone) {
            release(family, family->items[i]);
        } else {
            family->items[kept++] = family->items[i];
        }
    }
    family->count = kept;
}

/* ---- attaching ---- */

bool family_is_seeking(const struct family *family) {
    const struct sampler_plan *plan = family->run->plan;
    return plan->follows || family->attached_count == 0;
}

static bool has_children(const struct family *family) {
    const struct sampler_plan *plan = family->run->plan;
    return plan->follows || plan->keep_waiting;
}

/* Whoever could tell more than that there is no Python is heard. */
static void note_failure(struct family *family, const struct relative *relative,
                         const struct error *error) {
    bool is_plain = error->status == STATUS_NOT_PYTHON || error->status == STATUS_GONE ||
                    error->status == STATUS_NO_PROCESS;
    if (relative->process.pid == family->root->pid || !is_plain) {
        family->error = *error;
    }
}

static void try_to_attach(struct family *family, struct relative *relative, uint64_t now_ns) {
    struct error error = {0};
    const struct relative *parent = find(family, relative->parent);
    bool is_fork = parent != NULL && session_may_fork(&parent->target.session, &relative->process);
    relative->why = is_fork ? target_attach_fork(&relative->target, &parent->target, &error)
                            : target_attach(&relative->target, &error);
    if (relative->why == STATUS_OK) {
        relative->was_python = true;
        relative->names_ns = now_ns;
        family->attached_count++;
        if (family->run->start_ns != 0) {
            target_rehearse(&relative->target, FORK_REHEARSALS, 0);
        }
        return;
    }
    note_failure(family, relative, &error);
    relative->is_gone = !process_is_alive(&relative->process);
    relative->try_ns = now_ns + clamp((now_ns - relative->since_ns) / TRY_SHARE,
                                      MEET_MS * NS_PER_MS / 2, NS_PER_S / 2);
}

/* Tries one who is not attached, if that is due. */
static void seek(struct family *family, struct relative *relative, uint64_t now_ns) {
    if (now_ns >= relative->glance_ns) {
        uint64_t mark = process_image_mark(&relative->process);
        relative->glance_ns = now_ns + clamp((now_ns - relative->since_ns) / GLANCE_SHARE,
                                             MEET_MS * NS_PER_MS / 2, NS_PER_S / 20);
        relative->is_gone = !process_is_alive(&relative->process);
        if (mark != 0 && mark != relative->image_mark) {
            begin_image(relative, mark, now_ns);
        }
    }
    if (!relative->is_gone && now_ns >= relative->try_ns) {
        try_to_attach(family, relative, now_ns);
    }
}

static void meet_now(struct family *family, uint64_t now_ns) {
    if (has_children(family) &&
        (!family->is_complete || !births_next(&family->births, meet_child, family))) {
        read_all(family);
    }
    for (size_t i = 0; i < family->count && family_is_seeking(family); i++) {
        if (!target_is_attached(&family->items[i]->target)) {
            seek(family, family->items[i], now_ns);
        }
    }
    remove_gone(family);
}

void family_meet(struct family *family, uint64_t now_ns) {
    if (now_ns < family->meet_ns) {
        return;
    }
    if (!family_is_seeking(family)) {
        family->is_complete = false; /* who comes now is not met */
        return;
    }
    /* Time for which we only waited for a CPU is no reason to come later. */
    uint64_t before_ns = clock_cpu_ns();
    meet_now(family, now_ns);
    uint64_t pause_ns = MEET_SHARE * (clock_cpu_ns() - before_ns);
    bool is_idle = family->attached_count == 0; /* there is nothing that one could be late for */
    family->meet_ns = is_idle ? 0 : now_ns + clamp(pause_ns, MEET_MS * NS_PER_MS, UINT64_MAX / 2);
}

/* ---- the first one ---- */

/* A target that is gone, or that no longer runs Python, is the end of it and no failure. */
static bool is_end_of_target(enum status status) {
    return status == STATUS_GONE || status == STATUS_NO_PROCESS || status == STATUS_NOT_PYTHON ||
           status == STATUS_NOT_READY || status == STATUS_NOT_MAPPED || status == STATUS_BAD_LAYOUT;
}

/* Why there is nobody. */
static enum status explain(const struct family *family, struct error *error) {
    const struct sampler_plan *plan = family->run->plan;
    *error = family->error;
    if (!process_is_alive(family->root) && plan->keep_waiting) {
        return error_set(error, STATUS_GONE, "process %d ended before its Python was up",
                         (int)family->root->pid);
    }
    if (error->status != STATUS_NOT_PYTHON) {
        return error->status;
    }
    if (plan->follows && family->count > 1) {
        errno = 0;
        return error_set(error, STATUS_NOT_PYTHON, "process %d, and the %zu below it",
                         (int)family->root->pid, family->count - 1);
    }
    return plan->keep_waiting ? error->status
                              : below_explain(family->root->pid, family->run->memo, error);
}

/* Whether somebody may yet become a Python who is none now. OK: nobody has asked. */
static bool may_become_python(const struct family *family, uint64_t waited_ns) {
    bool keeps_waiting = family->run->plan->keep_waiting;
    for (size_t i = 0; i < family->count; i++) {
        enum status why = family->items[i]->why;
        bool is_starting = why == STATUS_NOT_READY && waited_ns < READY_WAIT_S * NS_PER_S;
        if (why == STATUS_OK || is_starting || (keeps_waiting && is_end_of_target(why))) {
            return true;
        }
    }
    return false;
}

enum status family_wait(struct family *family, struct error *error) {
    uint64_t pause_ns = RETRY_FIRST_US * NS_PER_US;
    uint64_t begin_ns = clock_monotonic_ns();
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns();
        family_meet(family, now_ns);
        if (family->attached_count > 0) {
            return STATUS_OK;
        }
        if (!may_become_python(family, now_ns - begin_ns) || signals_want_stop() ||
            !process_is_alive(family->root)) {
            return explain(family, error);
        }
        clock_sleep_until_ns(now_ns + pause_ns);
        pause_ns =
            pause_ns * 2 < RETRY_LAST_US * NS_PER_US ? pause_ns * 2 : RETRY_LAST_US * NS_PER_US;
    }
}

/* ---- looking ---- */

void family_rehearse(struct family *family) {
    for (size_t i = 0; i < family->count; i++) {
        if (target_is_attached(&family->items[i]->target)) {
            target_rehearse(&family->items[i]->target, REHEARSALS, REHEARSAL_US * NS_PER_US);
        }
    }
}

/* Its memory is not what it was: it has ended, or executed another program. A fork that did so
 * before it gave a sample was no Python in its own right. */
static void lose(struct family *family, struct relative *relative, uint64_t now_ns) {
    relative->is_gone = !process_is_alive(&relative->process);
    relative->was_python = relative->is_gone || relative->target.session.is_noted;
    if (family->attached_count > 1) { /* of the last one the last roll stays */
        target_leave_roll(&relative->target, now_ns);
    }
    target_detach(&relative->target);
    begin_image(relative, process_image_mark(&relative->process), now_ns);
    family->attached_count--;
    family->alone_ns = now_ns;
    family->meet_ns = now_ns;
}

static enum status judge(struct family *family, struct relative *relative, enum status status,
                         uint64_t now_ns) {
    if (status != STATUS_OK &&
        (is_end_of_target(status) || !process_is_alive(&relative->process))) {
        lose(family, relative, now_ns);
        return STATUS_OK;
    }
    return status;
}

enum status family_look(struct family *family, uint64_t now_ns) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < family->count && status == STATUS_OK; i++) {
        struct relative *relative = family->items[i];
        if (target_is_attached(&relative->target)) {
            status = judge(family, relative, target_look(&relative->target, now_ns), now_ns);
        }
    }
    remove_gone(family);
    return status;
}

static void refresh_names(struct relative *relative, uint64_t now_ns) {
    if (now_ns >= relative->names_ns) {
        session_refresh(&relative->target.session, relative->target.run->trace);
        relative->names_ns =
            now_ns + clamp(now_ns - relative->since_ns, NS_PER_S / 10, 10 * NS_PER_S);
    }
}

void family_keep_house(struct family *family, uint64_t now_ns) {
    for (size_t i = 0; i < family->count; i++) {
        struct relative *relative = family->items[i];
        if (!target_is_attached(&relative->target)) {
            continue;
        }
        refresh_names(relative, now_ns);
        if (target_keep_house(&relative->target, now_ns) != STATUS_OK) {
            lose(family, relative, now_ns);
        }
    }
    remove_gone(family);
}

bool family_is_over(const struct family *family, uint64_t now_ns) {
    const struct sampler_plan *plan = family->run->plan;
    if (plan->keep_waiting) {
        return !process_is_alive(family->root);
    }
    if (plan->follows) {
        return family->count == 0;
    }
    return !process_is_alive(family->root) ||
           (family->attached_count == 0 &&
            now_ns - family->alone_ns > WITHOUT_PYTHON_MS * NS_PER_MS);
}

/* ---- the rest ---- */

void family_read_names(struct family *family, uint64_t now_ns) {
    for (size_t i = 0; i < family->count; i++) {
        if (target_is_attached(&family->items[i]->target)) {
            target_read_names(&family->items[i]->target, now_ns);
        }
    }
}

void family_tell_waits(const struct family *family) {
    struct dwell *dwell = family->run->dwell;
    if (dwell == NULL) {
        return;
    }
    dwell_tell_begin(dwell);
    for (size_t i = 0; i < family->count; i++) {
        target_tell_waits(&family->items[i]->target);
    }
    dwell_tell_end(dwell, family->run->trace);
}

void family_count_reads(const struct family *family, uint64_t *calls_out, uint64_t *bytes_out) {
    *calls_out = family->run->read_calls;
    *bytes_out = family->run->read_bytes;
    for (size_t i = 0; i < family->count; i++) {
        *calls_out += family->items[i]->target.session.memory.calls;
        *bytes_out += family->items[i]->target.session.memory.bytes;
    }
}

/* Each process takes a descriptor. */
static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void family_open(struct family *out, struct run *run, const struct process *root) {
    struct process own = *root;
    own.pidfd = root->pidfd >= 0 ? fcntl(root->pidfd, F_DUPFD_CLOEXEC, 0) : -1;
    *out = (struct family){.run = run, .root = root, .births = {.fd = -1}};
    run->memo = symbols_memo_create();
    if (has_children(out)) {
        allow_descriptors();
        births_open(&out->births);
    }
    add(out, &own, 0);
}

void family_close(struct family *family) {
    for (size_t i = 0; i < family->count; i++) {
        release(family, family->items[i]);
    }
    free(family->items);
    family->items = NULL;
    family->count = 0;
    births_close(&family->births);
    symbols_memo_destroy(family->run->memo);
}
