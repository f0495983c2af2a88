#define _GNU_SOURCE
#include "tui/progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ncurses for what the terminal can do, not for drawing: one line needs no screen. */
#include <curses.h>
#include <term.h>

#include "profiler/base/arena.h"
#include "profiler/base/clock.h"

enum { REFRESH_MS = 200, LINE_BYTES = 256 };

struct progress {
    struct live *live;
    pthread_t thread;
    char erase[32]; /* to the end of the line */
};

static int terminal_width(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void format_line(const struct health *health, char *out, size_t bytes) {
    uint64_t seconds = health->duration_ns / NS_PER_S;
    snprintf(out, bytes,
             "sampling %" PRIu64 ":%02" PRIu64 "  %" PRIu64 " samples  %.0f Hz  lost %" PRIu64
             "  late %" PRIu64 "  (Ctrl-C ends and writes)",
             seconds / 60, seconds % 60, health->samples, health_rate_hz(health), health->lost,
             health->late);
}

static void show(const struct progress *progress, const struct health *health) {
    char line[LINE_BYTES];
    char text[LINE_BYTES + 64];
    int width = terminal_width();
    format_line(health, line, sizeof line);
    int length = snprintf(text, sizeof text, "\r%.*s%s", width - 1, line, progress->erase);
    ssize_t ignored = write(STDERR_FILENO, text, (size_t)length);
    (void)ignored;
}

static void *run(void *context) {
    struct progress *progress = context;
    struct health health;
    while (live_take(progress->live, REFRESH_MS * NS_PER_MS, &health)) {
        show(progress, &health);
    }
    return NULL;
}

/* What erases to the end of the line, from terminfo. False when the terminal cannot. */
static bool find_erase(char *out, size_t bytes) {
    int result;
    if (!isatty(STDERR_FILENO) || setupterm(NULL, STDERR_FILENO, &result) != OK) {
        return false;
    }
    const char *erase = tigetstr("el");
    bool is_known = erase != NULL && erase != (const char *)-1 && strlen(erase) < bytes;
    if (is_known) {
        strcpy(out, erase);
    }
    del_curterm(cur_term);
    return is_known;
}

struct progress *progress_start(struct live *live) {
    struct progress *progress = memory_zeroed(1, sizeof *progress);
    sigset_t all;
    sigset_t before;
    progress->live = live;
    if (!find_erase(progress->erase, sizeof progress->erase)) {
        free(progress);
        return NULL;
    }
    /* Signals are the sampler's: they have to interrupt its sleep. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&progress->thread, NULL, run, progress);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        free(progress);
        return NULL;
    }
    return progress;
}

void progress_stop(struct progress *progress) {
    if (progress == NULL) {
        return;
    }
    live_end(progress->live);
    pthread_join(progress->thread, NULL);
    dprintf(STDERR_FILENO, "\r%s", progress->erase);
    free(progress);
}
