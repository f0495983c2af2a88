#include "profiler/model/window.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

/* ---- tables ---- */

static void init_cells(struct table *table) {
    table_init(table, sizeof(struct window_cell), offsetof(struct window_cell, samples));
}

static void init_waits(struct table *table) {
    table_init(table, sizeof(struct wait), offsetof(struct wait, weight_ns));
}

static void clear_table(struct table *table, void (*init)(struct table *)) {
    table_deinit(table);
    init(table);
}

static void init_tallies(struct table *table) {
    table_init(table, sizeof(struct trace_tally), offsetof(struct trace_tally, samples));
}

static void add_cell(struct table *table, const struct window_cell *cell) {
    struct window_cell key = {.thread = cell->thread, .stack = cell->stack, .state = cell->state};
    struct window_cell *row = table_row(table, table_intern(table, &key));
    row->samples += cell->samples;
    row->weight_ns += cell->weight_ns;
}

static void add_tally(struct table *table, const struct window_cell *cell) {
    struct trace_tally key = {.thread = cell->thread, .stack = cell->stack};
    struct trace_tally *row = table_row(table, table_intern(table, &key));
    row->samples += cell->samples;
    row->weight_ns += cell->weight_ns;
}

void window_init(struct window *out) {
    *out = (struct window){.buckets = memory_zeroed(WINDOW_BUCKETS, sizeof *out->buckets)};
    pthread_mutex_init(&out->lock, NULL);
    enum status status = trace_init(&out->trace, false, NULL);
    assert(status == STATUS_OK); /* without a timeline nothing can fail */
    (void)status;
    init_cells(&out->open.cells);
    init_waits(&out->open.waits);
    init_cells(&out->cells);
    init_waits(&out->waits);
    init_cells(&out->totals);
    init_waits(&out->total_waits);
}

static void free_bucket(struct window_bucket *bucket) {
    free(bucket->cells);
    free(bucket->waits);
    order_deinit(&bucket->order);
    roll_deinit(&bucket->roll);
    *bucket = (struct window_bucket){0};
}

void window_deinit(struct window *window) {
    struct table *tables[] = {&window->open.cells, &window->open.waits, &window->cells,
                              &window->waits,      &window->totals,     &window->total_waits};
    for (uint32_t i = 0; i < WINDOW_BUCKETS && window->buckets; i++) {
        free_bucket(&window->buckets[i]);
    }
    free(window->buckets);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        table_deinit(tables[i]);
    }
    standoff_deinit(&window->open.standoff);
    order_deinit(&window->open.order);
    roll_deinit(&window->open.roll);
    roll_deinit(&window->roll);
    trace_deinit(&window->trace);
    pthread_mutex_destroy(&window->lock);
    *window = (struct window){0};
}

/* ---- the sampler's side ---- */

void window_push(struct window *window, const struct sample *taken) {
    struct window_open *open = &window->open;
    struct sample timed = *taken;
    const struct sample *sample = &timed;
    timed.time_ns += open->before.duration_ns;
    struct window_cell cell = {.thread = sample->thread,
                               .stack = sample->stack,
                               .state = sample->state,
                               .samples = 1,
                               .weight_ns = sample->weight_ns};
    if (open->cells.count >= WINDOW_BUCKET_CELLS_MAX && !table_find(&open->cells, &cell)) {
        cell.stack.id = 0;
    }
    add_cell(&open->cells, &cell);
    standoff_push(&open->standoff, sample, window->from, &open->waits);
    order_push(&open->order, sample);
    open->held_ns += (sample->state & STATE_HAS_GIL) != 0 ? sample->weight_ns : 0;
    open->collecting_ns += (sample->state & STATE_COLLECTING) != 0 ? sample->weight_ns : 0;
}

void window_note_tasks(struct window *window, uint32_t pid, const struct roll_entry *entries,
                       size_t count, uint64_t now_ns) {
    roll_replace(&window->open.roll, pid, entries, count, now_ns);
    window->open.has_new_roll = true;
}

bool window_is_due(const struct window *window, uint64_t time_ns) {
    return window->open.before.duration_ns + time_ns >= window->open.due_ns;
}

