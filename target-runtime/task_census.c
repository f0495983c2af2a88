#include "target-runtime/task_census.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/arena.h"
#include "target-runtime/objects.h"

enum {
    MEMBERS_LIMIT = 1 << 20,
    PLACES_LIMIT = 4096,
    SET_STEP = 128, /* entries of a set in one step */
    LIST_STEP = 32, /* tasks of a list in one step */
    SWEEP_STEP = 1024,
    PLACES_ROUNDS = 16, /* how long it is believed where tasks are kept */
    NODE_PREVIOUS = 8,  /* pycore_llist.h, struct llist_node */
};

struct member {
    uint64_t key; /* the address of the reference in a WeakSet that leads to it, else its own */
    uint64_t task;
    uint64_t since_ns;
    uint32_t serial; /* 0: free */
    uint32_t round;  /* in which it was met last */
    uint32_t rank;   /* in the order; of one that is free the next that is, + 1 */
};

/* A place, and how far the round is in it. */
struct stand {
    struct task_place place;
    struct remote set; /* of sets: the set itself; NULL: not known */
    uint64_t table;
    uint64_t mask;
    uint64_t at; /* entry of a set; node of a list, 0: the round is not in it yet */
};

struct task_census {
    struct runtime runtime;
    task_census_places *places;
    void *context;
    uint64_t node_at; /* of a task's node in it */
    struct member *members;
    size_t member_count; /* free ones included */
    size_t member_capacity;
    uint32_t first_free; /* slot + 1 */
    uint32_t *order;     /* slots */
    size_t count;
    size_t order_capacity;
    size_t turn;     /* in the order */
    uint32_t *index; /* slot + 1 by key, open addressing */
    size_t index_count;
    struct stand *stands;
    size_t stand_count;
    size_t stand_capacity;
    size_t stand;     /* that the round is in */
    size_t sweep;     /* members that are still to be asked whether they were met */
    bool is_sweeping; /* the round is through with all places */
    bool is_broken;   /* a place was lost hold of: who was not met may be there */
    uint32_t round;
    uint32_t serials;
    uint64_t random;
    uint64_t since_ns; /* of those who are found now */
};

/* ---- the members ---- */

