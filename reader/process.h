/* A process on this machine: who it is, what is mapped into it, which threads it has.
 * Linux: see proc(5). */
#ifndef PYROMETER_READER_PROCESS_H
#define PYROMETER_READER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/buffer.h"
#include "profiler/base/status.h"

/* A process, told apart from a later one with the same PID by its start time and a pidfd. */
struct process {
    pid_t pid;
    int pidfd;            /* -1 where the kernel has none (before 5.3) */
    uint64_t start_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot */
};

/* NO_PROCESS when there is none, GONE when it is a zombie. */
enum status process_open(struct process *out, pid_t pid, struct error *error) MUST_CHECK;
/* Accepts a closed process. */
void process_close(struct process *process);

/* Whether the process that was opened still runs (a zombie does not). */
bool process_is_alive(const struct process *process);
/* A number that changes when the process executes another program (where its stack begins, field 28
 * of /proc/PID/stat); 0 when it cannot be read. */
uint64_t process_image_mark(const struct process *process);
/* CPU time that all its threads have used, as finely as the kernel tells; 0 when it cannot be read.
 */
uint64_t process_cpu_ns(const struct process *process);
/* PID of its parent, 0 when it cannot be known. */
pid_t process_parent(const struct process *process);
/* As whom it acts: its effective ids, in our user namespace. False when they cannot be known. */
bool process_owner(const struct process *process, uid_t *uid_out, gid_t *gid_out);
/* Path of the program it runs, as the process sees it; nothing when it cannot be known. */
void process_executable(const struct process *process, struct buffer *out);
/* The part of a path of its map that it sees itself. Borrowed from `path`. */
const char *process_path_inside(const struct process *process, const char *path);
/* Its name as the kernel has it (comm), without the newline; "?" when it cannot be read. */
void process_name(const struct process *process, struct buffer *out);
/* Its arguments, joined with spaces; the name in brackets when it has none. */
void process_command(const struct process *process, struct buffer *out);
/* Name of one thread as the kernel has it; "?" when it cannot be read. */
void process_thread_name(const struct process *process, pid_t tid, struct buffer *out);

/* A thread's ids: in our pid namespace, and in the innermost one, which is what the program itself
 * sees (NSpid in /proc/PID/task/TID/status, Linux 4.1). */
struct thread_ids {
    pid_t outer;
    pid_t inner;
};

/* All threads that the process has now; the caller frees *out with free(). Returns how many. */
size_t process_threads(const struct process *process, struct thread_ids **out);

/* What the kernel says of one thread (/proc/PID/task/TID/status). */
struct thread_state {
    char letter;  /* R, S, D, T (stopped), t (held by its tracer), Z, X: proc(5) */
    pid_t tracer; /* who traces it; 0: nobody, or nobody in our pid namespace */
    /* How often it has left a CPU. One that was on none before and after, and has left none in
     * between, has not run in between. */
    uint64_t switches;
};

/* False when the thread is not there. */
bool process_thread_state(pid_t pid, pid_t tid, struct thread_state *out);

/* One line of /proc/PID/maps. */
struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset; /* in the file, bytes */
    uint64_t inode;  /* 0: no file */
    bool is_writable;
    bool is_executable;
    const char *path; /* as the kernel prints it, "" if none; owned by the maps */
};

struct maps {
    struct mapping *items;
    size_t count;
    char *text; /* what the paths point into */
};

/* Reads all mappings. GONE when the process has ended, NOT_PERMITTED. */
enum status maps_read(const struct process *process, struct maps *out,
                      struct error *error) MUST_CHECK;
/* Accepts zeroed maps. */
void maps_free(struct maps *maps);

/* Opens the file behind a mapping for reading, whatever became of its path: by /proc/PID/map_files
 * (any file, deleted or in a container; needs privileges), /proc/PID/exe, and the path itself as
 * the process sees it (under /proc/PID/root) and as we see it; a path counts only if it is still
 * the same inode. -1 when none works. The caller closes it. */
int process_open_mapped(const struct process *process, const struct mapping *mapping);
/* Inode of the program the process runs; 0 when it cannot be known. */
uint64_t process_program_inode(const struct process *process);

#endif
