#define _GNU_SOURCE
#include "tui/viewer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "tui/action.h"
#include "tui/keys.h"
#include "tui/picture.h"
#include "tui/screen.h"

enum {
    REFRESH_MS = 500,
    REFRESH_FIRST_MS = 100, /* until there is something to show */
    REFRESH_PER_COST = 20,  /* a picture may cost a twentieth of the time */
    LOOK_UP_MS = 100,       /* how long a wish to stop may go unnoticed */
    PROMPT_BYTES = 256,
};

/* A question in the last row. */
struct prompt {
    const char *question; /* NULL: none is asked */
    unsigned about;       /* an outcome */
    char answer[PROMPT_BYTES];
};

struct viewer {
    struct viewer_plan plan;
    struct view view;
    struct prompt prompt;
    pthread_t thread;
    bool is_over;          /* the user has had enough */
    atomic_bool must_stop; /* whoever started it has */
    bool has_joined;
    uint64_t due_ns;       /* the next time to select and draw */
    uint64_t paused_at_ns; /* of the run */
    struct table tried;    /* struct string_id: source files that were asked for */
};

/* ---- what is shown ---- */

static uint64_t uptime_s(const struct trace *trace) {
    struct timespec now;
    uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
    clock_gettime(CLOCK_BOOTTIME, &now);
    for (uint32_t id = 1; id <= trace->processes.count; id++) {
        const struct trace_process *process = table_row(&trace->processes, id);
        uint64_t start_s = process->start_ticks / ticks_per_s;
        if (process->pid == trace->run.pid && start_s <= (uint64_t)now.tv_sec) {
            return (uint64_t)now.tv_sec - start_s;
        }
    }
    return 0;
}

static double share_of(uint64_t part_ns, uint64_t whole_ns) {
    return whole_ns > 0 ? (double)part_ns / (double)whole_ns : 0;
}

/* From what ended at `until_ns` of the run back. */
static void take_history(struct view *view, const struct window *window, uint64_t until_ns) {
    struct window_mark start;
    struct window_mark end;
    view->history_count = 0;
    for (uint32_t ago = 0;
         view->history_count < VIEW_HISTORY && window_marks(window, ago, &start, &end); ago++) {
        if (end.health.duration_ns > until_ns) {
            continue;
        }
        uint64_t passed_ns = end.health.duration_ns - start.health.duration_ns;
        uint64_t cpu_ns =
            end.target_cpu_ns > start.target_cpu_ns ? end.target_cpu_ns - start.target_cpu_ns : 0;
        view->history[view->history_count++] = (struct pulse){
            .target_cpus = share_of(cpu_ns, passed_ns),
            .held = share_of(end.held_ns - start.held_ns, passed_ns),
            .collecting = share_of(end.collecting_ns - start.collecting_ns, passed_ns),
        };
    }
}

/* The time of the run that is the end of what is shown. */
static uint64_t newest_ns(const struct window *window) {
    struct window_mark start;
    struct window_mark end;
    return window_marks(window, 0, &start, &end) ? end.health.duration_ns : 0;
}

static struct window_query query_of(const struct viewer *viewer) {
    const struct view *view = &viewer->view;
    struct window_query query = {
        .span_ns = view->span_ns,
        .back_ns = view->back_ns,
        .thread = view->thread,
        .pid = view->pid,
        .task = view->task,
        .states = modes[view->mode].states,
    };
    query.back_ns += view->is_paused ? newest_ns(viewer->plan.window) - viewer->paused_at_ns : 0;
    return query;
}

static void take_selection(struct viewer *viewer) {
    struct view *view = &viewer->view;
    struct window *window = viewer->plan.window;
    uint64_t oldest_ns = window->dropped.health.duration_ns;
    if (!view->is_paused) {
        viewer->paused_at_ns = newest_ns(window);
        view->uptime_s = window->phase != WINDOW_RUNS ? view->uptime_s : uptime_s(view->trace);
    }
    view->known_ns = viewer->paused_at_ns > oldest_ns ? viewer->paused_at_ns - oldest_ns : 0;
    take_history(view, window, viewer->paused_at_ns - view->back_ns);
    view_follow_restart(view, window->threads_before, window->processes_before);
    struct window_query query = query_of(viewer);
    window_select(window, &query);
    view->phase = window->phase;
    view->restarts = window->restarts;
    view->now_ns = clock_monotonic_ns();
    view_note_threads(view);
    view_note_shares(view);
}

static void draw(struct viewer *viewer, struct grid *grid) {
    const struct prompt *prompt = &viewer->prompt;
    char line[PROMPT_BYTES + 64];
    int rows;
    int columns;
    screen_size(&rows, &columns);
    grid_init(grid, rows > 0 ? rows : 1, columns > 0 ? columns : 1);
    if (prompt->question != NULL) {
        snprintf(line, sizeof line, "%s%s", prompt->question, prompt->answer);
    }
    picture_draw(&viewer->view, prompt->question != NULL ? line : NULL, grid);
}

