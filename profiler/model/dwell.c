#include "profiler/model/dwell.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "profiler/base/table.h"

#define LONG_SHARE 0.95

/* The waits at one place. */
struct place {
    struct frame_id frame;
    uint32_t now;  /* payload, as are all below: those that are on */
    uint32_t most; /* that were on at once */
    uint32_t reserved;
    struct histogram ended;
    struct histogram open; /* of those that are told last; they are on */
};

struct dwell {
    struct table places;
};

struct dwell *dwell_create(void) {
    struct dwell *dwell = memory_zeroed(1, sizeof *dwell);
    table_init(&dwell->places, sizeof(struct place), offsetof(struct place, now));
    return dwell;
}

void dwell_destroy(struct dwell *dwell) {
    if (dwell != NULL) {
        table_deinit(&dwell->places);
        free(dwell);
    }
}

uint64_t dwell_change_ns(uint64_t before_ns, uint64_t now_ns) {
    return before_ns + (now_ns > before_ns ? now_ns - before_ns : 0) / 2;
}

static uint32_t place_with(struct dwell *dwell, struct frame_id frame) {
    uint32_t known = table_find(&dwell->places, &frame);
    struct place fresh;
    if (known != 0) {
        return known;
    }
    memset(&fresh, 0, sizeof fresh);
    fresh.frame = frame;
    return table_intern(&dwell->places, &fresh);
}

void dwell_leave(struct dwell *dwell, struct dwell_wait *wait, uint64_t now_ns) {
    if (wait->place != 0) {
        struct place *place = table_row(&dwell->places, wait->place);
        uint64_t end_ns = dwell_change_ns(wait->seen_ns, now_ns);
        histogram_add(&place->ended, end_ns > wait->begin_ns ? end_ns - wait->begin_ns : 0);
        place->now--;
    }
    wait->place = 0;
    wait->seen_ns = now_ns;
    wait->is_new = false;
}

static void begin(struct dwell *dwell, struct dwell_wait *wait, uint32_t id, uint64_t begin_ns) {
    struct place *place = table_row(&dwell->places, id);
    wait->place = id;
    wait->begin_ns = begin_ns;
    place->now++;
    place->most = place->now > place->most ? place->now : place->most;
}

void dwell_see(struct dwell *dwell, struct dwell_wait *wait, struct frame_id place, uint64_t what,
               uint64_t now_ns) {
    uint32_t id = place_with(dwell, place);
    if (wait->place != id || wait->what != what) {
        uint64_t before_ns = wait->seen_ns;
        uint64_t begin_ns = wait->is_new ? before_ns : dwell_change_ns(before_ns, now_ns);
        dwell_leave(dwell, wait, now_ns);
        begin(dwell, wait, id, begin_ns);
        wait->what = what;
    }
    wait->is_new = false;
    wait->seen_ns = now_ns;
}

/* ---- telling ---- */

void dwell_tell_begin(struct dwell *dwell) {
    for (uint32_t id = 1; id <= dwell->places.count; id++) {
        struct place *place = table_row(&dwell->places, id);
        place->open = (struct histogram){0};
    }
}

void dwell_tell_wait(struct dwell *dwell, const struct dwell_wait *wait, uint64_t now_ns) {
    if (wait->place != 0) {
        struct place *place = table_row(&dwell->places, wait->place);
        histogram_add(&place->open, now_ns > wait->begin_ns ? now_ns - wait->begin_ns : 0);
    }
}

static void add_all(struct histogram *to, const struct histogram *more) {
    to->count += more->count;
    to->sum_ns += more->sum_ns;
    to->max_ns = to->max_ns > more->max_ns ? to->max_ns : more->max_ns;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        to->buckets[i] += more->buckets[i];
    }
}

void dwell_tell_end(const struct dwell *dwell, struct trace *trace) {
    for (uint32_t id = 1; id <= dwell->places.count; id++) {
        const struct place *place = table_row(&dwell->places, id);
        struct histogram all = place->ended;
        add_all(&all, &place->open);
        struct trace_dwell row = {
            .place = place->frame,
            .most = place->most,
            .waits = all.count,
            .going_on = place->open.count,
            .sum_ns = all.sum_ns,
            .long_ns = histogram_quantile_ns(&all, LONG_SHARE),
            .longest_ns = all.max_ns,
        };
        trace_set_dwell(trace, &row);
    }
}
