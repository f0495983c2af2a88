#include "profiler/successor.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

void predecessor_init(struct predecessor *out, const struct process *process) {
    gid_t gid;
    *out = (struct predecessor){.start_ticks = process->start_ticks};
    process_command(process, &out->command);
    if (!process_owner(process, &out->uid, &gid)) {
        out->uid = (uid_t)-1;
    }
}

void predecessor_deinit(struct predecessor *predecessor) {
    buffer_deinit(&predecessor->command);
}

static bool runs_the_same(const struct predecessor *predecessor, const struct process *process) {
    struct buffer command = {0};
    uid_t uid;
    gid_t gid;
    process_command(process, &command);
    bool is_same = process_owner(process, &uid, &gid) && uid == predecessor->uid &&
                   command.length == predecessor->command.length && command.length > 0 &&
                   memcmp(command.data, predecessor->command.data, command.length) == 0;
    buffer_deinit(&command);
    return is_same;
}

/* Opens a process if it can be the successor. */
static bool open_candidate(const struct predecessor *predecessor, pid_t pid, struct process *out) {
    if (process_open(out, pid, NULL) != STATUS_OK) {
        return false;
    }
    bool can_be = out->start_ticks > predecessor->start_ticks && runs_the_same(predecessor, out);
    if (!can_be) {
        process_close(out);
    }
    return can_be;
}

/* Whether its parent could be the successor just as well: then it is a worker of that. */
static bool is_worker(const struct predecessor *predecessor, const struct process *process) {
    struct process parent;
    bool is_one = open_candidate(predecessor, process_parent(process), &parent);
    if (is_one) {
        process_close(&parent);
    }
    return is_one;
}

bool successor_open(const struct predecessor *predecessor, struct process *out) {
    DIR *folder = opendir("/proc");
    bool is_found = false;
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct process process;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || !open_candidate(predecessor, pid, &process)) {
            continue;
        }
        bool is_better = !is_worker(predecessor, &process) &&
                         (!is_found || process.start_ticks >= out->start_ticks);
        if (is_better && is_found) {
            process_close(out);
        }
        if (is_better) {
            *out = process;
            is_found = true;
        } else {
            process_close(&process);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return is_found;
}
