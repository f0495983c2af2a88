/* Who has the GIL, and who waits for whom. */
#include <stdlib.h>

#include "profiler/base/arena.h"
#include "profiler/model/standoff.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/rows.h"
#include "tui/totals.h"

enum { PART_HELD, PART_WANTED, PART_MAKES_WAIT };

static const struct column columns[] = {
    {COLUMN_PART + PART_HELD, "HELD", 6, 0},
    {COLUMN_PART + PART_WANTED, "WANTED", 7, 0},
    {COLUMN_PART + PART_MAKES_WAIT, "BLOCKS", 7, 90},
    {COLUMN_PROCESS, "PID", 7, 60},
    {COLUMN_NUMBER, "TID", 7, 90},
    {COLUMN_NAME, "THREAD", 10, 0},
    {COLUMN_PLACE, "HOLDS IT IN", 12, 50},
    {COLUMN_NOTE, "WAITS FOR", 10, 0},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* What the waits say of one thread. */
struct standing {
    uint64_t blocks_ns; /* others, added up, while it had the GIL */
    uint64_t waits_ns;  /* for `most` */
    uint64_t all_ns;    /* for anybody */
    struct thread_ref most;
};

static struct standing *stand(const struct view *view) {
    struct standing *standings =
        memory_zeroed((size_t)view->trace->threads.count + 1, sizeof *standings);
    for (uint32_t i = 1; view->waits != NULL && i <= view->waits->count; i++) {
        const struct wait *wait = table_row(view->waits, i);
        struct standing *waiter = &standings[wait->waiter.id];
        standings[wait->holder.id].blocks_ns += wait->weight_ns;
        waiter->all_ns += wait->weight_ns;
        if (wait->weight_ns > waiter->waits_ns) {
            waiter->waits_ns = wait->weight_ns;
            waiter->most = wait->holder;
        }
    }
    return standings;
}

/* "80% worker-1": most of its waiting. */
static char *describe_wait(const struct view *view, const struct standing *standing) {
    struct buffer text = {0};
    if (standing->all_ns > 0) {
        const char *name = "(not seen)";
        if (standing->most.id != 0) {
            name = trace_string(view->trace, trace_thread(view->trace, standing->most)->name);
        }
        buffer_printf(&text, "%.0f%% %s",
                      100 * (double)standing->waits_ns / (double)standing->all_ns, name);
    }
    return text.data;
}

static void add_thread(struct rows *rows, const struct view *view, uint32_t id,
                       const struct thread_total *total, const struct standing *standing) {
    const struct trace_thread *thread = trace_thread(view->trace, (struct thread_ref){id});
    const char *name = trace_string(view->trace, thread->name);
    bool is_party = total->held_ns + total->wanted_ns > 0;
    char *place = totals_describe(view, total->holding);
    if (!is_party || !view_lets_through(view, name, place != NULL ? place : "")) {
        free(place);
        return;
    }
    *rows_add(rows) = (struct row){
        .id = id,
        .self_ns = total->held_ns,
        .total_ns = total->wanted_ns,
        .name = name,
        .place = place,
        .note = describe_wait(view, standing),
        .parts = {[PART_HELD] = totals_share(view, total, total->held_ns),
                  [PART_WANTED] = totals_share(view, total, total->wanted_ns),
                  [PART_MAKES_WAIT] = totals_share(view, total, standing->blocks_ns)},
        .number = thread->tid,
        .pid = thread->pid,
    };
}

static void draw(struct view *view, struct grid *grid) {
    struct thread_total *totals = totals_of_threads(view);
    struct standing *standings = stand(view);
    struct rows rows = {.none = view_knows_states(view) ? "Nobody had the GIL, nobody wanted it."
                                                        : "It is not known yet who has the GIL."};
    for (uint32_t id = 1; id <= view->trace->threads.count; id++) {
        add_thread(&rows, view, id, &totals[id], &standings[id]);
    }
    rows_draw(&rows, columns, COLUMNS, view, grid);
    free(totals);
    free(standings);
    rows_deinit(&rows);
}

static bool key_pressed(struct view *view, int key) {
    if (key == PRESS_ENTER) {
        view_toggle_thread(view, (struct thread_ref){(uint32_t)view_list(view)->chosen});
    }
    return key == PRESS_ENTER;
}

const struct panel panel_gil = {
    .name = "GIL",
    .key = 'G',
    .help = "who has the GIL, who waits for whom; Enter: one thread alone",
    .sort_columns = COLUMNS,
    .draw = draw,
    .key_pressed = key_pressed,
};
