#include "profiler/model/window.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

static void init_tallies(struct table *table) {
    table_init(table, sizeof(struct trace_tally), offsetof(struct trace_tally, samples));
}

static void clear_tallies(struct table *table) {
    table_deinit(table);
    init_tallies(table);
}

static void add_tally(struct table *table, const struct trace_tally *cell) {
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
    init_tallies(&out->open);
    init_tallies(&out->totals);
}

void window_deinit(struct window *window) {
    for (uint32_t i = 0; i < WINDOW_BUCKETS && window->buckets; i++) {
        free(window->buckets[i].cells);
    }
    free(window->buckets);
    table_deinit(&window->totals);
    table_deinit(&window->open);
    trace_deinit(&window->trace);
    pthread_mutex_destroy(&window->lock);
    *window = (struct window){0};
}

/* ---- the sampler's side ---- */

void window_push(struct window *window, const struct sample *sample) {
    struct trace_tally cell = {sample->thread, sample->stack, 1, sample->weight_ns};
    if (window->open.count >= WINDOW_BUCKET_CELLS_MAX && !table_find(&window->open, &cell)) {
        cell.stack.id = 0;
    }
    add_tally(&window->open, &cell);
}

bool window_is_due(const struct window *window, uint64_t time_ns) {
    return time_ns >= window->due_ns;
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
    to->run = from->run;
}

void window_begin(struct window *window, const struct trace *from) {
    copy_names(&window->trace, from);
}

static struct window_bucket *bucket_at(const struct window *window, uint64_t number) {
    return &window->buckets[number % WINDOW_BUCKETS];
}

static void drop_oldest(struct window *window) {
    struct window_bucket *oldest = bucket_at(window, window->first);
    window->dropped = oldest->end;
    window->cell_count -= oldest->count;
    free(oldest->cells);
    *oldest = (struct window_bucket){0};
    window->first++;
}

static void close_bucket(struct window *window, const struct window_mark *end) {
    uint32_t count = window->open.count;
    struct window_bucket bucket = {
        memory_zeroed((size_t)count + 1, sizeof *bucket.cells),
        count,
        *end,
    };
    for (uint32_t i = 0; i < count; i++) {
        bucket.cells[i] = *(const struct trace_tally *)table_row(&window->open, i + 1);
        add_tally(&window->totals, &bucket.cells[i]);
    }
    if (window->next - window->first == WINDOW_BUCKETS) {
        drop_oldest(window);
    }
    window->cell_count += count;
    *bucket_at(window, window->next++) = bucket;
    while (window->cell_count > WINDOW_CELLS_MAX && window->next - window->first > 1) {
        drop_oldest(window);
    }
    clear_tallies(&window->open);
}

static void hand_over(struct window *window, const struct trace *from, uint64_t target_cpu_ns) {
    struct window_mark end = {from->health, target_cpu_ns};
    if (window->next == 0) { /* what the target had used before is not of this run */
        window->start.target_cpu_ns = target_cpu_ns;
        window->dropped = window->start;
    }
    copy_names(&window->trace, from);
    close_bucket(window, &end);
    window->due_ns = from->health.duration_ns + WINDOW_BUCKET_MS * NS_PER_MS;
}

void window_offer(struct window *window, const struct trace *from, uint64_t target_cpu_ns) {
    if (pthread_mutex_trylock(&window->lock) == 0) {
        hand_over(window, from, target_cpu_ns);
        pthread_mutex_unlock(&window->lock);
    }
}

void window_end(struct window *window, const struct trace *from, uint64_t target_cpu_ns) {
    pthread_mutex_lock(&window->lock);
    hand_over(window, from, target_cpu_ns);
    window->has_ended = true;
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

static void add_cell(struct window *window, const struct trace_tally *cell,
                     struct thread_ref thread) {
    if (thread.id == 0 || cell->thread.id == thread.id) {
        add_tally(&window->trace.tallies, cell);
    }
}

/* The counts between two marks. What has no sum stays as it is at the end. */
static struct health health_between(const struct health *start, const struct health *end) {
    struct health between = *end;
    between.ticks -= start->ticks;
    between.samples -= start->samples;
    between.lost -= start->lost;
    between.late -= start->late;
    between.unverified -= start->unverified;
    between.truncated -= start->truncated;
    between.empty -= start->empty;
    between.duration_ns -= start->duration_ns;
    between.cpu_ns -= start->cpu_ns < end->cpu_ns ? start->cpu_ns : end->cpu_ns;
    between.read_calls -= start->read_calls < end->read_calls ? start->read_calls : end->read_calls;
    between.read_bytes -= start->read_bytes < end->read_bytes ? start->read_bytes : end->read_bytes;
    return between;
}

static void select_totals(struct window *window, struct thread_ref thread) {
    for (uint32_t i = 1; i <= window->totals.count; i++) {
        add_cell(window, table_row(&window->totals, i), thread);
    }
    if (window->next > window->first) {
        window->trace.health =
            health_between(&window->start.health, &mark_before(window, window->next)->health);
    }
}

static void select_buckets(struct window *window, const struct window_query *query) {
    uint64_t end = window->next;
    uint64_t newest_ns = mark_before(window, end)->health.duration_ns;
    uint64_t until_ns = newest_ns > query->back_ns ? newest_ns - query->back_ns : 0;
    uint64_t since_ns = until_ns > query->span_ns ? until_ns - query->span_ns : 0;
    while (end > window->first + 1 &&
           bucket_at(window, end - 1)->end.health.duration_ns > until_ns) {
        end--;
    }
    uint64_t start = end;
    while (start > window->first &&
           bucket_at(window, start - 1)->end.health.duration_ns > since_ns) {
        start--;
        const struct window_bucket *bucket = bucket_at(window, start);
        for (uint32_t i = 0; i < bucket->count; i++) {
            add_cell(window, &bucket->cells[i], query->thread);
        }
    }
    window->trace.health =
        health_between(&mark_before(window, start)->health, &mark_before(window, end)->health);
}

void window_select(struct window *window, const struct window_query *query) {
    clear_tallies(&window->trace.tallies);
    window->trace.health = (struct health){0};
    if (query->span_ns == 0) {
        select_totals(window, query->thread);
    } else {
        select_buckets(window, query);
    }
}

void window_reset(struct window *window) {
    while (window->next > window->first) {
        drop_oldest(window);
    }
    clear_tallies(&window->totals);
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