/* Gets what panels wished for when they were drawn. Whether there is more to draw now. */
static bool take_wishes(struct viewer *viewer) {
    struct view *view = &viewer->view;
    struct trace *trace = &viewer->plan.window->trace;
    if (view->wants_opcodes) {
        viewer->plan.want_opcodes(viewer->plan.context);
    }
    if (view->wants_tasks) {
        viewer->plan.want_tasks(viewer->plan.context);
    }
    if (view->task.marker.id != 0) {
        viewer->plan.want_stacks_by_task(viewer->plan.context);
    }
    struct string_id file = {0};
    if (view->wants_source && view->function.id != 0 &&
        trace_function(trace, view->function)->is_native == 0) {
        file = trace_function(trace, view->function)->file;
    }
    view->wants_opcodes = false;
    view->wants_source = false;
    view->wants_tasks = false;
    if (file.id == 0 || table_find(&viewer->tried, &file) != 0) {
        return false;
    }
    struct buffer text = {0};
    table_intern(&viewer->tried, &file);
    bool is_read = viewer->plan.read_source(viewer->plan.context, trace_string(trace, file), &text);
    if (is_read) {
        trace_set_source(trace, file, text.data != NULL ? text.data : "", text.length);
    }
    buffer_deinit(&text);
    return is_read;
}

/* Selects if asked to, and shows. The lock is not held while the terminal is written to. */
static void show(struct viewer *viewer, bool selects) {
    struct grid grid;
    window_lock(viewer->plan.window);
    if (selects) {
        take_selection(viewer);
    }
    draw(viewer, &grid);
    if (take_wishes(viewer)) {
        grid_deinit(&grid);
        draw(viewer, &grid);
    }
    window_unlock(viewer->plan.window);
    screen_show(&grid);
    grid_deinit(&grid);
}

/* Shows, and says when to do so again: not so soon that it would cost too much. */
static void refresh_all(struct viewer *viewer) {
    uint64_t start_ns = clock_monotonic_ns();
    show(viewer, !viewer->view.is_paused);
    uint64_t cost_ns = clock_monotonic_ns() - start_ns;
    uint64_t usual_ms = viewer->view.trace->tallies.count > 0 ? REFRESH_MS : REFRESH_FIRST_MS;
    uint64_t pause_ns = usual_ms * NS_PER_MS;
    if (pause_ns < cost_ns * REFRESH_PER_COST) {
        pause_ns = cost_ns * REFRESH_PER_COST;
    }
    viewer->due_ns = start_ns + (pause_ns < 5 * NS_PER_S ? pause_ns : 5 * NS_PER_S);
}

/* ---- questions ---- */

static void say(struct view *view, bool is_good, const char *text) {
    snprintf(view->message, sizeof view->message, "%s", text);
    view->is_message_bad = !is_good;
}

static void ask(struct viewer *viewer, unsigned about) {
    viewer->prompt = (struct prompt){
        .question = about == OUTCOME_SAVE   ? "Write to (the format by its extension): "
                    : about == OUTCOME_RATE ? "Looks a second (100, 10khz): "
                                            : "Filter (regular expression): ",
        .about = about,
    };
}

static void save(struct viewer *viewer) {
    char answer[sizeof viewer->view.message] = "";
    window_lock(viewer->plan.window);
    struct window_query query = query_of(viewer);
    bool is_saved = viewer->plan.save(viewer->plan.context, &query, viewer->prompt.answer, answer,
                                      sizeof answer);
    window_unlock(viewer->plan.window);
    say(&viewer->view, is_saved, answer);
}

static void set_rate(struct viewer *viewer) {
    char answer[sizeof viewer->view.message] = "";
    bool is_set =
        viewer->plan.set_rate(viewer->plan.context, viewer->prompt.answer, answer, sizeof answer);
    say(&viewer->view, is_set, answer);
}

static void take_answer(struct viewer *viewer) {
    struct prompt *prompt = &viewer->prompt;
    if (prompt->about == OUTCOME_SAVE && prompt->answer[0] != '\0') {
        save(viewer);
    }
    if (prompt->about == OUTCOME_RATE && prompt->answer[0] != '\0') {
        set_rate(viewer);
    }
    if (prompt->about == OUTCOME_FILTER && !view_set_filter(&viewer->view, prompt->answer)) {
        say(&viewer->view, false, "This is not a regular expression.");
    }
    prompt->question = NULL;
}

static void erase_last(char *text) {
    size_t length = strlen(text);
    while (length > 0 && ((unsigned char)text[length - 1] & 0xc0) == 0x80) {
        length--;
    }
    text[length > 0 ? length - 1 : 0] = '\0';
}

static void append_character(char *text, size_t bytes, int character) {
    struct buffer encoded = {0};
    buffer_append_code_point(&encoded, (uint32_t)character);
    if (strlen(text) + encoded.length < bytes) {
        strcat(text, encoded.data);
    }
    buffer_deinit(&encoded);
}