void window_continue(struct window *window) {
    health_add(&window->open.before, &window->from->health);
    roll_deinit(&window->open.roll);
}

/* Both tables give ids in the order of rows, so equal rows have equal ids. */
static void copy_new_rows(struct table *to, const struct table *from) {
    while (to->count < from->count) {
        table_intern(to, table_row(from, to->count + 1));
    }
}

/* Rows whose payload may change are copied anew; they are few. */
static void copy_all_rows(struct table *to, const struct table *from) {
    copy_new_rows(to, from);
    for (uint32_t id = 1; id <= from->count; id++) {
        memcpy(table_row(to, id), table_row(from, id), from->row_bytes);
    }
}

static void copy_names(struct trace *to, const struct trace *from) {
    for (uint32_t id = to->strings.count + 1; id <= from->strings.count; id++) {
        size_t bytes;
        const char *text = strings_text(&from->strings, id, &bytes);
        uint32_t copy = strings_intern(&to->strings, text, bytes);
        assert(copy == id);
        (void)copy;
    }
    copy_new_rows(&to->functions, &from->functions);
    copy_new_rows(&to->frames, &from->frames);
    copy_new_rows(&to->stacks, &from->stacks);
    copy_all_rows(&to->threads, &from->threads);
    copy_all_rows(&to->processes, &from->processes);
    copy_all_rows(&to->codes, &from->codes);
    copy_all_rows(&to->instructions, &from->instructions);
    to->run = from->run;
}

void window_begin(struct window *window, const struct trace *from) {
    window->from = from;
    copy_names(&window->trace, from);
}

static struct window_bucket *bucket_at(const struct window *window, uint64_t number) {
    return &window->buckets[number % WINDOW_BUCKETS];
}

static void drop_oldest_order(struct window *window) {
    struct window_bucket *oldest = bucket_at(window, window->first_ordered++);
    window->run_count -= oldest->order.count;
    order_deinit(&oldest->order);
}

static void drop_oldest_roll(struct window *window) {
    struct window_bucket *oldest = bucket_at(window, window->first_rolled++);
    window->roll_count -= oldest->roll.count;
    roll_deinit(&oldest->roll);
}

static void drop_oldest(struct window *window) {
    struct window_bucket *oldest = bucket_at(window, window->first);
    if (window->first_rolled == window->first) {
        drop_oldest_roll(window);
    }
    if (window->first_ordered == window->first) {
        drop_oldest_order(window);
    }
    window->dropped = oldest->end;
    window->cell_count -= oldest->count;
    free_bucket(oldest);
    window->first++;
}

static void *rows_of(const struct table *table) {
    uint8_t *rows = memory_zeroed((size_t)table->count + 1, table->row_bytes);
    for (uint32_t i = 0; i < table->count; i++) {
        memcpy(rows + (size_t)i * table->row_bytes, table_row(table, i + 1), table->row_bytes);
    }
    return rows;
}

static void add_to_totals(struct window *window, const struct window_bucket *bucket) {
    for (uint32_t i = 0; i < bucket->count; i++) {
        add_cell(&window->totals, &bucket->cells[i]);
    }
    for (uint32_t i = 0; i < bucket->wait_count; i++) {
        standoff_add(&window->total_waits, &bucket->waits[i]);
    }
}

/* Makes a bucket of what is open, which is empty then. */
static struct window_bucket close_open(struct window *window, const struct window_mark *end) {
    struct window_open *open = &window->open;
    standoff_settle(&open->standoff, window->from, &open->waits);
    struct window_bucket bucket = {
        .cells = rows_of(&open->cells),
        .count = open->cells.count,
        .waits = rows_of(&open->waits),
        .wait_count = open->waits.count,
        .order = open->order,
        .end = *end,
    };
    if (open->has_new_roll) {
        roll_copy(&bucket.roll, &open->roll);
        open->has_new_roll = false;
    }
    free(bucket.order.newest);
    bucket.order.newest = NULL;
    open->order = (struct order){0};
    clear_table(&open->cells, init_cells);
    clear_table(&open->waits, init_waits);
    return bucket;
}

