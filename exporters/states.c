#include "exporters/states.h"

const struct state states[STATES] = {
    {STATE_RUNNING, "on CPU", "ran on a CPU", "Other"},
    {STATE_RUNNABLE, "off CPU, could run", "waited for a CPU", "Other"},
    {STATE_WAITING, "off CPU, waits", "waited in the kernel", "Idle"},
    {STATE_HAS_GIL, "has the GIL", "held the GIL, or was attached where there is none", "Python"},
    {STATE_WANTS_GIL, "wants the GIL", "waited for the GIL", "GIL wait"},
    {STATE_COLLECTING, "collects garbage", "was in the garbage collector", "GC"},
    {STATE_EXCEPTION, "handles an exception", "had an exception being handled", "Python"},
    {STATE_SLEEPS, "sleeps", "waited in the kernel for a time", "Idle"},
    {STATE_LOCKED, "waits for a lock", "waited in the kernel for a lock or condition", "Idle"},
    {STATE_POLLS, "polls", "waited in the kernel for one of several files or sockets", "Idle"},
    {STATE_NETWORK, "waits for the network", "waited in the kernel for a socket", "Idle"},
    {STATE_FILE, "waits for a file", "waited in the kernel for a file or pipe", "Idle"},
    {STATE_CHILD, "waits for a child", "waited in the kernel for the end of a child", "Idle"},
};

/* A pass over the runs of one thread. */
struct pass {
    states_visit *visit;
    void *context;
    uint64_t end_ns;                    /* of the newest run */
    struct state_interval open[STATES]; /* without samples: not in that state */
};

static enum status end_one(struct pass *pass, size_t state) {
    struct state_interval *open = &pass->open[state];
    if (!open->samples) {
        return STATUS_OK;
    }
    open->state = state;
    open->end_ns = pass->end_ns;
    enum status status =
        states[state].bit == STATE_WANTS_GIL ? STATUS_OK : pass->visit(pass->context, open);
    *open = (struct state_interval){0};
    return status;
}

/* Ends what is open in none of the states `kept`, a set of bits. */
static enum status end_others(struct pass *pass, uint32_t kept) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < STATES && !status; i++) {
        status = states[i].bit & kept ? STATUS_OK : end_one(pass, i);
    }
    return status;
}

static enum status add_run(void *context, const struct timeline_run *run) {
    struct pass *pass = context;
    bool has_gap = run->start_ns > pass->end_ns;
    enum status status = end_others(pass, has_gap ? 0 : run->state);
    for (size_t i = 0; i < STATES && !status; i++) {
        struct state_interval *open = &pass->open[i];
        if (states[i].bit & run->state) {
            open->start_ns = open->samples ? open->start_ns : run->start_ns;
            open->samples += run->samples;
        }
    }
    pass->end_ns = run->start_ns + run->weight_ns;
    return status;
}

static size_t index_of(uint32_t bit) {
    size_t state = 0;
    while (states[state].bit != bit) {
        state++;
    }
    return state;
}

/* The samples of a cut interval are not counted one by one: they come at even distances. */
static enum status visit_waits(const struct trace *trace, const struct culprit *rows, size_t count,
                               states_visit *visit, void *context) {
    uint64_t interval_ns = trace->run.interval_ns > 0 ? trace->run.interval_ns : 1;
    size_t state = index_of(STATE_WANTS_GIL);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && !status; i++) {
        struct state_interval interval = {.state = state,
                                          .start_ns = rows[i].start_ns,
                                          .end_ns = rows[i].end_ns,
                                          .culprit = &rows[i]};
        uint64_t samples = (interval.end_ns - interval.start_ns + interval_ns / 2) / interval_ns;
        interval.samples = samples > 0 ? samples : 1;
        status = visit(context, &interval);
    }
    return status;
}

enum status states_each(const struct trace *trace, const struct culprits *culprits,
                        struct thread_ref thread, states_visit *visit, void *context) {
    struct pass pass = {.visit = visit, .context = context};
    size_t count;
    const struct culprit *rows = culprits_of(culprits, thread, &count);
    enum status status = timeline_each(trace->timeline, thread, add_run, &pass);
    status = status ? status : end_others(&pass, 0);
    return status ? status : visit_waits(trace, rows, count, visit, context);
}