static void answer_key(struct viewer *viewer, int key) {
    struct prompt *prompt = &viewer->prompt;
    if (key == PRESS_ENTER) {
        take_answer(viewer);
    } else if (key == PRESS_ESCAPE) {
        prompt->question = NULL;
    } else if (key == PRESS_BACKSPACE) {
        erase_last(prompt->answer);
    } else if (key >= ' ' && key < PRESS_NONE) {
        append_character(prompt->answer, sizeof prompt->answer, key);
    }
}

/* ---- keys ---- */

/* Whether what is selected must be taken anew. */
static bool take_key(struct viewer *viewer, int key) {
    if (key == PRESS_CLOSED) {
        viewer->is_over = true;
        return false;
    }
    if (viewer->prompt.question != NULL) {
        answer_key(viewer, key);
        return false;
    }
    screen_pointer(&viewer->view.pointer_row, &viewer->view.pointer_column);
    unsigned outcome = action_take(&viewer->view, key);
    if ((outcome & (OUTCOME_FILTER | OUTCOME_SAVE | OUTCOME_RATE)) != 0) {
        ask(viewer, outcome);
    }
    if ((outcome & OUTCOME_RESET) != 0) {
        window_lock(viewer->plan.window);
        window_reset(viewer->plan.window);
        window_unlock(viewer->plan.window);
    }
    if ((outcome & OUTCOME_QUIT) != 0) {
        viewer->is_over = true;
    }
    return (outcome & (OUTCOME_SELECT | OUTCOME_RESET)) != 0;
}

static int wait_ms(const struct viewer *viewer) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t left_ms = viewer->due_ns > now_ns ? (viewer->due_ns - now_ns) / NS_PER_MS + 1 : 0;
    return left_ms < LOOK_UP_MS ? (int)left_ms : LOOK_UP_MS;
}

/* Takes all keys there are, and shows once what has come of them. */
static void take_keys(struct viewer *viewer) {
    bool was_pressed = false;
    bool selects = false;
    for (int key = screen_read_key(wait_ms(viewer)); key != PRESS_NONE && !viewer->is_over;
         key = screen_read_key(0)) {
        was_pressed = true;
        selects |= take_key(viewer, key);
    }
    if (was_pressed && !viewer->is_over) {
        show(viewer, selects);
    }
}

/* ---- the thread ---- */

/* These concern the screen, and ncurses' handlers must not meet its functions in another thread. */
static void set_screen_signals(int how) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGWINCH);
    sigaddset(&signals, SIGTSTP);
    sigaddset(&signals, SIGCONT);
    pthread_sigmask(how, &signals, NULL);
}

static void *run(void *context) {
    struct viewer *viewer = context;
    set_screen_signals(SIG_UNBLOCK);
    while (!viewer->is_over && !viewer->must_stop &&
           !viewer->plan.wants_stop(viewer->plan.context)) {
        if (clock_monotonic_ns() >= viewer->due_ns) {
            refresh_all(viewer);
        }
        take_keys(viewer);
    }
    if (viewer->is_over) {
        viewer->plan.stop(viewer->plan.context);
    }
    return NULL;
}

static int start_thread(struct viewer *viewer) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigset_t most;
    sigset_t before;
    sigfillset(&most);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        sigdelset(&most, crashes[i]); /* blocked, they end the program without their handler */
    }
    pthread_sigmask(SIG_SETMASK, &most, &before);
    int failed = pthread_create(&viewer->thread, NULL, run, viewer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum status viewer_start(const struct viewer_plan *plan, struct viewer **out, struct error *error) {
    enum status status = screen_open(error);
    *out = NULL;
    if (status != STATUS_OK) {
        return status;
    }
    struct viewer *viewer = memory_zeroed(1, sizeof *viewer);
    viewer->plan = *plan;
    view_init(&viewer->view, &plan->window->trace,
              screen_knows_unicode() ? &glyphs_unicode : &glyphs_ascii);
    viewer->view.cells = &plan->window->cells;
    viewer->view.waits = &plan->window->waits;
    viewer->view.roll = &plan->window->roll;
    viewer->view.mode = plan->mode;
    table_init(&viewer->tried, sizeof(struct string_id), sizeof(struct string_id));
    set_screen_signals(SIG_BLOCK);
    if (start_thread(viewer) != 0) {
        viewer->has_joined = true;
        viewer_stop(viewer);
        return error_set(error, STATUS_INTERNAL, "starting a thread");
    }
    *out = viewer;
    return STATUS_OK;
}

void viewer_wait(struct viewer *viewer) {
    if (!viewer->has_joined) {
        pthread_join(viewer->thread, NULL);
        viewer->has_joined = true;
    }
}

void viewer_stop(struct viewer *viewer) {
    if (viewer != NULL) {
        viewer->must_stop = true;
        viewer_wait(viewer);
        set_screen_signals(SIG_UNBLOCK);
        screen_close();
        view_deinit(&viewer->view);
        table_deinit(&viewer->tried);
        free(viewer);
    }
}