static void keep_bucket(struct window *window, const struct window_bucket *bucket) {
    if (window->next - window->first == WINDOW_BUCKETS) {
        drop_oldest(window);
    }
    window->cell_count += bucket->count;
    window->run_count += bucket->order.count;
    window->roll_count += bucket->roll.count;
    *bucket_at(window, window->next++) = *bucket;
    while (window->cell_count > WINDOW_CELLS_MAX && window->next - window->first > 1) {
        drop_oldest(window);
    }
    while (window->run_count > WINDOW_RUNS_MAX) {
        drop_oldest_order(window);
    }
    while (window->roll_count > WINDOW_ROLL_MAX && window->first_rolled + 1 < window->next) {
        drop_oldest_roll(window);
    }
}

static void hand_over(struct window *window, uint64_t target_cpu_ns) {
    struct window_mark end = {window->open.before, target_cpu_ns, window->open.held_ns,
                              window->open.collecting_ns};
    health_add(&end.health, &window->from->health);
    if (window->next == 0) { /* what the target had used before is not of this run */
        window->start.target_cpu_ns = target_cpu_ns;
        window->dropped = window->start;
    }
    copy_names(&window->trace, window->from);
    struct window_bucket bucket = close_open(window, &end);
    add_to_totals(window, &bucket);
    keep_bucket(window, &bucket);
    window->open.due_ns = end.health.duration_ns + WINDOW_BUCKET_MS * NS_PER_MS;
}

void window_offer(struct window *window, uint64_t target_cpu_ns) {
    if (pthread_mutex_trylock(&window->lock) == 0) {
        hand_over(window, target_cpu_ns);
        pthread_mutex_unlock(&window->lock);
    }
}

void window_end(struct window *window, uint64_t target_cpu_ns, enum window_phase phase) {
    pthread_mutex_lock(&window->lock);
    hand_over(window, target_cpu_ns);
    window->phase = phase;
    pthread_mutex_unlock(&window->lock);
}

void window_note_restart(struct window *window) {
    pthread_mutex_lock(&window->lock);
    window->restarts++;
    window->threads_before = window->trace.threads.count;
    window->processes_before = window->trace.processes.count;
    window->phase = WINDOW_RUNS;
    pthread_mutex_unlock(&window->lock);
}

/* ---- the viewer's side ---- */

void window_lock(struct window *window) {
    pthread_mutex_lock(&window->lock);
}

void window_unlock(struct window *window) {
    pthread_mutex_unlock(&window->lock);
}

static const struct window_mark *mark_before(const struct window *window, uint64_t number) {
    return number > window->first ? &bucket_at(window, number - 1)->end : &window->dropped;
}

static bool is_of_process(const struct window *window, struct thread_ref thread, uint32_t pid) {
    return pid == 0 || trace_thread(&window->trace, thread)->pid == pid;
}

/* Whether a thread is among those asked for. */
static bool is_chosen(const struct window *window, const struct window_query *query,
                      struct thread_ref thread) {
    return (query->thread.id == 0 || query->thread.id == thread.id) &&
           is_of_process(window, thread, query->pid);
}

/* Whether a stack is that of a task: the marker nearest to its end is the task's, and what stands
 * on that is the task's coroutine. */
static bool is_of_task(const struct trace *trace, struct stack_id stack, struct task_key task) {
    struct function_id above = {0};
    for (struct stack_id at = stack; at.id != 0; at = trace_stack(trace, at)->parent) {
        const struct trace_frame *frame = trace_frame(trace, trace_stack(trace, at)->frame);
        if (frame->kind == FRAME_TASK) {
            return frame->function.id == task.marker.id && above.id == task.coroutine.id;
        }
        above = frame->function;
    }
    return false;
}

static bool selects(const struct window *window, const struct window_query *query,
                    struct stack_id stack, uint32_t state) {
    return (query->states == 0 || (state & query->states) != 0) &&
           (query->task.marker.id == 0 || is_of_task(&window->trace, stack, query->task));
}

