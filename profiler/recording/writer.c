#define _GNU_SOURCE
#include "profiler/recording/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"
#include "profiler/recording/batch.h"
#include "profiler/recording/chunk.h"
#include "profiler/recording/queue.h"

enum {
    FLUSH_MS = 500,    /* gathering takes half of the second that a crash may cost, the rest is for
                          writing */
    SOURCE_WANTED = 0, /* no kind of chunk: an item that asks for a source file */
};

struct writer {
    struct writer_plan plan;
    /* Of the sampling thread. */
    struct batch batch;
    uint64_t flushed_ns;
    uint32_t functions_seen;
    bool *is_file_seen; /* by string id */
    size_t file_capacity;
    bool is_open;
    /* Of both. */
    struct queue queue;
    atomic_int failure; /* errno of the first write that failed, 0 for none */
    /* Of the writing thread. */
    pthread_t thread;
    struct packer *packer;
    struct buffer packed;
    int fd;
};

/* ---- the writing thread ---- */

static void write_packed(struct writer *writer) {
    const char *at = writer->packed.data;
    size_t left = writer->packed.length;
    while (left > 0 && writer->failure == 0) {
        ssize_t wrote = write(writer->fd, at, left);
        if (wrote < 0 && errno != EINTR) {
            writer->failure = errno;
        }
        at += wrote > 0 ? wrote : 0;
        left -= wrote > 0 ? (size_t)wrote : 0;
    }
    buffer_clear(&writer->packed);
}

static void write_source(struct writer *writer, const struct queue_item *wanted) {
    struct buffer content = {0};
    struct buffer payload = {0};
    if (writer->plan.source(writer->plan.source_context, wanted->bytes.data, &content)) {
        batch_append_source((struct string_id){wanted->number}, &content, &payload);
        chunk_append(writer->packer, CHUNK_ROWS, &payload, &writer->packed);
    }
    buffer_deinit(&payload);
    buffer_deinit(&content);
}

static void *write_all(void *context) {
    struct writer *writer = context;
    struct queue_item item;
    chunk_append_head(&writer->packed);
    while (queue_take(&writer->queue, &item)) {
        if (writer->failure == 0 && item.kind == SOURCE_WANTED) {
            write_source(writer, &item);
        } else if (writer->failure == 0) {
            chunk_append(writer->packer, (enum chunk_kind)item.kind, &item.bytes, &writer->packed);
        }
        write_packed(writer);
        queue_give_back(&writer->queue, &item);
    }
    return NULL;
}

/* Signals are for the thread that samples. */
static int start_thread(struct writer *writer) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&writer->thread, NULL, write_all, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* ---- the sampling thread ---- */

/* Hands the bytes to the queue, and leaves an empty buffer. */
static void enqueue(void *context, enum chunk_kind kind, struct buffer *payload) {
    struct writer *writer = context;
    struct queue_item item = {
        .rank = kind == CHUNK_END ? QUEUE_LATER : QUEUE_URGENT, .kind = kind, .bytes = *payload};
    *payload = (struct buffer){0};
    queue_put(&writer->queue, &item);
}

static void want_source(struct writer *writer, struct string_id file) {
    size_t old = writer->file_capacity;
    if (file.id >= old) {
        writer->is_file_seen = memory_grow(writer->is_file_seen, sizeof *writer->is_file_seen,
                                           (size_t)file.id + 1, &writer->file_capacity);
        memset(writer->is_file_seen + old, 0, writer->file_capacity - old);
    }
    if (writer->is_file_seen[file.id] || file.id == 0) {
        return;
    }
    writer->is_file_seen[file.id] = true;
    const char *name = trace_string(writer->plan.trace, file);
    struct queue_item item = {.rank = QUEUE_LATER, .kind = SOURCE_WANTED, .number = file.id};
    buffer_append(&item.bytes, name, strlen(name));
    queue_put(&writer->queue, &item);
}

/* Asks for the files of functions that are new. Their names are in the queue before. */
static void want_sources(struct writer *writer) {
    const struct table *functions = &writer->plan.trace->functions;
    while (writer->plan.source != NULL && writer->functions_seen < functions->count) {
        const struct trace_function *function = table_row(functions, ++writer->functions_seen);
        if (function->is_native == 0) {
            want_source(writer, function->file);
        }
    }
}

