#include "profiler/below.h"

#include <errno.h>
#include <stdbool.h>

#include "profiler/base/buffer.h"
#include "reader/memory.h"
#include "reader/process.h"
#include "reader/tree.h"
#include "target-runtime/runtime.h"

enum { LISTED_BYTES = 100 }; /* of PIDs: no more are looked for */

static bool is_python(pid_t pid, struct symbols_memo *memo) {
    struct process process;
    struct memory memory;
    struct runtime runtime;
    bool is = false;
    if (process_open(&process, pid, NULL) != STATUS_OK) {
        return false;
    }
    if (memory_open_live(&memory, pid, NULL) == STATUS_OK) {
        is = runtime_attach(&runtime, &process, &memory, memo, NULL) == STATUS_OK;
        memory_close(&memory);
    }
    process_close(&process);
    return is;
}

enum status below_explain(pid_t pid, struct symbols_memo *memo, struct error *error) {
    struct buffer pids = {0};
    struct tree tree;
    enum status status = STATUS_NOT_PYTHON;
    tree_read(&tree, pid);
    for (size_t i = 1; i < tree.count && pids.length < LISTED_BYTES; i++) {
        if (is_python(tree.nodes[i].pid, memo)) {
            buffer_printf(&pids, "%s%d", pids.length > 0 ? ", " : "", (int)tree.nodes[i].pid);
        }
    }
    tree_free(&tree);
    if (pids.length > 0) {
        errno = 0;
        status = error_set(error, STATUS_ABOVE_PYTHON, "below process %d: %s", (int)pid, pids.data);
    }
    buffer_deinit(&pids);
    return status;
}
