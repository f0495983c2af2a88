#include "profiler/recording/queue.h"

#include <stdlib.h>

#include "profiler/base/arena.h"

void queue_init(struct queue *queue, size_t bytes_max) {
    *queue = (struct queue){.bytes_max = bytes_max};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
}

/* Cuts the item off that is next; NULL when there is none. */
static struct queue_item *next_item(struct queue *queue) {
    for (int rank = 0; rank < QUEUE_RANKS; rank++) {
        struct queue_line *line = &queue->lines[rank];
        struct queue_item *item = line->first;
        if (item != NULL) {
            line->first = item->next;
            line->last = line->first != NULL ? line->last : NULL;
            return item;
        }
    }
    return NULL;
}

void queue_deinit(struct queue *queue) {
    for (struct queue_item *item; (item = next_item(queue)) != NULL;) {
        buffer_deinit(&item->bytes);
        free(item);
    }
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

/* What an item takes, however small. */
static size_t cost_of(const struct queue_item *item) {
    return sizeof *item + item->bytes.capacity;
}

void queue_put(struct queue *queue, const struct queue_item *item) {
    struct queue_line *line = &queue->lines[item->rank];
    struct queue_item *copy = memory_zeroed(1, sizeof *copy);
    *copy = *item;
    copy->next = NULL;
    pthread_mutex_lock(&queue->lock);
    while (queue->bytes > 0 && queue->bytes + cost_of(copy) > queue->bytes_max) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    queue->bytes += cost_of(copy);
    *(line->last != NULL ? &line->last->next : &line->first) = copy;
    line->last = copy;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void queue_close(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_take(struct queue *queue, struct queue_item *out) {
    pthread_mutex_lock(&queue->lock);
    struct queue_item *item;
    while ((item = next_item(queue)) == NULL && !queue->is_closed) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    pthread_mutex_unlock(&queue->lock);
    if (item == NULL) {
        return false;
    }
    *out = *item;
    free(item);
    return true;
}

void queue_give_back(struct queue *queue, struct queue_item *item) {
    pthread_mutex_lock(&queue->lock);
    queue->bytes -= cost_of(item);
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    buffer_deinit(&item->bytes);
}