static void select_cell(struct window *window, const struct window_query *query,
                        const struct window_cell *cell) {
    if (is_chosen(window, query, cell->thread)) {
        add_cell(&window->cells, cell);
        if (selects(window, query, cell->stack, cell->state)) {
            add_tally(&window->trace.tallies, cell);
        }
    }
}

/* Of one thread alone: who it waits for, and who waits for it. */
static void select_wait(struct window *window, const struct window_query *query,
                        const struct wait *wait) {
    bool is_its = query->thread.id == 0 || query->thread.id == wait->waiter.id ||
                  query->thread.id == wait->holder.id;
    if (is_its && is_of_process(window, wait->waiter, query->pid)) {
        standoff_add(&window->waits, wait);
    }
}

/* The tasks as they were told last before bucket `end`. */
static void select_roll(struct window *window, uint64_t end) {
    roll_deinit(&window->roll);
    while (end > window->first_rolled && bucket_at(window, end - 1)->roll.time_ns == 0) {
        end--;
    }
    if (end > window->first_rolled) {
        roll_copy(&window->roll, &bucket_at(window, end - 1)->roll);
    }
}

static void select_bucket(struct window *window, const struct window_query *query,
                          const struct window_bucket *bucket) {
    for (uint32_t i = 0; i < bucket->count; i++) {
        select_cell(window, query, &bucket->cells[i]);
    }
    for (uint32_t i = 0; i < bucket->wait_count; i++) {
        select_wait(window, query, &bucket->waits[i]);
    }
}

/* When what is asked for ends. */
static uint64_t until_ns_of(const struct window *window, const struct window_query *query) {
    uint64_t newest_ns = mark_before(window, window->next)->health.duration_ns;
    return newest_ns > query->back_ns ? newest_ns - query->back_ns : 0;
}

/* The bucket after the last one that is asked for. */
static uint64_t find_end(const struct window *window, const struct window_query *query) {
    uint64_t until_ns = until_ns_of(window, query);
    uint64_t end = window->next;
    while (end > window->first + 1 &&
           bucket_at(window, end - 1)->end.health.duration_ns > until_ns) {
        end--;
    }
    return end;
}

/* The buckets that are asked for: from `*start_out` to the one before `*end_out`. */
static void find_range(const struct window *window, const struct window_query *query,
                       uint64_t *start_out, uint64_t *end_out) {
    uint64_t until_ns = until_ns_of(window, query);
    uint64_t since_ns = until_ns > query->span_ns ? until_ns - query->span_ns : 0;
    uint64_t end = find_end(window, query);
    uint64_t start = end;
    while (start > window->first &&
           bucket_at(window, start - 1)->end.health.duration_ns > since_ns) {
        start--;
    }
    *start_out = start;
    *end_out = end;
}

/* Takes what a bucket added off again; what wraps around does so twice. */
static void deselect_bucket(struct window *window, const struct window_query *query,
                            const struct window_bucket *bucket) {
    for (uint32_t i = 0; i < bucket->count; i++) {
        struct window_cell cell = bucket->cells[i];
        cell.samples = -cell.samples;
        cell.weight_ns = -cell.weight_ns;
        select_cell(window, query, &cell);
    }
    for (uint32_t i = 0; i < bucket->wait_count; i++) {
        struct wait wait = bucket->waits[i];
        wait.weight_ns = -wait.weight_ns;
        select_wait(window, query, &wait);
    }
}

/* Drops rows of which nothing is left; `weight_at` is the offset of their weight. */
static void drop_empty(struct table *table, void (*init)(struct table *), size_t weight_at) {
    struct table all = *table;
    init(table);
    for (uint32_t id = 1; id <= all.count; id++) {
        const uint8_t *row = table_row(&all, id);
        uint64_t weight_ns;
        memcpy(&weight_ns, row + weight_at, sizeof weight_ns);
        if (weight_ns != 0) {
            table_intern(table, row);
        }
    }
    table_deinit(&all);
}

