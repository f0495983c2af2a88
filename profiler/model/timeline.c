#define _GNU_SOURCE /* O_TMPFILE, mkostemp, asprintf */
#include "profiler/model/timeline.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/arena.h"

#define BLOCK_RUNS  ((size_t)128)
#define BLOCK_BYTES (BLOCK_RUNS * sizeof(struct timeline_run))

/* One thread: its full blocks by their number in the file, and the runs after them. */
struct thread_line {
    uint32_t *blocks;
    size_t block_count;
    size_t block_capacity;
    struct timeline_run *runs; /* grows to BLOCK_RUNS: most threads of a busy server are short */
    size_t run_count;
    size_t run_capacity;
};

struct timeline {
    int fd;
    uint32_t block_count; /* in the file, of all threads */
    struct thread_line *lines;
    size_t line_capacity; /* lines[0 .. line_capacity) are initialised */
    char folder[256];     /* where the file is, for messages */
};

/* A file without a name; -1 with errno set when there can be none. */
static int open_unnamed(const char *folder) {
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        return fd;
    }
    char *path;
    if (asprintf(&path, "%s/pyrometer-XXXXXX", folder) < 0) {
        return -1;
    }
    /* Not every file system knows O_TMPFILE (overlayfs before Linux 6.2, NFS). */
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        unlink(path);
    }
    free(path);
    return fd;
}

enum status timeline_create(struct timeline **out, struct error *error) {
    *out = NULL;
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder) {
        folder = "/tmp";
    }
    int fd = open_unnamed(folder);
    if (fd < 0) {
        return error_set(error, STATUS_NO_OUTPUT, "no temporary file can be made in %s: %s", folder,
                         strerror(errno));
    }
    struct timeline *timeline = memory_zeroed(1, sizeof *timeline);
    timeline->fd = fd;
    snprintf(timeline->folder, sizeof timeline->folder, "%s", folder);
    *out = timeline;
    return STATUS_OK;
}

void timeline_destroy(struct timeline *timeline) {
    if (!timeline) {
        return;
    }
    for (size_t i = 0; i < timeline->line_capacity; i++) {
        free(timeline->lines[i].blocks);
        free(timeline->lines[i].runs);
    }
    free(timeline->lines);
    close(timeline->fd);
    free(timeline);
}

static struct thread_line *line_of(struct timeline *timeline, struct thread_ref thread) {
    size_t old = timeline->line_capacity;
    if (thread.id >= old) {
        timeline->lines = memory_grow(timeline->lines, sizeof *timeline->lines,
                                      (size_t)thread.id + 1, &timeline->line_capacity);
        memset(timeline->lines + old, 0, (timeline->line_capacity - old) * sizeof *timeline->lines);
    }
    return &timeline->lines[thread.id];
}

static off_t block_offset(uint32_t block) {
    return (off_t)block * (off_t)BLOCK_BYTES;
}

