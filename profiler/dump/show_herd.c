/* Many processes at once: each stack once, with who is in it. */
#include "profiler/base/text.h"
#include "profiler/dump/show.h"

enum { LISTED = 16 }; /* processes that are named for one stack */

static void append_text(const struct trace *trace, struct string_id id, struct buffer *out) {
    text_append_escaped(out, trace_string(trace, id), "");
}

/* ---- for people ---- */

/* " wait() in queue.py:171", of the newest frame. */
static void append_place(const struct trace *trace, struct stack_id stack, struct buffer *out) {
    if (stack.id == 0) {
        buffer_printf(out, " without Python code");
        return;
    }
    const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, stack)->frame);
    const struct trace_function *function = trace_function(trace, frame->function);
    buffer_printf(out, " in ");
    append_text(trace, function->name, out);
    if (function->file.id != 0) {
        buffer_printf(out, " (");
        append_text(trace, function->file, out);
        buffer_printf(out, ":%u)", frame->line);
    }
}

/* ", sleeping" when the kernel says the same of all of them. */
static void append_state(const struct herd_member *members, size_t count, struct buffer *out) {
    char letter = members[0].thread->kernel_state;
    const char *state = show_state(letter);
    for (size_t i = 1; i < count; i++) {
        state = members[i].thread->kernel_state == letter ? state : NULL;
    }
    if (state != NULL) {
        buffer_printf(out, ", %s", state);
    }
}

/* Each process once, with the thread if it is not the main one. */
static void append_members(const struct trace *trace, const struct herd_member *members,
                           const struct herd_group *group, struct buffer *out) {
    size_t listed = 0;
    for (size_t i = 0; i < group->count && listed < LISTED; i++) {
        const struct trace_thread *thread = trace_thread(trace, members[i].thread->thread);
        buffer_printf(out, "%s%u", listed++ > 0 ? ", " : "  ", thread->pid);
        if (!thread->is_main) {
            buffer_printf(out, " thread %u \"", thread->tid);
            append_text(trace, thread->name, out);
            buffer_printf(out, "\"");
        }
    }
    if (listed < group->count) {
        buffer_printf(out, ", and %zu more", group->count - listed);
    }
    buffer_printf(out, "\n");
}

/* "30 of 32 processes", "90 threads of 30 of 32 processes" */
static void append_group(const struct trace *trace, const struct herd *herd,
                         const struct herd_member *members, const struct herd_group *group,
                         struct buffer *out) {
    buffer_printf(out, "\n");
    if (group->count > group->process_count) {
        buffer_printf(out, "%zu threads of ", group->count);
    }
    buffer_printf(out, "%zu of %zu processes", group->process_count, herd->count);
    append_place(trace, members[0].thread->stack, out);
    append_state(members, group->count, out);
    buffer_printf(out, "\n");
    append_members(trace, members, group, out);
    struct dumped_thread shown = *members[0].thread;
    if (group->count > 1) {
        shown.inspected = (struct inspected){0}; /* they are of one thread, not of all */
    }
    show_stack(trace, &shown, out);
}

void show_herd_text(const struct trace *trace, const struct herd *herd, struct buffer *out) {
    struct herd_groups groups;
    herd_group(herd, &groups);
    buffer_printf(out, "Process %u (", herd->root);
    append_text(trace, trace->run.command, out);
    buffer_printf(out, ") and below: %zu of Python, %zu others\n", herd->count, herd->other_count);
    for (size_t i = 0; i < groups.count; i++) {
        const struct herd_group *group = &groups.groups[i];
        append_group(trace, herd, &groups.members[group->first], group, out);
    }
    herd_groups_free(&groups);
}

/* ---- for programs ---- */

static cJSON *group_json(const struct trace *trace, const struct herd_member *members,
                         size_t count) {
    cJSON *json = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        const struct trace_thread *thread = trace_thread(trace, members[i].thread->thread);
        cJSON *member = cJSON_CreateObject();
        cJSON_AddNumberToObject(member, "pid", thread->pid);
        cJSON_AddNumberToObject(member, "tid", thread->tid);
        cJSON_AddItemToArray(json, member);
    }
    return json;
}

cJSON *show_herd_json(const struct trace *trace, const struct herd *herd) {
    struct herd_groups groups;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "pid", herd->root);
    cJSON_AddNumberToObject(json, "other_processes", (double)herd->other_count);
    cJSON *processes = cJSON_AddArrayToObject(json, "processes");
    for (size_t i = 0; i < herd->count; i++) {
        cJSON_AddItemToArray(processes, show_json(trace, &herd->processes[i]));
    }
    cJSON *equal = cJSON_AddArrayToObject(json, "equal_stacks");
    herd_group(herd, &groups);
    for (size_t i = 0; i < groups.count; i++) {
        const struct herd_group *group = &groups.groups[i];
        cJSON_AddItemToArray(equal, group_json(trace, &groups.members[group->first], group->count));
    }
    herd_groups_free(&groups);
    return json;
}
