"""Waits in every way that a stop could cut short, and says whether one was.

Ends with a line on standard input, after which it says "WAITED": {"rounds": {WAY: N}, "wrong": [...],
"interrupted": {WAY: N}}. `wrong` holds what should not be; `interrupted` how often a system call of C failed
with EINTR, of those for which signal(7) says that a stop makes them do so.
"""

import ctypes
import errno
import os
import select
import signal
import threading
import time

from truth import ready, say

SECONDS = 0.02
# Clocks of waiting and of measuring may differ by as much.
GRAIN = 0.002

libc = ctypes.CDLL(None, use_errno=True)
rounds, interrupted, wrong = {}, {}, []
done = threading.Event()


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class Failed(Exception):
    pass


def checked(result):
    if result < 0:
        raise Failed(errno.errorcode[ctypes.get_errno()])
    return result


# -- Python's own: each returns what it found, and must have taken its time ------------------------


def sleep():
    time.sleep(SECONDS)


def wait_for_select():
    return select.select([quiet], [], [], SECONDS)[0]


def wait_for_poll():
    poll = select.poll()
    poll.register(quiet, select.POLLIN)
    return poll.poll(SECONDS * 1000)


def wait_for_epoll():
    return epoll.poll(SECONDS)


def wait_for_lock():
    return lock.acquire(timeout=SECONDS)


# -- of C, which nobody tries again -----------------------------------------------------------------


def c_nanosleep():
    checked(libc.nanosleep(ctypes.byref(Timespec(0, int(SECONDS * 1e9))), None))


def c_poll():
    return checked(libc.poll(None, 0, int(SECONDS * 1000)))


def c_select():
    return checked(libc.select(0, None, None, None, ctypes.byref(Timespec(0, int(SECONDS * 1e6)))))


def c_epoll_wait():
    events = ctypes.create_string_buffer(64)
    return checked(libc.epoll_wait(epoll.fileno(), events, 1, int(SECONDS * 1000)))


# Way of waiting: may a stop make it fail with EINTR?
TIMED = {sleep: False, wait_for_select: False, wait_for_poll: False, wait_for_epoll: False, wait_for_lock: False,
         c_nanosleep: False, c_poll: False, c_select: False, c_epoll_wait: True}


def wait_again_and_again(way):
    while not done.is_set():
        before = time.monotonic()
        try:
            found = way()
            took = time.monotonic() - before
            if found or took < SECONDS - GRAIN:
                wrong.append("%s: %r after %.4f s" % (way.__name__, found, took))
        except (Failed, OSError) as error:
            if not TIMED[way] or str(error) != "EINTR":
                wrong.append("%s: %r" % (way.__name__, error))
            interrupted[way.__name__] = interrupted.get(way.__name__, 0) + 1
        rounds[way.__name__] = rounds.get(way.__name__, 0) + 1


# -- bytes through a pipe, signals ------------------------------------------------------------------


def write_slowly(end):
    """One byte at a time, each another one, to whoever waits for it."""
    count = 0
    while not done.is_set():
        time.sleep(0.003)
        os.write(end, bytes([count % 251]))
        count += 1
    os.close(end)


def read_with(name, read, end):
    count = 0
    while True:
        try:
            got = read(end)
        except (Failed, OSError) as error:
            wrong.append("%s: %r" % (name, error))
            return
        if not got:
            break
        if got != bytes([count % 251]):
            wrong.append("%s: byte %d is %r" % (name, count, got))
        count += 1
    rounds[name] = count


def c_read(end):
    byte = ctypes.create_string_buffer(1)
    return byte.raw if checked(libc.read(end, byte, 1)) else b""


def count_signals():
    """Each signal that the main thread sends to itself arrives once."""
    got = []
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    sent = 0
    while not select.select([0], [], [], 0.002)[0]:
        os.kill(os.getpid(), signal.SIGUSR1)
        sent += 1
        until = time.monotonic() + 60
        while len(got) < sent and time.monotonic() < until:
            time.sleep(0)
        if len(got) != sent:
            wrong.append("%d signals sent, %d arrived" % (sent, len(got)))
            break
    rounds["signals"] = sent


def main():
    threads = [threading.Thread(target=wait_again_and_again, args=(way,)) for way in TIMED]
    for name, read in (("read", lambda end: os.read(end, 1)), ("c_read", c_read)):
        out, into = os.pipe()
        threads.append(threading.Thread(target=write_slowly, args=(into,)))
        threads.append(threading.Thread(target=read_with, args=(name, read, out)))
    # A signal to a process may go to any of its threads that does not block it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    for thread in threads:
        thread.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    ready()
    count_signals()
    done.set()
    for thread in threads:
        thread.join()
    say("WAITED", rounds=rounds, wrong=wrong, interrupted=interrupted)


quiet = os.pipe()[0]
epoll = select.epoll()
epoll.register(quiet, select.EPOLLIN)
lock = threading.Lock()
lock.acquire()

if __name__ == "__main__":
    main()