static size_t place_of(const struct task_census *census, uint64_t key) {
    size_t mask = census->index_count - 1;
    size_t at = (size_t)((key >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (census->index[at] != 0 && census->members[census->index[at] - 1].key != key) {
        at = (at + 1) & mask;
    }
    return at;
}

static struct member *find(const struct task_census *census, uint64_t key) {
    uint32_t found = census->index[place_of(census, key)];
    return found != 0 ? &census->members[found - 1] : NULL;
}

static void index_all(struct task_census *census) {
    for (size_t i = 0; i < census->count; i++) {
        uint32_t slot = census->order[i];
        census->index[place_of(census, census->members[slot].key)] = slot + 1;
    }
}

static void make_room(struct task_census *census) {
    if (census->count * 2 >= census->index_count) {
        free(census->index);
        census->index_count *= 2;
        census->index = memory_zeroed(census->index_count, sizeof *census->index);
        index_all(census);
    }
    census->order = memory_grow(census->order, sizeof *census->order, census->count + 1,
                                &census->order_capacity);
    census->members = memory_grow(census->members, sizeof *census->members,
                                  census->member_count + 1, &census->member_capacity);
}

static uint32_t take_slot(struct task_census *census) {
    if (census->first_free == 0) {
        return (uint32_t)census->member_count++;
    }
    uint32_t slot = census->first_free - 1;
    census->first_free = census->members[slot].rank;
    return slot;
}

/* xorshift64: which place in the order somebody gets need not be more random than that. */
static size_t random_below(struct task_census *census, size_t limit) {
    census->random ^= census->random << 13;
    census->random ^= census->random >> 7;
    census->random ^= census->random << 17;
    return (size_t)(census->random % limit);
}

static void put_in_order(struct task_census *census, size_t rank, uint32_t slot) {
    census->order[rank] = slot;
    census->members[slot].rank = (uint32_t)rank;
}

/* A newcomer changes places with anybody: so the order stays one drawn by lot. */
static void add(struct task_census *census, uint64_t key, uint64_t task) {
    if (census->count == MEMBERS_LIMIT || find(census, key) != NULL) {
        return;
    }
    make_room(census);
    uint32_t slot = take_slot(census);
    census->serials += census->serials == UINT32_MAX ? 2 : 1;
    census->members[slot] = (struct member){
        .key = key,
        .task = task,
        .since_ns = census->since_ns,
        .serial = census->serials,
        .round = census->round,
    };
    census->index[place_of(census, key)] = slot + 1;
    size_t rank = random_below(census, census->count + 1);
    if (rank < census->count) {
        put_in_order(census, census->count, census->order[rank]);
    }
    put_in_order(census, rank, slot);
    census->count++;
}

/* Whoever is behind a gap in the index, and would not be found across it, moves into it. */
static void close_gap(struct task_census *census, size_t gap) {
    size_t mask = census->index_count - 1;
    census->index[gap] = 0;
    for (size_t at = (gap + 1) & mask; census->index[at] != 0; at = (at + 1) & mask) {
        uint32_t moved = census->index[at];
        census->index[at] = 0;
        census->index[place_of(census, census->members[moved - 1].key)] = moved;
    }
}

void task_census_drop(struct task_census *census, uint32_t slot) {
    struct member *member = &census->members[slot];
    if (slot >= census->member_count || member->serial == 0) {
        return;
    }
    close_gap(census, place_of(census, member->key));
    put_in_order(census, member->rank, census->order[--census->count]);
    *member = (struct member){.rank = census->first_free};
    census->first_free = slot + 1;
}

size_t task_census_count(const struct task_census *census) {
    return census->count;
}

bool task_census_next(struct task_census *census, struct task_census_member *out) {
    if (census->count == 0) {
        return false;
    }
    census->turn = census->turn < census->count ? census->turn : 0;
    uint32_t slot = census->order[census->turn++];
    const struct member *member = &census->members[slot];
    *out = (struct task_census_member){member->task, member->since_ns, slot, member->serial};
    return true;
}

bool task_census_has(const struct task_census *census, uint32_t slot, uint32_t serial) {
    return slot < census->member_count && census->members[slot].serial == serial;
}

/* ---- sets ---- */

static enum status find_set(const struct task_census *census, struct stand *stand) {
    enum status status = STATUS_OK;
    stand->set = stand->place.at;
    if (stand->place.kind == TASKS_IN_REFERENCES) {
        /* Lib/_weakrefset.py */
        status = attribute_find(&census->runtime, stand->place.at, "data", &stand->set);
    }
    stand->set.addr = status == STATUS_OK ? stand->set.addr : 0;
    return status;
}

/* Takes in what a set's entries lead to. */
static enum status take_keys(struct task_census *census, const struct stand *stand, uint64_t *keys,
                             size_t count) {
    struct range ranges[SET_STEP];
    uint64_t tasks[SET_STEP];
    if (stand->place.kind == TASKS_IN_SET) {
        for (size_t i = 0; i < count; i++) {
            add(census, keys[i], keys[i]);
        }
        return STATUS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t at = LAYOUT_AT(census->runtime.layout, weakref, object);
        ranges[i] = (struct range){remote_at((struct remote){keys[i]}, at), &tasks[i],
                                   sizeof tasks[i], STATUS_NOT_MAPPED};
    }
    enum status status = memory_read(census->runtime.memory, ranges, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (ranges[i].status == STATUS_OK && tasks[i] != 0) {
            add(census, keys[i], tasks[i]);
        }
    }
    return status;
}

/* Those of a set's entries, (key, hash), that are keys and new; the others are met. An entry that
 * was deleted has a hash of -1 (Objects/setobject.c, dummy). */
static size_t meet_keys(struct task_census *census, uint64_t (*entries)[2], size_t count,
                        uint64_t *keys_out) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t key = entries[i][0];
        if (key == 0 || entries[i][1] == UINT64_MAX) {
            continue;
        }
        struct member *known = find(census, key);
        if (known != NULL) {
            known->round = census->round;
        } else {
            keys_out[found++] = key;
        }
    }
    return found;
}

