#include "profiler/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "target-runtime/threads.h"

enum {
    FIRST_PAUSE_MS = 2,
    LAST_PAUSE_MS = 2000, /* threads that threading does not know are asked for this seldom */
};

struct person {
    bool is_used;
    bool has_python_name;
    bool is_wanted;
    struct thread_ref thread;
    uint64_t serial;
    uint64_t interpreter;
    uint64_t ident;
    uint32_t tid;   /* in our pid namespace */
    uint32_t inner; /* in the target's */
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

static bool names_person(const char *wanted, const struct person *person, const char *name,
                         const char *kernel_name) {
    char *end;
    unsigned long number = strtoul(wanted, &end, 10);
    bool is_number = *wanted != '\0' && *end == '\0';
    return (is_number && number != 0 && (number == person->tid || number == person->inner)) ||
           strcmp(wanted, name) == 0 || strcmp(wanted, kernel_name) == 0;
}

static bool is_wanted(const struct roster *roster, const struct person *person, const char *name,
                      const char *kernel_name) {
    const struct thread_filter *filter = roster->filter;
    bool is_main = person->tid == (uint32_t)roster->session->process->pid;
    if (filter->main_only) {
        return is_main;
    }
    for (size_t i = 0; i < filter->name_count; i++) {
        if (names_person(filter->names[i], person, name, kernel_name)) {
            return true;
        }
    }
    return filter->name_count == 0;
}

/* ---- names ---- */

/* Enters the person under a name and decides about it. */
static void enter(struct roster *roster, struct person *person, const char *name, size_t bytes) {
    struct buffer kernel_name = {0};
    process_thread_name(roster->session->process, (pid_t)person->tid, &kernel_name);
    if (name == NULL) {
        name = kernel_name.data;
        bytes = kernel_name.length;
    }
    struct trace_thread thread = {
        .pid = (uint32_t)roster->session->process->pid,
        .tid = person->tid,
        .serial = person->serial,
        .name = trace_text(roster->trace, name, bytes),
        .is_main = person->tid == (uint32_t)roster->session->process->pid,
    };
    person->is_wanted =
        is_wanted(roster, person, trace_string(roster->trace, thread.name), kernel_name.data);
    /* Who is not wanted is not entered: outputs list every thread there is. */
    if (person->is_wanted) {
        person->thread = trace_intern_thread(roster->trace, thread);
    }
    buffer_deinit(&kernel_name);
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

void roster_meet(struct roster *roster, const struct raw_look *look, uint64_t now_ns) {
    bool tasks_are_fresh = false;
    bool has_new = false;
    for (size_t i = 0; i < look->thread_count; i++) {
        const struct raw_thread *thread = &look->threads[i];
        if (!thread->is_new) {
            continue;
        }
        struct person *person = person_at(roster, thread->slot);
        *person = (struct person){
            .is_used = true,
            .serial = thread->serial,
            .interpreter = thread->interpreter,
            .ident = thread->ident,
            .ask_at_ns = now_ns,
            .pause_ns = FIRST_PAUSE_MS * NS_PER_MS,
        };
        identify(roster, thread, person, &tasks_are_fresh);
        enter(roster, person, NULL, 0);
        has_new = true;
    }
    if (has_new) {
        roster->ask_at_ns = now_ns;
        roster_read_names(roster, now_ns, false);
    }
}

struct member roster_member(const struct roster *roster, const struct raw_thread *thread) {
    const struct person *person = &roster->people[thread->slot];
    return (struct member){person->thread, person->is_wanted};
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
    struct buffer name = {0};
    const struct active_thread *entry = find_active(active, count, person->ident);
    if (entry != NULL &&
        thread_object_name(&roster->session->runtime, entry->object, &name) == STATUS_OK) {
        enter(roster, person, name.data != NULL ? name.data : "", name.length);
        person->has_python_name = true;
    }
    buffer_deinit(&name);
    person->ask_at_ns = person->has_python_name ? UINT64_MAX : now_ns + person->pause_ns;
    person->pause_ns = person->pause_ns * 2 < LAST_PAUSE_MS * NS_PER_MS ? person->pause_ns * 2
                                                                        : LAST_PAUSE_MS * NS_PER_MS;
}

static bool is_due(const struct person *person, uint64_t now_ns, bool all) {
    return person->is_used && (all || person->ask_at_ns <= now_ns);
}

/* Names the people of one interpreter: that of the first who is due. True when there was one. */
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