/* Since the start: all there was, less what came after the end. */
static void select_totals(struct window *window, const struct window_query *query) {
    uint64_t end = find_end(window, query);
    select_roll(window, end);
    for (uint32_t i = 1; i <= window->totals.count; i++) {
        select_cell(window, query, table_row(&window->totals, i));
    }
    for (uint32_t i = 1; i <= window->total_waits.count; i++) {
        select_wait(window, query, table_row(&window->total_waits, i));
    }
    for (uint64_t number = end; number < window->next; number++) {
        deselect_bucket(window, query, bucket_at(window, number));
    }
    if (end < window->next) {
        drop_empty(&window->cells, init_cells, offsetof(struct window_cell, weight_ns));
        drop_empty(&window->waits, init_waits, offsetof(struct wait, weight_ns));
        drop_empty(&window->trace.tallies, init_tallies, offsetof(struct trace_tally, weight_ns));
    }
    if (end > window->first) {
        window->trace.health =
            health_between(&window->start.health, &mark_before(window, end)->health);
    }
}

static void select_buckets(struct window *window, const struct window_query *query) {
    uint64_t start;
    uint64_t end;
    find_range(window, query, &start, &end);
    for (uint64_t number = end; number-- > start;) {
        select_bucket(window, query, bucket_at(window, number));
    }
    select_roll(window, end);
    window->trace.health =
        health_between(&mark_before(window, start)->health, &mark_before(window, end)->health);
}

void window_select(struct window *window, const struct window_query *query) {
    clear_table(&window->trace.tallies, init_tallies);
    clear_table(&window->cells, init_cells);
    clear_table(&window->waits, init_waits);
    window->trace.health = (struct health){0};
    if (query->span_ns == 0) {
        select_totals(window, query);
    } else {
        select_buckets(window, query);
    }
}

void window_reset(struct window *window) {
    while (window->next > window->first) {
        drop_oldest(window);
    }
    clear_table(&window->totals, init_cells);
    clear_table(&window->total_waits, init_waits);
    window->start = window->dropped;
}

bool window_marks(const struct window *window, uint32_t ago, struct window_mark *start_out,
                  struct window_mark *end_out) {
    if (window->next - window->first <= ago) {
        return false;
    }
    uint64_t number = window->next - 1 - ago;
    *start_out = *mark_before(window, number);
    *end_out = bucket_at(window, number)->end;
    return true;
}

/* ---- with the order of samples ---- */

static enum status extract_bucket(const struct window *window, const struct window_query *query,
                                  const struct window_bucket *bucket, uint64_t start_ns,
                                  struct trace *out, struct error *error) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < bucket->order.count && status == STATUS_OK; i++) {
        const struct order_run *run = &bucket->order.items[i];
        struct sample sample = run->sample;
        if (is_chosen(window, query, sample.thread) &&
            selects(window, query, sample.stack, sample.state)) {
            sample.time_ns -= start_ns < sample.time_ns ? start_ns : sample.time_ns;
            status = trace_add_many(out, &sample, run->count, error);
        }
    }
    return status;
}

enum status window_extract(const struct window *window, const struct window_query *query,
                           struct trace *out, bool *whole_out, struct error *error) {
    struct window_query bounded = *query;
    uint64_t start;
    uint64_t end;
    if (query->span_ns == 0) {
        bounded.span_ns = UINT64_MAX;
    }
    find_range(window, &bounded, &start, &end);
    *whole_out = start >= window->first_ordered && (query->span_ns != 0 || window->first == 0);
    start = start > window->first_ordered ? start : window->first_ordered;
    const struct window_mark *before = mark_before(window, start);
    enum status status = trace_init(out, true, error);
    if (status != STATUS_OK) {
        return status;
    }
    copy_names(out, &window->trace);
    out->health = health_between(&before->health, &mark_before(window, end)->health);
    out->run.start_wall_ns += before->health.duration_ns;
    for (uint64_t number = start; number < end && status == STATUS_OK; number++) {
        const struct window_bucket *bucket = bucket_at(window, number);
        *whole_out = *whole_out && !bucket->order.is_cut;
        status = extract_bucket(window, query, bucket, before->health.duration_ns, out, error);
    }
    if (status != STATUS_OK) {
        trace_deinit(out);
    }
    return status;
}