static enum status step_in_set(struct task_census *census, struct stand *stand,
                               bool *is_through_out) {
    const struct layout *layout = census->runtime.layout;
    uint64_t entries[SET_STEP][2];
    uint64_t keys[SET_STEP];
    uint64_t table;
    uint64_t mask;
    enum status status = stand->set.addr == 0 ? find_set(census, stand) : STATUS_OK;
    uint64_t left = stand->table != 0 ? stand->mask + 1 - stand->at : 0;
    uint64_t count = left < SET_STEP ? left : SET_STEP;
    struct range ranges[] = {
        {remote_at(stand->set, LAYOUT_AT(layout, set, mask)), &mask, 8, STATUS_NOT_MAPPED},
        {remote_at(stand->set, LAYOUT_AT(layout, set, table)), &table, 8, STATUS_NOT_MAPPED},
        {{stand->table + stand->at * sizeof entries[0]},
         entries,
         (uint32_t)(count * sizeof entries[0]),
         STATUS_NOT_MAPPED},
    };
    if (status == STATUS_OK) {
        status = memory_read(census->runtime.memory, ranges, count > 0 ? 3 : 2);
    }
    bool is_there = status == STATUS_OK && ranges[0].status == STATUS_OK &&
                    ranges[1].status == STATUS_OK && mask < COLLECTION_LIMIT && table != 0;
    *is_through_out = !is_there;
    census->is_broken = census->is_broken || !is_there;
    if (!is_there) {
        return status;
    }
    if (table != stand->table || mask != stand->mask) {
        stand->table = table; /* it is another one now, and everybody elsewhere in it */
        stand->mask = mask;
        stand->at = 0;
        return STATUS_OK;
    }
    if (ranges[2].status == STATUS_OK) {
        status = take_keys(census, stand, keys, meet_keys(census, entries, count, keys));
    }
    stand->at += count;
    *is_through_out = stand->at > mask;
    return status;
}

/* ---- lists ---- */

static void meet(struct task_census *census, uint64_t task) {
    struct member *known = find(census, task);
    if (known != NULL) {
        known->round = census->round;
    } else {
        add(census, task, task);
    }
}

/* Goes back from `*node`, `limit` nodes at most, or to one who is known if `to_known`. Where that
 * ends is in `*node`: the head, or 0 where a node was taken out meanwhile. */
static enum status walk_back(struct task_census *census, uint64_t head, uint64_t *node,
                             size_t limit, bool to_known) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < limit && *node != 0 && *node != head; i++) {
        struct remote previous = {0};
        bool is_known = find(census, *node - census->node_at) != NULL;
        if (is_known && to_known) {
            *node = head;
            break;
        }
        status = memory_read_remote(census->runtime.memory,
                                    remote_at((struct remote){*node}, NODE_PREVIOUS), &previous);
        if (status != STATUS_OK) {
            *node = 0;
            break;
        }
        if (previous.addr != 0) {
            meet(census, *node - census->node_at);
        }
        *node = previous.addr;
    }
    return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
}

static enum status read_last(const struct task_census *census, const struct stand *stand,
                             uint64_t *node_out) {
    struct remote last;
    enum status status = memory_read_remote(census->runtime.memory,
                                            remote_at(stand->place.at, NODE_PREVIOUS), &last);
    *node_out = last.addr;
    return status;
}

/* `stand->mask` counts the nodes: a list that leads round in another one has no end. */
static enum status step_in_list(struct task_census *census, struct stand *stand,
                                bool *is_through_out) {
    uint64_t head = stand->place.at.addr;
    enum status status = STATUS_OK;
    if (stand->at == 0) {
        stand->mask = 0;
        status = read_last(census, stand, &stand->at);
    }
    if (status == STATUS_OK) {
        status = walk_back(census, head, &stand->at, LIST_STEP, false);
    }
    stand->mask += LIST_STEP;
    bool is_lost = stand->at == 0 || status != STATUS_OK || stand->mask > MEMBERS_LIMIT;
    census->is_broken = census->is_broken || is_lost;
    *is_through_out = is_lost || stand->at == head;
    return status == STATUS_NOT_MAPPED ? STATUS_OK : status;
}

/* ---- greenlets ---- */

