#define _GNU_SOURCE
#include "profiler/dump/herd.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/below.h"
#include "reader/tree.h"

/* ---- taking ---- */

static struct string_id text_of(struct trace *trace, const struct process *process,
                                void (*append)(const struct process *, struct buffer *)) {
    struct buffer text = {0};
    append(process, &text);
    struct string_id id = trace_text(trace, text.data, text.length);
    buffer_deinit(&text);
    return id;
}

static struct string_id version_of(const struct trace *trace, const struct process *process) {
    struct string_id version = {0};
    for (uint32_t id = 1; id <= trace->processes.count; id++) {
        const struct trace_process *row = table_row(&trace->processes, id);
        version = row->pid == (uint32_t)process->pid ? row->python_version : version;
    }
    return version;
}

/* What it is called is read here: the trace knows only of the one that was asked for. */
static enum status take_one(pid_t pid, struct trace *trace, const struct take_plan *plan,
                            struct dumped_process *out, struct error *error) {
    struct process process;
    enum status status = process_open(&process, pid, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = take_process(&process, trace, plan, out, error);
    out->name = text_of(trace, &process, process_name);
    out->command = text_of(trace, &process, process_command);
    out->python_version = version_of(trace, &process);
    process_close(&process);
    return status;
}

enum status herd_take(const struct process *root, struct trace *trace, const struct take_plan *plan,
                      struct herd *out, struct error *error) {
    struct tree tree;
    enum status verdict = STATUS_NOT_PYTHON;
    tree_read(&tree, root->pid);
    *out = (struct herd){.root = (uint32_t)root->pid};
    out->processes = memory_zeroed(tree.count, sizeof *out->processes);
    for (size_t i = 0; i < tree.count; i++) {
        struct dumped_process *dumped = &out->processes[out->count];
        enum status status = take_one(tree.nodes[i].pid, trace, plan, dumped, error);
        if (status == STATUS_OK) {
            out->count++;
            continue;
        }
        bool is_plain = status == STATUS_NOT_PYTHON || status == STATUS_NO_PROCESS ||
                        status == STATUS_GONE || status == STATUS_NOT_READY;
        verdict = is_plain ? verdict : status;
        out->other_count++;
        take_free(dumped);
    }
    size_t below = tree.count - 1;
    tree_free(&tree);
    errno = 0;
    return out->count > 0
               ? STATUS_OK
               : error_set(error, verdict, "process %d, and the %zu below it", root->pid, below);
}

enum status herd_take_one(const struct process *root, struct trace *trace,
                          const struct take_plan *plan, struct herd *out, struct error *error) {
    *out = (struct herd){.root = (uint32_t)root->pid, .count = 1};
    out->processes = memory_zeroed(1, sizeof *out->processes);
    enum status status = take_process(root, trace, plan, &out->processes[0], error);
    return status == STATUS_NOT_PYTHON ? below_explain(root->pid, NULL, error) : status;
}

void herd_free(struct herd *herd) {
    for (size_t i = 0; i < herd->count; i++) {
        take_free(&herd->processes[i]);
    }
    free(herd->processes);
    *herd = (struct herd){0};
}

/* ---- grouping ---- */

static uint32_t stack_of(const struct herd_member *member) {
    return member->thread->stack.id;
}

/* By stack, then as they stand in the herd. */
static int compare_members(const void *a, const void *b) {
    const struct herd_member *one = a;
    const struct herd_member *other = b;
    if (stack_of(one) != stack_of(other)) {
        return stack_of(one) < stack_of(other) ? -1 : 1;
    }
    if (one->process != other->process) {
        return one->process < other->process ? -1 : 1;
    }
    return one->thread < other->thread ? -1 : one->thread > other->thread;
}

/* By size, then as their first members stand in the herd. */
static int compare_groups(const void *a, const void *b, void *context) {
    const struct herd_groups *groups = context;
    const struct herd_group *one = a;
    const struct herd_group *other = b;
    if (one->count != other->count) {
        return one->count < other->count ? -1 : 1;
    }
    const struct herd_member *first = &groups->members[one->first];
    const struct herd_member *second = &groups->members[other->first];
    if (first->process != second->process) {
        return first->process < second->process ? -1 : 1;
    }
    return first->thread < second->thread ? -1 : first->thread > second->thread;
}

static size_t list_members(const struct herd *herd, struct herd_groups *out) {
    size_t count = 0;
    for (size_t i = 0; i < herd->count; i++) {
        count += herd->processes[i].thread_count;
    }
    out->members = memory_zeroed(count + 1, sizeof *out->members);
    out->groups = memory_zeroed(count + 1, sizeof *out->groups);
    count = 0;
    for (size_t i = 0; i < herd->count; i++) {
        const struct dumped_process *process = &herd->processes[i];
        for (size_t t = 0; t < process->thread_count; t++) {
            out->members[count++] = (struct herd_member){process, &process->threads[t]};
        }
    }
    qsort(out->members, count, sizeof *out->members, compare_members);
    return count;
}

void herd_group(const struct herd *herd, struct herd_groups *out) {
    *out = (struct herd_groups){0};
    size_t count = list_members(herd, out);
    for (size_t i = 0; i < count; i++) {
        const struct herd_member *member = &out->members[i];
        const struct herd_member *before = i > 0 ? member - 1 : NULL;
        if (before == NULL || stack_of(before) != stack_of(member)) {
            out->groups[out->count++] = (struct herd_group){.first = i};
            before = NULL;
        }
        struct herd_group *group = &out->groups[out->count - 1];
        group->count++;
        group->process_count += before == NULL || before->process != member->process;
    }
    qsort_r(out->groups, out->count, sizeof *out->groups, compare_groups, out);
}

void herd_groups_free(struct herd_groups *groups) {
    free(groups->members);
    free(groups->groups);
    *groups = (struct herd_groups){0};
}