/* All of a block, or false with errno set. */
static bool block_write(int fd, uint32_t block, const struct timeline_run *runs) {
    const char *next = (const char *)runs;
    size_t done = 0;
    while (done < BLOCK_BYTES) {
        ssize_t wrote = pwrite(fd, next + done, BLOCK_BYTES - done, block_offset(block) + done);
        if (wrote < 0 && errno != EINTR) {
            return false;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

static bool block_read(int fd, uint32_t block, struct timeline_run *runs) {
    char *next = (char *)runs;
    size_t done = 0;
    while (done < BLOCK_BYTES) {
        ssize_t got = pread(fd, next + done, BLOCK_BYTES - done, block_offset(block) + done);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static enum status line_spill(struct timeline *timeline, struct thread_line *line,
                              struct error *error) {
    assert(timeline->block_count < UINT32_MAX);
    uint32_t block = timeline->block_count;
    if (!block_write(timeline->fd, block, line->runs)) {
        return error_set(error, STATUS_NO_OUTPUT,
                         "the temporary file in %s that keeps the order of samples cannot grow: %s",
                         timeline->folder, strerror(errno));
    }
    line->blocks = memory_grow(line->blocks, sizeof *line->blocks, line->block_count + 1,
                               &line->block_capacity);
    line->blocks[line->block_count++] = block;
    timeline->block_count++;
    line->run_count = 0;
    return STATUS_OK;
}

/* The run of these samples. It begins no sooner than `previous_end_ns` and ends no sooner than it
 * begins, so that time never goes back. */
static struct timeline_run run_of(const struct sample *sample, uint32_t count,
                                  uint64_t previous_end_ns) {
    uint64_t start_ns =
        sample->weight_ns < sample->time_ns ? sample->time_ns - sample->weight_ns : 0;
    if (start_ns < previous_end_ns) {
        start_ns = previous_end_ns;
    }
    uint64_t end_ns = sample->time_ns > start_ns ? sample->time_ns : start_ns;
    return (struct timeline_run){.start_ns = start_ns,
                                 .weight_ns = end_ns - start_ns,
                                 .told_ns = sample->weight_ns,
                                 .stack = sample->stack,
                                 .samples = count,
                                 .state = sample->state};
}

static bool run_merge(struct timeline_run *last, const struct timeline_run *run) {
    if (last->stack.id != run->stack.id || last->state != run->state ||
        last->start_ns + last->weight_ns != run->start_ns ||
        last->samples > UINT32_MAX - run->samples) {
        return false;
    }
    last->weight_ns += run->weight_ns;
    last->told_ns += run->told_ns;
    last->samples += run->samples;
    return true;
}

enum status timeline_append(struct timeline *timeline, const struct sample *sample, uint32_t count,
                            struct error *error) {
    struct thread_line *line = line_of(timeline, sample->thread);
    /* A block is spilled when the next run needs its room, so the newest run is always here. */
    struct timeline_run *last = line->run_count ? &line->runs[line->run_count - 1] : NULL;
    struct timeline_run run = run_of(sample, count, last ? last->start_ns + last->weight_ns : 0);
    if (last && run_merge(last, &run)) {
        return STATUS_OK;
    }
    if (line->run_count == BLOCK_RUNS) {
        enum status status = line_spill(timeline, line, error);
        if (status) {
            return status;
        }
    }
    line->runs =
        memory_grow(line->runs, sizeof *line->runs, line->run_count + 1, &line->run_capacity);
    line->runs[line->run_count++] = run;
    return STATUS_OK;
}

static enum status runs_each(const struct timeline_run *runs, size_t count, timeline_visit *visit,
                             void *context) {
    for (size_t i = 0; i < count; i++) {
        enum status status = visit(context, &runs[i]);
        if (status) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status timeline_each(struct timeline *timeline, struct thread_ref thread,
                          timeline_visit *visit, void *context) {
    if (thread.id >= timeline->line_capacity) {
        return STATUS_OK;
    }
    const struct thread_line *line = &timeline->lines[thread.id];
    for (size_t i = 0; i < line->block_count; i++) {
        struct timeline_run runs[BLOCK_RUNS];
        if (!block_read(timeline->fd, line->blocks[i], runs)) {
            return STATUS_NO_OUTPUT;
        }
        enum status status = runs_each(runs, BLOCK_RUNS, visit, context);
        if (status) {
            return status;
        }
    }
    return runs_each(line->runs, line->run_count, visit, context);
}

struct timeline_cursor timeline_cursor_open(const struct timeline *timeline,
                                            struct thread_ref thread) {
    return (struct timeline_cursor){.timeline = timeline, .thread = thread, .at = BLOCK_RUNS};
}

void timeline_cursor_close(struct timeline_cursor *cursor) {
    free(cursor->block);
    cursor->block = NULL;
}

enum status timeline_next(struct timeline_cursor *cursor, struct timeline_run *out,
                          bool *has_run_out) {
    const struct timeline *timeline = cursor->timeline;
    *has_run_out = false;
    if (cursor->thread.id >= timeline->line_capacity) {
        return STATUS_OK;
    }
    const struct thread_line *line = &timeline->lines[cursor->thread.id];
    if (cursor->at == BLOCK_RUNS && cursor->block_count < line->block_count) {
        cursor->block = cursor->block != NULL ? cursor->block : memory_zeroed(1, BLOCK_BYTES);
        if (!block_read(timeline->fd, line->blocks[cursor->block_count], cursor->block)) {
            return STATUS_NO_OUTPUT;
        }
        cursor->block_count++;
        cursor->at = 0;
    } else if (cursor->at == BLOCK_RUNS && !cursor->is_last) {
        cursor->is_last = true;
        cursor->at = 0;
    }
    const struct timeline_run *runs = cursor->is_last ? line->runs : cursor->block;
    if (cursor->is_last && cursor->at >= line->run_count) {
        return STATUS_OK;
    }
    *out = runs[cursor->at++];
    *has_run_out = true;
    return STATUS_OK;
}