static enum status step_in_pools(struct task_census *census, const struct stand *stand,
                                 bool *is_through_out) {
    uint64_t found[GREENLETS_PER_STEP];
    size_t count;
    enum status status = greenlet_search_step(stand->place.search, found, &count, is_through_out);
    for (size_t i = 0; i < count; i++) {
        meet(census, found[i]);
    }
    return status;
}

enum status task_census_catch_up(struct task_census *census, uint64_t since_ns) {
    enum status status = STATUS_OK;
    census->since_ns = since_ns;
    for (size_t i = 0; i < census->stand_count && status == STATUS_OK; i++) {
        const struct stand *stand = &census->stands[i];
        uint64_t node;
        if (stand->place.kind != TASKS_IN_LIST) {
            continue;
        }
        status = read_last(census, stand, &node);
        if (status == STATUS_OK) {
            status = walk_back(census, stand->place.at.addr, &node, LIST_STEP, true);
        }
        status = status == STATUS_NOT_MAPPED ? STATUS_OK : status;
    }
    return status;
}

/* ---- rounds ---- */

static bool add_stand(void *context, const struct task_place *place) {
    struct task_census *census = context;
    census->stands = memory_grow(census->stands, sizeof *census->stands, census->stand_count + 1,
                                 &census->stand_capacity);
    census->stands[census->stand_count++] = (struct stand){.place = *place};
    return census->stand_count < PLACES_LIMIT;
}

static enum status begin_round(struct task_census *census, const struct raw_look *threads) {
    enum status status = STATUS_OK;
    if (census->round++ % PLACES_ROUNDS == 0) {
        census->stand_count = 0;
        status = census->places(census->context, threads, add_stand, census);
    }
    for (size_t i = 0; i < census->stand_count; i++) {
        census->stands[i].at = 0;
    }
    census->stand = 0;
    census->is_broken = false;
    census->is_sweeping = false;
    return status;
}

/* Some of those who were not met in the round go. */
static bool sweep(struct task_census *census) {
    census->sweep = census->sweep < census->count ? census->sweep : census->count;
    for (int i = 0; i < SWEEP_STEP && census->sweep > 0 && !census->is_broken; i++) {
        uint32_t slot = census->order[--census->sweep];
        if (census->members[slot].round != census->round) {
            task_census_drop(census, slot);
        }
    }
    return census->sweep == 0 || census->is_broken;
}

static enum status step_in(struct task_census *census, struct stand *stand) {
    bool is_through = false;
    enum status status = STATUS_OK;
    switch (stand->place.kind) {
    case TASKS_IN_REFERENCES:
    case TASKS_IN_SET: status = step_in_set(census, stand, &is_through); break;
    case TASKS_IN_LIST: status = step_in_list(census, stand, &is_through); break;
    case TASKS_IN_POOLS: status = step_in_pools(census, stand, &is_through); break;
    }
    census->stand += is_through;
    return status == STATUS_GONE || status == STATUS_NOT_PERMITTED ? status : STATUS_OK;
}

enum status task_census_step(struct task_census *census, const struct raw_look *threads,
                             bool *is_over_out) {
    *is_over_out = false;
    if (census->stand < census->stand_count) {
        return step_in(census, &census->stands[census->stand]);
    }
    if (!census->is_sweeping) {
        census->is_sweeping = true;
        census->sweep = census->count;
    }
    *is_over_out = sweep(census);
    return *is_over_out ? begin_round(census, threads) : STATUS_OK;
}

/* ---- life ---- */

struct task_census *task_census_create(const struct runtime *runtime, task_census_places *places,
                                       void *context) {
    struct task_census *census = memory_zeroed(1, sizeof *census);
    census->runtime = *runtime;
    census->places = places;
    census->context = context;
    census->node_at = LAYOUT_AT(runtime->layout, object, type) + 8 + runtime->layout->tasks->node;
    census->index_count = 256;
    census->index = memory_zeroed(census->index_count, sizeof *census->index);
    census->random = UINT64_C(0x2545f4914f6cdd1d);
    return census;
}

void task_census_destroy(struct task_census *census) {
    if (census != NULL) {
        free(census->members);
        free(census->order);
        free(census->index);
        free(census->stands);
        free(census);
    }
}
