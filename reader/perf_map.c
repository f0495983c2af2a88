#define _GNU_SOURCE
#include "reader/perf_map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_LIMIT = 1 << 20,
    LINE_BYTES_MAX = 8192,
};

void perf_map_add_line(struct functions *functions, char *line) {
    char *end;
    uint64_t address = strtoull(line, &end, 16);
    uint64_t bytes = end != line ? strtoull(end, &end, 16) : 0;
    line[strcspn(line, "\n")] = '\0';
    if (bytes > 0 && address + bytes > address && end[0] == ' ' && end[1] != '\0') {
        functions_add(functions, address, bytes, end + 1, 0);
    }
}

/* The process's id as it knows it itself. */
static pid_t inner_pid(const struct process *process) {
    struct thread_ids *threads;
    size_t count = process_threads(process, &threads);
    pid_t pid = process->pid;
    for (size_t i = 0; i < count; i++) {
        pid = threads[i].outer == process->pid ? threads[i].inner : pid;
    }
    free(threads);
    return pid;
}

/* Somebody else may have put something of that name into a folder that all may write to. */
static FILE *open_map(const struct process *process) {
    char path[96];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d/root/tmp/perf-%d.map", (int)process->pid,
             (int)inner_pid(process));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    bool is_file = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    FILE *file = is_file ? fdopen(fd, "r") : NULL;
    if (file == NULL && fd >= 0) {
        close(fd);
    }
    return file;
}

void perf_map_read(struct functions *out, const struct process *process) {
    char line[LINE_BYTES_MAX];
    *out = (struct functions){0};
    FILE *file = open_map(process);
    for (int i = 0; file != NULL && i < LINE_LIMIT && fgets(line, sizeof line, file) != NULL; i++) {
        perf_map_add_line(out, line);
    }
    if (file != NULL) {
        fclose(file);
    }
    functions_sort(out);
}
