#define _GNU_SOURCE
#include "reader/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/arena.h"

/* A line of /proc/PID/status that is a number; 0 when it is not there. The name in its first line
 * has its line ends escaped (proc(5)). */
static long number_after(const char *status, const char *label) {
    const char *line = strstr(status, label);
    return line != NULL ? strtol(line + strlen(label), NULL, 10) : 0;
}

/* /proc has the number of a thread as well as that of a process, but does not list it. */
pid_t tree_parent(pid_t pid) {
    char path[32];
    char text[1024]; /* both lines are among the first */
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) {
        close(fd);
    }
    if (bytes <= 0) {
        return -1;
    }
    text[bytes] = '\0';
    bool is_process = number_after(text, "\nTgid:") == pid;
    return is_process ? (pid_t)number_after(text, "\nPPid:") : 0;
}

/* ---- all processes ---- */

/* The caller frees. */
static struct tree_node *list_all(size_t *count_out) {
    struct tree_node *all = NULL;
    size_t capacity = 0;
    size_t count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        pid_t parent = pid > 0 ? tree_parent(pid) : 0;
        if (parent <= 0) {
            continue;
        }
        if (count == capacity) {
            all = memory_grow(all, sizeof *all, count + 1, &capacity);
        }
        all[count++] = (struct tree_node){pid, parent};
    }
    if (proc != NULL) {
        closedir(proc);
    }
    *count_out = count;
    return all;
}

/* ---- the tree ---- */

static int compare_parents(const void *a, const void *b) {
    const struct tree_node *one = a;
    const struct tree_node *other = b;
    if (one->parent != other->parent) {
        return one->parent < other->parent ? -1 : 1;
    }
    return one->pid < other->pid ? -1 : one->pid > other->pid;
}

/* The first of the sorted nodes whose parent is not smaller. */
static size_t first_child(const struct tree_node *sorted, size_t count, pid_t parent) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle].parent < parent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Each node is added once at most, as the child of its one parent; the root, never. */
void tree_build(struct tree *out, pid_t root, const struct tree_node *all, size_t count) {
    struct tree_node *sorted = memory_zeroed(count + 1, sizeof *sorted);
    if (count > 0) {
        memcpy(sorted, all, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_parents);
    }
    *out = (struct tree){.nodes = memory_zeroed(TREE_LIMIT, sizeof *out->nodes), .count = 1};
    out->nodes[0] = (struct tree_node){root, 0};
    for (size_t at = 0; at < out->count && !out->is_cut; at++) {
        pid_t parent = out->nodes[at].pid;
        for (size_t i = first_child(sorted, count, parent);
             i < count && sorted[i].parent == parent && !out->is_cut; i++) {
            out->is_cut = out->count == TREE_LIMIT;
            if (!out->is_cut && sorted[i].pid != root) {
                out->nodes[out->count++] = sorted[i];
            }
        }
    }
    free(sorted);
}

void tree_read(struct tree *out, pid_t root) {
    size_t count;
    struct tree_node *all = list_all(&count);
    tree_build(out, root, all, count);
    free(all);
}

void tree_free(struct tree *tree) {
    free(tree->nodes);
    *tree = (struct tree){0};
}
