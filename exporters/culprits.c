#include "exporters/culprits.h"

#include <inttypes.h>
#include <stdlib.h>

#include "exporters/function_name.h"
#include "profiler/base/arena.h"
#include "profiler/base/text.h"
#include "profiler/model/blame.h"

/* ---- whether anybody waited ---- */

static enum status find_wait(void *context, const struct timeline_run *run) {
    bool *found = context;
    *found |= (run->state & STATE_WANTS_GIL) != 0;
    return *found ? STATUS_NOT_FOUND : STATUS_OK; /* any other status than OK ends the search */
}

static enum status has_waits(const struct trace *trace, bool *found) {
    enum status status = STATUS_OK;
    *found = false;
    for (uint32_t id = 1; id <= trace->threads.count && status == STATUS_OK; id++) {
        status = timeline_each(trace->timeline, (struct thread_ref){id}, find_wait, found);
    }
    return *found ? STATUS_OK : status;
}

/* ---- one sweep over all threads ---- */

struct search {
    const struct trace *trace;
    struct culprits *out;
    size_t *newest; /* by id of the waiter: its newest row + 1 */
};

static bool goes_on(const struct culprit *row, const struct culprit *next) {
    return row->end_ns == next->start_ns && row->holder.id == next->holder.id &&
           row->function.id == next->function.id;
}

static enum status add_blame(void *context, const struct blame *blame) {
    struct search *search = context;
    const struct trace *trace = search->trace;
    struct culprits *out = search->out;
    struct culprit next = {
        .waiter = blame->waiter,
        .holder = blame->holder,
        .start_ns = blame->start_ns,
        .end_ns = blame->end_ns,
    };
    if (blame->holder_stack.id != 0) {
        next.function =
            trace_frame(trace, trace_stack(trace, blame->holder_stack)->frame)->function;
    }
    size_t *newest = &search->newest[blame->waiter.id];
    if (*newest != 0 && goes_on(&out->rows[*newest - 1], &next)) {
        out->rows[*newest - 1].end_ns = next.end_ns;
        return STATUS_OK;
    }
    if (out->count == out->capacity) {
        out->rows = memory_grow(out->rows, sizeof *out->rows, out->count + 1, &out->capacity);
    }
    out->rows[out->count++] = next;
    *newest = out->count;
    return STATUS_OK;
}

static int compare(const void *a, const void *b) {
    const struct culprit *one = a;
    const struct culprit *other = b;
    if (one->waiter.id != other->waiter.id) {
        return one->waiter.id < other->waiter.id ? -1 : 1;
    }
    return one->start_ns < other->start_ns ? -1 : one->start_ns > other->start_ns;
}

static void index_rows(struct culprits *culprits, uint32_t thread_count) {
    size_t at = 0;
    if (culprits->count > 0) {
        qsort(culprits->rows, culprits->count, sizeof *culprits->rows, compare);
    }
    for (uint32_t id = 0; id <= thread_count; id++) {
        while (at < culprits->count && culprits->rows[at].waiter.id < id) {
            at++;
        }
        culprits->first[id] = at;
    }
    culprits->first[thread_count + 1] = culprits->count;
}

enum status culprits_find(const struct trace *trace, struct culprits *out) {
    size_t ids = (size_t)trace->threads.count + 2;
    struct search search = {trace, out, memory_zeroed(ids, sizeof *search.newest)};
    bool has_any;
    *out = (struct culprits){.first = memory_zeroed(ids, sizeof *out->first)};
    enum status status = has_waits(trace, &has_any);
    if (status == STATUS_OK && has_any) {
        status = blame_each(trace, add_blame, &search);
    }
    index_rows(out, trace->threads.count);
    free(search.newest);
    return status;
}

void culprits_free(struct culprits *culprits) {
    free(culprits->rows);
    free(culprits->first);
    *culprits = (struct culprits){0};
}

const struct culprit *culprits_of(const struct culprits *culprits, struct thread_ref waiter,
                                  size_t *count_out) {
    size_t first = culprits->first[waiter.id];
    *count_out = culprits->first[waiter.id + 1] - first;
    return *count_out > 0 ? culprits->rows + first : NULL;
}

/* ---- words ---- */

void culprit_append_holder(const struct trace *trace, const struct culprit *culprit,
                           struct buffer *out) {
    if (culprit->holder.id == 0) {
        buffer_printf(out, "nobody seen");
        return;
    }
    const struct trace_thread *holder = trace_thread(trace, culprit->holder);
    text_append_escaped(out, trace_string(trace, holder->name), "");
    buffer_printf(out, " (%" PRIu32 ")", holder->tid);
}

void culprit_append_place(const struct trace *trace, const struct culprit *culprit,
                          struct buffer *out) {
    if (culprit->function.id == 0) {
        buffer_printf(out, "?");
        return;
    }
    function_name_append(trace, culprit->function, out);
}
