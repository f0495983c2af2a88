#define _GNU_SOURCE
#include "profiler/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/* Lock-free, so good for handlers, and for the threads that ask. */
static atomic_int stops;
static atomic_int writes;
static const char *volatile guarded;
static void (*volatile last_act)(void);

enum { EXIT_BY_SIGNAL = 128 };

static void on_stop(int number) {
    stops++;
    if (number == SIGINT && stops > 1) {
        const char *path = guarded;
        if (path != NULL) {
            unlink(path);
        }
        void (*act)(void) = last_act;
        if (act != NULL) {
            act();
        }
        _exit(EXIT_BY_SIGNAL + number);
    }
}

static void on_write(int number) {
    (void)number;
    writes = 1;
}

/* Without SA_RESTART: a sleep or wait ends, so that the request is seen at once. What the caller
 * had ignored (nohup ignores SIGHUP) stays ignored. */
static void handle(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    struct sigaction before;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
        sigaction(number, &action, NULL);
    }
}

void signals_install(void) {
    handle(SIGINT, on_stop);
    handle(SIGTERM, on_stop);
    handle(SIGHUP, on_stop);
    handle(SIGUSR1, on_write);
    /* A closed pipe and a file past its limit are failed writes, which are reported. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void signals_reset(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        handle(numbers[i], SIG_DFL);
    }
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
}

bool signals_want_stop(void) {
    return stops > 0;
}

bool signals_take_write(void) {
    return atomic_exchange(&writes, 0) != 0;
}

void signals_guard_file(const char *path) {
    guarded = path;
}

void signals_at_abort(void (*act)(void)) {
    last_act = act;
}
