#include "profiler/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "target-runtime/threads.h"

enum {
    FIRST_PAUSE_MS = 2,
    LAST_PAUSE_MS = 2000,   /* threads that threading does not know are asked for this seldom */
    INTERPRETER_SHIFT = 40, /* serials are counted by each interpreter: its id goes above them */
};

struct person {
    bool is_used;
    bool has_python_name;
    bool is_decided; /* is_wanted is */
    bool is_wanted;
    struct thread_ref thread; /* 0 until it is asked for */
    struct string_id name;
    struct string_id kernel_name;
    uint64_t serial;
    uint64_t interpreter;
    uint64_t interpreter_id;
    uint64_t ident;
    uint64_t native_id; /* as the target has it */
    uint32_t tid;       /* in our pid namespace */
    uint32_t inner;     /* in the target's */
    uint64_t ask_at_ns;
    uint64_t pause_ns;
};

struct roster {
    struct session *session;
    struct trace *trace;
    const struct thread_filter *filter;
    struct person *people; /* by walk slot */
    size_t count;
    size_t capacity;
    struct thread_ids *tasks;
    size_t task_count;
    struct thread_id_place place;
    uint64_t ask_at_ns; /* the earliest of theirs */
};

struct roster *roster_create(struct session *session, struct trace *trace,
                             const struct thread_filter *filter) {
    struct roster *roster = memory_zeroed(1, sizeof *roster);
    roster->session = session;
    roster->trace = trace;
    roster->filter = filter;
    roster->place = THREAD_ID_PLACE_UNKNOWN;
    roster->ask_at_ns = UINT64_MAX;
    return roster;
}

void roster_destroy(struct roster *roster) {
    if (roster == NULL) {
        return;
    }
    free(roster->people);
    free(roster->tasks);
    free(roster);
}

/* ---- kernel ids ---- */

static void read_tasks(struct roster *roster) {
    free(roster->tasks);
    roster->task_count = process_threads(roster->session->process, &roster->tasks);
}

static uint32_t outer_id(const struct roster *roster, uint64_t inner) {
    for (size_t i = 0; i < roster->task_count; i++) {
        if ((uint64_t)roster->tasks[i].inner == inner) {
            return (uint32_t)roster->tasks[i].outer;
        }
    }
    return 0;
}

/* Fills tid and inner. The list of tasks is read again, at most once a look, for a thread that is
 * not in it. */
static void identify(struct roster *roster, const struct raw_thread *thread, struct person *person,
                     bool *tasks_are_fresh) {
    for (;;) {
        uint64_t inner = thread_native_id(&roster->session->runtime, thread, roster->tasks,
                                          roster->task_count, &roster->place);
        person->inner = (uint32_t)inner;
        person->tid = outer_id(roster, inner);
        if (person->tid != 0 || *tasks_are_fresh) {
            return;
        }
        read_tasks(roster);
        *tasks_are_fresh = true;
    }
}

/* ---- wanted or not ---- */

static bool is_main(const struct roster *roster, const struct person *person) {
    return person->interpreter_id == 0 && person->tid == (uint32_t)roster->session->process->pid;
}

static bool is_named(const struct roster *roster, const struct person *person, const char *wanted) {
    char *end;
    unsigned long number = strtoul(wanted, &end, 10);
    bool is_number = *wanted != '\0' && *end == '\0';
    return (is_number && number != 0 && (number == person->tid || number == person->inner)) ||
           strcmp(wanted, trace_string(roster->trace, person->name)) == 0 ||
           strcmp(wanted, trace_string(roster->trace, person->kernel_name)) == 0;
}

static void decide(const struct roster *roster, struct person *person) {
    const struct thread_filter *filter = roster->filter;
    bool wanted = filter->main_only ? is_main(roster, person) : filter->name_count == 0;
    for (size_t i = 0; i < filter->name_count && !filter->main_only && !wanted; i++) {
        wanted = is_named(roster, person, filter->names[i]);
    }
    person->is_decided = true;
    person->is_wanted = wanted;
}

/* ---- people ---- */

/* Enters a person under the name it has now. Only who has samples is entered: outputs list every
 * thread there is. */
static void enter(struct roster *roster, struct person *person) {
    struct trace_thread thread = {
        .pid = (uint32_t)roster->session->process->pid,
        .tid = person->tid,
        .serial = person->serial | person->interpreter_id << INTERPRETER_SHIFT,
        .name = person->has_python_name ? person->name : person->kernel_name,
        .is_main = is_main(roster, person),
    };
    person->thread = trace_intern_thread(roster->trace, thread);
}

static void read_kernel_name(struct roster *roster, struct person *person) {
    struct buffer name = {0};
    process_thread_name(roster->session->process, (pid_t)person->tid, &name);
    person->kernel_name = trace_text(roster->trace, name.data, name.length);
    buffer_deinit(&name);
}

static struct person *person_at(struct roster *roster, size_t slot) {
    while (roster->count <= slot) {
        if (roster->count == roster->capacity) {
            roster->people =
                memory_grow(roster->people, sizeof *roster->people, slot + 1, &roster->capacity);
        }
        roster->people[roster->count++] = (struct person){0};
    }
    return &roster->people[slot];
}

