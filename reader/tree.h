/* A process and everything below it: its children, theirs, and so on. */
#ifndef PYROMETER_READER_TREE_H
#define PYROMETER_READER_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tree_node {
    pid_t pid;
    pid_t parent; /* of the root: 0 */
};

struct tree {
    struct tree_node *nodes; /* nodes[0] is the root; parents come before their children */
    size_t count;
    bool is_cut; /* there are more than TREE_LIMIT */
};

enum { TREE_LIMIT = 4096 };

/* Reads the tree below `root`, nearest first, as it is now: a process that comes to be or ends
 * meanwhile may be in it or not. One whose parent has ended belongs to nobody's tree any more but
 * that of who adopted it. Reads /proc once for all processes there are. */
void tree_read(struct tree *out, pid_t root);
/* Accepts a zeroed tree. */
void tree_free(struct tree *tree);

/* For a tree made of any list of processes and their parents. Pure. */
void tree_build(struct tree *out, pid_t root, const struct tree_node *all, size_t count);

/* The parent of a process; 0 when it has none or this is the number of a thread, -1 when there is
 * nobody of this number. */
pid_t tree_parent(pid_t pid);

#endif