static int open_output(const char *path) {
    return strcmp(path, "-") == 0
               ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
               : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
}

static void open_writer(struct writer *writer) {
    if (writer->is_open || writer->failure != 0) {
        return;
    }
    writer->fd = open_output(writer->plan.path);
    if (writer->fd < 0) {
        writer->failure = errno;
        return;
    }
    writer->failure = start_thread(writer);
    writer->is_open = writer->failure == 0;
    writer->flushed_ns = clock_monotonic_ns();
    if (writer->is_open) {
        batch_begin(&writer->batch, writer->plan.trace, enqueue, writer);
    }
}

struct writer *writer_create(const struct writer_plan *plan) {
    struct writer *writer = memory_zeroed(1, sizeof *writer);
    writer->plan = *plan;
    writer->fd = -1;
    writer->packer = packer_create();
    queue_init(&writer->queue, WRITER_QUEUE_BYTES);
    return writer;
}

static enum status told_failure(struct writer *writer, struct error *error) {
    if (writer->failure == 0) {
        return STATUS_OK;
    }
    errno = writer->failure;
    return error_set(error, STATUS_NO_OUTPUT, "recording to %s", writer->plan.path);
}

enum status writer_push(void *context, const struct sample *sample, struct error *error) {
    struct writer *writer = context;
    open_writer(writer);
    if (writer->failure == 0) {
        batch_add(&writer->batch, sample, 1);
    }
    return told_failure(writer, error);
}

void writer_flush(struct writer *writer) {
    if (writer->is_open && writer->failure == 0) {
        batch_flush(&writer->batch);
        want_sources(writer);
        writer->flushed_ns = clock_monotonic_ns();
    }
}

void writer_tick(void *context, const struct health *health) {
    struct writer *writer = context;
    (void)health; /* it is the trace's */
    if (clock_monotonic_ns() - writer->flushed_ns >= FLUSH_MS * NS_PER_MS) {
        writer_flush(writer);
    }
}

enum status writer_close(struct writer *writer, struct error *error) {
    if (writer->plan.trace->health.ticks > 0) {
        open_writer(writer);
    }
    if (writer->is_open) {
        writer_flush(writer);
        batch_end(&writer->batch);
        queue_close(&writer->queue);
        pthread_join(writer->thread, NULL);
    }
    if (writer->fd >= 0 && close(writer->fd) != 0 && writer->failure == 0) {
        writer->failure = errno;
    }
    enum status status = told_failure(writer, error);
    batch_deinit(&writer->batch);
    queue_deinit(&writer->queue);
    packer_destroy(writer->packer);
    buffer_deinit(&writer->packed);
    free(writer->is_file_seen);
    free(writer);
    return status;
}

/* ---- a trace that there is ---- */

struct rewrite {
    struct batch batch;
    struct packer *packer;
    struct buffer packed;
    FILE *out;
    struct thread_ref thread;
};

static void write_at_once(void *context, enum chunk_kind kind, struct buffer *payload) {
    struct rewrite *rewrite = context;
    chunk_append(rewrite->packer, kind, payload, &rewrite->packed);
    fwrite(rewrite->packed.data, 1, rewrite->packed.length, rewrite->out);
    buffer_clear(&rewrite->packed);
}

static enum status add_run(void *context, const struct timeline_run *run) {
    struct rewrite *rewrite = context;
    struct sample sample = {.time_ns = run->start_ns + run->weight_ns,
                            .weight_ns = run->told_ns,
                            .thread = rewrite->thread,
                            .stack = run->stack,
                            .state = run->state};
    batch_add(&rewrite->batch, &sample, run->samples);
    return STATUS_OK;
}

enum status writer_write_trace(const struct trace *trace, FILE *out) {
    struct rewrite rewrite = {.packer = packer_create(), .out = out};
    enum status status = STATUS_OK;
    chunk_append_head(&rewrite.packed);
    batch_begin(&rewrite.batch, trace, write_at_once, &rewrite);
    for (uint32_t id = 1; id <= trace->threads.count && status == STATUS_OK; id++) {
        rewrite.thread.id = id;
        status = timeline_each(trace->timeline, rewrite.thread, add_run, &rewrite);
    }
    batch_end(&rewrite.batch);
    batch_deinit(&rewrite.batch);
    packer_destroy(rewrite.packer);
    buffer_deinit(&rewrite.packed);
    return status;
}
