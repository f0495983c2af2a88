/* What threads of the made Python do. */
#include "target-runtime/epoch.h"
#include "tests/unit/python.h"

static void set_attached(struct python *python, const struct python_thread *holder,
                         uint64_t interpreter) {
    uint64_t thread = python_get(python, interpreter, LAYOUT_interpreter_threads_head);
    while (thread != 0) {
        python_set(python, thread, LAYOUT_thread_state, holder && holder->state == thread);
        thread = python_get(python, thread, LAYOUT_thread_next);
    }
}

/* last_holder stays when the GIL is given back, the current thread does not. */
void python_hold_gil(struct python *python, uint64_t interpreter,
                     const struct python_thread *thread) {
    const struct layout *layout = python->layout;
    switch (layout->gil_place) {
    case GIL_IN_RUNTIME:
        python_set(python, python->runtime, LAYOUT_runtime_current_thread,
                   thread != NULL ? thread->state : 0);
        break;
    case GIL_IN_INTERPRETER:
        interpreter = python_get(python, interpreter, LAYOUT_interpreter_gil) -
                      LAYOUT_AT(layout, interpreter, own_gil);
        python_set(python, interpreter, LAYOUT_interpreter_gil_locked, thread != NULL);
        if (thread != NULL) {
            python_set(python, interpreter, LAYOUT_interpreter_gil_holder, thread->state);
        }
        break;
    case GIL_ABSENT: set_attached(python, thread, interpreter); break;
    }
}

/* Counted up when the last one to have it was another (take_gil(), Python/ceval_gil.c). */
void python_take_gil(struct python *python, const struct python_thread *thread) {
    uint32_t at;
    if (!epoch_place(python->layout, &at)) {
        return;
    }
    bool is_runtimes = python->layout->gil_place == GIL_IN_RUNTIME;
    uint64_t gil = (is_runtimes ? python->runtime : python->interpreter) + at;
    fake_write_u64(&python->fake, gil, thread->state);
    fake_write_u64(&python->fake, gil + 16, ++python->switches);
}

void python_collect(struct python *python, uint64_t interpreter, bool is_collecting) {
    python_set(python, python->runtime, LAYOUT_runtime_collecting, is_collecting);
    python_set(python, interpreter, LAYOUT_interpreter_collecting, is_collecting);
}

uint64_t python_handle(struct python *python, const struct python_thread *thread, uint64_t value,
                       bool in_generator) {
    uint64_t base = thread->state + LAYOUT_AT(python->layout, thread, exc_state);
    uint64_t item = in_generator ? python_structure(python, "exc_item", 0) : base;
    if (in_generator) {
        python_set(python, item, LAYOUT_exc_item_previous,
                   python_get(python, thread->state, LAYOUT_thread_exc_info));
    }
    python_set(python, item, LAYOUT_exc_item_value, value);
    python_set(python, thread->state, LAYOUT_thread_exc_info, item);
    return item;
}
