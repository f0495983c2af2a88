/* Payloads of chunks on their way from one thread to another: bounded in bytes, what is urgent
 * first, else first in first out. */
#ifndef PYROMETER_RECORDING_QUEUE_H
#define PYROMETER_RECORDING_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

enum queue_rank { QUEUE_URGENT, QUEUE_LATER, QUEUE_RANKS };

struct queue_item {
    struct queue_item *next;
    enum queue_rank rank;
    uint32_t kind;
    uint32_t number;
    struct buffer bytes;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue_line {
        struct queue_item *first;
        struct queue_item *last;
    } lines[QUEUE_RANKS];
    size_t bytes; /* in the queue, and in the hands of who took the last item */
    size_t bytes_max;
    bool is_closed;
};

void queue_init(struct queue *queue, size_t bytes_max);
/* Frees what is in it. */
void queue_deinit(struct queue *queue);

/* Appends a copy of an item, whose bytes are taken over; waits while the queue is full. An item
 * that is bigger than the whole queue goes in when that is empty. */
void queue_put(struct queue *queue, const struct queue_item *item);
/* No more will be put in. */
void queue_close(struct queue *queue);
/* Waits for an item; false when the queue is closed and empty. The bytes are the caller's, who
 * hands them to queue_give_back. */
bool queue_take(struct queue *queue, struct queue_item *out);
/* Frees an item's bytes: now there is room for others. */
void queue_give_back(struct queue *queue, struct queue_item *item);

#endif