/* Whether this is not whom we met in this slot. A thread state is made by the thread that starts
 * another and has its creator's ids, or none, until the new thread runs (Modules/_threadmodule.c
 * and Python/pystate.c: bound late from 3.12 on, overwritten before). */
static bool is_stranger(const struct person *person, const struct raw_thread *thread) {
    return !person->is_used || thread->is_new || person->serial != thread->serial ||
           person->ident != thread->ident || person->native_id != thread->native_id;
}

/* Whether a person is there only in the memory of a fork, which for a moment still has all of its
 * parent's threads (and is its parent's own, after vfork). One whose id is not known yet is asked
 * for in every look. */
static bool is_shadow(const struct roster *roster, const struct person *person) {
    return roster->session->is_fork && person->tid == 0;
}

void roster_meet(struct roster *roster, const struct raw_look *look, uint64_t now_ns) {
    bool tasks_are_fresh = false;
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        struct person *person = person_at(roster, thread->slot);
        if (!is_stranger(person, thread) && !is_shadow(roster, person)) {
            continue;
        }
        *person = (struct person){
            .is_used = true,
            .serial = thread->serial,
            .interpreter = thread->interpreter,
            .interpreter_id = thread->interpreter_id,
            .ident = thread->ident,
            .native_id = thread->native_id,
            .ask_at_ns = now_ns,
            .pause_ns = FIRST_PAUSE_MS * NS_PER_MS,
        };
        identify(roster, thread, person, &tasks_are_fresh);
        read_kernel_name(roster, person);
        roster->ask_at_ns = now_ns;
    }
    roster_read_names(roster, now_ns, false);
}

struct member roster_member(struct roster *roster, const struct raw_thread *thread,
                            bool has_sample) {
    struct person *person = &roster->people[thread->slot];
    if (is_shadow(roster, person)) {
        return (struct member){.is_wanted = false};
    }
    if (!person->is_decided) {
        decide(roster, person);
    }
    if (has_sample && person->is_wanted && person->thread.id == 0) {
        enter(roster, person);
    }
    return (struct member){person->thread, person->tid, person->is_wanted,
                           person->has_python_name || roster->filter->main_only};
}

static const struct active_thread *find_active(const struct active_thread *active, size_t count,
                                               uint64_t ident) {
    for (size_t i = 0; i < count; i++) {
        if (active[i].ident == ident) {
            return &active[i];
        }
    }
    return NULL;
}

/* Gives a person its Python name if threading knows it by now. */
static void name_person(struct roster *roster, struct person *person,
                        const struct active_thread *active, size_t count, uint64_t now_ns) {
    const struct runtime *runtime = &roster->session->runtime;
    struct buffer name = {0};
    uint64_t native_id;
    const struct active_thread *entry = find_active(active, count, person->ident);
    if (entry != NULL && thread_object_native_id(runtime, entry->object, &native_id) == STATUS_OK &&
        native_id == person->inner &&
        thread_object_name(runtime, entry->object, &name) == STATUS_OK) {
        person->name = trace_text(roster->trace, name.data != NULL ? name.data : "", name.length);
        person->has_python_name = true;
        person->is_decided = false;
        if (person->thread.id != 0) {
            enter(roster, person);
        }
    }
    buffer_deinit(&name);
    person->ask_at_ns = person->has_python_name ? UINT64_MAX : now_ns + person->pause_ns;
    person->pause_ns = person->pause_ns * 2 < LAST_PAUSE_MS * NS_PER_MS ? person->pause_ns * 2
                                                                        : LAST_PAUSE_MS * NS_PER_MS;
}

static bool is_due(const struct person *person, uint64_t now_ns, bool all) {
    return person->is_used && (all || person->ask_at_ns <= now_ns);
}

/* Names those people of one interpreter who are due. */
static void name_interpreter(struct roster *roster, uint64_t interpreter, uint64_t now_ns,
                             bool all) {
    struct active_thread *active = NULL;
    size_t count = 0;
    if (threads_active(&roster->session->runtime, (struct remote){interpreter}, &active, &count) !=
        STATUS_OK) {
        count = 0;
    }
    for (size_t i = 0; i < roster->count; i++) {
        struct person *person = &roster->people[i];
        if (person->interpreter == interpreter && is_due(person, now_ns, all)) {
            name_person(roster, person, active, count, now_ns);
        }
    }
    free(active);
}

void roster_read_names(struct roster *roster, uint64_t now_ns, bool all) {
    if (!all && now_ns < roster->ask_at_ns) {
        return;
    }
    uint64_t done = 0; /* the interpreter that was named last: people of one are mostly together */
    for (size_t i = 0; i < roster->count; i++) {
        struct person *person = &roster->people[i];
        if (is_due(person, now_ns, all) && person->interpreter != done) {
            done = person->interpreter;
            name_interpreter(roster, done, now_ns, all);
        }
    }
    roster->ask_at_ns = UINT64_MAX;
    for (size_t i = 0; i < roster->count; i++) {
        const struct person *person = &roster->people[i];
        bool is_earlier = person->is_used && person->ask_at_ns < roster->ask_at_ns;
        roster->ask_at_ns = is_earlier ? person->ask_at_ns : roster->ask_at_ns;
    }
}
